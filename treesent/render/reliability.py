"""A reliability diagram: how often results of each confidence are right (DeGroot and Fienberg 1983)."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from treesent.render.style import BLUE, INK, save_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from treesent.metrics.calibration import Reliability


def draw_reliability(found: "Reliability", path: str | Path) -> None:
    """Draw confidence beside accuracy, and how many results there are.

    :param found: the bins.
    :param path: a ``.png`` or a ``.svg``.
    :raises DataError: another suffix.
    :raises MissingExtraError: matplotlib is not installed.
    """
    save_figure(lambda: _figure(found), path)


def _figure(found: "Reliability") -> "Figure":
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.6, 4.9), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    n_bins, filled = len(found.count), found.count > 0
    middle = (np.arange(n_bins) + 0.5) / n_bins
    above.plot([0, 1], [0, 1], color=INK, linewidth=0.8, linestyle=":", label="as sure as right")
    above.bar(
        middle[filled], found.accuracy[filled], 0.9 / n_bins, color=BLUE, alpha=0.75, label="fraction right"
    )
    above.plot(
        found.confidence[filled],
        found.accuracy[filled],
        "o",
        color=INK,
        markersize=4,
        label="at the mean confidence",
    )
    above.set(
        xlim=(0, 1),
        ylim=(0, 1),
        ylabel="fraction right",
        title=f"Expected calibration error {found.error:.3f}",
    )
    above.legend(loc="upper left")
    below.bar(middle, found.count, 0.9 / n_bins, color=BLUE, alpha=0.75)
    below.set(xlabel="confidence", ylabel="results")
    return figure
