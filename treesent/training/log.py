"""The log of a run: a JSON object a line, one for each step and one for each epoch."""

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Self

from torch import Tensor

from treesent.errors import TreesentError


@dataclass(frozen=True, slots=True)
class Norms:
    """Norms of gradients before clipping.

    :param names: of the layers.
    :param layers: of each, on the device. *Shape:* ``(n_layers,)``.
    :param steps: by the state at each time step of a recurrent network. *Shape:* ``(steps,)``.
    """

    names: tuple[str, ...] = ()
    layers: Tensor | None = None
    steps: Tensor | None = None

    def to_dict(self) -> dict[str, Any]:
        """Give plain values; waits for the device."""
        found: dict[str, Any] = {}
        if self.layers is not None:
            found["layers"] = dict(zip(self.names, map(_short, self.layers.tolist()), strict=True))
        if self.steps is not None:
            found["step_gradients"] = [_short(value) for value in self.steps.tolist()]
        return found


def _short(value: float) -> float | None:
    """Enough digits for a picture; null, which JSON has, where a number is beyond float16."""
    return float(f"{value:.4g}") if math.isfinite(value) else None


class StepLog:
    """Collects the figures of steps and writes them out in groups, so that a device is rarely waited for.

    Used as a context manager. Without a file it still watches the loss.
    """

    EVERY = 50
    """Steps between two looks at the device."""
    SKIPS = 30
    """Steps in a row that may be skipped: each halves the scale of the loss, from 65,536 at first."""

    def __init__(
        self, path: str | Path | None, step: int = 0, epochs: int = 0, may_skip: bool = False
    ) -> None:
        """Open the log.

        :param path: the file, or None to write nothing.
        :param step: steps done already: lines of later ones are dropped, since those steps are run again.
        :param epochs: epochs done and evaluated already.
        :param may_skip: a step whose gradient is not finite is skipped by who trains, as in float16; its
            line has no norms.
        """
        self._may_skip, self._skipped = may_skip, 0
        self._pending: list[tuple[dict[str, Any], Tensor, Tensor, Norms]] = []
        self._file: IO[str] | None = None
        if path is not None:
            path = Path(path)
            path.parent.mkdir(parents=True, exist_ok=True)
            kept = _lines_until(path, step, epochs) if step else []
            path.write_text("".join(kept), encoding="utf-8")
            self._file = path.open("a", encoding="utf-8")

    def __enter__(self) -> Self:
        """Enter."""
        return self

    def __exit__(self, *error: object) -> None:
        """Write what is there and close the file; figures of a run that failed are not looked at again."""
        if error[0] is None:
            self.flush()
        if self._file is not None:
            self._file.close()

    def step(
        self, record: dict[str, Any], loss: Tensor, gradient_norm: Tensor, norms: Norms | None = None
    ) -> None:
        """Note a step.

        :param record: its plain values.
        :param loss: on the device. *Shape:* ``()``.
        :param gradient_norm: before clipping, on the device. *Shape:* ``()``.
        :param norms: more norms of gradients, on the device.
        """
        self._pending.append((record, loss.detach(), gradient_norm.detach(), norms or Norms()))
        if len(self._pending) >= self.EVERY:
            self.flush()

    def epoch(self, record: dict[str, Any]) -> None:
        """Note an epoch.

        :param record: its plain values.
        """
        self.flush()
        self._write(record)
        self.flush()

    def flush(self) -> None:
        """Write the steps noted so far.

        :raises TreesentError: a loss or a gradient is not a number any more.
        """
        pending, self._pending = self._pending, []
        for record, loss, norm, norms in pending:
            figures: dict[str, float | None] = {"loss": float(loss), "gradient_norm": float(norm)}
            if self._skips(float(norm)):
                figures["gradient_norm"] = None
            for name, value in figures.items():
                if value is not None and not math.isfinite(value):
                    raise TreesentError(
                        f"step {record['step']}: {name} is {value}; lower training.optimizer.learn_rate or "
                        "training.clip_norm"
                    )
            self._write(record | figures | norms.to_dict())
        if self._file is not None:
            self._file.flush()

    def _skips(self, norm: float) -> bool:
        """Whether a step was skipped for its gradient, as now and then one may be."""
        self._skipped = 0 if math.isfinite(norm) else self._skipped + 1
        return self._may_skip and 0 < self._skipped <= self.SKIPS

    def _write(self, record: dict[str, Any]) -> None:
        if self._file is not None:
            self._file.write(json.dumps(record) + "\n")


def _lines_until(path: Path, step: int, epochs: int) -> list[str]:
    """Lines of what is not run again; a line cut short by a kill ends them."""
    kept: list[str] = []
    if path.is_file():
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines(keepends=True):
            try:
                record = json.loads(line) if line.endswith("\n") else {}
                done = record["step"] <= step and ("dev" not in record or record["epoch"] <= epochs)
            except (ValueError, KeyError, TypeError):
                break
            if not done:
                break
            kept.append(line)
    return kept
