"""Which files a run reads and writes, and in which kinds."""

import hashlib
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

from treesent.data.many import File, common_kind, input_files
from treesent.data.remote import RemotePath, place_of
from treesent.data.tables import KINDS, READ_ONLY
from treesent.errors import DataError, OutputError
from treesent.files import check_outputs
from treesent.scoring.cores import automatic_workers, check_workers
from treesent.scoring.options import ScoreOptions

Source = str | Path | Sequence[str | Path]


@dataclass(frozen=True, slots=True)
class Plan:
    """Files and kinds, once they are known to make sense."""

    source: str
    """Its name, for messages."""
    files: tuple[File, ...]
    """The files of the input; none for standard input."""
    output: File
    kind: str
    output_kind: str
    rejects: File | None
    streaming: bool
    workers: int

    @classmethod
    def of(cls, source: Source, output: str | Path, options: ScoreOptions) -> Self:
        """Settle what goes where.

        :param source: what :func:`treesent.data.many.input_files` takes, or ``-`` for standard input.
        :param output: a file, or ``-`` for standard output.
        :raises DataError: a combination that cannot work, or a file that is missing or in the way.
        """
        names = [str(source)] if isinstance(source, str | Path) else list(map(str, source))
        from_stream, to_stream = names == ["-"], str(output) == "-"
        if "-" in names and not from_stream:
            raise DataError("standard input is read alone; leave the files or - out")
        place = place_of(output)
        files = () if from_stream else input_files(names)
        kind = options.input_kind or _kind(files, options.kind, "txt")
        output_kind = options.output_kind or _kind(() if to_stream else [place], options.kind, "jsonl")
        if kind not in (*KINDS, *READ_ONLY):
            raise DataError(f"{kind!r} is no kind of table; known: {' '.join((*KINDS, *READ_ONLY))}")
        if output_kind not in KINDS:
            raise DataError(f"{place}: {output_kind} is read and not written; write one of {' '.join(KINDS)}")
        rejects = cls._rejects(str(output), options)
        if output_kind == "txt" and options.nodes != "none":
            raise DataError(
                "txt has no place for sentences; write jsonl, parquet or csv, or use --nodes none"
            )
        if to_stream and (
            output_kind == "parquet" or (kind in ("jsonl", *READ_ONLY) and output_kind in ("csv", "tsv"))
        ):
            raise DataError(
                f"{kind} becomes {output_kind} only in a file, which is put together at the end; use -o"
            )
        if to_stream and options.resume:
            raise DataError("standard output cannot be resumed; name a file with -o")
        if from_stream and options.resume:
            raise DataError("standard input cannot be read again; --resume needs a file")
        if options.on_error == "skip" and rejects is None:
            raise DataError(f"{place} has no place for rejects beside it; name a file: --rejects FILE")
        if options.batch_size < 1:
            raise DataError(f"--batch-size {options.batch_size}: must be at least 1")
        workers = _workers(files, options.workers)
        name = str(place_of(names[0])) + (" and others" if len(names) > 1 else "")
        plan = cls(name, files, place, kind, output_kind, rejects, to_stream, workers)
        plan._check_places(options)
        return plan

    @classmethod
    def _rejects(cls, output: str, options: ScoreOptions) -> File | None:
        if options.rejects is not None:
            return place_of(options.rejects)
        nowhere = output == "-" or cls._is_device(place_of(output))
        return None if nowhere else place_of(f"{output}.rejects.jsonl")

    @property
    def row_kind(self) -> str:
        """The kind of table whose rows those of the input are like."""
        return "jsonl" if self.kind in READ_ONLY else self.kind

    @property
    def partial(self) -> Path:
        """Where the parts of the run lie until it is finished: beside the output, if that is a file here."""
        if isinstance(self.output, RemotePath):
            name = hashlib.sha256(self.output.address.encode()).hexdigest()[:16]
            cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
            return Path(cache) / "treesent" / f"score-{name}.partial"
        if self.to_device:
            return Path(tempfile.gettempdir()) / f"treesent-{os.getpid()}.partial"
        return Path(f"{self.output}.partial")

    @property
    def to_device(self) -> bool:
        """Whether the output is a device or a FIFO, which is written into and has nothing beside it."""
        return self._is_device(self.output)

    @staticmethod
    def _is_device(path: File) -> bool:
        if isinstance(path, RemotePath):
            return False
        try:
            return path.exists() and not path.is_file() and not path.is_dir()
        except ValueError:  # a name with NUL, which is refused later
            return False

    def _check_places(self, options: ScoreOptions) -> None:
        missing = [path for path in self.files if not path.exists()]
        if missing:
            raise DataError(f"{missing[0]}: no such file")
        written = [None if self.streaming else self.output, self.rejects]
        may = options.overwrite or (options.resume and self.partial.is_dir())
        read = [path for path in self.files if isinstance(path, Path)]
        check_outputs([path for path in written if isinstance(path, Path)], read, may)
        for path in written:
            if isinstance(path, RemotePath):
                self._check_remote(path, may)

    def _check_remote(self, path: RemotePath, may_replace: bool) -> None:
        if path in self.files:
            raise OutputError(f"{path} is the input as well; name another output")
        if path.is_dir():
            raise OutputError(f"{path} is a folder; name a file")
        if not may_replace and path.exists():
            raise OutputError(f"{path} exists already; name another output, or replace it with --overwrite")


def _kind(files: Sequence[File], otherwise: str | None, of_stream: str) -> str:
    if not files:
        return otherwise or of_stream
    try:
        return common_kind(files)
    except DataError as error:
        if otherwise is None:
            raise DataError(f"{error}; or name the kind with --format") from None
        return otherwise


def _workers(files: Sequence[File], asked: "int | Literal['auto']") -> int:
    check_workers(asked)
    if asked == "auto":
        return automatic_workers(files)
    if asked > 1 and not files:
        raise DataError(
            f"--workers {asked}: several workers cannot read standard input; name a file, or leave --workers out"
        )
    return asked


def check(source: Source, output: str | Path, options: ScoreOptions) -> None:
    """Refuse a run that cannot work before a model is loaded for it.

    :raises DataError: see :meth:`Plan.of`.
    """
    Plan.of(source, output, options)
