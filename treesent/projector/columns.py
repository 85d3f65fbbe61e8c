"""What to colour a map by: frequency, sentiment, clusters, and the columns of a user's own table."""

import math
import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from treesent.data.dialect import PLAIN, Dialect
from treesent.data.rows import require_columns
from treesent.data.tables import read_rows
from treesent.errors import DataError
from treesent.projector.codec import unit_rows
from treesent.projector.layouts import KEPT, principal
from treesent.projector.points import Column
from treesent.types import Float32

CATEGORIES = 40
"""The eye cannot tell more categories than these apart; the rarest become "other"."""


def frequency(n_points: int) -> Column:
    """Return the rank of each word in a table sorted by frequency, the most frequent first."""
    return Column("frequency rank", np.arange(1, n_points + 1, dtype=np.float32), scale="log")


def sentiment(names: Sequence[str], nlp: Any) -> Column:
    """Return the model's own polarity of each word or phrase, -1 to 1.

    :param names: the texts.
    :param nlp: a spaCy pipeline with the component ``treesent``.
    """
    values = np.full(len(names), np.nan, np.float32)
    for i, doc in enumerate(nlp.pipe(names, batch_size=1024)):
        found = doc._.sentiment
        if found is not None:
            values[i] = found.polarity
    return Column("sentiment", values, scale="diverging")


def clusters(names: Sequence[str], matrix: Float32, n_clusters: int = 12, seed: int = 0) -> Column:
    """Return the group of each point by k-means on its unit vector, named by its three most typical members.

    :param names: the most frequent first; a name is chosen among a group's more frequent half.
    :param matrix: *Shape:* ``(n_points, width)``
    :param n_clusters: at most; a few points make fewer groups.
    :param seed: fixes the start.
    """
    from scipy.cluster.vq import kmeans2

    axes, _ = principal(unit_rows(matrix), KEPT)
    axes = unit_rows(axes)
    n_clusters = max(1, min(n_clusters, len(names) // 3))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of empty groups, and of points that are all equal
        centres, group = kmeans2(axes, n_clusters, iter=25, minit="++", rng=seed)
    by_size = np.argsort(-np.bincount(group, minlength=n_clusters), kind="stable")
    place = np.empty(n_clusters, np.int32)
    titles = []
    for rank, old in enumerate(by_size):
        place[old] = rank
        members = np.flatnonzero(group == old)
        often = np.array([i for i in members.tolist() if _short(names[i])], np.int64)
        often = often[: max(3, len(often) // 4)]
        typical = often[np.argsort(-(axes[often] @ centres[old]), kind="stable")][:3]
        titles.append(", ".join(names[i] for i in typical.tolist()) or f"group {rank + 1}")
    return Column("cluster", place[group], categories=_distinct(titles))


def movement(before: Float32, after: Float32) -> Column:
    """Return how far each word turned between two tables: one minus the cosine.

    :param before: *Shape:* ``(n_points, width)``
    :param after: *Shape:* ``(n_points, width)``
    """
    cosine = np.einsum("ij,ij->i", unit_rows(before), unit_rows(after))
    return Column("moved", (1 - cosine).astype(np.float32))


def read_columns(
    path: str | Path, names: Sequence[str], key: str | None = None, dialect: Dialect = PLAIN
) -> tuple[Column, ...]:
    """Read the columns of a table about the points: csv, tsv, jsonl or parquet.

    A column whose values are all numbers is a scale, any other is a set of categories.

    :param path: the file.
    :param names: the points; one without a row has no value.
    :param key: the column that holds the names; ``word``, ``phrase``, ``name``, or the first one.
    :param dialect: how the table is written.
    :raises DataError: a broken row, no such column, or none of the names.
    """
    index = {name: i for i, name in enumerate(names)}
    table: dict[str, list[Any]] = {}
    found = 0
    for row in read_rows(path, dialect=dialect):
        if row.fault:
            raise DataError(f"{path}:{row.line}: {row.fault}")
        if key is None:
            key = next((name for name in ("word", "phrase", "name") if name in row.values), None)
            key = key or next(iter(row.values))
        if key not in row.values:
            require_columns(str(path), row.values, [key])
        place = index.get(str(row.values[key]))
        if place is None:
            continue
        found += 1
        for name, value in row.values.items():
            if name != key:
                table.setdefault(name, [None] * len(names))[place] = value
    if not found:
        raise DataError(
            f"{path}: none of its {key or 'names'!r} values is on the map: "
            "name the column of words with --metadata-key"
        )
    return tuple(column(name, values) for name, values in table.items())


def column(name: str, values: Sequence[Any]) -> Column:
    """Make a column of raw values: numbers if all are numbers, categories otherwise.

    :param name: as the page shows it.
    :param values: the values; None or an empty text for none.
    """
    numbers = [_number(value) for value in values]
    if all(number is not None for number in numbers):
        found = np.array(numbers, np.float32)
        low = np.nanmin(found) if np.isfinite(found).any() else 0.0
        return Column(name, found, scale="diverging" if low < 0 else "linear")
    texts = [None if value is None or value == "" else str(value) for value in values]
    known, counts = np.unique([text for text in texts if text is not None], return_counts=True)
    kept = [str(known[i]) for i in np.argsort(-counts, kind="stable")]
    if len(kept) > CATEGORIES:
        kept = [*kept[: CATEGORIES - 1], "other"]
    place = {text: i for i, text in enumerate(kept)}
    other = len(kept) - 1
    codes = [-1 if text is None else place.get(text, other) for text in texts]
    return Column(name, np.array(codes, np.int32), categories=tuple(kept))


def _short(name: str) -> bool:
    """Whether a name can stand for a group."""
    from spacy.lang.en.stop_words import STOP_WORDS

    return 2 < len(name) <= 24 and name.replace(" ", "").isalpha() and name.lower() not in STOP_WORDS


def _number(value: Any) -> float | None:
    """Read a number: NaN for no value, None for a value that is not a number."""
    if value is None or value == "":
        return math.nan
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else math.nan


def _distinct(titles: Iterable[str]) -> tuple[str, ...]:
    seen: dict[str, int] = {}
    out = []
    for title in titles:
        seen[title] = seen.get(title, 0) + 1
        out.append(title if seen[title] == 1 else f"{title} ({seen[title]})")
    return tuple(out)
