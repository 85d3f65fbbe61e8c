"""Rows of parquet files, batch by batch."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from treesent.data.remote import RemotePath
from treesent.data.rows import Row, Rows, require_columns
from treesent.errors import DataError


def read_parquet(
    source: Path | RemotePath | IO[bytes],
    name: str,
    need: Sequence[str],
    convert: Sequence[str] | None,
    skip: int,
    longest: int,
) -> Rows:
    """Read a parquet file row by row.

    :param source: a file or a stream.
    :param name: the file's, for messages.
    :param need: columns that must be there.
    :param convert: the columns wanted as Python values; all where None.
    :param skip: rows to leave out at the start.
    :param longest: characters of the longest text.
    :raises DataError: it is no parquet file, or damaged, or lacks a column.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    if isinstance(source, Path | RemotePath) and not source.is_file():
        raise DataError(f"{source}: no such file")
    try:
        if isinstance(source, RemotePath):
            table = pq.ParquetFile(source.open())
        else:
            table = pq.ParquetFile(source if isinstance(source, Path) else pa.BufferReader(source.read()))
        schema = _without_views(table.schema_arrow)
    except (pa.ArrowException, OSError, ValueError, KeyError) as error:
        raise DataError(f"{name}: not a parquet file, or cut short or damaged: {error}") from error
    names = schema.names
    if len(set(names)) < len(names):
        twice = next(column for column in names if names.count(column) > 1)
        raise DataError(f"{name}: the column {twice!r} stands twice; rename one")
    require_columns(name, names, need)
    count = [0]
    rows = _counted(
        _parquet_rows(table, schema, name, list(names if convert is None else convert), skip, longest), count
    )
    return Rows(rows, names, schema, lambda: (skip + count[0]) / max(table.metadata.num_rows, 1))


def _counted(rows: Iterator[Row], count: list[int]) -> Iterator[Row]:
    """The rows, counted."""
    for count[0], row in enumerate(rows, 1):
        yield row


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
