"""Workers that share one socket and one copy of the weights: forked, watched, and started again if they die."""

import os
import signal
import sys
import time
from collections.abc import Callable
from types import FrameType

from treesent.serve import log

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
SHORT = 5.0
"""A worker that dies within so many seconds is started again after as many."""


def supervise(count: int, work: Callable[[int], object], patience: float) -> None:
    """Run workers until SIGTERM or Ctrl-C; then wait until they have drained.

    :param count: how many.
    :param work: what each does; it is told its number.
    :param patience: seconds that they have to end, before they are killed.
    """
    ending: list[float] = []

    def end(number: int, frame: FrameType | None) -> None:
        ending.append(time.monotonic())

    before = {number: signal.signal(number, end) for number in _SIGNALS}
    running: dict[int, tuple[int, float]] = {}
    due = dict.fromkeys(range(count), 0.0)
    told = False
    try:
        while due or running:
            if ending and not told:
                due, told = {}, True
                _signal(running, signal.SIGTERM)
            if ending and time.monotonic() > ending[0] + patience:
                _signal(running, signal.SIGKILL)
            for number in [number for number, when in due.items() if when <= time.monotonic()]:
                running[_fork(work, number)] = (number, time.monotonic())
                del due[number]
            for pid, code in _ended(running):
                number, began = running.pop(pid)
                if not ending:
                    log.event("worker died", worker=number, pid=pid, code=code)
                    quick = time.monotonic() - began < SHORT
                    due[number] = time.monotonic() + (SHORT if quick else 0.0)
            time.sleep(0.05)
    finally:
        _signal(running, signal.SIGKILL)
        for number, handler in before.items():
            signal.signal(number, handler)


def _fork(work: Callable[[int], object], number: int) -> int:
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        for one in _SIGNALS:
            signal.signal(one, signal.SIG_DFL)
        work(number)
        code = 0
    except BaseException as error:
        log.fault(error)
    finally:
        os._exit(code)  # what the parent has open is the parent's to close


def _ended(running: dict[int, tuple[int, float]]) -> list[tuple[int, int]]:
    found = []
    for pid in list(running):
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            found.append((pid, os.waitstatus_to_exitcode(status)))
    return found


def _signal(running: dict[int, tuple[int, float]], number: signal.Signals) -> None:
    for pid in running:
        os.kill(pid, number)
