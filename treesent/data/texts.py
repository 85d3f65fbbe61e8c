"""Streams of texts without labels: tables, Hugging Face datasets."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from treesent.data.tables import read_rows, require_columns, table_kind
from treesent.errors import DataError


def read_texts(corpora: Iterable[str], column: str = "text", split: str = "train") -> Iterator[str]:
    """Read texts one by one, whatever holds them; rows whose text is null are left out.

    :param corpora: tables (:func:`treesent.data.tables.read_rows`: a ``.txt`` has a text a line), folders
        that ``datasets`` saved, or ``hf:NAME`` for a dataset of the Hugging Face hub, which is streamed.
    :param column: the column of the texts.
    :param split: the split of a dataset.
    :raises DataError: naming the place, where a row cannot be read or a column or split is missing.
    """
    for corpus in corpora:
        if corpus.startswith("hf:") or Path(corpus).is_dir():
            yield from _dataset(corpus, column, split)
            continue
        need = "text" if table_kind(corpus) == "txt" else column
        for row in read_rows(corpus, need=(need,), convert=(need,)):
            if row.fault is not None:
                raise DataError(f"{corpus}: row {row.number} (line {row.line}): {row.fault}")
            if row.values[need] is not None:
                yield str(row.values[need])


def _dataset(name: str, column: str, split: str) -> Iterator[str]:
    rows = _open(name, split)
    require_columns(name, rows.column_names or [column], (column,))
    for row in rows:
        if row[column] is not None:
            yield str(row[column])


def _open(name: str, split: str) -> Any:
    import datasets

    try:
        if name.startswith("hf:"):
            return datasets.load_dataset(name.removeprefix("hf:"), split=split, streaming=True)
        loaded = datasets.load_from_disk(name)
    except (OSError, ValueError) as error:
        raise DataError(f"{name}: no dataset that can be read: {error}") from error
    if not isinstance(loaded, dict):
        return loaded
    if split not in loaded:
        raise DataError(f"{name}: no split {split!r}; there are {', '.join(loaded)}")
    return loaded[split]
