"""Principal components: the axes along which the rows of a matrix vary most."""

import numpy as np

from treesent.types import Float32, Float64


def principal_axes(matrix: Float32, centre: bool = True) -> tuple[Float32, Float64]:
    """Find the principal axes of rows.

    The covariance matrix is ``width x width``, small even for many rows, so its exact eigenvectors are taken.
    The sign of each axis is fixed by its largest loading: the same rows give the same axes.

    :param matrix: *Shape:* ``(n_rows, width)``
    :param centre: whether variance is measured about the mean of the rows; otherwise about zero.
    :returns: the axes as columns, the one of largest variance first, *Shape:* ``(width, width)``; and the
        variance along each, *Shape:* ``(width,)``.
    """
    moments = (matrix.T @ matrix).astype(np.float64) / len(matrix)
    if centre:
        mean = matrix.mean(axis=0, dtype=np.float64)
        moments -= np.outer(mean, mean)
    variance, axes = np.linalg.eigh(moments)
    variance, axes = np.maximum(variance[::-1], 0), axes[:, ::-1]
    sign = np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(axes.shape[1])])
    return np.ascontiguousarray(axes * sign, np.float32), variance
