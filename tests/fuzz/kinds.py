"""The kinds of input: the seed files, the reader they go to, and how much of the time each kind gets."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

Files = dict[str, bytes]
"""Contents by name, relative to a folder. A name that begins with ``@`` is an argument and is not written."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of input."""

    name: str
    make: Callable[[Path], list[Files]]
    """Makes the seeds; the folder is empty and is emptied afterwards."""
    run: Callable[[Path, Files], Any]
    """Reads an input that lies in the folder, with the real reader."""
    share: float = 1.0
    """Its part of the time, relative to the others."""
    generated: Callable[[], Any] | None = None
    """A hypothesis strategy of :data:`Files`, for inputs that keep the format's structure."""
    mend: Callable[[Files, Random], Files] | None = None
    """Makes the checksums right again, so that the damage gets past them."""


def all_kinds() -> dict[str, Kind]:
    """Every kind by its name."""
    from tests.fuzz import models, pipelines, runs, tables, texts, vectors

    rooms = (texts, tables, vectors, models, pipelines, runs)
    return {kind.name: kind for room in rooms for kind in room.KINDS}


def contents(folder: Path) -> Files:
    """All files of a folder."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}
