"""Read tables row by row: text, csv, tsv, jsonl and parquet, from a file or a stream.

A row that cannot be read never ends the file: it comes out as a :class:`Row` with a ``fault``, and the
caller decides whether that stops the run. Memory stays flat, whatever the length of the file.
"""

import bz2
import gzip
import lzma
import os
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from functools import partial
from io import BufferedReader
from itertools import chain, islice
from pathlib import Path
from typing import IO, Any

from treesent.data.dialect import Dialect, as_utf8, separator_of, told_separator
from treesent.data.objects import raw_of, read_array, read_object, read_sheet
from treesent.data.parquet import read_parquet
from treesent.data.remote import RemotePath, place_of
from treesent.data.rows import Mark, Row, Rows, missing_column, require_columns
from treesent.data.separated import Lines, Record, read_records
from treesent.errors import DataError

KINDS = ("txt", "csv", "tsv", "jsonl", "parquet")
"""What is read and written."""
READ_ONLY = ("json", "excel")
"""What is only read; its rows are those of JSON."""
_SUFFIXES = {".txt": "txt", ".csv": "csv", ".tsv": "tsv", ".tab": "tsv", ".jsonl": "jsonl"}
_SUFFIXES |= {".ndjson": "jsonl", ".parquet": "parquet", ".pq": "parquet", ".json": "json"}
_SUFFIXES |= dict.fromkeys((".xlsx", ".xlsm", ".xlsb", ".xls", ".ods"), "excel")
LONGEST = 16 * 2**20
"""Bytes of the longest row that is read, unless a caller asks for more."""
_SHOWN = 1000
_CUT = "\ud800"  # stands before the start of a line that is too long; never comes out of a file
_OPENERS: dict[str, Callable[..., Any]] = {".gz": gzip.open, ".xz": lzma.open, ".bz2": bz2.open}

Opened = Path | RemotePath | IO[bytes]
Source = str | Opened


def table_kind(path: str | Path) -> str:
    """Tell the kind of a table by its name; ``.gz``, ``.xz`` and ``.bz2`` may stand behind.

    :param path: the file.
    :returns: one of :data:`KINDS` or :data:`READ_ONLY`.
    :raises DataError: a suffix that names no kind.
    """
    path = Path(path)
    name = path.with_suffix("") if path.suffix.lower() in _OPENERS else path
    try:
        return _SUFFIXES[name.suffix.lower()]
    except KeyError:
        known = " ".join(sorted(_SUFFIXES))
        message = f"{path}: the suffix {name.suffix!r} names no kind of table; known: {known}"
        raise DataError(message) from None


def read_rows(
    source: Source,
    kind: str | None = None,
    *,
    need: Sequence[str] = (),
    dialect: Dialect | None = None,
    convert: Sequence[str] | None = None,
    skip: int = 0,
    start: Mark | None = None,
    longest: int = LONGEST,
) -> Rows:
    r"""Read a table row by row.

    - ``txt``: a text per line, in the column ``text``; nothing is skipped.
    - ``csv``: RFC 4180, with a header; a quoted field may hold line ends. What separates the cells is told by the
      header where the dialect does not say it.
    - ``tsv``: with a header; quotes are literal characters, as in most files written without a csv writer,
      unless the dialect says otherwise.
    - ``jsonl``: an object per line; empty lines are skipped.
    - ``json``: an array of objects.
    - ``excel``: the first sheet, with a header.
    - ``parquet``.

    :param source: a file, one behind an address that fsspec knows, or an open binary stream (standard input, say).
    :param kind: one of :data:`KINDS` or :data:`READ_ONLY`; by the file's suffix where None.
    :param need: columns that must be there. A missing one is an error at once where the table has a header,
        and the fault of the row in ``jsonl``.
    :param dialect: how the table is written.
    :param convert: the columns of a parquet file that are wanted as Python values; all where None. The others
        stay in ``raw``.
    :param skip: rows, good and bad, to leave out at the start.
    :param start: where to begin, as :meth:`Rows.mark` told for the same file read in the same way.
    :param longest: bytes of the longest line, cell or quoted field. A longer one is the fault of its row, and
        no more of it than that is in memory at once.
    :raises DataError: the file is missing, has no header, or lacks a needed column.
    """
    if isinstance(source, str):
        source = place_of(source)
    name = str(source) if isinstance(source, Path | RemotePath) else str(getattr(source, "name", "<stream>"))
    if kind is None:
        kind = table_kind(name)
    if kind not in (*KINDS, *READ_ONLY):
        known = " ".join((*KINDS, *READ_ONLY))
        raise DataError(f"{name}: {kind!r} is not a known table format; known: {known}")
    dialect, meter = dialect or Dialect(), _Meter(start)
    read = meter.fraction if isinstance(source, Path | RemotePath) else None
    if kind == "parquet":
        return read_parquet(source, name, need, convert, skip, longest)
    if kind == "json":
        rows = _array(source, name, need, dialect.encoding, meter)
        return Rows(islice(rows, skip, None), None, read=read, close=meter.close)
    if kind == "excel":
        return Rows(islice(_sheet(source, name, need), skip, None), None)
    lines = _lines(source, name, longest, dialect.encoding, meter)
    if kind == "txt":
        require_columns(name, ["text"], need)
        return Rows(
            islice(meter.rows(_text(lines)), skip, None), ["text"], None, read, meter.mark, meter.close
        )
    if kind == "jsonl":
        return Rows(
            islice(meter.rows(_jsonl(lines, need)), skip, None), None, None, read, meter.mark, meter.close
        )
    quoted = kind == "csv" or dialect.quoted_tsv
    try:
        separator, lines = _separator(lines, kind, need, dialect)
        counted = Lines(lines)
        meter.pending = counted.pending
        header, rows = _separated(counted, name, separator, need, quoted, longest)
    except DataError:
        meter.close()
        raise
    return Rows(islice(meter.rows(rows), skip, None), header, None, read, meter.mark, meter.close)


class _Meter:
    """Tells how much of a file has been read, and lets reading begin at a mark."""

    def __init__(self, start: Mark | None = None) -> None:
        self.tell: Callable[[], int] | None = None
        self.file: IO[bytes] | None = None
        self.size, self.done = 1, False
        self.pending: Callable[[], bool] = lambda: False
        self._start, self._armed, self._shift = start, False, 0
        self._stream: IO[bytes] | None = None
        self._lines = self._rows = 0

    def lines(self, stream: IO[bytes], longest: int) -> Iterator[str]:
        """The lines of a stream that can be read from anywhere; after the header it goes to the start."""
        self._stream = stream
        lines = None
        while True:
            if self._armed and self._start is not None:
                stream.seek(self._start.offset)
                self._shift, self._lines = self._start.lines - self._lines, self._start.lines
                self._armed, lines = False, _split(stream, longest, first=False)
            lines = lines or _split(stream, longest)
            line = next(lines, None)
            if line is None:
                return
            self._lines += 1
            yield line

    def rows(self, rows: Iterator[Row]) -> Iterator[Row]:
        """The rows from the start on."""
        self._armed, before = self._start is not None, self._start.rows if self._start else 0
        for row in rows:
            self._rows = row.number + before
            yield replace(row, number=self._rows, line=row.line + self._shift) if before else row

    def mark(self) -> Mark | None:
        """Where the next row begins, if no line behind it is read already."""
        if self._stream is None or self.pending():
            return None
        offset = self.size if self._stream.closed else self._stream.tell()
        return Mark(offset, self._lines, self._rows)

    def close(self) -> None:
        """Close the file that is open."""
        if self.file is not None:
            self.file.close()

    def fraction(self) -> float:
        """What fraction of the file has been read, packed or not."""
        if self.done or self.tell is None:
            return float(self.done)
        return self.tell() / max(self.size, 1)


def _lines(source: Opened, name: str, longest: int, encoding: str | None, meter: _Meter) -> Iterator[str]:
    """Lines with their ends; bytes that are not UTF-8 become lone surrogates, found again by _fault.

    Of a line that is too long only the start comes out, marked.
    """
    with _opened(source, name, meter) as stream:
        utf8 = as_utf8(stream, name, encoding)
        plain = utf8 is stream and isinstance(utf8, BufferedReader)
        yield from meter.lines(utf8, longest) if plain else _split(utf8, longest)


def _split(stream: IO[bytes], longest: int, first: bool = True) -> Iterator[str]:
    while raw := stream.readline(longest + 2):
        if len(raw) > longest + 1 and raw[-1] != 10:
            while (more := stream.readline(1 << 20)) and more[-1] != 10:
                pass
            yield _CUT + _decode(raw[:_SHOWN], first) + "\n"
        else:
            yield _decode(raw, first)
        first = False


def _decode(raw: bytes, first: bool) -> str:
    return raw.decode("utf-8-sig" if first else "utf-8", errors="surrogateescape")


def _fault(text: str) -> str | None:
    if _CUT in text:
        return "the line is too long, and only its start is kept. Split it, or raise --max-row-size"
    if "\0" in text:
        return "holds a NUL character; is the file UTF-16? save it as UTF-8"
    if text.isascii():
        return None
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        byte = ord(text[error.start]) - 0xDC00
        return (
            f"not UTF-8: byte 0x{byte & 0xFF:02x} at character {error.start + 1}; if Excel or Windows wrote the "
            "file, give --encoding cp1252"
        )
    return None


def _text(lines: Iterator[str]) -> Iterator[Row]:
    return (_text_row(i, line.rstrip("\r\n")) for i, line in enumerate(lines, 1))


def _text_row(number: int, line: str) -> Row:
    fault = _fault(line)
    return Row(number, number, {} if fault else {"text": line}, fault, line.removeprefix(_CUT))


def _jsonl(lines: Iterator[str], need: Sequence[str]) -> Iterator[Row]:
    number = 0
    for i, line in enumerate(lines, 1):
        raw = line.strip(" \t\r\n")
        if raw:
            number += 1
            yield _json_row(number, i, raw, need)


def _json_row(number: int, line: int, raw: str, need: Sequence[str]) -> Row:
    values: dict[str, Any] = {}
    fault = _fault(raw)
    if fault is None:
        values, fault = read_object(raw)
    fault = fault or missing_column(values, need)
    if fault is None:
        return Row(number, line, values, raw=raw)
    return Row(number, line, fault=fault, raw=raw.removeprefix(_CUT))


def _array(
    source: Opened, name: str, need: Sequence[str], encoding: str | None, meter: _Meter
) -> Iterator[Row]:
    with _opened(source, name, meter) as stream:
        for number, values in enumerate(read_array(as_utf8(stream, name, encoding), name), 1):
            yield _object_row(number, values, need)


@contextmanager
def _opened(source: Opened, name: str, meter: _Meter) -> Iterator[IO[bytes]]:
    """A stream of a table's bytes, unpacked."""
    if not isinstance(source, Path | RemotePath):
        yield source
        return
    if not source.is_file():
        raise DataError(f"{source}: {'a folder, not a file' if source.is_dir() else 'no such file'}")
    try:
        with source.reading() if isinstance(source, RemotePath) else source.open("rb") as packed:
            meter.file = packed
            if isinstance(source, RemotePath):
                meter.tell, meter.size = packed.tell, source.size()
            else:
                # The packed stream's own tell() would count what is buffered as unread.
                meter.tell = partial(os.lseek, packed.fileno(), 0, os.SEEK_CUR)
                meter.size = source.stat().st_size
            opener = _OPENERS.get(source.suffix.lower())
            with opener(packed, "rb") if opener else nullcontext(packed) as stream:
                yield stream
            meter.done = True
    except (EOFError, lzma.LZMAError, zlib.error, OSError) as error:
        raise DataError(f"{name}: cut short or damaged: {error}") from error


def _sheet(source: Opened, name: str, need: Sequence[str]) -> Iterator[Row]:
    header, rows = read_sheet(source, name)
    header = _named(header, name)
    require_columns(name, header, need)
    width = len(header)
    return (
        _object_row(number, dict(zip(header, [*cells, *[None] * width][:width], strict=True)), need)
        for number, cells in enumerate(rows, 1)
        if any(cell is not None for cell in cells)
    )


def _object_row(number: int, values: Any, need: Sequence[str]) -> Row:
    """A row of values that stand in no line of text."""
    fault: str | None
    if not isinstance(values, dict):
        fault = f"a JSON object expected, found {type(values).__name__}"
    elif (fault := missing_column(values, need)) is None:
        return Row(number, number, values, raw=raw_of(values))
    return Row(number, number, fault=fault, raw=raw_of(values))


def _separator(
    lines: Iterator[str], kind: str, need: Sequence[str], dialect: Dialect
) -> tuple[str, Iterator[str]]:
    """What separates the cells of a table, and its lines from the header on."""
    first = next(lines, "")
    told = told_separator(first)
    if told is not None:
        first = next(lines, "")
    separator = dialect.separator or told or separator_of(first, kind, need)
    return separator, chain([first] if first else [], lines)


def _named(header: list[str], name: str) -> list[str]:
    """The names of the columns; those without a name at the end, which spreadsheets leave, are dropped."""
    while header and not header[-1].strip():
        header = header[:-1]
    if len(set(header)) < len(header):
        twice = next(column for column in header if header.count(column) > 1)
        raise DataError(f"{name}:1: the column {twice!r} stands twice in the header")
    return header


def _separated(
    lines: Lines, name: str, delimiter: str, need: Sequence[str], quoted: bool, longest: int
) -> tuple[list[str], Iterator[Row]]:
    records = read_records(lines, delimiter, quoted=quoted, longest=longest)
    first = next(records, None)
    if first is None or not first.raw:
        raise DataError(f"{name}: empty; a header with the names of the columns was expected")
    header = first.fields
    if first.fault:
        raise DataError(f"{name}:1: the header cannot be read: {first.fault}")
    if fault := _fault(first.raw):
        raise DataError(f"{name}:1: the header is refused: {fault}; save the file as UTF-8")
    header = _named(header, name) if any(header) else header
    require_columns(name, header, need)
    return header, _records(records, header)


def _records(records: Iterator[Record], header: list[str]) -> Iterator[Row]:
    number = 0
    for record in records:
        if not record.raw and len(header) > 1:
            continue  # an empty line, often the last; in a table of one column it is an empty text
        number += 1
        fault = _fault(record.raw) or record.fault
        fields = record.fields
        if fault is None and len(fields) > len(header) and not any(fields[len(header) :]):
            fields = fields[: len(header)]
        if fault is None and len(fields) != len(header):
            fault = f"{len(fields)} columns where the header has {len(header)}"
        values = {} if fault else dict(zip(header, fields, strict=True))
        yield Row(number, record.line, values, fault, record.raw.replace(_CUT, ""))
