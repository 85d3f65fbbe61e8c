"""Tables of texts with a label each, the form in which most people have their data."""

import difflib
import re
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from treesent.data.dialect import Dialect
from treesent.data.label_names import LabelNames, label_text
from treesent.data.row_rules import RowRules
from treesent.data.rows import require_columns
from treesent.data.tables import read_rows
from treesent.data.texts import is_dataset, open_dataset
from treesent.errors import DataError


@dataclass(frozen=True, slots=True)
class LabelledTexts:
    """Texts and their classes, with the rows that had no text left out."""

    texts: list[str]
    labels: list[int]
    n_empty: int
    """Rows left out because their text was empty, blank or null."""


@dataclass(frozen=True, slots=True)
class LabelledRows:
    """Texts with their labels as they stand in the data."""

    name: str
    """The file or dataset, for messages."""
    label_column: str
    texts: list[str]
    values: list[Any]
    places: list[str]
    """Of each text, where it stands: ``row 3 (line 4)``."""
    n_empty: int
    """Rows left out because their text was empty, blank or null."""
    names: tuple[str, ...] = ()
    """The classes that a dataset itself names, in order; its labels are numbers of these."""

    def numbers(self, names: Sequence[str], n_classes: int | None = None) -> list[int]:
        """Give the class of each text, or the set of classes that its label states.

        :param names: names of the classes, in order; compared without regard to case.
        :param n_classes: number of classes where they have no names.
        :raises DataError: a label that is none of the classes; place and value are named.
        """
        n_classes = len(names) if n_classes is None else n_classes
        values = [
            self.names[value]
            if self.names and isinstance(value, int) and 0 <= value < len(self.names)
            else value
            for value in self.values
        ]
        reader = LabelNames(
            names, n_classes, {value for value in values if isinstance(value, str | int | float)}
        )
        if reader.note:
            warnings.warn(f"{self.name}: {reader.note}", stacklevel=2)
        labels: list[int] = []
        for value, place in zip(values, self.places, strict=True):
            label = reader.read(value)
            if label is None:
                raise DataError(
                    f"{self.name}: {place}: {self.label_column!r} is {value!r}; "
                    f"{expected_labels(value, names, n_classes)}"
                )
            labels.append(label)
        return labels


def read_labelled(
    path: str | Path,
    text_column: str = "text",
    label_column: str = "label",
    names: Sequence[str] = (),
    *,
    n_classes: int | None = None,
    dialect: Dialect | None = None,
) -> LabelledTexts:
    """Read a table of texts and labels.

    :param path: csv, tsv, jsonl or parquet, see :func:`treesent.data.tables.read_rows`.
    :param text_column: the column of the texts; rows whose text is blank are left out and counted.
    :param label_column: the column of the labels: integers from 0, or names.
    :param names: names of the classes, in order; compared without regard to case.
    :param n_classes: number of classes where they have no names.
    :param dialect: how the table is written.
    :raises DataError: a row that cannot be read or a label that is none of the classes; file, row and value
        are named.
    """
    rows = read_labelled_rows(path, text_column, label_column, dialect=dialect)
    return LabelledTexts(rows.texts, rows.numbers(names, n_classes), rows.n_empty)


def read_labelled_rows(
    path: str | Path,
    text_column: str = "text",
    label_column: str = "label",
    *,
    dialect: Dialect | None = None,
    rules: RowRules | None = None,
) -> LabelledRows:
    """Read texts and labels from a table or a dataset, whatever the classes are.

    :param path: a table, a folder that ``datasets`` saved, or ``hf:NAME[:CONFIG][:SPLIT]``, see
        :func:`treesent.data.texts.open_dataset`.
    :param text_column: the column of the texts; rows whose text is blank are left out and counted.
    :param label_column: the column of the labels.
    :param dialect: how the table is written.
    :param rules: which rows of a table are read, and how fine their labels are.
    :raises DataError: a row that cannot be read; file and row are named.
    """
    rules = rules or RowRules()
    names: tuple[str, ...] = ()
    if is_dataset(path):
        names, source = _dataset_rows(str(path), text_column, label_column)
    else:
        source = rules.sample(_table_rows(path, text_column, label_column, dialect, rules))
    texts: list[str] = []
    values: list[Any] = []
    places: list[str] = []
    n_empty = 0
    for place, text, value in source:
        if text is None or not str(text).strip():
            n_empty += 1
            continue
        texts.append(str(text))
        values.append(value)
        places.append(place)
    return LabelledRows(str(path), label_column, texts, values, places, n_empty, names)


def _table_rows(
    path: str | Path, text_column: str, label_column: str, dialect: Dialect | None, rules: RowRules
) -> Iterator[tuple[str, Any, Any]]:
    need = (text_column, label_column)
    wanted = (*need, *rules.columns)
    for row in read_rows(path, need=need, dialect=dialect, convert=wanted):
        place = f"row {row.number} (line {row.line})"
        if row.fault:
            raise DataError(f"{path}: {place}: {row.fault}")
        label = row.values[label_column]
        if rules.keeps(row.values, label):
            text = (dialect or Dialect()).text(row.values[text_column])
            yield place, text, rules.label(row.values, label, f"{path}: {place}")


def _dataset_rows(
    name: str, text_column: str, label_column: str
) -> tuple[tuple[str, ...], Iterator[tuple[str, Any, Any]]]:
    data = open_dataset(name)
    columns = (text_column, label_column)
    if data.column_names is not None:
        require_columns(name, data.column_names, columns)
    feature = (data.features or {}).get(label_column)

    def rows() -> Iterator[tuple[str, Any, Any]]:
        for number, row in enumerate(data, 1):
            require_columns(f"{name}: row {number}", row, columns)
            yield f"row {number}", row[text_column], row[label_column]

    return tuple(getattr(feature, "names", None) or ()), rows()


def name_classes(sources: Iterable[LabelledRows]) -> tuple[str, ...]:
    """Let the data name their classes.

    Those that a dataset names keep its order; others stand in the order of their numbers where all are
    integers, else in that of the alphabet.

    :param sources: all that is learned from.
    :raises DataError: a row has no label, or there are fewer than two classes or far too many.
    """
    sources = list(sources)
    declared = list(dict.fromkeys(name for source in sources for name in source.names))
    found = {name.casefold(): name for name in declared}
    for source in sources:
        for value, place in zip(source.values, source.places, strict=True):
            if source.names and isinstance(value, int) and 0 <= value < len(source.names):
                continue
            name = label_text(value)
            if name is None or (source.names and name.casefold() not in found):
                raise DataError(
                    f"{source.name}: {place}: {source.label_column!r} is {value!r}; expected the name or the "
                    "number of a class"
                )
            found.setdefault(name.casefold(), name)
    where = ", ".join(source.name for source in sources)
    if not 2 <= len(found) <= MOST_CLASSES:
        raise DataError(
            f"{where}: {len(found)} different labels; expected from 2 to {MOST_CLASSES}. Is "
            f"corpora.label_column right? Or name the classes in [labels]"
        )
    if declared:
        return tuple(found.values())
    names = list(found.values())
    if all(_NUMBER.fullmatch(name) for name in names):
        return tuple(sorted(names, key=int))
    return tuple(sorted(names, key=str.casefold))


MOST_CLASSES = 1000
"""More different labels than this are not classes but identifiers, for example."""
_NUMBER = re.compile(r"-?\d{1,18}")


def label_number(value: Any, known: dict[str, int], n_classes: int) -> int | None:
    """Read a label: a class's number or name, None if it is neither.

    Where the names themselves are numbers ("1" to "5", say), a label is one of these.

    :param value: what stands in the table.
    :param known: the names in lower case, with their numbers.
    :param n_classes: numbers run from 0 below this.
    """
    return LabelNames(list(known), n_classes, ()).read(value)


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
