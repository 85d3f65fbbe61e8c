"""A row of a table, whatever the table is."""

import difflib
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from treesent.errors import DataError


@dataclass(frozen=True, slots=True)
class Row:
    """One record of a table."""

    number: int
    """One-based; a header is not counted."""
    line: int
    """One-based line of the file where the record begins (the number of the row in a parquet file)."""
    values: dict[str, Any] = field(default_factory=dict)
    """Column to value: text in csv and tsv, any JSON value elsewhere. Empty where there is a fault."""
    fault: str | None = None
    """Why the record cannot be read, or None."""
    raw: Any = None
    """The record as it stands in the file, without its line end; a byte that is not UTF-8 is a lone surrogate
    (``raw.encode("utf-8", "surrogateescape")`` gives the bytes back). In parquet the pair of the record batch
    and the row's index in it."""
    source: str | None = None
    """The file, where a table is made of many."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A place between two rows of a file where reading can begin."""

    offset: int
    """Bytes before it."""
    lines: int
    rows: int


class Rows(Iterator[Row]):
    """The rows of a table, one after the other."""

    def __init__(
        self,
        rows: Iterator[Row],
        columns: Sequence[str] | None,
        schema: Any = None,
        read: Callable[[], float] | None = None,
        mark: Callable[[], Mark | None] | None = None,
        close: Callable[[], None] | None = None,
    ) -> None:
        """Wrap an iterator.

        :param rows: the rows.
        :param columns: the columns where the table as a whole has them: all kinds but ``jsonl``.
        :param schema: the Arrow schema of a parquet file.
        :param read: tells what fraction of the table has been read.
        :param mark: tells where the next row begins.
        :param close: closes the file.
        """
        self._rows, self.columns, self.schema, self._read, self._mark = rows, columns, schema, read, mark
        self._close = close

    def __next__(self) -> Row:
        return next(self._rows)

    def close(self) -> None:
        """Close the file, if rows are left in it."""
        if self._close is not None:
            self._close()

    def fraction(self) -> float | None:
        """Tell what fraction of the table has been read, from 0 to 1; None where its size is not known."""
        return None if self._read is None else min(1.0, self._read())

    def mark(self) -> Mark | None:
        """Where the next row begins; None if the table cannot be opened there."""
        return None if self._mark is None else self._mark()


def require_columns(name: str, found: Iterable[str], need: Iterable[str]) -> None:
    """Check that a table has its columns.

    :param name: the table, for the message.
    :param found: the columns there are.
    :param need: the columns wanted.
    :raises DataError: one is missing; the message names the nearest and all there are.
    """
    if fault := missing_column(list(found), need):
        raise DataError(f"{name}: {fault}")


def missing_column(found: Collection[str], need: Iterable[str]) -> str | None:
    """Say which column is missing, which is nearest, and which there are.

    :param found: the columns there are.
    :param need: the columns wanted.
    :returns: None where all are there.
    """
    for column in need:
        if column not in found:
            near = difflib.get_close_matches(column, found, 1)
            # A header that was not split is no name of a column.
            hint = f"did you mean {near[0]!r}? " if near and re.fullmatch(r"[\w .-]+", near[0]) else ""
            return f"no column {column!r}; {hint}columns: {', '.join(map(repr, found))}"
    return None
