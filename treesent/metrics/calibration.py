"""Whether confidence means what it says: of all results with a confidence of 0.8, eight in ten should be right."""

from dataclasses import dataclass

import numpy as np

from treesent.types import Bool, Float64, Int64

BINS = 10


@dataclass(frozen=True, slots=True, eq=False)
class Reliability:
    """Confidence beside accuracy, in bins of equal width.

    :param confidence: mean of each bin, NaN where it is empty. *Shape:* ``(n_bins,)``
    :param accuracy: fraction of results that are right. *Shape:* ``(n_bins,)``
    :param count: results in each bin. *Shape:* ``(n_bins,)``
    """

    confidence: Float64
    accuracy: Float64
    count: Int64

    @property
    def error(self) -> float:
        """Give the expected calibration error, from 0 to 1 (Naeini et al. 2015, section 2)."""
        filled = self.count > 0
        gaps = np.abs(self.confidence - self.accuracy)[filled] * self.count[filled]
        return float(gaps.sum() / max(1, self.count.sum()))


def reliability(confidence: Float64, right: Bool, n_bins: int = BINS) -> Reliability:
    """Sort results into bins of confidence.

    :param confidence: from 0 to 1. *Shape:* ``(n,)``
    :param right: whether each result is right. *Shape:* ``(n,)``
    :param n_bins: how many bins.
    """
    place = np.clip((confidence * n_bins).astype(np.int64), 0, n_bins - 1)
    count = np.bincount(place, minlength=n_bins)
    sums = (np.bincount(place, values.astype(np.float64), n_bins) for values in (confidence, right))
    mean, accuracy = (np.divide(total, count, out=np.full(n_bins, np.nan), where=count > 0) for total in sums)
    return Reliability(mean, accuracy, count)
