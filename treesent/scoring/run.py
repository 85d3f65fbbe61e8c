"""The run itself: rows in, parts, one finished file."""

import errno
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from treesent.data.rows import Row, Rows
from treesent.data.tables import read_rows
from treesent.errors import DataError
from treesent.files import replacing, replacing_path
from treesent.scoring.identity import file_digest, model_digest
from treesent.scoring.options import ScoreOptions, ScoreSummary
from treesent.scoring.plan import Plan
from treesent.scoring.rendering import reject_line
from treesent.scoring.results import Columns, class_names, fault_of
from treesent.scoring.spool import Part, Spool
from treesent.scoring.writing import Scored, Writer
from treesent.version import __version__

if TYPE_CHECKING:
    from spacy.language import Language
    from spacy.tokens import Doc

PART_TEXTS = {"none": 4096, "sentences": 2048, "all": 512}
"""Texts of a part. What a part holds is in memory at once, so that a part with every phrase has fewer."""
PART_CHARACTERS = 4 * 2**20
"""Characters after which a part ends early."""

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def score(
    source: str | Path,
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

    :param source: a file that :func:`treesent.data.tables.read_rows` reads, or ``-`` for standard input.
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
                f"{error.filename or output}: {reason}; nothing new stands at {output}"
            ) from error
        then = "continue with --resume" if plan.partial.is_dir() else "run it again"
        raise DataError(
            f"{output}: {reason}; nothing new stands under that name. Free some space and {then}"
        ) from error


@dataclass(slots=True)
class _Run:
    plan: Plan
    nlp: "Language"
    options: ScoreOptions
    progress: Callable[[int, int | None], Any]
    total: int | None = None

    def to_file(self, stdin: IO[bytes] | None) -> ScoreSummary:
        columns = Columns(class_names(self.nlp), self.options.nodes, self.options.prefix)
        rows = self._open(stdin, 0)  # a table that cannot be read at all is told before anything is made
        before = _stamp(self.plan.source)
        spool = Spool(
            self.plan.partial,
            self._settings(columns),
            resume=self.options.resume,
            overwrite=self.options.overwrite,
        )
        finished = False
        try:
            if spool.done.rows:
                rows = self._open(stdin, spool.done.rows)
            writer = self._writer(rows, columns)
            for _ in self._parts(rows, spool, writer):
                pass
            if before != _stamp(self.plan.source):
                raise DataError(
                    f"{self.plan.source}: changed while it was read; start again with --overwrite"
                )
            indices = range(len(spool.parts))
            whole = spool.folder / "whole"
            writer.finish([spool.rows_file(i) for i in indices], whole, self.plan.output.name)
            self._publish_rejects(spool)
            with replacing_path(self.plan.output) as place:
                if place == self.plan.output:  # a device or a FIFO is written into
                    with whole.open("rb") as made, place.open("wb") as stream:
                        shutil.copyfileobj(made, stream)
                else:
                    whole.replace(place)
            finished = True
        finally:
            spool.close(finished=finished or self.plan.to_device)
        return self._summary(spool.done)

    def to_stream(self, stdin: IO[bytes] | None, stdout: IO[bytes]) -> ScoreSummary:
        columns = Columns(class_names(self.nlp), self.options.nodes, self.options.prefix)
        rows = self._open(stdin, 0)
        writer = self._writer(rows, columns)
        with tempfile.TemporaryDirectory(prefix="treesent-") as folder:
            spool = Spool(Path(folder), {}, resume=False, overwrite=True)
            try:
                stdout.write(writer.header())
                for index in self._parts(rows, spool, writer):
                    path = spool.rows_file(index)
                    with path.open("rb") as part:
                        shutil.copyfileobj(part, stdout)
                    stdout.flush()
                    path.unlink()
                stdout.flush()
                self._publish_rejects(spool)
            finally:
                spool.close(finished=True)
        return self._summary(spool.done)

    def _open(self, stdin: IO[bytes] | None, skip: int) -> Rows:
        options, plan = self.options, self.plan
        ids = [options.id_column] if options.id_column else []
        need = list(dict.fromkeys([options.text_column, *ids]))
        return read_rows(
            (stdin or sys.stdin.buffer) if plan.source == "-" else plan.source,
            plan.kind,
            need=need,
            dialect=options.dialect,
            convert=need if plan.output_kind == "parquet" else None,
            skip=skip,
            longest=options.max_row_size,
        )

    def _writer(self, rows: Rows, columns: Columns) -> Writer:
        if rows.columns is not None:
            columns.refuse_clash(list(rows.columns), self.plan.source)
        return Writer.of(rows, self.plan.row_kind, self.plan.output_kind, columns, self.options)

    def _settings(self, columns: Columns) -> dict[str, Any]:
        """What the parts depend on, for a run that resumes with them."""
        options, plan = self.options, self.plan
        return {
            "treesent": __version__,
            "the input's content": None if plan.source == "-" else file_digest(Path(plan.source)),
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

    def _parts(self, rows: Rows, spool: Spool, writer: Writer) -> Iterator[int]:
        """Score part after part; each is safe on the disk when its number comes out."""
        while taken := self._take(rows, spool, writer):
            index, done = len(spool.parts), spool.done
            if fraction := rows.fraction():
                self.total = round((done.rows + len(taken)) / fraction)
            good = [row for row, reason in taken if reason is None]
            scored = self._score(good, writer.columns, done.rows)
            writer.write_part(spool.rows_file(index), scored, self.options.text_column)
            with spool.rejects_file(index).open("w", encoding="utf-8", newline="") as stream:
                for row, reason in taken:
                    if reason is not None:
                        stream.write(reject_line(row, reason, self._identity(row)))
            empty = sum(scores[writer.columns.names[0]] is None for _, scores in scored)
            rejected = len(taken) - len(good)
            spool.commit(Part(done.rows + len(taken), done.empty + empty, done.rejected + rejected))
            self.progress(spool.done.rows, self.total)
            yield index

    def _take(self, rows: Rows, spool: Spool, writer: Writer) -> list[tuple[Row, str | None]]:
        """The rows of the next part, each with the reason why it cannot be scored, if there is one."""
        limit = PART_TEXTS[self.options.nodes]
        taken: list[tuple[Row, str | None]] = []
        characters = 0
        for row in rows:
            reason = row.fault or self._unfit(row) or writer.unfit(row)
            if reason is not None and self.options.on_error == "fail":
                raise DataError(
                    f"{self.plan.source}:{row.line}: row {row.number}: {reason} "
                    "(--on-error skip puts such rows among the rejects)"
                )
            if reason is None and self.plan.row_kind == "jsonl":
                writer.columns.refuse_clash(row.values, f"{self.plan.source}:{row.line}")
            taken.append((row, reason))
            characters += (
                len(row.raw)
                if isinstance(row.raw, str)
                else len(str(row.values.get(self.options.text_column, "")))
            )
            if len(taken) >= limit or characters >= PART_CHARACTERS:
                break
        return taken

    def _unfit(self, row: Row) -> str | None:
        column = self.options.text_column
        fault = fault_of(self.options.dialect.text(row.values[column]), self.nlp.max_length)
        if fault is not None:
            return f"{column!r} {fault}"
        if self.options.id_column and row.values[self.options.id_column] in (None, ""):
            return f"the id column {self.options.id_column!r} is empty"
        return None

    def _identity(self, row: Row) -> Any:
        return row.values.get(self.options.id_column) if self.options.id_column else None

    def _score(self, rows: list[Row], columns: Columns, number: int) -> list[Scored]:
        texts = [self.options.dialect.text(row.values[self.options.text_column]) for row in rows]
        with self.nlp.memory_zone():  # words seen once would stay in the vocabulary for the rest of the run
            docs = self.nlp.pipe(
                (text for text in texts if text.strip()),
                batch_size=self.options.batch_size,
                n_process=self.options.n_process,
            )
            return list(self._scored(rows, texts, iter(docs), columns, number))

    def _scored(
        self, rows: list[Row], texts: list[str], docs: "Iterator[Doc]", columns: Columns, number: int
    ) -> Iterator[Scored]:
        for row, text in zip(rows, texts, strict=True):
            yield row, columns.row(next(docs) if text.strip() else None)
            number += 1
            if number % 64 == 0:
                self.progress(number, self.total)

    def _publish_rejects(self, spool: Spool) -> None:
        path = self.plan.rejects
        if path is None:
            return
        if not spool.done.rejected:
            with suppress(FileNotFoundError):
                path.unlink()  # those of an earlier run, which --overwrite gave up
            return
        with replacing(path) as stream:
            for index in range(len(spool.parts)):
                with spool.rejects_file(index).open("rb") as part:
                    shutil.copyfileobj(part, stream)

    def _summary(self, done: Part) -> ScoreSummary:
        rejects = self.plan.rejects if done.rejected else None
        return ScoreSummary(done.rows, done.empty, done.rejected, rejects)


def _stamp(source: str) -> tuple[int, int] | None:
    if source == "-":
        return None
    status = Path(source).stat()
    return status.st_size, status.st_mtime_ns
