"""Read tables row by row: text, csv, tsv, jsonl and parquet, from a file or a stream.

A row that cannot be read never ends the file: it comes out as a :class:`Row` with a ``fault``, and the
caller decides whether that stops the run. Memory stays flat, whatever the length of the file.
"""

import bz2
import csv
import difflib
import gzip
import json
import lzma
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, cast

from treesent.errors import DataError

KINDS = ("txt", "csv", "tsv", "jsonl", "parquet")
_SUFFIXES = {".txt": "txt", ".csv": "csv", ".tsv": "tsv", ".tab": "tsv", ".jsonl": "jsonl"}
_SUFFIXES |= {".ndjson": "jsonl", ".parquet": "parquet", ".pq": "parquet"}
_OPENERS: dict[str, Callable[[Path], Any]] = {".gz": gzip.open, ".xz": lzma.open, ".bz2": bz2.open}


@dataclass(frozen=True, slots=True)
class Row:
    """One record of a table."""

    number: int
    """One-based; a header is not counted."""
    line: int
    """One-based line of the file where the record ends (the number of the row in a parquet file)."""
    values: dict[str, Any] = field(default_factory=dict)
    """Column to value: text in csv and tsv, any JSON value elsewhere. Empty where there is a fault."""
    fault: str | None = None
    """Why the record cannot be read, or None."""


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
) -> Iterator[Row]:
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
    :raises DataError: the file is missing, has no header, or lacks a needed column.
    """
    name = str(source) if isinstance(source, str | Path) else str(getattr(source, "name", "<stream>"))
    if kind is None:
        kind = table_kind(name)
    if kind not in KINDS:
        raise DataError(f"{name}: {kind!r} is no kind of table; known: {' '.join(KINDS)}")
    if kind == "parquet":
        return _parquet(source, name, need)
    lines = _lines(source, name)
    if kind == "txt":
        return _text(lines, need, name)
    if kind == "jsonl":
        return _jsonl(lines, need)
    return _separated(lines, name, "," if kind == "csv" else "\t", need, kind == "csv" or quoted_tsv)


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


def _lines(source: str | Path | IO[bytes], name: str) -> Iterator[str]:
    """Lines with their ends; bytes that are not UTF-8 become lone surrogates, found again by _fault."""
    if isinstance(source, str | Path):
        path = Path(source)
        if not path.is_file():
            raise DataError(f"{path}: {'a folder, not a file' if path.is_dir() else 'no such file'}")
        return _decoded(path, name)
    return (_decode(raw, not i) for i, raw in enumerate(source))


def _decoded(path: Path, name: str) -> Iterator[str]:
    try:
        with _OPENERS.get(path.suffix.lower(), Path.open)(path, "rb") as stream:
            for i, raw in enumerate(stream):
                yield _decode(raw, not i)
    except (EOFError, lzma.LZMAError, gzip.BadGzipFile) as error:
        raise DataError(f"{name}: cut short or damaged: {error}") from error


def _decode(raw: bytes, first: bool) -> str:
    return raw.decode("utf-8-sig" if first else "utf-8", errors="surrogateescape")


def _fault(text: str) -> str | None:
    if text.isascii():
        return None
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        byte = ord(text[error.start]) - 0xDC00
        return f"not UTF-8: byte 0x{byte & 0xFF:02x} at character {error.start + 1}"
    return None


def _text(lines: Iterator[str], need: Sequence[str], name: str) -> Iterator[Row]:
    require_columns(name, ["text"], need)
    return (
        Row(i, i, fault=fault) if (fault := _fault(line)) else Row(i, i, {"text": line.rstrip("\r\n")})
        for i, line in enumerate(lines, 1)
    )


def _jsonl(lines: Iterator[str], need: Sequence[str]) -> Iterator[Row]:
    number = 0
    for i, line in enumerate(lines, 1):
        if not line.strip():
            continue
        number += 1
        values, fault = None, _fault(line)
        if fault is None:
            try:
                values = json.loads(line)
            except (json.JSONDecodeError, RecursionError) as error:
                fault = f"broken JSON: {error}"
            else:
                if not isinstance(values, dict):
                    fault = f"a JSON object expected, found {type(values).__name__}"
                elif missing := [column for column in need if column not in values]:
                    fault = f"no column {missing[0]!r}"
        yield Row(number, i, fault=fault) if fault else Row(number, i, cast(dict[str, Any], values))


def _separated(
    lines: Iterator[str], name: str, delimiter: str, need: Sequence[str], quoted: bool
) -> Iterator[Row]:
    if quoted:
        reader = csv.reader(lines, delimiter=delimiter, strict=True)
    else:
        reader = csv.reader(lines, delimiter=delimiter, quoting=csv.QUOTE_NONE)
    try:
        header = next(reader, None)
    except csv.Error as error:
        raise DataError(f"{name}:{reader.line_num}: the header cannot be read: {error}") from error
    if not header:
        raise DataError(f"{name}: empty; a header with the names of the columns was expected")
    if fault := _fault("".join(header)):
        raise DataError(f"{name}:1: the header is {fault}; save the file as UTF-8")
    if len(set(header)) < len(header):
        twice = next(column for column in header if header.count(column) > 1)
        raise DataError(f"{name}:1: the column {twice!r} stands twice in the header")
    require_columns(name, header, need)
    return _records(reader, header)


def _records(reader: Any, header: list[str]) -> Iterator[Row]:
    number = 0
    while True:
        try:
            record = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            number += 1
            yield Row(number, reader.line_num, fault=f"cannot be read: {error}")
            continue
        if not record:
            if len(header) > 1:  # an empty line, often the last; in a table of one column it is an empty text
                continue
            record = [""]
        number += 1
        fault = _fault("".join(record))
        if fault is None and len(record) != len(header):
            fault = f"{len(record)} columns where the header has {len(header)}"
        values = {} if fault else dict(zip(header, record, strict=True))
        yield Row(number, reader.line_num, values, fault)


def _parquet(source: str | Path | IO[bytes], name: str, need: Sequence[str]) -> Iterator[Row]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    if isinstance(source, str | Path) and not Path(source).is_file():
        raise DataError(f"{source}: no such file")
    try:
        table = pq.ParquetFile(
            pa.BufferReader(source.read()) if not isinstance(source, str | Path) else source
        )
    except pa.ArrowInvalid as error:
        raise DataError(f"{name}: no parquet file, or cut short: {error}") from error
    require_columns(name, table.schema_arrow.names, need)
    return _parquet_rows(table)


def _parquet_rows(table: Any) -> Iterator[Row]:
    number = 0
    for batch in table.iter_batches(batch_size=1024):
        for values in batch.to_pylist():
            number += 1
            yield Row(number, number, values)
