"""How many workers a run has, and how much memory they take."""

import os
import re
from collections.abc import Iterable
from pathlib import Path

from treesent.data.many import size_of
from treesent.data.remote import RemotePath
from treesent.errors import DataError

BYTES_A_WORKER = 2**20
"""Bytes of input for which one more worker pays: some ten seconds of work."""
_PACKED = {".gz", ".xz", ".bz2", ".parquet", ".pq", ".xlsx", ".xlsm", ".xlsb", ".ods"}
_PACKING = 4


def available_cores() -> int:
    """The cores that this process may use, by its affinity and by the quota of its container."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text("ascii").split()
        cores = min(cores, max(1, int(quota) // int(period)))
    except (OSError, ValueError):  # no control groups, or "max": no quota
        pass
    return cores


def automatic_workers(files: Iterable[Path | RemotePath]) -> int:
    """The number of workers that pays: one for a small input, at most one for each core.

    :param files: of the input.
    """
    return workers_for(sum(map(_size, files)))


def _size(path: Path | RemotePath) -> int:
    """Bytes of a file, those of a packed one as they would be unpacked, about."""
    return size_of(path) * (_PACKING if path.suffix.lower() in _PACKED else 1)


def workers_for(size: int) -> int:
    """The number of workers that pays.

    :param size: bytes of text.
    """
    return max(1, min(available_cores(), size // BYTES_A_WORKER))


def check_workers(asked: int | str) -> None:
    """Refuse what is no number of workers.

    :raises DataError: it is neither ``auto`` nor a whole number from 1.
    """
    if asked != "auto" and (not isinstance(asked, int) or asked < 1):
        raise DataError(f"workers {asked}: must be a whole number from 1, or auto")


def private_memory() -> int | None:
    """Bytes of memory that this process shares with no other; None where the platform does not tell."""
    try:
        status = Path("/proc/self/smaps_rollup").read_text("ascii")
    except OSError:
        return None
    return 1024 * sum(map(int, re.findall(r"^Private_(?:Clean|Dirty): +(\d+) kB", status, re.MULTILINE)))
