"""Whether a table is fit for sentiment: rows of zeros, and rows that several words have in common."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from treesent.errors import VectorsError
from treesent.vectors.table import VectorTable

TELLING = ("good", "bad", "not", "love", "hate", "great", "terrible")
OPPOSITES = (("good", "bad"), ("love", "hate"), ("great", "terrible"))
ALIKE = 0.98
"""The cosine from which on two words of opposite sentiment are too much alike."""


@dataclass(frozen=True, slots=True)
class Health:
    """What :func:`check_health` found.

    :param n_words: number of words.
    :param zero_rows: number of words whose row is all zeros.
    :param shared_rows: number of words whose row equals that of another word.
    :param missing: telling words that the table lacks.
    :param merged: pairs of telling words that have the same row.
    :param cosines: cosine of each pair of telling words that are apart, ``good/bad`` first.
    """

    n_words: int
    zero_rows: int
    shared_rows: int
    missing: tuple[str, ...]
    merged: tuple[tuple[str, str], ...]
    cosines: dict[str, float]

    @property
    def problem(self) -> str | None:
        """Why the table should not be used for sentiment, and what to do; None if it is fit."""
        if self.merged:
            return _explain(self.merged)
        near = [pair for pair in OPPOSITES if self.cosines.get("/".join(pair), 0.0) >= ALIKE]
        if near:
            shown = ", ".join(f"{a!r} and {b!r} ({self.cosines[f'{a}/{b}']:.2f})" for a, b in near)
            return (
                f"{shown} have nearly the same vector (their cosine stands behind), so little sentiment can be "
                "learned: the table was trained on too little text, or for too long on one topic; take another one"
            )
        if self.zero_rows > self.n_words // 2:
            return f"{self.zero_rows} of {self.n_words} rows are zero: the table was not filled; build or fetch it again"
        return None


def check_health(table: VectorTable, telling: Sequence[str] = TELLING) -> Health:
    """Count rows that are zero or equal, and compare the words that decide on sentiment.

    :param table: the table.
    :param telling: words that must be apart.
    :returns: what was found.
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
    """Refuse a table that gives words of opposite sentiment the same row.

    :param table: the table; only the rows of the telling words are read.
    :param source: what to call it in the message.
    :param telling: words that must be apart.
    :raises VectorsError: with the reason.
    """
    if (problem := merged_problem(table, telling)) is not None:
        raise VectorsError(f"{source}: {problem}")


def merged_problem(table: VectorTable, telling: Sequence[str] = TELLING) -> str | None:
    """Say what is wrong with a table that gives words of opposite sentiment the same row.

    :param table: the table; only the rows of the telling words are read.
    :param telling: words that must be apart.
    :returns: the problem and its fix; None if the words are apart.
    """
    rows = {word: table.row(word) for word in telling}
    known = {word: table.dense(slice(row, row + 1)) for word, row in rows.items() if row >= 0}
    pairs = combinations(known, 2)
    merged = tuple((a, b) for a, b in pairs if np.array_equal(known[a], known[b]))
    return _explain(merged) if merged else None


def _explain(merged: tuple[tuple[str, str], ...]) -> str:
    pairs = ", ".join(f"{a!r} and {b!r}" for a, b in merged[:3])
    return (
        f"{pairs} have the same vector, so no network can tell them apart. The table was pruned by merging "
        "rows, as spaCy's md tables are (spaCy issues 10903 and 10985): use an unpruned table, such as "
        "GloVe 6B (treesent vectors download)"
    )


def _cosine(
    a: np.ndarray[tuple[int], np.dtype[np.float64]], b: np.ndarray[tuple[int], np.dtype[np.float64]]
) -> float:
    lengths = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float(a @ b) / lengths if lengths else 0.0
