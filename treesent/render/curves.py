"""Pictures of a run: its loss, its figures on dev, and its gradients layer by layer and step by step."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from treesent.errors import DataError, MissingExtraError
from treesent.files import replacing
from treesent.types import Float64

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

KINDS = (".png", ".svg")
# Okabe and Ito's colours, which colour-blind readers tell apart too.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")


@dataclass(frozen=True, slots=True)
class Log:
    """The log of a run.

    :param steps: the records of its steps.
    :param epochs: the records of its epochs.
    """

    steps: list[dict[str, Any]]
    epochs: list[dict[str, Any]]


def read_log(path: str | Path) -> Log:
    """Read what ``treesent train --log`` wrote; a last line cut short is left out.

    :param path: the file.
    :raises DataError: it cannot be read, or holds no step.
    """
    path = Path(path)
    try:
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: the log cannot be read: {error}") from error
    records = []
    for number, line in enumerate(lines, 1):
        try:
            record = json.loads(line)
            records.append((int(record["step"]), record))
        except (ValueError, KeyError, TypeError) as error:
            if number == len(lines) and not line.endswith("\n"):
                break
            raise DataError(
                f"{path}:{number}: no line of a log; expected a JSON object with step, as --log writes it"
            ) from error
    log = Log(
        [record for _, record in records if "loss" in record],
        [record for _, record in records if "dev" in record],
    )
    if not log.steps:
        raise DataError(f"{path}: no step; train with --log {path}")
    return log


def draw_curves(log: Log, path: str | Path) -> None:
    """Draw a run to a file.

    The panels are the loss, the figures on dev, and the norm of the gradient: of each layer and, of recurrent
    networks, over time steps, where the run was logged with ``--gradients``.

    :param log: the run.
    :param path: a ``.png`` or a ``.svg``.
    :raises DataError: another suffix.
    :raises MissingExtraError: matplotlib is not installed.
    """
    path = Path(path)
    if path.suffix.lower() not in KINDS:
        raise DataError(
            f"{path}: the suffix {path.suffix!r} is not that of a picture; use {' or '.join(KINDS)}"
        )
    try:
        import matplotlib as mpl
    except ImportError:
        raise MissingExtraError("matplotlib", "viz") from None
    # Text stays text, and equal runs give equal files.
    style: Any = {**_STYLE, "svg.fonttype": "none", "svg.hashsalt": "treesent"}
    with mpl.rc_context(style):
        path.parent.mkdir(parents=True, exist_ok=True)
        kind = path.suffix.lower()[1:]
        metadata = {"Date": None} if kind == "svg" else {}
        with replacing(path) as file:
            _figure(log).savefig(file, dpi=150, metadata=metadata, format=kind)


_STYLE = {
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e6e6e6",
    "grid.linewidth": 0.6,
    "axes.axisbelow": True,
    "legend.frameon": False,
    "legend.fontsize": 8,
}


def _figure(log: Log) -> "Figure":
    from matplotlib.figure import Figure

    over_time = [record for record in log.steps if record.get("step_gradients")]
    panels = [_loss, *([_dev] if log.epochs else []), _gradients, *([_over_time] if over_time else [])]
    figure = Figure(figsize=(7.2, 2.5 * len(panels)), layout="constrained")
    for axes, panel in zip(figure.subplots(len(panels), 1, squeeze=False)[:, 0], panels, strict=True):
        panel(axes, log)
    return figure


def _loss(axes: "Axes", log: Log) -> None:
    step, loss = _column(log.steps, "step"), _column(log.steps, "loss")
    axes.plot(step, loss, color=COLOURS[0], alpha=0.25, linewidth=0.7)
    axes.plot(step, _smooth(loss), color=COLOURS[0], linewidth=1.6, label="training, smoothed")
    if log.epochs:
        axes.plot(
            _column(log.epochs, "step"),
            _column(log.epochs, "mean_loss"),
            "o",
            color=COLOURS[1],
            markersize=4,
            label="mean of the epoch",
        )
    axes.set(title="Loss", xlabel="step", xlim=(0, step[-1] * 1.01))
    axes.legend()


def _dev(axes: "Axes", log: Log) -> None:
    from matplotlib.ticker import MaxNLocator

    epoch = _column(log.epochs, "epoch")
    flat = [_figures(record["dev"]) for record in log.epochs]
    lines = [[record.get(name, np.nan) for record in flat] for name in flat[0]]
    for i, (name, line) in enumerate(zip(flat[0], lines, strict=True)):
        axes.plot(epoch, line, "o-", color=COLOURS[i % len(COLOURS)], markersize=3.5, label=name)
    best = [record["epoch"] for record in log.epochs if record.get("best")]
    if best:
        axes.axvline(best[-1], color="#888888", linestyle=":", linewidth=1)
        axes.annotate(
            "best",
            (best[-1], 0.02),
            xycoords=("data", "axes fraction"),
            color="#666666",
            xytext=(3, 0),
            textcoords="offset points",
        )
    axes.set(title="Dev, percent", xlabel="epoch")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))


def _gradients(axes: "Axes", log: Log) -> None:
    step = _column(log.steps, "step")
    names = list(dict.fromkeys(name for record in log.steps for name in record.get("layers", {})))
    for i, name in enumerate(names):
        norms = np.array([record.get("layers", {}).get(name) for record in log.steps], np.float64)
        style = ("-", "--", ":")[i // len(COLOURS) % 3]
        axes.plot(step, _smooth(norms), style, color=COLOURS[i % len(COLOURS)], linewidth=1.3, label=name)
    total = _smooth(_column(log.steps, "gradient_norm"))
    axes.plot(step, total, color="#aaaaaa", linewidth=1.8, zorder=1, label="all, before clipping")
    axes.set(title="Norm of the gradient", xlabel="step", yscale="log", xlim=(0, step[-1] * 1.01))
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))


def _over_time(axes: "Axes", log: Log) -> None:
    """Steps of training to the right, time steps upwards: where the colour fades, the gradient vanishes."""
    from matplotlib.colors import LogNorm

    records = [record for record in log.steps if record.get("step_gradients")]
    longest = max(len(record["step_gradients"]) for record in records)
    grid = np.full((longest, len(records)), np.nan)
    for column, record in enumerate(records):
        # Counted from the end, where the loss is; sentences differ in length.
        norms = record["step_gradients"][::-1]
        grid[: len(norms), column] = norms
    positive = grid[np.isfinite(grid) & (grid > 0)]
    low = max(float(positive.min(initial=1.0)), float(positive.max(initial=1.0)) * 1e-12)
    image = axes.imshow(
        np.where(grid > 0, grid, np.nan),
        aspect="auto",
        origin="lower",
        cmap="viridis",
        norm=LogNorm(low, float(positive.max(initial=low * 10))),
        extent=(records[0]["step"] - 0.5, records[-1]["step"] + 0.5, -0.5, longest - 0.5),
        interpolation="nearest",
    )
    axes.grid(visible=False)
    axes.set(title="Norm of the gradient over time steps", xlabel="step", ylabel="words from the end")
    figure = axes.get_figure()
    assert figure is not None
    axes.set_xlim(0, log.steps[-1]["step"] * 1.01)
    figure.colorbar(image, cax=axes.inset_axes((1.02, 0, 0.02, 1)))


def _figures(dev: Mapping[str, Any]) -> dict[str, float]:
    """The figures to draw: the accuracies of a classifier, all percentages of a parser."""
    if "root" not in dev:
        return {name: float(value) for name, value in dev.items() if name != "n"}
    found = {
        f"{place} {name}": float(value)
        for place in ("root", "nodes")
        for name, value in dev[place].items()
        if "accuracy" in name
    }
    if all(dev["root"][name] == dev["nodes"][name] for name in dev["root"] if "accuracy" in name):
        return {name: value for name, value in found.items() if name.startswith("root")}
    return found


def _column(records: Sequence[Mapping[str, Any]], name: str) -> Float64:
    return np.array([record[name] for record in records], np.float64)


def _smooth(values: Float64) -> Float64:
    """A running mean over a fiftieth of the run, those that are missing left out."""
    width = max(1, len(values) // 50)
    there = np.isfinite(values)
    sums = np.cumsum(np.concatenate([[0], np.where(there, values, 0)]))
    counts = np.cumsum(np.concatenate([[0], there]))
    last = np.arange(1, len(values) + 1)
    first = np.maximum(0, last - width)
    number = counts[last] - counts[first]
    return np.where(number > 0, (sums[last] - sums[first]) / np.maximum(number, 1), np.nan)
