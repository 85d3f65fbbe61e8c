"""The run itself: rows in, parts, one finished file."""

import errno
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from treesent.data.many import File
from treesent.data.remote import RemotePath
from treesent.data.rows import Rows
from treesent.errors import DataError
from treesent.files import replacing, replacing_path
from treesent.scoring.identity import files_digest, model_digest
from treesent.scoring.options import ScoreOptions, ScoreSummary
from treesent.scoring.parts import PartMaker, open_rows, skip_rows
from treesent.scoring.plan import Plan, Source
from treesent.scoring.pool import SharedPipeline
from treesent.scoring.results import Columns, class_names
from treesent.scoring.shared import SharedRun
from treesent.scoring.spool import Part, Spool
from treesent.scoring.writing import Writer
from treesent.version import __version__

if TYPE_CHECKING:
    from spacy.language import Language

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def score(
    source: Source,
    output: str | Path,
    nlp: "Language",
    options: ScoreOptions | None = None,
    *,
    progress: Callable[[int, int | None], Any] | None = None,
    stdin: IO[bytes] | None = None,
    stdout: IO[bytes] | None = None,
) -> ScoreSummary:
    """Score the texts of a table and write the table with the scores.

    Every row of the input comes out, in order: in the output or, where it cannot be scored and
    ``options.on_error`` is ``skip``, among the rejects. A text without words has nulls for scores. The output
    gets its name when it is whole. Until then ``OUT.partial/`` holds the finished parts, from which
    ``options.resume`` continues; the file is then byte for byte the one of an undisturbed run.

    :param source: a file that :func:`treesent.data.tables.read_rows` reads, a folder, a pattern or several of these
        (:func:`treesent.data.many.input_files`), or ``-`` for standard input.
    :param output: the file to write, or ``-`` for standard output, which gets the rows as they are done.
    :param nlp: a pipeline with the component ``treesent``.
    :param options: what to do; see :class:`ScoreOptions`.
    :param progress: told the number of rows done, now and then, and how many there seem to be in all, by the part
        of the file that has been read; None where its size is not known.
    :param stdin: a binary stream that stands for standard input.
    :param stdout: a binary stream that stands for standard output.
    :raises DataError: the input cannot be read, a row cannot be scored, or the disk is full.
    :raises OutputError: the output exists, is the input, or cannot be written.
    """
    options = options or ScoreOptions()
    plan = Plan.of(source, output, options)
    run = _Run(plan, nlp, options, progress or (lambda done, total: None))
    try:
        return run.to_stream(stdin, stdout or sys.stdout.buffer) if plan.streaming else run.to_file(stdin)
    except BrokenPipeError:
        raise
    except OSError as error:
        reason = error.strerror or str(error)
        if error.errno not in _FULL:
            raise DataError(
                f"{error.filename or plan.output}: {reason}; nothing new stands at {plan.output}"
            ) from error
        then = "continue with --resume" if plan.partial.is_dir() else "run it again"
        raise DataError(
            f"{plan.output}: {reason}; nothing new stands under that name. Free some space and {then}"
        ) from error


@dataclass(slots=True)
class _Run:
    plan: Plan
    nlp: "Language"
    options: ScoreOptions
    progress: Callable[[int, int | None], Any]
    memory: int = 0

    def to_file(self, stdin: IO[bytes] | None) -> ScoreSummary:
        columns = Columns(class_names(self.nlp), self.options.nodes, self.options.prefix)
        rows = open_rows(
            self.plan, self.options, stream=stdin
        )  # a table that cannot be read at all is told before anything is made
        before = _stamps(self.plan.files)
        spool = Spool(
            self.plan.partial,
            self._settings(columns),
            resume=self.options.resume,
            overwrite=self.options.overwrite,
        )
        finished = False
        try:
            maker = self._maker(rows, columns, spool)
            parts = list(self._parts(rows, spool, maker))
            if before != _stamps(self.plan.files):
                raise DataError(
                    f"{self.plan.source}: changed while it was read; start again with --overwrite"
                )
            whole = spool.folder / "whole"
            made = [spool.files.rows(index) for index in range(len(parts))]
            maker.writer.finish(made, whole, self.plan.output.name)
            summary = self._summary(parts)
            self._publish_rejects(spool, summary)
            self._publish(whole)
            finished = True
        finally:
            rows.close()
            spool.close(finished=finished or self.plan.to_device)
        return summary

    def to_stream(self, stdin: IO[bytes] | None, stdout: IO[bytes]) -> ScoreSummary:
        columns = Columns(class_names(self.nlp), self.options.nodes, self.options.prefix)
        rows = open_rows(self.plan, self.options, stream=stdin)
        parts = []
        with tempfile.TemporaryDirectory(prefix="treesent-") as folder:
            spool = Spool(Path(folder), {}, resume=False, overwrite=True)
            try:
                maker = self._maker(rows, columns, spool)
                stdout.write(maker.writer.header())
                for index, part in enumerate(self._parts(rows, spool, maker)):
                    path = spool.files.rows(index)
                    with path.open("rb") as made:
                        shutil.copyfileobj(made, stdout)
                    stdout.flush()
                    path.unlink()
                    parts.append(part)
                stdout.flush()
                summary = self._summary(parts)
                self._publish_rejects(spool, summary)
            finally:
                spool.close(finished=True)
        return summary

    def _maker(self, rows: Rows, columns: Columns, spool: Spool) -> PartMaker:
        if rows.columns is not None:
            columns.refuse_clash(list(rows.columns), self.plan.source)
        writer = Writer.of(rows, self.plan.row_kind, self.plan.output_kind, columns, self.options)
        return PartMaker(self.plan, self.options, SharedPipeline(self.nlp), writer, spool.files)

    def _settings(self, columns: Columns) -> dict[str, Any]:
        """What the parts depend on, for a run that resumes with them."""
        options, plan = self.options, self.plan
        return {
            "treesent": __version__,
            "the input's content": files_digest(plan.files) if plan.files else None,
            "the input's kind": plan.kind,
            "the output's kind": plan.output_kind,
            "the model": model_digest(self.nlp),
            "--text-column": options.text_column,
            "--id-column": options.id_column,
            "--nodes": options.nodes,
            "--batch-size": options.batch_size,
            "--prefix": options.prefix,
            "--quoted-tsv": options.quoted_tsv,
            "--separator": options.separator,
            "--encoding": options.encoding,
            "--null": list(options.null),
            "--max-row-size": options.max_row_size,
            "--escape-formulas": options.escape_formulas,
            "the columns": columns.names,
        }

    def _parts(self, rows: Rows, spool: Spool, maker: PartMaker) -> Iterator[Part]:
        """The parts in order; each is safe on the disk when it comes out."""
        if self.plan.workers > 1:
            shared = SharedRun(maker, spool, self.plan.workers, self.progress)
            yield from shared.parts()
            self.memory = shared.memory
        else:
            yield from self._parts_alone(rows, spool, maker)

    def _parts_alone(self, rows: Rows, spool: Spool, maker: PartMaker) -> Iterator[Part]:
        index, start = 0, 0
        total: int | None = None
        while True:
            part = spool.part(index, start)
            if part is not None:
                skip_rows(rows, part.rows)
            else:
                taken = maker.take(rows)
                if not taken:
                    return
                if fraction := rows.fraction():
                    total = round((start + len(taken)) / fraction)
                part = maker.make(index, start, taken, partial(self._told, start, total))
                spool.add(index, part)
                self.progress(start + part.rows, total)
            index, start = index + 1, start + part.rows
            yield part

    def _told(self, start: int, total: int | None, number: int) -> None:
        self.progress(start + number, total)

    def _publish(self, whole: Path) -> None:
        """Give the output its name."""
        output = self.plan.output
        if isinstance(output, RemotePath):
            output.write(whole)
            return
        with replacing_path(output) as place:
            if place == output:  # a device or a FIFO is written into
                with whole.open("rb") as done, place.open("wb") as stream:
                    shutil.copyfileobj(done, stream)
            else:
                whole.replace(place)

    def _publish_rejects(self, spool: Spool, summary: ScoreSummary) -> None:
        path = self.plan.rejects
        if path is None:
            return
        if not summary.rejected:
            with suppress(FileNotFoundError):
                path.unlink()  # those of an earlier run, which --overwrite gave up
            return
        with replacing(spool.folder / "rejects" if isinstance(path, RemotePath) else path) as stream:
            for index in range(summary.parts):
                with spool.files.rejects(index).open("rb") as part:
                    shutil.copyfileobj(part, stream)
        if isinstance(path, RemotePath):
            path.write(spool.folder / "rejects")

    def _summary(self, parts: Sequence[Part]) -> ScoreSummary:
        rows, empty, rejected = (
            sum(getattr(part, name) for part in parts) for name in ("rows", "empty", "rejected")
        )
        rejects = self.plan.rejects if rejected else None
        return ScoreSummary(rows, empty, rejected, rejects, len(parts), self.plan.workers, self.memory)


def _stamps(files: Sequence[File]) -> list[Any]:
    return [path.version() if isinstance(path, RemotePath) else _stamp(path) for path in files]


def _stamp(path: Path) -> tuple[int, int]:
    state = path.stat()
    return state.st_size, state.st_mtime_ns
