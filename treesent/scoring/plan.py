"""Which files a run reads and writes, and in which kinds."""

import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

from treesent.data.many import common_kind, input_files
from treesent.data.tables import KINDS, READ_ONLY
from treesent.errors import DataError
from treesent.files import check_outputs
from treesent.scoring.cores import automatic_workers, check_workers
from treesent.scoring.options import ScoreOptions

Source = str | Path | Sequence[str | Path]


@dataclass(frozen=True, slots=True)
class Plan:
    """Files and kinds, once they are known to make sense."""

    source: str
    """Its name, for messages."""
    files: tuple[Path, ...]
    """The files of the input; none for standard input."""
    output: Path
    kind: str
    output_kind: str
    rejects: Path | None
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
        files = () if from_stream else input_files(names)
        kind = options.input_kind or _kind(files, options.kind, "txt")
        output_kind = options.output_kind or _kind(() if to_stream else [Path(output)], options.kind, "jsonl")
        if kind not in (*KINDS, *READ_ONLY):
            raise DataError(f"{kind!r} is no kind of table; known: {' '.join((*KINDS, *READ_ONLY))}")
        if output_kind not in KINDS:
            raise DataError(
                f"{output}: {output_kind} is read and not written; write one of {' '.join(KINDS)}"
            )
        device = not to_stream and cls._is_device(Path(output))
        rejects = options.rejects or (None if to_stream or device else Path(f"{output}.rejects.jsonl"))
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
            raise DataError(f"{output} has no place for rejects beside it; name a file: --rejects FILE")
        if options.batch_size < 1:
            raise DataError(f"--batch-size {options.batch_size}: must be at least 1")
        workers = _workers(files, options.workers)
        name = names[0] if len(names) == 1 else f"{names[0]} and others"
        plan = cls(name, files, Path(output), kind, output_kind, rejects, to_stream, workers)
        plan._check_places(options)
        return plan

    @property
    def row_kind(self) -> str:
        """The kind of table whose rows those of the input are like."""
        return "jsonl" if self.kind in READ_ONLY else self.kind

    @property
    def partial(self) -> Path:
        """Where the parts of the run lie until it is finished: beside the output, if that is a file."""
        if self.to_device:
            return Path(tempfile.gettempdir()) / f"treesent-{os.getpid()}.partial"
        return Path(f"{self.output}.partial")

    @property
    def to_device(self) -> bool:
        """Whether the output is a device or a FIFO, which is written into and has nothing beside it."""
        return self._is_device(self.output)

    @staticmethod
    def _is_device(path: Path) -> bool:
        try:
            return path.exists() and not path.is_file() and not path.is_dir()
        except ValueError:  # a name with NUL, which is refused later
            return False

    def _check_places(self, options: ScoreOptions) -> None:
        missing = [path for path in self.files if not path.exists()]
        if missing:
            raise DataError(f"{missing[0]}: no such file")
        written = [None if self.streaming else self.output, self.rejects]
        check_outputs(written, self.files, options.overwrite or (options.resume and self.partial.is_dir()))


def _kind(files: Sequence[Path], otherwise: str | None, of_stream: str) -> str:
    if not files:
        return otherwise or of_stream
    try:
        return common_kind(files)
    except DataError as error:
        if otherwise is None:
            raise DataError(f"{error}; or name the kind with --format") from None
        return otherwise


def _workers(files: Sequence[Path], asked: "int | Literal['auto']") -> int:
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
