"""Rows as the lines of a text table.

What one format can hold and another cannot is mapped like this, so that treesent reads what it writes:

=======================  =======  =============  ====================================================
value                    parquet  jsonl          csv, tsv
=======================  =======  =============  ====================================================
no value                 null     ``null``       an empty cell
NaN, infinity            kept     ``null``       ``nan``, ``inf``, ``-inf``
bytes                    kept     base64         base64
date, time, timestamp    kept     ISO 8601 text  ISO 8601 text
duration, decimal, UUID  kept     text           text
list, struct             kept     array, object  JSON
true, false              kept     kept           ``true``, ``false``
tab, line end in a text  kept     kept           kept in csv; refused in tsv without ``--quoted-tsv``
=======================  =======  =============  ====================================================
"""

import base64
import csv
import datetime
import decimal
import io
import json
import math
import re
import uuid
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from treesent.data.parquet import readable_row
from treesent.data.rows import Row

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_SPACES = str.maketrans("\t\r\n", "   ")


def to_json(value: Any) -> str:
    """JSON on one line, with values of parquet that JSON lacks mapped as the module says."""
    try:
        return json.dumps(value, ensure_ascii=False, default=_plain, allow_nan=False)
    except ValueError:
        return json.dumps(_finite(value), ensure_ascii=False, default=_plain, allow_nan=False)


def _finite(value: Any) -> Any:
    """The value with None for every number that JSON lacks."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(inner) for key, inner in value.items()}
    return [_finite(inner) for inner in value] if isinstance(value, list | tuple) else value


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode("ascii")
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    if isinstance(value, datetime.timedelta | decimal.Decimal | uuid.UUID):
        return str(value)
    raise TypeError(f"{type(value).__name__} has no form in JSON")


def to_cell(value: Any) -> str:
    """The text of a cell: nothing for None, JSON for what is neither text, number nor date."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, float):
        return repr(value)
    cell = to_json(value)
    return str(json.loads(cell)) if cell.startswith('"') else cell


def json_line(row: Row, scores: Mapping[str, Any], *, spliced: bool) -> str:
    """One object: the row's own fields, then the scores.

    :param spliced: the row came as JSON and keeps its text to the letter: ``1.10`` stays ``1.10``.
    """
    if spliced:
        return f"{row.raw[:-1].rstrip()}, {to_json(scores)[1:]}\n"
    return to_json({**row.values, **scores}) + "\n"


def text_line(text: str | None, scores: Sequence[Any]) -> str:
    """Label, polarity, confidence and the text on one line, with tabs between them."""
    cells = [*map(to_cell, scores), text or ""]
    return "\t".join(cell.translate(_SPACES) for cell in cells) + "\n"


def escaped(cell: str) -> str:
    """A cell that no spreadsheet runs: ``'`` stands before one that begins like a formula.

    :param cell: its text; a number stays as it is.
    """
    if cell[:1] in ("=", "+", "-", "@", "\t", "\r") and not _NUMBER.fullmatch(cell):
        return f"'{cell}"
    return cell


def separated_lines(
    rows: Iterable[Sequence[Any]], kind: str, *, quoted_tsv: bool, escape_formulas: bool = False
) -> str:
    """Lines of csv or tsv.

    :param escape_formulas: see :func:`escaped`.
    """
    if escape_formulas:
        rows = ([escaped(to_cell(value)) for value in row] for row in rows)
    if kind == "tsv" and not quoted_tsv:
        return "".join("\t".join(map(to_cell, row)) + "\n" for row in rows)
    stream = io.StringIO()
    writer = csv.writer(stream, delimiter="," if kind == "csv" else "\t", lineterminator="\n")
    writer.writerows([to_cell(value) for value in row] for row in rows)
    return stream.getvalue()


def reject_line(row: Row, reason: str, identity: Any) -> str:
    """What a reject's line holds: where it stands, the id where there is one, the reason and the record itself."""
    raw: Any = row.raw
    if isinstance(raw, tuple):
        batch, index = raw
        raw = to_json(readable_row(batch, index))
    entry: dict[str, Any] = {} if row.source is None else {"file": row.source}
    entry |= {"row": row.number, "line": row.line}
    if identity is not None:
        entry["id"] = identity
    entry["reason"] = reason
    try:
        raw.encode("utf-8")
        entry["raw"] = raw
    except UnicodeEncodeError:
        content = raw.encode("utf-8", "surrogateescape")
        entry["raw"] = content.decode("utf-8", "replace")
        entry["raw_base64"] = base64.b64encode(content).decode("ascii")
    return to_json(entry) + "\n"
