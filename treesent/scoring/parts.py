"""One part of a run: rows taken from the input, scored, and written to the disk."""

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import IO, TYPE_CHECKING, Any

from treesent.data.many import read_many
from treesent.data.rows import Mark, Row, Rows
from treesent.data.tables import read_rows
from treesent.errors import DataError
from treesent.scoring.plan import Plan
from treesent.scoring.pool import SharedPipeline
from treesent.scoring.rendering import reject_line
from treesent.scoring.results import Columns, fault_of, only_needed
from treesent.scoring.spool import Part, PartFiles
from treesent.scoring.writing import Scored, Writer

if TYPE_CHECKING:
    from spacy.tokens import Doc

    from treesent.scoring.options import ScoreOptions

PART_TEXTS = {"none": 4096, "sentences": 2048, "opinions": 2048, "all": 512}
"""Texts of a part. What a part holds is in memory at once, so that a part with every phrase has fewer."""
PART_CHARACTERS = 2**18
"""Characters after which a part ends early: some seconds of work, so that workers end at about the same time."""

Taken = list[tuple[Row, str | None]]
"""Rows, each with the reason why it cannot be scored, if there is one."""


def open_rows(
    plan: Plan,
    options: "ScoreOptions",
    skip: int = 0,
    stream: IO[bytes] | None = None,
    start: Mark | None = None,
) -> Rows:
    """Open the input of a run.

    :param stream: what stands for standard input.
    :param start: where in the file to begin.
    :param skip: rows to leave out at the start.
    :raises DataError: it cannot be read, or lacks a column.
    """
    ids = [options.id_column] if options.id_column else []
    need = list(dict.fromkeys([options.text_column, *ids]))
    read = partial(
        read_rows,
        kind=plan.kind,
        need=need,
        dialect=options.dialect,
        convert=need if plan.output_kind == "parquet" else None,
        longest=options.max_row_size,
    )
    if len(plan.files) > 1:
        return read_many(plan.files, read, skip)
    return read(plan.files[0] if plan.files else stream or sys.stdin.buffer, skip=skip, start=start)


def skip_rows(rows: Rows, number: int) -> None:
    """Read rows and leave them out."""
    next(islice(rows, number, number), None)


@dataclass(frozen=True, slots=True)
class PartMaker:
    """Makes the parts of a run; where each ends depends on the input alone."""

    plan: Plan
    options: "ScoreOptions"
    pipeline: SharedPipeline
    writer: Writer
    files: PartFiles

    def take(self, rows: Rows) -> Taken:
        """Read the rows of the next part.

        :param rows: the input, at the beginning of the part.
        :returns: nothing at the end of the input.
        :raises DataError: a row cannot be scored, and ``on_error`` is ``fail``.
        """
        limit = PART_TEXTS[self.options.nodes]
        taken: Taken = []
        characters = 0
        for row in rows:
            reason = row.fault or self._unfit(row) or self.writer.unfit(row)
            if reason is not None and self.options.on_error == "fail":
                raise DataError(
                    f"{self._place(row)}: row {row.number}: {reason} "
                    "(--on-error skip puts such rows among the rejects)"
                )
            if reason is None and self.plan.row_kind == "jsonl":
                self.writer.columns.refuse_clash(row.values, self._place(row))
            taken.append((row, reason))
            characters += (
                len(row.raw)
                if isinstance(row.raw, str)
                else len(str(row.values.get(self.options.text_column, "")))
            )
            if len(taken) >= limit or characters >= PART_CHARACTERS:
                break
        return taken

    def make(self, index: int, start: int, taken: Taken, progress: Callable[[int], Any]) -> Part:
        """Score a part and write it; it is safe on the disk when this returns.

        :param index: of the part.
        :param start: rows of the input before it.
        :param taken: its rows.
        :param progress: told, now and then, how many of its rows are done.
        """
        scored = self._score([row for row, reason in taken if reason is None], progress)
        self.writer.write_part(self.files.rows(index), scored, self.options.text_column)
        with self.files.rejects(index).open("w", encoding="utf-8", newline="") as stream:
            for row, reason in taken:
                if reason is not None:
                    stream.write(reject_line(row, reason, self._identity(row)))
        empty = sum(scores[self.writer.columns.names[0]] is None for _, scores in scored)
        part = Part(start, len(taken), empty, len(taken) - len(scored))
        self.files.commit(index, part)
        return part

    def _place(self, row: Row) -> str:
        return f"{row.source or self.plan.source}:{row.line}"

    def _unfit(self, row: Row) -> str | None:
        column = self.options.text_column
        fault = fault_of(self.options.dialect.text(row.values[column]), self.pipeline.nlp.max_length)
        if fault is not None:
            return f"{column!r} {fault}"
        if self.options.id_column and row.values[self.options.id_column] in (None, ""):
            return f"the id column {self.options.id_column!r} is empty"
        return None

    def _identity(self, row: Row) -> Any:
        return row.values.get(self.options.id_column) if self.options.id_column else None

    def _score(self, rows: list[Row], progress: Callable[[int], Any]) -> list[Scored]:
        texts = [self.options.dialect.text(row.values[self.options.text_column]) for row in rows]
        with (
            self.pipeline.nlp.memory_zone(),
            only_needed(self.pipeline.nlp, self.writer.columns),
        ):  # words seen once would stay in the vocabulary for the rest of the run
            docs = self.pipeline.nlp.pipe(
                (text for text in texts if text.strip()), batch_size=self.options.batch_size
            )
            return list(_scored(rows, texts, iter(docs), self.writer.columns, progress))


def _scored(
    rows: list[Row], texts: list[str], docs: "Iterator[Doc]", columns: Columns, progress: Callable[[int], Any]
) -> Iterator[Scored]:
    for number, (row, text) in enumerate(zip(rows, texts, strict=True), 1):
        yield row, columns.row(next(docs) if text.strip() else None)
        if number % 64 == 0:
            progress(number)
