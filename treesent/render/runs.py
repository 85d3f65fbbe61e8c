"""Several runs in one picture: their loss, their figure on dev, and how their gradients vanish or explode."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from treesent.render.log import Log, column, dev_figures, of_language_model, smooth
from treesent.render.style import COLOURS, INK, LINES, save_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Runs = Mapping[str, Log]
PARTS = 16
"""Lines that cross are smoothed more than one that stands alone."""


def draw_runs(runs: Runs, path: str | Path) -> None:
    """Draw several runs to a file, each in one colour.

    The panels are the loss, the first figure on dev, the norm of the gradient before clipping and, where runs of
    recurrent networks were logged with ``--gradients``, what the gradient becomes on its way back from the loss.

    :param runs: by the name to give them.
    :param path: a ``.png`` or a ``.svg``.
    :raises DataError: another suffix.
    :raises MissingExtraError: matplotlib is not installed.
    """
    save_figure(lambda: _figure(runs), path)


def _figure(runs: Runs) -> "Figure":
    from matplotlib.figure import Figure

    panels = [_loss]
    panels += [_dev] if any(log.epochs for log in runs.values()) else []
    panels += [_norm]
    panels += [_passed] if any(log.with_states for log in runs.values()) else []
    figure = Figure(figsize=(7.6, 2.7 * len(panels)), layout="constrained")
    for axes, panel in zip(figure.subplots(len(panels), 1, squeeze=False)[:, 0], panels, strict=True):
        panel(axes, runs)
    figure.legend(*figure.axes[0].get_legend_handles_labels(), loc="outside right upper")
    return figure


def _styles(runs: Runs) -> Iterator[tuple[str, Log, dict[str, Any]]]:
    for number, (name, log) in enumerate(runs.items()):
        line = LINES[number // len(COLOURS) % len(LINES)]
        yield name, log, {"color": COLOURS[number % len(COLOURS)], "linestyle": line, "label": name}


def _loss(axes: "Axes", runs: Runs) -> None:
    for _, log, style in _styles(runs):
        axes.plot(log.column("step"), smooth(log.column("loss"), PARTS), linewidth=1.4, **style)
    axes.set(title="Loss, smoothed", xlabel="step")


def _dev(axes: "Axes", runs: Runs) -> None:
    from matplotlib.ticker import MaxNLocator

    names = [next(iter(dev_figures(log.epochs[0]["dev"]))) for log in runs.values() if log.epochs]
    for _, log, style in _styles(runs):
        if log.epochs:
            line = [next(iter(dev_figures(record["dev"]).values())) for record in log.epochs]
            axes.plot(column(log.epochs, "epoch"), line, marker="o", markersize=3, linewidth=1.4, **style)
    axes.set(title=f"Dev: {', '.join(dict.fromkeys(names))}", xlabel="epoch")
    if all(of_language_model(log) for log in runs.values() if log.epochs):
        axes.set_yscale("log")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))


def _norm(axes: "Axes", runs: Runs) -> None:
    for _, log, style in _styles(runs):
        axes.plot(log.column("step"), smooth(log.column("gradient_norm"), PARTS), linewidth=1.4, **style)
    axes.set(title="Norm of the gradient, before clipping", xlabel="step", yscale="log")


def _passed(axes: "Axes", runs: Runs) -> None:
    """Of each run the median over its steps, and between the quartiles a band."""
    from matplotlib.ticker import MaxNLocator

    for _, log, style in _styles(runs):
        if not log.with_states:
            continue
        with np.errstate(divide="ignore"):
            low, middle, high = np.nanquantile(log.passed(), [0.25, 0.5, 0.75], axis=0)
        distance = np.arange(len(middle))
        axes.plot(distance, np.where(middle > 0, middle, np.nan), linewidth=1.6, **style)
        axes.fill_between(distance, low, high, color=style["color"], alpha=0.1, linewidth=0)
    axes.axhline(1, color=INK, linewidth=0.8)
    axes.set(
        title="Gradient of the states, by the one at the loss: above 1 it explodes, below it vanishes",
        xlabel="words from the loss",
        yscale="log",
    )
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlim(left=0)
