"""The log of a run: one JSON object per line, for each step and for each epoch."""

import json
import math
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Self

from torch import Tensor

from treesent.errors import DivergenceError, OutputError
from treesent.files import replacing


@dataclass(frozen=True, slots=True)
class Norms:
    """Norms of gradients before clipping.

    :param names: names of the layers.
    :param layers: norm of each layer's gradient, on the device. *Shape:* ``(n_layers,)``.
    :param states: norm of the gradient with respect to the states of a recurrent network, by their distance from
        the loss. *Shape:* ``(steps,)``.
    """

    names: tuple[str, ...] = ()
    layers: Tensor | None = None
    states: Tensor | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return plain values; waits for the device."""
        found: dict[str, Any] = {}
        if self.layers is not None:
            found["layers"] = dict(zip(self.names, map(_short, self.layers.tolist()), strict=True))
        if self.states is not None:
            found["state_gradients"] = [_short(value) for value in self.states.tolist()]
        return found


def _short(value: float) -> float | None:
    """Round to what a picture needs; None if the number is not finite, which JSON cannot hold."""
    return float(f"{value:.4g}") if math.isfinite(value) else None


class StepLog:
    """Collects the lines of steps and writes them in groups, so that the host rarely waits for the device.

    A context manager. Without a file it still checks the loss.
    """

    EVERY = 50
    """Steps between two reads from the device."""
    SKIPS = 30
    """Consecutive steps that may be skipped: each halves the scale of the loss, which starts at 65,536."""

    def __init__(
        self, path: str | Path | None, step: int = 0, epochs: int = 0, may_skip: bool = False
    ) -> None:
        """Open the log.

        :param path: the file, or None to write nothing.
        :param step: steps done already. Lines of later steps are dropped, since these steps are repeated.
        :param epochs: epochs done and evaluated already.
        :param may_skip: the trainer skips steps whose gradient is not finite, as float16 requires; their
            lines have no norms.
        :raises OutputError: the file cannot be written.
        """
        self._may_skip, self._skipped = may_skip, 0
        self._pending: list[tuple[dict[str, Any], Tensor, Tensor, Norms]] = []
        self._file: IO[str] | None = None
        if path is not None:
            path = Path(path)
            with _named(path):
                path.parent.mkdir(parents=True, exist_ok=True)
                kept = _lines_until(path, step, epochs) if step else []
                with replacing(path, "w", encoding="utf-8") as file:
                    file.writelines(kept)
                self._file = path.open("a", encoding="utf-8")

    def __enter__(self) -> Self:
        """Enter."""
        return self

    def __exit__(self, *error: object) -> None:
        """Write what is pending and close the file; after an error, pending steps are dropped."""
        try:
            if error[0] is None:
                self.flush()
        finally:
            if self._file is not None:
                with _named(Path(self._file.name)) if error[0] is None else suppress(OSError):
                    self._file.close()

    def step(
        self, record: dict[str, Any], loss: Tensor, gradient_norm: Tensor, norms: Norms | None = None
    ) -> None:
        """Add a step.

        :param record: its line: ``step``, ``epoch``, ``learn_rate`` and other plain values.
        :param loss: on the device. *Shape:* ``()``.
        :param gradient_norm: before clipping, on the device. *Shape:* ``()``.
        :param norms: norms of single layers and steps, on the device.
        """
        self._pending.append((record, loss.detach(), gradient_norm.detach(), norms or Norms()))
        if len(self._pending) >= self.EVERY:
            self.flush()

    def epoch(self, record: dict[str, Any]) -> None:
        """Add an epoch.

        :param record: its line.
        """
        self.flush()
        self._write(record)
        self.flush()

    def flush(self) -> None:
        """Write the pending steps.

        :raises DivergenceError: a loss or a gradient is not finite.
        :raises OutputError: the file cannot be written.
        """
        pending, self._pending = self._pending, []
        for record, loss, norm, norms in pending:
            values: dict[str, float | None] = {"loss": float(loss), "gradient_norm": float(norm)}
            if self._skips(float(norm)):
                values["gradient_norm"] = None
            for name, value in values.items():
                if value is not None and not math.isfinite(value):
                    raise divergence(record, f"{name} is {value}")
            self._write(record | values | norms.to_dict())
        if self._file is not None:
            with _named(Path(self._file.name)):
                self._file.flush()

    def _skips(self, norm: float) -> bool:
        """Whether a step was skipped because of its gradient, and may have been."""
        self._skipped = 0 if math.isfinite(norm) else self._skipped + 1
        return self._may_skip and 0 < self._skipped <= self.SKIPS

    def _write(self, record: dict[str, Any]) -> None:
        if self._file is not None:
            with _named(Path(self._file.name)):
                self._file.write(json.dumps(record) + "\n")


def divergence(record: dict[str, Any], what: str) -> DivergenceError:
    """Make the error that stops a run that has diverged.

    :param record: the step's ``step``, ``epoch`` and ``learn_rate``.
    :param what: which value is not finite.
    """
    return DivergenceError(
        f"step {record['step']}, epoch {record['epoch']}, learning rate {record['learn_rate']:g}: {what}; "
        "lower training.optimizer.learn_rate or training.clip_norm"
    )


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """Turn an error of writing into one that names the log."""
    try:
        yield
    except OSError as error:
        raise OutputError(f"{path}: the log cannot be written: {error.strerror or error}") from error


def _lines_until(path: Path, step: int, epochs: int) -> list[str]:
    """Lines of steps and epochs that are not repeated; a line that a kill cut short ends them."""
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
