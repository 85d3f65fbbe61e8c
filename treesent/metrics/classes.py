"""The class that probabilities name, so that it never contradicts their polarity."""

import numpy as np

from treesent.types import Float32, Float64, Int64

REACH = 1.25
"""How far from the polarity the value of the class may lie, in mean distances between neighbouring classes."""


def predicted_classes(probs: Float32, polarity: Float32) -> Int64:
    """Choose the most probable class among those that agree with the polarity.

    The mean of a very good and a very bad sentence has two equal peaks and a polarity near 0: neither peak is
    what the text says as a whole. So a class must not have the opposite sign of the polarity, and must not lie
    further from it than :data:`REACH`. Where one class is clearly the most probable, it is chosen.

    :param probs: *Shape:* ``(n, n_classes)``.
    :param polarity: the value of each class, in any order; NaN where classes have no values, and then the most
        probable class is chosen. *Shape:* ``(n_classes,)``.
    :returns: *Shape:* ``(n,)``.
    """
    if np.isnan(polarity).any() or len(polarity) < 3:
        chosen: Int64 = probs.argmax(axis=1)
        return chosen
    mean = (probs @ polarity)[:, None]
    step = (polarity.max() - polarity.min()) / (len(polarity) - 1)
    signed = mean * polarity >= 0
    near = signed & (np.abs(polarity - mean) <= REACH * step + 1e-6)
    # Classes that lie far apart can leave none near.
    allowed = np.where(near.any(axis=1, keepdims=True), near, signed)
    allowed[~allowed.any(axis=1)] = True
    # Of classes that are equally probable the nearest is taken.
    agreeing: Int64 = np.where(allowed, probs - 1e-6 * np.abs(polarity - mean), -1).argmax(axis=1)
    return agreeing


def confidences(probs: Float32, chosen: Int64, unknown: Float64) -> Float64:
    """Give the probability of the chosen classes; texts of unknown words come down to that of a guess.

    :param probs: *Shape:* ``(n, n_classes)``.
    :param chosen: see :func:`predicted_classes`. *Shape:* ``(n,)``.
    :param unknown: the fraction of unknown words; up to a half, it plays no part. *Shape:* ``(n,)``.
    :returns: *Shape:* ``(n,)``.
    """
    guess = np.maximum(0, 2 * unknown - 1)
    own = np.take_along_axis(probs, chosen[:, None], 1)[:, 0].astype(np.float64)
    mixed: Float64 = (1 - guess) * own + guess / probs.shape[1]
    return mixed
