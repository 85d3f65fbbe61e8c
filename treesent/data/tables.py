"""Read tables row by row: text, csv, tsv, jsonl and parquet, from a file or a stream.

A row that cannot be read never ends the file: it comes out as a :class:`Row` with a ``fault``, and the
caller decides whether that stops the run. Memory stays flat, whatever the length of the file.
"""

import bz2
import difflib
import gzip
import json
import lzma
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import IO, Any, cast

from treesent.data.separated import Record, read_records
from treesent.errors import DataError

KINDS = ("txt", "csv", "tsv", "jsonl", "parquet")
_SUFFIXES = {".txt": "txt", ".csv": "csv", ".tsv": "tsv", ".tab": "tsv", ".jsonl": "jsonl"}
_SUFFIXES |= {".ndjson": "jsonl", ".parquet": "parquet", ".pq": "parquet"}
LONGEST = 16 * 2**20
"""Bytes of the longest row that is read, unless a caller asks for more."""
_SHOWN = 1000
_CUT = "\ud800"  # stands before the start of a line that is too long; never comes out of a file
_OPENERS: dict[str, Callable[[Path], Any]] = {".gz": gzip.open, ".xz": lzma.open, ".bz2": bz2.open}


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


class Rows(Iterator[Row]):
    """The rows of a table, one after the other."""

    def __init__(self, rows: Iterator[Row], columns: Sequence[str] | None, schema: Any = None) -> None:
        """Wrap an iterator.

        :param rows: the rows.
        :param columns: the columns where the table as a whole has them: all kinds but ``jsonl``.
        :param schema: the Arrow schema of a parquet file.
        """
        self._rows, self.columns, self.schema = rows, columns, schema

    def __next__(self) -> Row:
        return next(self._rows)


def table_kind(path: str | Path) -> str:
    """Tell the kind of a table by its name; ``.gz``, ``.xz`` and ``.bz2`` may stand behind.

    :param path: the file.
    :returns: one of :data:`KINDS`.
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
    source: str | Path | IO[bytes],
    kind: str | None = None,
    *,
    need: Sequence[str] = (),
    quoted_tsv: bool = False,
    convert: Sequence[str] | None = None,
    skip: int = 0,
    longest: int = LONGEST,
) -> Rows:
    r"""Read a table row by row.

    - ``txt``: a text per line, in the column ``text``; nothing is skipped.
    - ``csv``: RFC 4180, with a header; a quoted field may hold line ends.
    - ``tsv``: with a header; quotes are literal characters, as in most files written without a csv writer,
      unless ``quoted_tsv``.
    - ``jsonl``: an object per line; empty lines are skipped.
    - ``parquet``.

    :param source: a file, or an open binary stream (standard input, say).
    :param kind: one of :data:`KINDS`; by the file's suffix where None.
    :param need: columns that must be there. A missing one is an error at once where the table has a header,
        and the fault of the row in ``jsonl``.
    :param quoted_tsv: read ``"`` in tsv as csv does.
    :param convert: the columns of a parquet file that are wanted as Python values; all where None. The others
        stay in ``raw``.
    :param skip: rows, good and bad, to leave out at the start.
    :param longest: bytes of the longest line, cell or quoted field. A longer one is the fault of its row, and
        no more of it than that is in memory at once.
    :raises DataError: the file is missing, has no header, or lacks a needed column.
    """
    name = str(source) if isinstance(source, str | Path) else str(getattr(source, "name", "<stream>"))
    if kind is None:
        kind = table_kind(name)
    if kind not in KINDS:
        raise DataError(f"{name}: {kind!r} is not a known table format; known: {' '.join(KINDS)}")
    if kind == "parquet":
        return _parquet(source, name, need, convert, skip, longest)
    lines = _lines(source, name, longest)
    if kind == "txt":
        require_columns(name, ["text"], need)
        return Rows(islice(_text(lines), skip, None), ["text"])
    if kind == "jsonl":
        return Rows(islice(_jsonl(lines, need), skip, None), None)
    separator, quoted = ("," if kind == "csv" else "\t"), kind == "csv" or quoted_tsv
    header, rows = _separated(lines, name, separator, need, quoted, longest)
    return Rows(islice(rows, skip, None), header)


def require_columns(name: str, found: Iterable[str], need: Iterable[str]) -> None:
    """Check that a table has its columns.

    :param name: the table, for the message.
    :param found: the columns there are.
    :param need: the columns wanted.
    :raises DataError: one is missing; the message names the nearest and all there are.
    """
    found = list(found)
    for column in need:
        if column not in found:
            near = difflib.get_close_matches(column, found, 1)
            hint = f"did you mean {near[0]!r}? " if near else ""
            raise DataError(f"{name}: no column {column!r}; {hint}columns: {', '.join(map(repr, found))}")


def _lines(source: str | Path | IO[bytes], name: str, longest: int) -> Iterator[str]:
    """Lines with their ends; bytes that are not UTF-8 become lone surrogates, found again by _fault.

    Of a line that is too long only the start comes out, marked.
    """
    if isinstance(source, str | Path):
        path = Path(source)
        if not path.is_file():
            raise DataError(f"{path}: {'a folder, not a file' if path.is_dir() else 'no such file'}")
        return _decoded(path, name, longest)
    return _split(source, longest)


def _split(stream: IO[bytes], longest: int) -> Iterator[str]:
    first = True
    while raw := stream.readline(longest + 2):
        if len(raw) > longest + 1 and raw[-1] != 10:
            while (more := stream.readline(1 << 20)) and more[-1] != 10:
                pass
            yield _CUT + _decode(raw[:_SHOWN], first) + "\n"
        else:
            yield _decode(raw, first)
        first = False


def _decoded(path: Path, name: str, longest: int) -> Iterator[str]:
    try:
        with _OPENERS.get(path.suffix.lower(), Path.open)(path, "rb") as stream:
            yield from _split(stream, longest)
    except (EOFError, lzma.LZMAError, zlib.error, OSError) as error:
        raise DataError(f"{name}: cut short or damaged: {error}") from error


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
        return f"not UTF-8: byte 0x{byte & 0xFF:02x} at character {error.start + 1}"
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
    fault = _fault(raw)
    if fault is None:
        try:
            values = json.loads(raw, parse_constant=_no_constant)
            if "\\ud" in raw or "\\uD" in raw:
                json.dumps(values, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            fault = r"half of a surrogate pair (\ud800 to \udfff alone), which is no character"
        except (ValueError, RecursionError) as error:
            fault = f"broken JSON: {error}"
        else:
            if not isinstance(values, dict):
                fault = f"a JSON object expected, found {type(values).__name__}"
            elif missing := [column for column in need if column not in values]:
                fault = f"no column {missing[0]!r}"
            else:
                return Row(number, line, cast(dict[str, Any], values), raw=raw)
    return Row(number, line, fault=fault, raw=raw.removeprefix(_CUT))


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not a JSON value")


def _separated(
    lines: Iterator[str], name: str, delimiter: str, need: Sequence[str], quoted: bool, longest: int
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
    if len(set(header)) < len(header):
        twice = next(column for column in header if header.count(column) > 1)
        raise DataError(f"{name}:1: the column {twice!r} stands twice in the header")
    require_columns(name, header, need)
    return header, _records(records, header)


def _records(records: Iterator[Record], header: list[str]) -> Iterator[Row]:
    number = 0
    for record in records:
        if not record.raw and len(header) > 1:
            continue  # an empty line, often the last; in a table of one column it is an empty text
        number += 1
        fault = _fault(record.raw) or record.fault
        if fault is None and len(record.fields) != len(header):
            fault = f"{len(record.fields)} columns where the header has {len(header)}"
        values = {} if fault else dict(zip(header, record.fields, strict=True))
        yield Row(number, record.line, values, fault, record.raw.replace(_CUT, ""))


def _parquet(
    source: str | Path | IO[bytes],
    name: str,
    need: Sequence[str],
    convert: Sequence[str] | None,
    skip: int,
    longest: int,
) -> Rows:
    import pyarrow as pa
    import pyarrow.parquet as pq

    if isinstance(source, str | Path) and not Path(source).is_file():
        raise DataError(f"{source}: no such file")
    try:
        table = pq.ParquetFile(
            pa.BufferReader(source.read()) if not isinstance(source, str | Path) else source
        )
        schema = _without_views(table.schema_arrow)
    except (pa.ArrowException, OSError, ValueError, KeyError) as error:
        raise DataError(f"{name}: not a parquet file, or cut short or damaged: {error}") from error
    names = schema.names
    if len(set(names)) < len(names):
        twice = next(column for column in names if names.count(column) > 1)
        raise DataError(f"{name}: the column {twice!r} stands twice; rename one")
    require_columns(name, names, need)
    rows = _parquet_rows(table, schema, name, list(names if convert is None else convert), skip, longest)
    return Rows(rows, names, schema)


def _without_views(schema: Any) -> Any:
    """The schema with plain text and bytes for their views, which many of Arrow's functions do not take."""
    import pyarrow as pa

    plain = {pa.string_view(): pa.string(), pa.binary_view(): pa.binary()}
    fields = [field.with_type(plain.get(field.type, field.type)) for field in schema]
    return pa.schema(fields, metadata=schema.metadata)


def _parquet_rows(
    table: Any, schema: Any, name: str, convert: list[str], skip: int, longest: int
) -> Iterator[Row]:
    import pyarrow as pa

    number = 0
    batches = table.iter_batches(batch_size=1024)
    while True:
        try:
            batch = next(batches, None)
            if batch is not None and batch.schema != schema:
                batch = batch.cast(schema)
        except (pa.ArrowException, OSError, ValueError) as error:
            raise DataError(f"{name}: damaged after row {number}: {error}") from error
        if batch is None:
            return
        if number + batch.num_rows > skip:
            for i, row in enumerate(_converted(batch.select(convert), longest)):
                if number + i >= skip:
                    values, fault = row
                    yield Row(number + i + 1, number + i + 1, values, fault, (batch, i))
        number += batch.num_rows


def _converted(batch: Any, longest: int) -> Iterator[tuple[dict[str, Any], str | None]]:
    """The rows as Python values, each with the reason why it cannot be read, if there is one."""
    try:
        rows = batch.to_pylist()
    except Exception:  # each type has errors of its own: dates, time zones, text that is not UTF-8
        for i in range(batch.num_rows):
            yield _converted_row(batch, i)
        return
    for values in rows:
        too_long = [name for name, value in values.items() if isinstance(value, str) and len(value) > longest]
        fault = f"{too_long[0]!r} is too long; split it, or raise --max-row-size" if too_long else None
        yield ({} if fault else values), fault


def _converted_row(batch: Any, index: int) -> tuple[dict[str, Any], str | None]:
    values = {}
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        try:
            values[name] = column[index].as_py()
        except Exception as error:
            reason = " ".join(str(error).split()) or type(error).__name__
            return {}, f"{name!r} ({column.type}) cannot be read: {reason}"
    return values, None


def readable_row(batch: Any, index: int) -> dict[str, Any]:
    """The cells of a row of a record batch that can be read; the others are left out.

    :param batch: an Arrow record batch.
    :param index: of the row.
    """
    values = {}
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        with suppress(Exception):
            values[name] = column[index].as_py()
    return values
