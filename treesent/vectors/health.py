"""Whether a table is fit for sentiment: rows that are zero, rows that many words share."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from treesent.errors import VectorsError
from treesent.vectors.table import VectorTable

TELLING = ("good", "bad", "not", "love", "hate", "great", "terrible")


@dataclass(frozen=True, slots=True)
class Health:
    """What :func:`check_health` found.

    :param n_words: words of the table.
    :param zero_rows: words whose row is all zeros.
    :param shared_rows: words whose row another word has too.
    :param missing: telling words that the table lacks.
    :param merged: pairs of telling words that have one row.
    :param cosines: of the pairs of telling words that are apart, ``good/bad`` first.
    """

    n_words: int
    zero_rows: int
    shared_rows: int
    missing: tuple[str, ...]
    merged: tuple[tuple[str, str], ...]
    cosines: dict[str, float]

    @property
    def problem(self) -> str | None:
        """Why the table should not be used for sentiment, and what to do; None where it is fit."""
        if self.merged:
            return _explain(self.merged)
        if self.zero_rows > self.n_words // 2:
            return f"{self.zero_rows} of {self.n_words} rows are zero: the table was not filled"
        return None


def check_health(table: VectorTable, telling: Sequence[str] = TELLING) -> Health:
    """Look for rows that are zero or shared, and at the words that sentiment turns on.

    :param telling: words that must be apart.
    """
    matrix = np.ascontiguousarray(table.matrix)
    if table.scale is not None:
        matrix = np.ascontiguousarray(np.c_[matrix.view(np.uint8), table.scale.view(np.uint8).reshape(-1, 4)])
    rows = matrix.view(np.dtype((np.void, matrix.dtype.itemsize * matrix.shape[1]))).ravel()
    _, group, counts = np.unique(rows, return_inverse=True, return_counts=True)
    found = {word: table.row(word) for word in telling}
    known = {word: row for word, row in found.items() if row >= 0}
    pairs = list(combinations(known, 2))
    merged = tuple((a, b) for a, b in pairs if group[known[a]] == group[known[b]])
    vectors = {word: table.dense(slice(row, row + 1))[0].astype(np.float64) for word, row in known.items()}
    return Health(
        n_words=len(table),
        zero_rows=int((~np.asarray(table.matrix).any(axis=1)).sum()),
        shared_rows=int((counts[group] > 1).sum()),
        missing=tuple(word for word, row in found.items() if row < 0),
        merged=merged,
        cosines={f"{a}/{b}": _cosine(vectors[a], vectors[b]) for a, b in pairs if (a, b) not in merged},
    )


def require_apart(table: VectorTable, source: str = "the table", telling: Sequence[str] = TELLING) -> None:
    """Refuse a table that gives words of opposite sentiment one row; looks at a few rows only.

    :param source: what to call it in the message.
    :param telling: words that must be apart.
    :raises VectorsError: with the reason.
    """
    rows = {word: table.row(word) for word in telling}
    known = {word: table.dense(slice(row, row + 1)) for word, row in rows.items() if row >= 0}
    pairs = combinations(known, 2)
    merged = tuple((a, b) for a, b in pairs if np.array_equal(known[a], known[b]))
    if merged:
        raise VectorsError(f"{source}: {_explain(merged)}")


def _explain(merged: tuple[tuple[str, str], ...]) -> str:
    pairs = ", ".join(f"{a!r} and {b!r}" for a, b in merged[:3])
    return (
        f"{pairs} have one and the same vector: no network can tell them apart. The table was pruned "
        "by merging rows, as spaCy's md tables are (spaCy issues 10903 and 10985): take an unpruned "
        "one, such as GloVe 6B (python -m treesent vectors download)"
    )


def _cosine(
    a: np.ndarray[tuple[int], np.dtype[np.float64]], b: np.ndarray[tuple[int], np.dtype[np.float64]]
) -> float:
    lengths = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float(a @ b) / lengths if lengths else 0.0
