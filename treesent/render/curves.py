"""Pictures of a run: its loss, its figures on dev, and its gradients layer by layer and back through the states."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from treesent.render.log import Log, column, dev_figures, of_language_model, read_log, smooth
from treesent.render.style import BLUE, COLOURS, INK, LINES, RED, save_figure
from treesent.types import Float64

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["draw_curves", "read_log"]

FAINTEST, STRONGEST = -8.0, 4.0
"""Powers of ten between which the colours of the gradient over time lie."""


def draw_curves(log: Log, path: str | Path) -> None:
    """Draw a run to a file.

    The panels are the loss, the figures on dev, and the norm of the gradient: of each layer and, of recurrent
    networks, over the distance from the loss, where the run was logged with ``--gradients``.

    :param log: the run.
    :param path: a ``.png`` or a ``.svg``.
    :raises DataError: another suffix.
    :raises MissingExtraError: matplotlib is not installed.
    """
    save_figure(lambda: _figure(log), path)


def _figure(log: Log) -> "Figure":
    from matplotlib.figure import Figure

    over_time = [_over_time] if log.with_states else []
    panels = [_loss, *([_dev] if log.epochs else []), _gradients, *over_time]
    figure = Figure(figsize=(7.2, 2.5 * len(panels)), layout="constrained")
    for axes, panel in zip(figure.subplots(len(panels), 1, squeeze=False)[:, 0], panels, strict=True):
        panel(axes, log)
    return figure


def _loss(axes: "Axes", log: Log) -> None:
    step, loss = log.column("step"), log.column("loss")
    axes.plot(step, loss, color=COLOURS[0], alpha=0.25, linewidth=0.7)
    axes.plot(step, smooth(loss), color=COLOURS[0], linewidth=1.6, label="training, smoothed")
    if log.epochs:
        means = column(log.epochs, "mean_loss")
        axes.plot(
            column(log.epochs, "step"), means, "o", color=COLOURS[1], markersize=4, label="mean of the epoch"
        )
    axes.set(title="Loss", xlabel="step", xlim=(0, step[-1] * 1.01))
    axes.legend()


def _dev(axes: "Axes", log: Log) -> None:
    from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter

    epoch = column(log.epochs, "epoch")
    flat = [dev_figures(record["dev"]) for record in log.epochs]
    lines = [[record.get(name, np.nan) for record in flat] for name in flat[0]]
    for i, (name, line) in enumerate(zip(flat[0], lines, strict=True)):
        axes.plot(epoch, line, "o-", color=COLOURS[i % len(COLOURS)], markersize=3.5, label=name)
    best = [record["epoch"] for record in log.epochs if record.get("best")]
    if best:
        axes.axvline(best[-1], color=INK, linestyle=":", linewidth=1)
        place: Any = {"xycoords": ("data", "axes fraction"), "xytext": (3, 0), "textcoords": "offset points"}
        axes.annotate("best", (best[-1], 0.02), **place)
    axes.set(title="Dev, percent", xlabel="epoch")
    if of_language_model(log):
        axes.set(title="Dev, less is better", yscale="log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_minor_formatter(NullFormatter())
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))


def _gradients(axes: "Axes", log: Log) -> None:
    step = log.column("step")
    names = list(dict.fromkeys(name for record in log.steps for name in record.get("layers", {})))
    for i, name in enumerate(names):
        norms = np.array([record.get("layers", {}).get(name) for record in log.steps], np.float64)
        style = LINES[i // len(COLOURS) % len(LINES)]
        axes.plot(step, smooth(norms), style, color=COLOURS[i % len(COLOURS)], linewidth=1.3, label=name)
    total = smooth(log.column("gradient_norm"))
    axes.plot(step, total, color=INK, alpha=0.6, linewidth=1.8, zorder=1, label="all, before clipping")
    axes.set(title="Norm of the gradient", xlabel="step", yscale="log", xlim=(0, step[-1] * 1.01))
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))


def _over_time(axes: "Axes", log: Log) -> None:
    """Steps of training to the right, words from the loss upwards: blue fades as the gradient vanishes, red explodes."""
    from matplotlib.colors import LinearSegmentedColormap

    power = _powers(log.passed())
    low, high = min(float(np.nanmin(power)), -1.0), max(float(np.nanmax(power)), 0.3)
    colours = [(0.0, f"{BLUE}00"), (-low / (high - low), f"{BLUE}ff"), (1.0, f"{RED}ff")]
    image = axes.imshow(
        power.T,
        aspect="auto",
        origin="lower",
        cmap=LinearSegmentedColormap.from_list("vanishing", colours),
        vmin=low,
        vmax=high,
        extent=(log.with_states[0]["step"] - 0.5, log.steps[-1]["step"] + 0.5, -0.5, power.shape[1] - 0.5),
        interpolation="nearest",
    )
    axes.grid(visible=False)
    axes.set(
        title="Gradient of the states, by the one at the loss", xlabel="step", ylabel="words from the loss"
    )
    axes.set_xlim(0, log.steps[-1]["step"] * 1.01)
    figure = axes.get_figure()
    assert figure is not None
    bar = figure.colorbar(image, cax=axes.inset_axes((1.02, 0, 0.02, 1)))
    ticks = sorted({round(low), round(low / 2), 0, *([round(high)] if high >= 1 else [])})
    bar.set_ticks(ticks, labels=["1" if tick == 0 else f"$10^{{{tick}}}$" for tick in ticks])


def _powers(passed: Float64) -> Float64:
    """Powers of ten within the colours' range; a gradient that has vanished altogether is the faintest."""
    with np.errstate(divide="ignore"):
        return np.clip(np.log10(passed), FAINTEST, STRONGEST)
