"""The log of a run, as ``treesent train --log`` writes it, for pictures."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from treesent.errors import DataError
from treesent.types import Float64

STATES = "state_gradients"


@dataclass(frozen=True, slots=True)
class Log:
    """The log of a run.

    :param steps: the records of its steps.
    :param epochs: the records of its epochs.
    """

    steps: list[dict[str, Any]]
    epochs: list[dict[str, Any]]

    @property
    def with_states(self) -> list[dict[str, Any]]:
        """The records of the steps that tell how the gradient goes back through the states."""
        return [record for record in self.steps if record.get(STATES) and record[STATES][0]]

    def passed(self) -> Float64:
        """What the gradient has become at each distance from the loss, by the one at the loss.

        NaN where the states of a step do not reach so far. *Shape:* ``(n_steps, distances)``.
        """
        records = [record[STATES] for record in self.with_states]
        grid = np.full((len(records), max(map(len, records), default=0)), np.nan)
        for row, norms in enumerate(records):
            grid[row, : len(norms)] = np.array(norms, np.float64) / norms[0]
        return grid

    def column(self, name: str) -> Float64:
        """The values of a key in all steps, NaN where it is null.

        :param name: the key.
        """
        return column(self.steps, name)


def column(records: Sequence[Mapping[str, Any]], name: str) -> Float64:
    """The values of a key.

    :param records: lines of a log.
    :param name: the key.
    """
    return np.array([record[name] for record in records], np.float64)


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


def dev_figures(dev: Mapping[str, Any]) -> dict[str, float]:
    """The figures on dev to draw: a classifier's accuracies, a parser's percentages, a language model's perplexities.

    :param dev: of an epoch.
    """
    if "root" not in dev:
        return {name: float(value) for name, value in dev.items() if not f"{name}_".startswith("n_")}
    found = {
        f"{place} {name}": float(value)
        for place in ("root", "nodes")
        for name, value in dev[place].items()
        if "accuracy" in name
    }
    if all(dev["root"][name] == dev["nodes"][name] for name in dev["root"] if "accuracy" in name):
        return {name: value for name, value in found.items() if name.startswith("root")}
    return found


def of_language_model(log: Log) -> bool:
    """Whether the figures on dev are perplexities, of which less is better.

    :param log: the run.
    """
    return any("perplexity" in record["dev"] for record in log.epochs)


def smooth(values: Float64, parts: int = 50) -> Float64:
    """A running mean over a part of the run, values that are missing left out.

    :param values: *Shape:* ``(n,)``
    :param parts: how many parts there are.
    :returns: *Shape:* ``(n,)``
    """
    width = max(1, len(values) // parts)
    there = np.isfinite(values)
    sums = np.cumsum(np.concatenate([[0], np.where(there, values, 0)]))
    counts = np.cumsum(np.concatenate([[0], there]))
    last = np.arange(1, len(values) + 1)
    first = np.maximum(0, last - width)
    number = counts[last] - counts[first]
    return np.where(number > 0, (sums[last] - sums[first]) / np.maximum(number, 1), np.nan)
