"""Streams of texts without labels: tables, Hugging Face datasets."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from treesent.data.dialect import PLAIN, Dialect
from treesent.data.rows import require_columns
from treesent.data.tables import read_rows, table_kind
from treesent.errors import DataError


def read_texts(
    corpora: Iterable[str], column: str = "text", split: str = "train", dialect: Dialect = PLAIN
) -> Iterator[str]:
    """Read texts one by one, whatever holds them; rows whose text is null, or stands for null, are left out.

    :param corpora: tables (:func:`treesent.data.tables.read_rows`: a ``.txt`` has a text a line), folders
        that ``datasets`` saved, or ``hf:NAME`` for a dataset of the Hugging Face hub, which is streamed.
    :param column: the column of the texts.
    :param split: the split of a dataset.
    :param dialect: how the tables are written.
    :raises DataError: naming the place, where a row cannot be read or a column or split is missing.
    """
    for corpus in corpora:
        if is_dataset(corpus):
            yield from _dataset(corpus, column, split)
            continue
        need = "text" if table_kind(corpus) == "txt" else column
        for row in read_rows(corpus, need=(need,), convert=(need,), dialect=dialect):
            if row.fault is not None:
                raise DataError(f"{corpus}: row {row.number} (line {row.line}): {row.fault}")
            value = row.values[need]
            if value == "" or dialect.text(value) != "":
                yield str(value)


def is_dataset(name: str | Path) -> bool:
    """Tell whether ``datasets`` reads this.

    :param name: ``hf:NAME``, or a path.
    """
    return str(name).startswith("hf:") or Path(name).is_dir()


def is_labelled(corpus: str) -> bool:
    """Tell whether a corpus holds labelled texts, not bracketed trees.

    :param corpus: a path, or ``hf:NAME``.
    """
    if is_dataset(corpus):
        return True
    try:
        return table_kind(corpus) != "txt"
    except DataError:
        return False


def open_dataset(name: str, split: str | None = None) -> Any:
    """Open a split of a dataset; nothing is read yet.

    :param name: ``hf:NAME[:CONFIG][:SPLIT]``, NAME a folder or a dataset of the Hugging Face hub, which is
        streamed and so never downloaded whole; or the path of a folder that ``datasets`` saved. What follows
        NAME alone is a split unless the dataset has a configuration of that name.
    :param split: the split where ``name`` has none; ``train`` where neither names one.
    :raises DataError: there is no such dataset, configuration or split.
    """
    import datasets

    path, *parts = name.removeprefix("hf:").split(":") if name.startswith("hf:") else [name]
    if len(parts) > 2 or not path:
        raise DataError(f"{name}: expected hf:NAME, hf:NAME:SPLIT, hf:NAME:CONFIG or hf:NAME:CONFIG:SPLIT")
    try:
        # Without hf: a folder of files that nobody saved as a dataset is more likely a slip of the pen.
        if _is_saved(path) or not name.startswith("hf:"):
            if len(parts) > 1:
                raise DataError(
                    f"{name}: a saved folder has splits and no configurations; leave {parts[0]} out"
                )
            return _split_of(datasets.load_from_disk(path), name, parts[0] if parts else split or "train")
        config = parts[0] if len(parts) == 2 else None
        if len(parts) == 1 and parts[0] in datasets.get_dataset_config_names(path):
            config, parts = parts[0], []
        wanted = parts[-1] if parts else split or "train"
        return _split_of(datasets.load_dataset(path, config, streaming=True), name, wanted)
    except (OSError, ValueError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{name}: no dataset that can be read: {error}") from error


def _is_saved(path: str) -> bool:
    return any(Path(path, name).is_file() for name in ("dataset_dict.json", "state.json"))


def _split_of(loaded: Any, name: str, split: str) -> Any:
    if not isinstance(loaded, dict):
        return loaded
    if split not in loaded:
        raise DataError(f"{name}: no split {split!r}; there are {', '.join(loaded)}")
    return loaded[split]


def _dataset(name: str, column: str, split: str) -> Iterator[str]:
    rows = open_dataset(name, split)
    require_columns(name, rows.column_names or [column], (column,))
    for row in rows:
        if row[column] is not None:
            yield str(row[column])
