"""Finished parts of a run on disk: what makes a run safe against kill -9, a full disk and Ctrl-C.

``OUT.partial/`` holds ``manifest.json`` (the input and the options the parts were made from) and, for each
part, its rows, its rejects and ``part-N.json``, which is written last: a part without it does not count.
Where parts end depends on the input alone, so a run that goes on makes the parts that an undisturbed run
makes.
"""

import json
import os
import re
import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

from treesent.errors import DataError

_OURS = re.compile(r"manifest\.json(\.tmp)?|whole|part-\d+\.(rows|rejects|json(\.tmp)?)")


@dataclass(frozen=True, slots=True)
class Part:
    """What a finished part covers; counts are sums over this part and all before it."""

    rows: int = 0
    empty: int = 0
    rejected: int = 0


class Spool:
    """The parts of one run."""

    def __init__(self, folder: Path, settings: Mapping[str, Any], *, resume: bool, overwrite: bool) -> None:
        """Open the folder, made where it is missing.

        :param folder: where the parts lie, on the file system of the output.
        :param settings: what the parts depend on; names as a user knows them.
        :param resume: go on with the parts there are.
        :param overwrite: throw away parts of an earlier run.
        :raises DataError: parts of another run, or another run at work.
        """
        self.folder, self.parts = folder, list[Part]()
        manifest = folder / "manifest.json"
        existed = manifest.is_file()
        if existed and not (resume or overwrite):
            raise DataError(
                f"{folder}: an unfinished run lies here; go on with --resume, or start again with --overwrite"
            )
        _refuse_foreign(folder)
        folder.mkdir(exist_ok=True)
        self._lock = _lock(folder)
        try:
            if existed and resume:
                _compare(json.loads(manifest.read_text(encoding="utf-8")), settings, folder)
                self.parts = self._finished()
            else:
                self._clear()
                durable(manifest, json.dumps(settings, indent=1).encode())
        except BaseException:
            self._unlock()
            raise

    @property
    def done(self) -> Part:
        """What all finished parts cover."""
        return self.parts[-1] if self.parts else Part()

    def rows_file(self, index: int) -> Path:
        """The file of a part's rows."""
        return self.folder / f"part-{index:06d}.rows"

    def rejects_file(self, index: int) -> Path:
        """The file of a part's rejects."""
        return self.folder / f"part-{index:06d}.rejects"

    def commit(self, part: Part) -> None:
        """Count the next part, whose two files are written, as finished."""
        index = len(self.parts)
        sync(self.rows_file(index))
        sync(self.rejects_file(index))
        durable(self.folder / f"part-{index:06d}.json", json.dumps(asdict(part)).encode())
        self.parts.append(part)

    def close(self, *, finished: bool) -> None:
        """Leave the folder: removed where the run is finished or has nothing to go on with."""
        if finished or not self.parts:
            shutil.rmtree(self.folder, ignore_errors=True)
        self._unlock()

    def _unlock(self) -> None:
        if self._lock is not None:
            os.close(self._lock)

    def _finished(self) -> list[Part]:
        parts: list[Part] = []
        while (marker := self.folder / f"part-{len(parts):06d}.json").is_file():
            parts.append(Part(**json.loads(marker.read_text(encoding="utf-8"))))
        return parts

    def _clear(self) -> None:
        for path in self.folder.iterdir():
            path.unlink()


def _refuse_foreign(folder: Path) -> None:
    """Make sure that nothing of anybody else's lies where parts are cleared away."""
    if folder.exists():
        strange = (
            [folder] if folder.is_file() else [p for p in folder.iterdir() if not _OURS.fullmatch(p.name)]
        )
        if strange:
            raise DataError(f"{strange[0]}: no part of an unfinished run, but in its place; move it away")


def _lock(folder: Path) -> int | None:
    try:
        import fcntl
    except ImportError:  # Windows has no lock that the death of a process lifts
        return None
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(handle)
        raise DataError(
            f"{folder}: another run is writing here; wait for it or name another output"
        ) from None
    return handle


def _compare(before: Mapping[str, Any], now: Mapping[str, Any], folder: Path) -> None:
    changes = [
        f"{name} was {before.get(name)!r}, now {now.get(name)!r}"
        for name in {**before, **now}
        if before.get(name) != now.get(name)
    ]
    if changes:
        raise DataError(
            f"{folder}: the unfinished run cannot go on, since {'; '.join(changes)}. "
            "Use what it used, or start again with --overwrite instead of --resume"
        )


def sync(path: Path) -> None:
    """Wait until a file's content is on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def durable(path: Path, content: bytes) -> None:
    """Write a small file whole or not at all."""
    temporary = path.with_name(path.name + ".tmp")
    with temporary.open("wb") as stream:
        stream.write(content)
        flush(stream)
    publish(temporary, path)


def flush(stream: IO[bytes]) -> None:
    """Bring what was written onto the disk."""
    stream.flush()
    os.fsync(stream.fileno())


def publish(temporary: Path, path: Path) -> None:
    """Give a whole file its name, and make the name last."""
    os.replace(temporary, path)  # noqa: PTH105 - the name that says it is atomic
    with suppress(OSError):  # not every file system can sync a folder
        sync(path.parent)
