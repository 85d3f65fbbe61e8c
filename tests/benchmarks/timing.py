"""Time several implementations in turn, so that a busy moment of the machine hits them all alike.

Seconds are the process's own CPU seconds: with one thread they are wall-clock seconds on an idle machine, and
on a busy one they leave out the turns of the neighbours.
"""

import statistics
import time
from collections.abc import Callable

import torch


def interleave(runs: dict[str, Callable[[], float]], repeats: int) -> dict[str, list[float]]:
    """Seconds of each run, one of each in turn, after one uncounted turn that warms up.

    :param runs: functions that do the work once and return the seconds that it took.
    :param repeats: how often each counts.
    """
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for turn in range(repeats + 1):
        for name, run in runs.items():
            taken = run()
            if turn:
                seconds[name].append(taken)
    return seconds


def timed(work: Callable[[], object]) -> Callable[[], float]:
    """Make a run of a function by the process's CPU clock.

    :param work: what to time.
    """

    def run() -> float:
        start = time.process_time()
        work()
        return time.process_time() - start

    return run


def sgemm_rate(rows: int = 512, inner: int = 300, columns: int = 750, seconds: float = 0.5) -> float:
    """GFLOP/s of a float32 matmul of the network's own shape, the best of many.

    :param rows: of the left matrix; torch's CPU build is fastest up to 512.
    :param inner: columns of the left matrix.
    :param columns: of the product.
    :param seconds: how long to try.
    """
    a, b, out = torch.randn(rows, inner), torch.randn(columns, inner), torch.empty(rows, columns)
    best, stop = float("inf"), time.perf_counter() + seconds
    while time.perf_counter() < stop:
        best = min(best, timed(lambda: torch.mm(a, b.t(), out=out))())
    return 2e-9 * rows * inner * columns / best


def summary(seconds: list[float], items: int) -> dict[str, float]:
    """Median rate and its range.

    :param seconds: of each repetition.
    :param items: done in each.
    """
    rates = [items / taken for taken in seconds]
    return {
        "per_second": round(statistics.median(rates), 1),
        "slowest": round(min(rates), 1),
        "fastest": round(max(rates), 1),
    }
