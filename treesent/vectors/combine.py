"""Put tables together: join side by side, reduce by principal components."""

from collections.abc import Sequence
from typing import Literal

import numpy as np

from treesent.errors import VectorsError
from treesent.types import Float32
from treesent.vectors.table import VectorTable

Missing = Literal["pieces", "mean", "random"]


def join(
    tables: Sequence[VectorTable],
    vocabulary: Sequence[str] | None = None,
    missing: Missing = "pieces",
    seed: int = 0,
) -> VectorTable:
    """One table whose rows are the tables' rows side by side, each block scaled to the same mean length.

    A word that one table lacks gets there what :func:`fill` says. Scaling keeps a table with large numbers
    from drowning the others, in the network's first layer as much as in :func:`reduce`.

    :param tables: at least one.
    :param vocabulary: distinct normalised words, the most frequent first; by default every word of every
        table, ordered by its best rank in any of them.
    :param missing: see :func:`fill`.
    :param seed: of random vectors.
    :returns: *Shape:* ``(n_words, sum of the widths)``, float32. The common length is such that a number is
        about 1 in size, as the first weights and the learning rates of networks expect.
    :raises VectorsError: where a word of the vocabulary is in no table.
    """
    if not tables:
        raise VectorsError("join takes at least one table")
    words = list(vocabulary) if vocabulary is not None else words_of(tables)
    nowhere = np.logical_and.reduce([table.rows(words) < 0 for table in tables])
    if nowhere.any():
        word = words[int(np.argmax(nowhere))]
        raise VectorsError(f"{int(nowhere.sum())} words, {word!r} the first, are in no table: leave them out")
    width = sum(table.width for table in tables)
    length = np.sqrt(width / len(tables))
    matrix = np.empty((len(words), width), np.float32)
    start = 0
    for table in tables:
        block = matrix[:, start : start + table.width]
        block[:] = fill(table, words, missing, seed)
        block *= length / (np.linalg.norm(block, axis=1).mean() or 1.0)
        start += table.width
    return VectorTable(words, matrix)


def fill(table: VectorTable, words: Sequence[str], missing: Missing = "pieces", seed: int = 0) -> Float32:
    """Vectors of words: the table's rows, and something for the words it lacks.

    :param missing: ``"pieces"``: what the table makes of an unknown word, from its subwords where it has
        them, else the mean; ``"mean"``: the mean of the table; ``"random"``: a normal draw with the mean and
        the spread of each column.
    :param seed: of the draw.
    :returns: *Shape:* ``(n_words, width)``.
    """
    table = table if missing == "pieces" else table.with_subwords(None)
    found = table.lookup(words)
    matrix = np.empty((len(words), table.width), np.float32)
    matrix[~found.unknown] = table.dense(found.rows[~found.unknown])
    matrix[found.unknown] = found.extra[found.rows[found.unknown] - len(table)]
    if missing == "random":
        rows = table.dense()
        draw = np.random.default_rng(seed).standard_normal((int(found.unknown.sum()), table.width))
        matrix[found.unknown] = rows.mean(axis=0) + rows.std(axis=0) * draw.astype(np.float32)
    return matrix


def randomise(table: VectorTable, seed: int = 0) -> VectorTable:
    """Random vectors for the same words, as spread as the table's: what vectors are to be compared with.

    :param seed: of the draw.
    """
    rows = table.dense()
    draw = np.random.default_rng(seed).standard_normal(rows.shape, dtype=np.float32)
    return VectorTable(table.words, rows.std() * draw)


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
