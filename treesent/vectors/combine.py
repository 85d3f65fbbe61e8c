"""Put tables together: join side by side, reduce by principal components."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from treesent.errors import VectorsError
from treesent.vectors.table import VectorTable

Float32 = npt.NDArray[np.float32]


def join(tables: Sequence[VectorTable], vocabulary: Sequence[str] | None = None) -> VectorTable:
    """One table whose rows are the tables' rows side by side, each block scaled to the same mean length.

    A word that one table lacks gets there what that table makes of an unknown word: a vector from its pieces
    where the table has subwords, else the mean of the table. Scaling keeps a table with large numbers from
    drowning the others, in the network's first layer as much as in :func:`reduce`.

    :param tables: at least one.
    :param vocabulary: distinct normalised words, the most frequent first; by default every word of every
        table, ordered by its best rank in any of them.
    :returns: *Shape:* ``(n_words, sum of the widths)``, float32, in units in which every block's rows have a
        mean length of 1.
    :raises VectorsError: where a word of the vocabulary is in no table.
    """
    if not tables:
        raise VectorsError("join takes at least one table")
    words = list(vocabulary) if vocabulary is not None else words_of(tables)
    nowhere = np.logical_and.reduce([table.rows(words) < 0 for table in tables])
    if nowhere.any():
        word = words[int(np.argmax(nowhere))]
        raise VectorsError(f"{int(nowhere.sum())} words, {word!r} the first, are in no table: leave them out")
    matrix = np.empty((len(words), sum(table.width for table in tables)), np.float32)
    start = 0
    for table in tables:
        block = matrix[:, start : start + table.width]
        block[:] = fill(table, words)
        block /= np.linalg.norm(block, axis=1).mean() or 1.0
        start += table.width
    return VectorTable(words, matrix)


def fill(table: VectorTable, words: Sequence[str]) -> Float32:
    """Vectors of words: the table's rows, and what it makes of the words it lacks.

    :returns: *Shape:* ``(n_words, width)``.
    """
    found = table.lookup(words)
    matrix = np.empty((len(words), table.width), np.float32)
    matrix[~found.unknown] = table.dense(found.rows[~found.unknown])
    matrix[found.unknown] = found.extra[found.rows[found.unknown] - len(table)]
    return matrix


def reduce(table: VectorTable, width: int) -> VectorTable:
    """The table in fewer dimensions: its first principal components.

    The covariance matrix is ``width x width``, small even where the words are many, so its exact
    eigenvectors are taken. Components keep their variances (nothing is whitened), and the mean is rotated
    along rather than taken away: cosines stay what they were as far as the width allows.

    :param table: its subwords are reduced along.
    :param width: the new width, at most the old one.
    :raises VectorsError: where the table is narrower than that.
    """
    if not 1 <= width <= table.width:
        raise VectorsError(f"a table of width {table.width} cannot be reduced to {width}")
    matrix = table.dense()
    mean = matrix.mean(axis=0, dtype=np.float64)
    covariance = (matrix.T @ matrix).astype(np.float64) / len(table) - np.outer(mean, mean)
    _, vectors = np.linalg.eigh(covariance)
    axes = vectors[:, ::-1][:, :width]
    # The sign of an eigenvector is free: fix it, so that every machine gives the same table.
    axes = (axes * np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(width)])).astype(np.float32)
    return project(table, axes)


def project(table: VectorTable, axes: Float32) -> VectorTable:
    """The table on other axes, its subwords along with it.

    :param table: any.
    :param axes: a column for each new dimension. *Shape:* ``(width, new width)``.
    :returns: float32.
    """
    subwords = None if table.subwords is None else table.subwords.rotate(axes)
    return VectorTable(table.words, table.dense() @ axes, None, subwords)


def words_of(tables: Sequence[VectorTable]) -> list[str]:
    """Every word of the tables, by its best rank in any of them."""
    best: dict[str, int] = {}
    for table in tables:
        for rank, word in enumerate(table.words):
            best[word] = min(rank, best.get(word, rank))
    return sorted(best, key=lambda word: best[word])
