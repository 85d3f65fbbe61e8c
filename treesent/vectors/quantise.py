"""Rows of floats as int8 with one scale a row."""

from typing import Any

import numpy as np
import numpy.typing as npt

from treesent.types import Float32


def quantise_rows(matrix: Float32) -> tuple[npt.NDArray[np.int8], Float32]:
    """The nearest int8 rows: ``matrix`` is about ``values * scale[:, None]``.

    The scale takes the row's largest value to 127: at eight bits, and at the widths of word vectors, cutting
    outliers off costs more than the finer step gains.

    :param matrix: *Shape:* ``(n_rows, width)``.
    :returns: values *Shape:* ``(n_rows, width)`` and scale *Shape:* ``(n_rows,)``.
    """
    scale = np.abs(matrix).max(axis=1, initial=0.0) / 127
    scale[scale == 0] = 1.0
    values = np.rint(matrix / scale[:, None]).astype(np.int8)
    return values, scale.astype(np.float32)


def dequantise(values: npt.NDArray[np.int8], scale: npt.NDArray[Any]) -> Float32:
    """The floats of int8 rows.

    :param values: *Shape:* ``(n_rows, width)``.
    :param scale: *Shape:* ``(n_rows,)``.
    """
    decoded: Float32 = np.multiply(values, scale[:, None], dtype=np.float32)
    return decoded
