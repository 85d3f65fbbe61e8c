"""Quantise rows of floats to int8 with a scale for each row."""

from typing import Any

import numpy as np
import numpy.typing as npt

from treesent.types import Float32


def quantise_rows(matrix: Float32) -> tuple[npt.NDArray[np.int8], Float32]:
    """Find the nearest int8 rows: ``matrix`` is about ``values * scale[:, None]``.

    The scale maps the largest value of the row to 127: at eight bits and the usual widths, clipping outliers
    costs more than the finer step gains.

    :param matrix: *Shape:* ``(n_rows, width)``.
    :returns: values *Shape:* ``(n_rows, width)`` and scale *Shape:* ``(n_rows,)``.
    """
    scale = np.abs(matrix).max(axis=1, initial=0.0) / 127
    scale[scale == 0] = 1.0
    values = np.rint(matrix / scale[:, None]).astype(np.int8)
    return values, scale.astype(np.float32)


def dequantise(values: npt.NDArray[np.int8], scale: npt.NDArray[Any]) -> Float32:
    """Convert int8 rows to floats.

    :param values: *Shape:* ``(n_rows, width)``.
    :param scale: *Shape:* ``(n_rows,)``.
    """
    decoded: Float32 = np.multiply(values, scale[:, None], dtype=np.float32)
    return decoded
