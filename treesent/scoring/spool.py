"""Finished parts of a run on disk: what makes a run safe against kill -9, a full disk and Ctrl-C.

``OUT.partial/`` holds ``manifest.json`` (the input and the options the parts were made from) and, for each
part, its rows, its rejects and ``part-N.json``, the marker. The marker is written last and has the length and
the hash of both files, its own checksum and that of the manifest: a part without a sound marker, or whose files
differ from it, is scored again. Where parts end depends on the input alone, so a resumed run makes the parts
that an undisturbed run makes, and any process may make any part: with several at work, parts are finished out
of order, and those behind a gap count too.
"""

import hashlib
import json
import os
import re
import shutil
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import IO, Any

from treesent.errors import DataError
from treesent.files import replacing
from treesent.scoring.identity import file_digest

_OURS = re.compile(
    r"manifest\.json|whole|rejects|part-\d+\.(rows|rejects|json)|((manifest|part-\d+)\.json|rejects)\..*\.partial"
)
_ORPHANS = 2.0
"""Seconds that the workers of a run that was killed have to notice it; they hold the lock until then."""


@dataclass(frozen=True, slots=True)
class Part:
    """What a finished part covers."""

    start: int
    """Rows of the input before it."""
    rows: int
    empty: int
    rejected: int


@dataclass(frozen=True, slots=True)
class PartFiles:
    """The files of parts: all that a process that makes parts needs to know of the spool."""

    folder: Path
    run: str
    """Digest of what the parts depend on."""

    def rows(self, index: int) -> Path:
        """The file of a part's rows."""
        return self.folder / f"part-{index:06d}.rows"

    def rejects(self, index: int) -> Path:
        """The file of a part's rejects."""
        return self.folder / f"part-{index:06d}.rejects"

    def marker(self, index: int) -> Path:
        """The file that says that a part is finished."""
        return self.folder / f"part-{index:06d}.json"

    def commit(self, index: int, part: Part) -> None:
        """Mark a part, whose two files are written, as finished."""
        sync(self.rows(index))
        sync(self.rejects(index))
        _write_sealed(self.marker(index), self._describe(index, part))

    def sound(self, index: int) -> Part | None:
        """A finished part; None if it is missing or damaged."""
        stated = _read_sealed(self.marker(index))
        if stated is None:
            return None
        try:
            part = Part(**{field.name: stated[field.name] for field in fields(Part)})
            return part if stated == self._describe(index, part) else None
        except (KeyError, OSError):
            return None

    def _describe(self, index: int, part: Part) -> dict[str, Any]:
        files = {"rows": self.rows(index), "rejects": self.rejects(index)}
        seals = {name: [path.stat().st_size, file_digest(path)] for name, path in files.items()}
        return {"run": self.run, "part": index, **asdict(part), "files": seals}


class Spool:
    """The parts of one run."""

    def __init__(self, folder: Path, settings: Mapping[str, Any], *, resume: bool, overwrite: bool) -> None:
        """Open the folder, made where it is missing.

        :param folder: where the parts lie, on the file system of the output.
        :param settings: what the parts depend on; names as a user knows them.
        :param resume: continue with the parts there are.
        :param overwrite: throw away parts of an earlier run.
        :raises DataError: parts of another run, or another run at work.
        """
        self.folder, self.parts = folder, dict[int, Part]()
        manifest = folder / "manifest.json"
        existed = manifest.is_file()
        if existed and not (resume or overwrite):
            raise DataError(
                f"{folder}: an unfinished run is here; continue it with --resume, or start again with --overwrite"
            )
        if resume and not existed:
            raise DataError(
                f"{folder}: there is no unfinished run to resume; leave --resume out to start one"
            )
        _refuse_foreign(folder)
        folder.mkdir(parents=True, exist_ok=True)
        self._lock = _lock(folder)
        try:
            if existed and resume:
                before = _read_sealed(manifest)
                if before is None:
                    raise DataError(f"{manifest} is damaged; start again with --overwrite")
                _compare(before, settings, folder)
                self.files = PartFiles(folder, _digest(before))
                self.parts = self._finished()
                self._clear(kept={manifest})
            else:
                self._clear(kept=set())
                _write_sealed(manifest, settings)
                self.files = PartFiles(folder, _digest(settings))
        except BaseException:
            self._unlock()
            raise

    def part(self, index: int, start: int) -> Part | None:
        """A part that is finished; None if it is not.

        :param index: the part.
        :param start: rows of the input before it.
        """
        part = self.parts.get(index)
        return part if part is not None and part.start == start else None

    def add(self, index: int, part: Part) -> None:
        """Take note of a part that was committed."""
        self.parts[index] = part

    def close(self, *, finished: bool) -> None:
        """Leave the folder; remove it if the run is finished, or has made no part yet."""
        if finished or not self.parts:
            shutil.rmtree(self.folder, ignore_errors=True)
        self._unlock()

    def _unlock(self) -> None:
        if self._lock is not None:
            os.close(self._lock)

    def _finished(self) -> dict[int, Part]:
        """The sound parts."""
        named = (re.fullmatch(r"part-(\d+)\.json", path.name) for path in self.folder.iterdir())
        parts = {index: self.files.sound(index) for index in sorted(int(name[1]) for name in named if name)}
        return {index: part for index, part in parts.items() if part is not None}

    def _clear(self, kept: set[Path]) -> None:
        """Delete all files but some and those of finished parts."""
        for i in self.parts:
            kept |= {self.files.marker(i), self.files.rows(i), self.files.rejects(i)}
        for path in set(self.folder.iterdir()) - kept:
            path.unlink()


def _refuse_foreign(folder: Path) -> None:
    """Make sure that nothing of anybody else's lies where parts are cleared away."""
    if folder.exists() or folder.is_symlink():
        strange = (
            [folder]
            if folder.is_symlink() or not folder.is_dir()
            else [p for p in folder.iterdir() if p.is_symlink() or not _OURS.fullmatch(p.name)]
        )
        if strange:
            raise DataError(f"{strange[0]} is not part of an unfinished run, but in its place; move it away")


def _lock(folder: Path) -> int | None:
    try:
        import fcntl
    except ImportError:  # Windows has no lock that the death of a process lifts
        return None
    handle = os.open(folder, os.O_RDONLY)
    until = time.monotonic() + _ORPHANS
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            if time.monotonic() < until:
                time.sleep(0.02)
                continue
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
            f"{folder}: the unfinished run cannot be resumed, because {'; '.join(changes)}. "
            "Use what it used, or start again with --overwrite instead of --resume"
        )


def sync(path: Path) -> None:
    """Wait until a file's content is on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _write_sealed(path: Path, values: Mapping[str, Any]) -> None:
    """Write a small JSON file with its checksum, whole or not at all."""
    with replacing(path, "w", encoding="utf-8") as stream:
        stream.write(json.dumps({"values": values, "sha256": _digest(values)}, indent=1))


def _read_sealed(path: Path) -> dict[str, Any] | None:
    """What :func:`_write_sealed` wrote; None if it is missing or damaged."""
    try:
        sealed = json.loads(path.read_bytes())
        values = sealed["values"]
        return dict(values) if sealed["sha256"] == _digest(values) else None
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None


def _digest(values: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def flush(stream: IO[bytes]) -> None:
    """Bring what was written onto the disk."""
    stream.flush()
    os.fsync(stream.fileno())
