"""Rows of JSON objects, of JSON arrays and of Excel's workbooks."""

import datetime
import json
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from treesent.data.remote import RemotePath
from treesent.errors import DataError, MissingExtraError


def read_array(stream: IO[bytes], name: str) -> Iterator[Any]:
    """Read the elements of a JSON array one by one; memory stays flat.

    :param stream: in UTF-8.
    :param name: the file's, for messages.
    :raises DataError: it is no array, or broken.
    """
    import ijson

    try:
        yield from ijson.items(stream, "item", use_float=True)
    except (ijson.JSONError, UnicodeDecodeError, RecursionError, ValueError) as error:
        if "UTF8" in str(error) or isinstance(error, UnicodeDecodeError):
            raise DataError(
                f"{name}: not UTF-8; if Excel or Windows wrote the file, give --encoding cp1252"
            ) from error
        raise DataError(f"{name}: not an array of JSON objects, or damaged: {error}") from error


def read_sheet(source: Path | RemotePath | IO[bytes], name: str) -> tuple[list[str], Iterator[list[Any]]]:
    """Read the first sheet of a workbook: the names of its columns, and the values of its rows.

    :param source: a file or a stream: .xlsx, .xls, .xlsb or .ods.
    :param name: the file's, for messages.
    :raises MissingExtraError: the extra ``excel`` is not installed.
    :raises DataError: it is no workbook, or has no header.
    """
    try:
        from python_calamine import CalamineError, CalamineWorkbook
    except ImportError as error:
        raise MissingExtraError("python-calamine", "excel") from error
    try:
        book = CalamineWorkbook.from_object(source.open() if isinstance(source, RemotePath) else source)
        sheet = book.get_sheet_by_index(0)
        rows = iter(sheet.to_python(skip_empty_area=False))
    except (CalamineError, OSError, ValueError, IndexError) as error:
        raise DataError(f"{name}: not an Excel file, or damaged: {error}") from error
    header = [str(_plain(cell) if cell is not None else "") for cell in next(rows, [])]
    if not any(header):
        raise DataError(f"{name}: empty; a header with the names of the columns was expected")
    return header, ([_plain(cell) for cell in row] for row in rows)


def _plain(cell: Any) -> Any:
    """A cell as a value of JSON: a whole number without a point, a date as ISO 8601."""
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < 2**53:
        return int(cell)
    if isinstance(cell, datetime.date | datetime.time | datetime.timedelta):
        return cell.isoformat() if not isinstance(cell, datetime.timedelta) else str(cell)
    return cell if cell != "" else None


def read_object(raw: str) -> tuple[dict[str, Any], str | None]:
    """Read one JSON object, and tell why that is impossible.

    :param raw: the object's text.
    :returns: its fields and None; or no fields and the fault.
    """
    try:
        values = json.loads(raw, parse_constant=_no_constant)
        if "\\ud" in raw or "\\uD" in raw:
            json.dumps(values, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return {}, r"half of a surrogate pair (\ud800 to \udfff alone), which is not a character"
    except (ValueError, RecursionError) as error:
        return {}, f"broken JSON: {error}"
    if not isinstance(values, dict):
        return {}, f"a JSON object expected, found {type(values).__name__}"
    return values, None


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not a JSON value")


def raw_of(value: Any) -> str:
    """Write a value on one line, as it stands in no file.

    :param value: of an array's element.
    """
    return json.dumps(value, ensure_ascii=False)
