"""Look after the workers: one runs at a time; if an input ends it, another continues with the next inputs."""

import multiprocessing
import os
import shutil
import signal
import tempfile
import time
from collections import Counter
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from tests.fuzz.inputs import lay_out
from tests.fuzz.kinds import Files
from tests.fuzz.worker import SECONDS, Board, Worker

SAVED = Path("out/fuzz")
SAMPLES = 3
"""Inputs that are saved of failures at one place."""
_DEAD = 4 * SECONDS


class Failures:
    """What went wrong, by kind and place; prints and saves the first of each."""

    def __init__(self, seed: int) -> None:
        """Begin with none.

        :param seed: of the run, for the command that runs an input again.
        """
        self.seed, self.places = seed, Counter[tuple[str, str]]()

    def add(self, kind: str, index: int, place: str, story: str, files: Files) -> None:
        """Take note of a failure."""
        self.places[kind, place] += 1
        if self.places[kind, place] > SAMPLES:
            return
        folder = SAVED / f"{kind.replace(' ', '_')}-{self.seed}-{index}"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        lay_out({name.removeprefix("@"): data for name, data in files.items()}, folder)
        (folder / "traceback.log").write_text(story, "utf-8", "replace")
        if self.places[kind, place] == 1:
            print(f"\nFAILED {kind}: {place}\n{story}")
            again = f"python -m tests.fuzz --seed {self.seed} --replay '{kind}:{index}'"
            print(f"  saved in {folder}; again: {again}")


def _work(names: list[str], seed: int, home: Path, seconds: float, board: Board, pipe: Connection) -> None:
    """What a worker's process does."""
    worker = Worker(names, seed, home)
    pipe.send("ready")
    worker.run(seconds, board, pipe.send)


def fuzz(names: list[str], seed: int, seconds: float) -> tuple[Board, Failures]:
    """Run inputs until the time is over, in workers that are replaced when they die."""
    context = multiprocessing.get_context("spawn")
    board, failures = Board(context, len(names)), Failures(seed)
    scratch = Path("/dev/shm") if os.access("/dev/shm", os.W_OK) else None
    home = Path(tempfile.mkdtemp(prefix="treesent-fuzz-", dir=scratch))
    left = seconds
    try:
        while left > 0:
            left = _one_worker(context, names, seed, home, left, board, failures)
            for path in home.iterdir():
                shutil.rmtree(path)
    finally:
        shutil.rmtree(home, ignore_errors=True)
    return board, failures


def _one_worker(
    context: Any, names: list[str], seed: int, home: Path, seconds: float, board: Board, failures: Failures
) -> float:
    """Run one worker to its end; returns the seconds that are left of its time."""
    ours, theirs = context.Pipe()
    process = context.Process(target=_work, args=(names, seed, home, seconds, board, theirs), daemon=True)
    process.start()
    theirs.close()
    begin = last = time.monotonic()
    at, hung, ready = board.current[1], False, False
    board.current[0] = -1
    while True:
        alive = process.is_alive()
        try:
            while ours.poll(0.1):
                message = ours.recv()
                if message == "ready":
                    ready, begin = True, time.monotonic()
                else:
                    failures.add(*message)
        except (EOFError, OSError):
            alive = False
        if not alive:
            break
        if board.current[1] != at or board.current[0] < 0:
            at, last = board.current[1], time.monotonic()
        elif time.monotonic() - last > _DEAD:
            hung = True
            process.kill()
    process.join()
    if not ready:
        raise SystemExit("a worker could not begin; see its traceback above")
    kind = board.current[0]
    if kind < 0:
        return 0.0
    why = f"hung for {_DEAD:.0f} seconds" if hung else f"ended the process ({_reason(process.exitcode)})"
    files = {p.relative_to(home / "input").as_posix(): p.read_bytes() for p in _files(home / "input")}
    failures.add(names[kind], board.index[kind], why, why, files)
    return seconds - (time.monotonic() - begin)


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def _reason(code: int | None) -> str:
    return signal.Signals(-code).name if code is not None and code < 0 else f"exit code {code}"
