"""Counters that all workers share, in the text format of Prometheus.

They lie in memory that is mapped before the workers are forked. Each worker writes to its own row, so that no lock
is needed, and a worker that is started again goes on counting in the row of the one that died.
"""

import mmap
import os
from bisect import bisect_left
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np

PATHS = ("/v1/score", "/v1/tree.svg", "/v1/model", "/v1/corrections", "other")
STATUSES = (200, 204, 304, 400, 401, 403, 404, 405, 408, 411, 413, 415, 421, 422, 429, 499, 500, 503)
BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_PLAIN = {
    "treesent_texts_total": "Texts scored.",
    "treesent_batches_total": "Batches of texts that went through the network.",
    "treesent_scoring_seconds_total": "Seconds spent scoring.",
    "treesent_characters_total": "Characters of the texts of answered requests.",
    "treesent_corrections_total": "Labels corrected.",
    "treesent_worker_starts_total": "Workers started; more than there are workers where some died.",
    "treesent_requests_at_work": "Requests being served.",
    "treesent_waiting_characters": "Characters of texts admitted and not scored yet.",
    "treesent_resident_bytes": "Memory of the workers.",
}
_GAUGES = ("treesent_requests_at_work", "treesent_waiting_characters", "treesent_resident_bytes")


class Counters:
    """Numbers of all workers."""

    def __init__(self, workers: int) -> None:
        """Map the memory.

        :param workers: how many rows there are.
        """
        names = [*_PLAIN]
        names += [_request(path, status) for path in PATHS for status in STATUSES]
        names += [line for path in PATHS for line in _bucket_names(path)]
        self._place = {name: i for i, name in enumerate(names)}
        size = workers * len(names)
        self._table = np.frombuffer(mmap.mmap(-1, 8 * size), np.float64).reshape(workers, len(names))
        self.worker = 0

    def begin(self, worker: int) -> None:
        """Count in a worker's row from now on.

        :param worker: its number.
        """
        self.worker = worker
        for name in _GAUGES:
            self.set(name, 0)
        self.add("treesent_worker_starts_total")

    def add(self, name: str, amount: float = 1.0) -> None:
        """Count something."""
        self._table[self.worker, self._place[name]] += amount

    def set(self, name: str, value: float) -> None:
        """Set a gauge."""
        self._table[self.worker, self._place[name]] = value

    def batch(self, texts: int, seconds: float) -> None:
        """Count a batch.

        :param texts: how many it had.
        :param seconds: how long it took.
        """
        self.add("treesent_texts_total", texts)
        self.add("treesent_batches_total")
        self.add("treesent_scoring_seconds_total", seconds)

    def request(self, path: str, status: int, seconds: float) -> None:
        """Count a request.

        :param path: where it went.
        :param status: how it ended.
        :param seconds: how long it took.
        """
        path = path if path in PATHS else "other"
        self.add(_request(path, status if status in STATUSES else 500))
        first = self._place[_bucket_names(path)[0]]
        row = self._table[self.worker]
        row[first + bisect_left(BOUNDS, seconds) : first + len(BOUNDS) + 1] += 1
        row[first + len(BOUNDS) + 1] += seconds
        row[first + len(BOUNDS) + 2] += 1

    def measure_memory(self) -> None:
        """Set this worker's memory, where the system tells it."""
        status = Path("/proc/self/statm")
        if status.exists():
            pages = int(status.read_text().split()[1])
            self.set("treesent_resident_bytes", pages * os.sysconf("SC_PAGE_SIZE"))

    def text(self) -> str:
        """All numbers, summed over the workers, for Prometheus."""
        return "\n".join([*self._lines(), ""])

    def _lines(self) -> Iterator[str]:
        sums = dict(zip(self._place, self._table.sum(axis=0).tolist(), strict=True))
        for name, help_text in _PLAIN.items():
            kind = "gauge" if name in _GAUGES else "counter"
            yield from (f"# HELP {name} {help_text}", f"# TYPE {name} {kind}", f"{name} {sums[name]:.10g}")
        yield "# HELP treesent_requests_total Requests by path and status."
        yield "# TYPE treesent_requests_total counter"
        for path in PATHS:
            for status in STATUSES:
                if value := sums[_request(path, status)]:
                    yield f"{_request(path, status)} {value:.10g}"
        yield "# HELP treesent_request_seconds Seconds from the head of a request to the end of its answer."
        yield "# TYPE treesent_request_seconds histogram"
        for path in PATHS:
            yield from (f"{line} {sums[line]:.10g}" for line in _bucket_names(path))


def _request(path: str, status: int) -> str:
    return f'treesent_requests_total{{path="{path}",status="{status}"}}'


@cache
def _bucket_names(path: str) -> list[str]:
    bounds = [*(f"{bound:g}" for bound in BOUNDS), "+Inf"]
    return [
        *(f'treesent_request_seconds_bucket{{path="{path}",le="{bound}"}}' for bound in bounds),
        f'treesent_request_seconds_sum{{path="{path}"}}',
        f'treesent_request_seconds_count{{path="{path}"}}',
    ]
