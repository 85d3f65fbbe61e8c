"""Scores in parquet: schemas, parts and the finished file."""

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from treesent.data.rows import Row
from treesent.scoring.rendering import to_json
from treesent.scoring.results import Columns

_GROUP_ROWS, _GROUP_BYTES = 65_536, 64 * 2**20


def score_fields(columns: Columns) -> list[Any]:
    """The Arrow fields of the columns that scoring adds."""
    import pyarrow as pa

    fields = [pa.field(name, pa.string() if i == 0 else pa.float64()) for i, name in enumerate(columns.names)]
    if columns.nested is not None:
        kind = _opinion_type() if columns.nodes == "opinions" else _sentence_type(columns.nodes == "all")
        fields[-1] = pa.field(columns.nested, pa.list_(kind))
    return fields


def _opinion_type() -> Any:
    import pyarrow as pa

    span = pa.struct([("text", pa.string()), ("start", pa.int64()), ("end", pa.int64())])
    scores = [("label", pa.string()), ("polarity", pa.float64()), ("confidence", pa.float64())]
    return pa.struct([("target", span), *scores, ("words", span), ("clause", span)])


def _sentence_type(phrases: bool) -> Any:
    import pyarrow as pa

    span = [(name, pa.int64()) for name in ("start", "end", "start_token", "end_token")]
    scores = [("label", pa.string()), ("polarity", pa.float64()), ("confidence", pa.float64())]
    node = [*span, *scores, ("probs", pa.list_(pa.float64()))]
    fields = [("text", pa.string()), *node, ("unknown", pa.float64())]
    if phrases:
        fields.append(("phrases", pa.list_(pa.struct([*node, ("left", pa.int64()), ("right", pa.int64())]))))
    return pa.struct(fields)


def output_schema(names: Sequence[str] | None, schema: Any, columns: Columns) -> Any:
    """The input's own columns, then the scores.

    :param names: the input's columns, text all of them, where it has no Arrow schema.
    :param schema: the input's Arrow schema, or None.
    """
    import pyarrow as pa

    own = list(schema) if schema is not None else [pa.field(name, pa.string()) for name in names or ()]
    return pa.schema([*own, *score_fields(columns)], metadata=schema.metadata if schema is not None else None)


def write_part(path: Path, schema: Any, rows: Sequence[tuple[Row, dict[str, Any]]], n_added: int) -> None:
    """Write the rows of a part as a small parquet file.

    :param n_added: how many columns at the end of the schema are scores.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    own = pa.schema(list(schema)[:-n_added])
    if rows and isinstance(rows[0][0].raw, tuple):
        table = pa.Table.from_batches(list(_taken(rows)))
    else:
        table = pa.Table.from_pylist([row.values for row, _ in rows], schema=own)
    for field in list(schema)[-n_added:]:
        table = table.append_column(field, pa.array([scores[field.name] for _, scores in rows], field.type))
    pq.write_table(table.cast(schema), path)


def _taken(rows: Iterable[tuple[Row, dict[str, Any]]]) -> Iterator[Any]:
    """The rows of record batches that were kept, batch by batch."""
    import pyarrow as pa

    batch: Any = None
    kept: list[int] = []
    for row, _ in rows:
        if row.raw[0] is not batch:
            if kept:
                yield batch.take(pa.array(kept))
            batch, kept = row.raw[0], []
        kept.append(row.raw[1])
    yield batch.take(pa.array(kept))


def join_parts(parts: Sequence[Path], path: Path, schema: Any) -> None:
    """Make one parquet file of parts, with row groups of a useful size, one in memory at a time."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    with pq.ParquetWriter(path, schema) as writer:
        waiting: list[Any] = []
        for part in parts:
            waiting.append(pq.ParquetFile(part).read())
            if (
                sum(t.num_rows for t in waiting) >= _GROUP_ROWS
                or sum(t.nbytes for t in waiting) >= _GROUP_BYTES
            ):
                writer.write_table(pa.concat_tables(waiting))
                waiting = []
        if waiting:
            writer.write_table(pa.concat_tables(waiting))


def json_to_parquet(parts: Sequence[Path], path: Path, columns: Columns) -> None:
    """Make a parquet file of parts in JSON Lines, whose fields may differ from row to row.

    A field that is true or false, whole numbers, numbers or text throughout gets that type; nested and mixed
    ones become text, JSON where they were not text.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    types = _types(parts, set(columns.names))
    schema = pa.schema([*(pa.field(n, t) for n, t in types.items()), *score_fields(columns)])
    with pq.ParquetWriter(path, schema) as writer:
        for part in parts:
            rows = []
            for row in objects(part):
                for name, kind in types.items():
                    value = row.get(name)
                    if pa.types.is_string(kind) and value is not None and not isinstance(value, str):
                        row[name] = to_json(value)
                rows.append(row)
            if rows:
                writer.write_table(pa.Table.from_pylist(rows, schema=schema))


def objects(part: Path) -> Iterator[dict[str, Any]]:
    """The rows of a part in JSON Lines."""
    with part.open(encoding="utf-8", newline="\n") as stream:
        yield from map(json.loads, stream)


def _types(parts: Iterable[Path], added: set[str]) -> dict[str, Any]:
    import pyarrow as pa

    seen: dict[str, set[str]] = {}
    for part in parts:
        for row in objects(part):
            for name, value in row.items():
                if name not in added:
                    seen.setdefault(name, set()).add(_sort(value))
    types: dict[str, Any] = {}
    for name, sorts in seen.items():
        sorts.discard("null")
        if sorts == {"bool"}:
            types[name] = pa.bool_()
        elif sorts and sorts <= {"int", "long"}:
            types[name] = pa.int64()
        elif sorts and sorts <= {"int", "float"}:
            types[name] = pa.float64()
        else:
            types[name] = pa.string()
    return types


def _sort(value: Any) -> str:
    """What a JSON value is; ``int`` holds what a double holds too, ``long`` what only an int64 does."""
    if value is None:
        return "null"
    if isinstance(value, int) and not isinstance(value, bool):
        return "int" if abs(value) <= 2**53 else "long" if -(2**63) <= value < 2**63 else "huge"
    return type(value).__name__
