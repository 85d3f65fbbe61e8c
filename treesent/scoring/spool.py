"""Finished parts of a run on disk: what makes a run safe against kill -9, a full disk and Ctrl-C.

``OUT.partial/`` holds ``manifest.json`` (the input and the options the parts were made from) and, for each
part, its rows, its rejects and ``part-N.json``, the marker. The marker is written last and has the length and
the hash of both files, its own checksum and that of the manifest: a part without a sound marker, or whose files
differ from it, is scored again. Where parts end depends on the input alone, so a resumed run makes the parts
that an undisturbed run makes.
"""

import hashlib
import json
import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import IO, Any

from treesent.errors import DataError
from treesent.files import replacing
from treesent.scoring.identity import file_digest

_OURS = re.compile(
    r"manifest\.json|whole|part-\d+\.(rows|rejects|json)|(manifest|part-\d+)\.json\..*\.partial"
)


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
        :param resume: continue with the parts there are.
        :param overwrite: throw away parts of an earlier run.
        :raises DataError: parts of another run, or another run at work.
        """
        self.folder, self.parts, self.run = folder, list[Part](), ""
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
        folder.mkdir(exist_ok=True)
        self._lock = _lock(folder)
        try:
            if existed and resume:
                before = _read_sealed(manifest)
                if before is None:
                    raise DataError(f"{manifest} is damaged; start again with --overwrite")
                _compare(before, settings, folder)
                self.run = _digest(before)
                self.parts = self._finished()
                self._clear(keep=len(self.parts))
            else:
                self._clear()
                _write_sealed(manifest, settings)
                self.run = _digest(settings)
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
        _write_sealed(self._marker(index), self._describe(index, part))
        self.parts.append(part)

    def _marker(self, index: int) -> Path:
        return self.folder / f"part-{index:06d}.json"

    def _describe(self, index: int, part: Part) -> dict[str, Any]:
        files = {"rows": self.rows_file(index), "rejects": self.rejects_file(index)}
        seals = {name: [path.stat().st_size, file_digest(path)] for name, path in files.items()}
        return {"run": self.run, "part": index, **asdict(part), "files": seals}

    def close(self, *, finished: bool) -> None:
        """Leave the folder; remove it if the run is finished, or has made no part yet."""
        if finished or not self.parts:
            shutil.rmtree(self.folder, ignore_errors=True)
        self._unlock()

    def _unlock(self) -> None:
        if self._lock is not None:
            os.close(self._lock)

    def _finished(self) -> list[Part]:
        """The parts up to the first that is missing or damaged."""
        parts: list[Part] = []
        while (stated := _read_sealed(self._marker(len(parts)))) is not None:
            try:
                part = Part(**{field.name: stated[field.name] for field in fields(Part)})
                if stated != self._describe(len(parts), part):
                    break
            except (KeyError, OSError):
                break
            parts.append(part)
        return parts

    def _clear(self, keep: int = 0) -> None:
        """Delete all files but the manifest and the first parts."""
        kept = {self.folder / "manifest.json"} if keep else set()
        for i in range(keep):
            kept |= {self._marker(i), self.rows_file(i), self.rejects_file(i)}
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
