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


def _short(value: float) -> float:
    """Enough digits for a picture."""
    return float(f"{value:.4g}")


class StepLog:
    """Collects the figures of steps and writes them out in groups, so that a device is rarely waited for.

    Used as a context manager. Without a file it still watches the loss.
    """

    EVERY = 50
    """Steps between two looks at the device."""

    def __init__(self, path: str | Path | None, step: int = 0, epochs: int = 0) -> None:
        """Open the log.

        :param path: the file, or None to write nothing.
        :param step: steps done already: lines of later ones are dropped, since those steps are run again.
        :param epochs: epochs done and evaluated already.
        """
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
            figures = {"loss": float(loss), "gradient_norm": float(norm)}
            for name, value in figures.items():
                if not math.isfinite(value):
                    raise TreesentError(
                        f"step {record['step']}: {name} is {value}; lower training.optimizer.learn_rate or "
                        "training.clip_norm"
                    )
            self._write(record | figures | norms.to_dict())
        if self._file is not None:
            self._file.flush()

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
