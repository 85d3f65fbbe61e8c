"""Tables of texts with a label each, the form in which most people have their data."""

import difflib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from treesent.data.tables import read_rows
from treesent.errors import DataError


@dataclass(frozen=True, slots=True)
class LabelledTexts:
    """Texts and their classes, with the rows that had no text left out."""

    texts: list[str]
    labels: list[int]
    n_empty: int
    """Rows left out because their text was empty, blank or null."""


def read_labelled(
    path: str | Path,
    text_column: str = "text",
    label_column: str = "label",
    names: Sequence[str] = (),
    *,
    n_classes: int | None = None,
    quoted_tsv: bool = False,
) -> LabelledTexts:
    """Read a table of texts and labels.

    :param path: csv, tsv, jsonl or parquet, see :func:`treesent.data.tables.read_rows`.
    :param text_column: the column of the texts; rows whose text is blank are left out and counted.
    :param label_column: the column of the labels: integers from 0, or names.
    :param names: names of the classes, in order; compared without regard to case.
    :param n_classes: number of classes where they have no names.
    :param quoted_tsv: read ``"`` in tsv as csv does; by default quotes in tsv are literal.
    :raises DataError: a row that cannot be read or a label that is none of the classes; file, row and value
        are named.
    """
    n_classes = len(names) if n_classes is None else n_classes
    known = {name.casefold(): i for i, name in enumerate(names)}
    texts: list[str] = []
    labels: list[int] = []
    n_empty = 0
    for row in read_rows(path, need=(text_column, label_column), quoted_tsv=quoted_tsv):
        if row.fault:
            raise DataError(f"{path}: row {row.number} (line {row.line}): {row.fault}")
        text = row.values[text_column]
        if text is None or not str(text).strip():
            n_empty += 1
            continue
        label = label_number(row.values[label_column], known, n_classes)
        if label is None:
            raise DataError(
                f"{path}: row {row.number} (line {row.line}): {label_column!r} is "
                f"{row.values[label_column]!r}; {expected_labels(row.values[label_column], names, n_classes)}"
            )
        texts.append(str(text))
        labels.append(label)
    return LabelledTexts(texts, labels, n_empty)


def label_number(value: Any, known: dict[str, int], n_classes: int) -> int | None:
    """Read a label: a class's number or name, None where it is neither.

    :param value: what stands in the table.
    :param known: the names in lower case, with their numbers.
    :param n_classes: numbers run from 0 below this.
    """
    if isinstance(value, str):
        value = value.strip()
        if value.casefold() in known:
            return known[value.casefold()]
    elif isinstance(value, bool) or value is None or (isinstance(value, float) and not math.isfinite(value)):
        return None
    try:
        number = int(value)
        if float(value) != number:
            return None
    except (TypeError, ValueError, OverflowError):
        return None
    return number if 0 <= number < n_classes else None


def expected_labels(value: Any, names: Sequence[str], n_classes: int) -> str:
    """Say what a label may be.

    :param value: what stands in the table instead.
    :param names: names of the classes, in order.
    :param n_classes: how many there are.
    """
    expected = f"expected an integer from 0 to {n_classes - 1}"
    if not names:
        return expected
    near = difflib.get_close_matches(str(value).casefold(), [name.casefold() for name in names], 1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    return f"{expected} or one of {', '.join(map(repr, names))}{hint}"
