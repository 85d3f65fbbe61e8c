"""Signals that end a command: it removes its temporary files first, as after Ctrl-C."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

NAMES = ("SIGHUP", "SIGTERM")


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """Have SIGHUP and SIGTERM unwind the command, which then exits with 128 plus the signal's number.

    A signal that is ignored stays ignored: ``nohup`` relies on it.
    """
    before = {}
    if threading.current_thread() is threading.main_thread():
        for name in NAMES:
            number = getattr(signal, name, None)  # Windows has no SIGHUP
            if number is not None and signal.getsignal(number) is signal.SIG_DFL:
                before[number] = signal.signal(number, _end)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _end(number: int, frame: FrameType | None) -> None:
    signal.signal(number, signal.SIG_IGN)  # a second one must not cut the cleaning up short
    raise SystemExit(128 + number)
