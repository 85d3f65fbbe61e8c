"""Rows out: parts in the form that loses nothing, and the finished file made of them."""

import bz2
import gzip
import lzma
import shutil
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

from treesent.data.rows import Row, Rows
from treesent.errors import DataError
from treesent.scoring import arrow
from treesent.scoring.options import ScoreOptions
from treesent.scoring.rendering import json_line, separated_lines, text_line
from treesent.scoring.results import Columns
from treesent.scoring.spool import flush

Scored = tuple[Row, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Writer:
    """Knows the kinds of input and output, and so the form of a part.

    Rows of JSON Lines may differ in their fields, so that the columns of a csv, tsv or parquet file are known
    only at the end: their parts are JSON Lines. All other parts have the form of the output.
    """

    source_kind: str
    kind: str
    columns: Columns
    names: Sequence[str] | None
    """The columns of the input, None in JSON Lines."""
    schema: Any = None
    """The Arrow schema of the output where its parts are parquet."""
    quoted_tsv: bool = False
    escape_formulas: bool = False

    @classmethod
    def of(cls, rows: Rows, source_kind: str, kind: str, columns: Columns, options: ScoreOptions) -> "Writer":
        """The writer for the rows of a table."""
        typed = kind == "parquet" and source_kind != "jsonl"
        schema = arrow.output_schema(rows.columns, rows.schema, columns) if typed else None
        return cls(
            source_kind, kind, columns, rows.columns, schema, options.quoted_tsv, options.escape_formulas
        )

    @property
    def streams(self) -> bool:
        """Whether the parts, one after the other, are the output."""
        return self.kind in ("txt", "jsonl") or (self.kind != "parquet" and self.names is not None)

    def unfit(self, row: Row) -> str | None:
        """Why a row cannot stand in the output, or None."""
        if self.kind == "tsv" and not self.quoted_tsv:
            for name, value in row.values.items():
                if isinstance(value, str) and ("\t" in value or "\n" in value or "\r" in value):
                    return f"{name!r} holds a tab or a line end, which tsv lacks; use --quoted-tsv"
        return None

    def write_part(self, path: Path, rows: Sequence[Scored], text_column: str) -> None:
        """Write a part.

        :param rows: the rows with their scores.
        """
        if self.schema is not None:
            arrow.write_part(path, self.schema, rows, len(self.columns.names))
            return
        if self.kind == "txt":
            shown = self.columns.names[:3]
            lines = [text_line(row.values[text_column], [scores[n] for n in shown]) for row, scores in rows]
        elif self.kind == "jsonl" or self.names is None:
            spliced = self.source_kind == "jsonl"
            lines = [json_line(row, scores, spliced=spliced) for row, scores in rows]
        else:
            cells = ([*row.values.values(), *scores.values()] for row, scores in rows)
            lines = [self._lines(cells)]
        with path.open("w", encoding="utf-8", newline="") as stream:
            stream.writelines(lines)

    def header(self) -> bytes:
        """What stands before the first part."""
        if self.kind not in ("csv", "tsv"):
            return b""
        return self._header([*(self.names or ()), *self.columns.names])

    def finish(self, parts: Sequence[Path], path: Path, name: str) -> None:
        """Make the output of its parts.

        :param path: where to write.
        :param name: the output's name, whose suffix asks for compression.
        """
        if self.schema is not None:
            arrow.join_parts(parts, path, self.schema)
        elif self.kind == "parquet":
            arrow.json_to_parquet(parts, path, self.columns)
        else:
            with ExitStack() as stack:
                raw = stack.enter_context(path.open("wb"))
                stream = stack.enter_context(_packed(raw, name))
                self._join(parts, stream)
        with path.open("rb") as done:
            flush(done)

    def _join(self, parts: Sequence[Path], stream: IO[bytes]) -> None:
        if self.streams:
            stream.write(self.header())
            for part in parts:
                with part.open("rb") as rows:
                    shutil.copyfileobj(rows, stream, 2**20)
            return
        names = list(dict.fromkeys(n for part in parts for row in arrow.objects(part) for n in row))
        own = [name for name in names if name not in self.columns.names]
        names = [*own, *self.columns.names]
        stream.write(self._header(names))
        for part in parts:
            cells = ([row.get(name) for name in names] for row in arrow.objects(part))
            stream.write(self._lines(cells).encode())

    def _lines(self, cells: Iterable[Sequence[Any]]) -> str:
        return separated_lines(
            cells, self.kind, quoted_tsv=self.quoted_tsv, escape_formulas=self.escape_formulas
        )

    def _header(self, names: Sequence[str]) -> bytes:
        if self.kind == "tsv" and not self.quoted_tsv and any(set(name) & set("\t\r\n") for name in names):
            raise DataError("a column's name holds a tab or a line end, which tsv lacks; use --quoted-tsv")
        return self._lines([names]).encode()


def _packed(raw: IO[bytes], name: str) -> IO[bytes]:
    """A stream that compresses as the name asks, the same bytes at any time of day."""
    suffix = Path(name).suffix.lower()
    if suffix == ".gz":
        return cast(IO[bytes], gzip.GzipFile("", "wb", fileobj=raw, mtime=0))
    if suffix == ".xz":
        return cast(IO[bytes], lzma.LZMAFile(raw, "wb"))
    if suffix == ".bz2":
        return cast(IO[bytes], bz2.BZ2File(raw, "wb"))
    return raw
