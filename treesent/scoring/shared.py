"""Parts made by worker processes, in the order of the input."""

import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from treesent.data.rows import Mark, Rows
from treesent.scoring.cores import private_memory
from treesent.scoring.parts import PartMaker, open_rows, skip_rows
from treesent.scoring.pool import Message, Pool, Tell
from treesent.scoring.spool import Part, Spool

_OFTEN = 0.2  # seconds between two words on progress


@dataclass(frozen=True, slots=True)
class PartTask:
    """The next part of the input: whoever reads it tells where the one behind it begins."""

    index: int
    start: int
    """Rows of the input before it."""
    mark: Mark | None = None
    """Where it begins, if the input can be opened there."""

    def __str__(self) -> str:
        return f"the rows after row {self.start:,}"


@dataclass(frozen=True, slots=True)
class _Read:
    rows: int
    fraction: float | None
    mark: Mark | None


@dataclass(frozen=True, slots=True)
class _Made:
    part: Part | None
    """None at the end of the input."""
    memory: int | None


@dataclass(slots=True)
class _Worker:
    """Makes parts in a worker, which goes to where each begins, or passes over the parts of the others."""

    maker: PartMaker
    rows: Rows | None = None
    at: int = 0

    def __call__(self, task: PartTask, tell: Tell) -> _Made:
        plan, options = self.maker.plan, self.maker.options
        if task.mark is not None and (self.rows is None or self.at != task.start):
            self.rows = open_rows(plan, options, start=task.mark)
        elif self.rows is None or self.at > task.start:
            self.rows = open_rows(plan, options, task.start)
        else:
            skip_rows(self.rows, task.start - self.at)
        rows, self.rows = self.rows, None  # an error leaves no reader at an unknown place
        taken = self.maker.take(rows)
        self.rows, self.at = rows, task.start + len(taken)
        tell(_Read(len(taken), rows.fraction(), rows.mark()))
        if not taken:
            return _Made(None, None)
        part = self.maker.make(task.index, task.start, taken, _seldom(tell))
        return _Made(part, private_memory())


def _seldom(tell: Tell) -> Callable[[int], None]:
    last = time.monotonic()

    def progress(number: int) -> None:
        nonlocal last
        if time.monotonic() - last >= _OFTEN:
            last = time.monotonic()
            tell(number)

    return progress


@dataclass(slots=True)
class SharedRun:
    """Hands parts to workers. One at a time reads, which is quick, and tells where the next part begins."""

    maker: PartMaker
    spool: Spool
    workers: int
    progress: Callable[[int, int | None], Any]
    memory: int = 0
    """The most memory of its own that a worker had at the end of a part, in bytes; 0 if that is not known."""
    _next: PartTask = PartTask(0, 0)
    _ended: bool = False
    _waiting: "deque[Part | None]" = field(default_factory=deque)
    _first: int = 0
    _failures: dict[int, Exception] = field(default_factory=dict)
    _under_way: dict[PartTask, int] = field(default_factory=dict)
    _done: int = 0
    _total: int | None = None

    def parts(self) -> Iterator[Part]:
        """The finished parts in order, each as soon as it and all before it are on the disk."""
        with Pool[PartTask](partial(_Worker, self.maker), self.workers) as pool:
            while True:
                while (part := self.spool.part(self._next.index, self._next.start)) is not None:
                    self._advance(part.rows, part)
                while not self._ended and pool.free and self._next not in pool.tasks:
                    pool.give(self._next)
                yield from self._in_order()
                self._raise(pool.tasks)
                if not pool.tasks:
                    return
                for message in pool.wait():
                    self._hear(message)
                self.progress(self._done + sum(self._under_way.values()), self._total)

    def _advance(self, rows: int, part: Part | None, mark: Mark | None = None) -> None:
        """Go to the next part."""
        self._next = PartTask(self._next.index + 1, self._next.start + rows, mark)
        self._waiting.append(part)
        self._done += part.rows if part is not None else 0

    def _hear(self, message: Message[PartTask]) -> None:
        task, value = message.task, message.value
        if isinstance(value, _Read):
            if task == self._next:
                self._ended = not value.rows
                if value.fraction:
                    self._total = round((task.start + value.rows) / value.fraction)
                if value.rows:
                    self._advance(value.rows, None, value.mark)
        elif message.kind == "told":
            self._under_way[task] = value
        else:
            self._under_way.pop(task, None)
            if message.kind == "failed":
                self._failures[task.index], self._ended = value, True
            elif value.part is not None:
                self.memory = max(self.memory, value.memory or 0)
                self.spool.add(task.index, value.part)
                self._waiting[task.index - self._first] = value.part
                self._done += value.part.rows

    def _in_order(self) -> Iterator[Part]:
        while self._waiting and (part := self._waiting[0]) is not None:
            self._waiting.popleft()
            self._first += 1
            yield part

    def _raise(self, tasks: list[PartTask]) -> None:
        """Raise the first error in the order of the input, once nothing before it is under way."""
        if self._failures:
            first = min(self._failures)
            if all(task.index > first for task in tasks):
                raise self._failures[first]
