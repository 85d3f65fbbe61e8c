"""The process that runs inputs, one after the other, and tells each failure; it may die of one."""

import gc
import os
import shutil
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.fuzz.guard import Guard, limit_memory
from tests.fuzz.inputs import BLOCK, Inputs, lay_out
from tests.fuzz.kinds import Files, Kind, all_kinds
from treesent.errors import TreesentError

SECONDS = 5.0
"""The limit of one input."""
MEMORY = 2 * 2**30
"""The memory that an input may need, in bytes."""
SLICE = 0.25
"""Seconds that a kind has before it is the next one's turn."""


class Board:
    """What a worker shows its parent at any time, in memory that both see."""

    def __init__(self, context: Any, n_kinds: int) -> None:
        """Make the memory.

        :param context: of multiprocessing.
        :param n_kinds: how many kinds are run.
        """
        self.current = context.Array("q", [-1, 0], lock=False)
        """The kind that is running, -1 for none, and a number that grows with every input."""
        self.index = context.Array("q", [-1] * n_kinds, lock=False)
        """Of each kind, the input that was run last."""
        self.count = context.Array("q", n_kinds, lock=False)
        self.seconds = context.Array("d", n_kinds, lock=False)

    def begin(self, kind: int, index: int) -> None:
        """Say which input is running."""
        self.index[kind] = index
        self.current[0] = kind
        self.current[1] += 1

    def next_block(self, kind: int) -> int:
        """The first block that no worker has begun."""
        return (self.index[kind] + BLOCK) // BLOCK


class Worker:
    """Runs inputs of some kinds."""

    def __init__(self, names: list[str], seed: int, home: Path) -> None:
        """Make the seed files and read each of them once, which must succeed, unless treesent refuses it.

        :param names: the kinds.
        :param seed: of the run.
        :param home: a folder of the worker's own.
        """
        warnings.simplefilter("ignore")
        sys.dont_write_bytecode = True
        self.folder = home / "input"
        scratch = self.folder / "tmp"
        tempfile.tempdir = str(scratch)
        self.guard = Guard(self.folder, SECONDS)
        self.inputs = {}
        for name, kind in all_kinds().items():
            if name in names:
                made = home / "seeds"
                scratch.mkdir(parents=True)
                made.mkdir()
                seeds = kind.make(made)
                shutil.rmtree(made)
                self.inputs[name] = Inputs(kind, seeds, seed)
                for files in {id(files): files for files in seeds}.values():
                    self._warm(kind, files)
        self.guard.begin()
        gc.freeze()
        limit_memory(MEMORY)

    def _warm(self, kind: Kind, files: Files) -> None:
        """Have the imports that a reader does at its first use done before anything is watched."""
        try:
            self._clear()
            lay_out(files, self.folder)
            kind.run(self.folder, files)
        except Exception:  # it is one of the inputs too, and reported then
            pass
        self._clear()
        shutil.rmtree(self.folder)

    def _clear(self) -> None:
        for entry in os.scandir(self.folder) if self.folder.exists() else ():
            shutil.rmtree(entry) if entry.is_dir(follow_symlinks=False) else Path(entry).unlink()
        (self.folder / "tmp").mkdir(parents=True, exist_ok=True)

    def try_one(self, name: str, files: Files) -> tuple[str, str] | None:
        """Run an input.

        :returns: None if it ended well, else where it failed and the traceback.
        """
        try:
            self._clear()
            lay_out(files, self.folder)
        except (OSError, ValueError):
            return None  # a name that no file can have
        try:
            with self.guard.watch():
                self.inputs[name].kind.run(self.folder, files)
        except TreesentError:
            return None
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            return f"{type(error).__name__} at {_place(error)}", _story(error)
        return None

    def run(self, seconds: float, board: "Board", tell: Callable[[Any], None]) -> None:
        """Run inputs until the time is over; each kind gets its share of it.

        :param seconds: the time.
        :param board: where to say what is running.
        :param tell: called with each failure: kind, index, place, traceback, files.
        """
        end = time.monotonic() + seconds
        used = dict.fromkeys(self.inputs, 0.0)
        inputs = {name: self._from(name, board.next_block(i)) for i, name in enumerate(self.inputs)}
        while time.monotonic() < end:
            name = min(used, key=lambda name: used[name] / self.inputs[name].kind.share)
            i, begin = list(self.inputs).index(name), time.monotonic()
            while time.monotonic() < min(begin + SLICE, end):
                index, files = next(inputs[name])
                board.begin(i, index)
                failure = self.try_one(name, files)
                board.count[i] += 1
                if failure is not None:
                    tell((name, index, *failure, files))
            taken = time.monotonic() - begin
            used[name] += taken
            board.seconds[i] += taken
        board.current[0] = -1

    def _from(self, name: str, number: int) -> Any:
        while True:
            yield from self.inputs[name].block(number)
            number += 1


def _place(error: BaseException) -> str:
    """The innermost line of treesent's, and the line where it broke."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if "/treesent/" in frame.filename] or frames
    names = [f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in (own[-1], frames[-1])]
    return " / ".join(dict.fromkeys(names))


def _story(error: BaseException) -> str:
    return "".join(traceback.format_exception(error, limit=-6))[-3000:]
