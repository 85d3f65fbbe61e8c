"""Join tables side by side, and reduce a table by principal components."""

from collections.abc import Sequence
from typing import Literal

import numpy as np

from treesent.errors import VectorsError
from treesent.types import Float32
from treesent.vectors.principal import principal_axes
from treesent.vectors.table import VectorTable

Missing = Literal["pieces", "mean", "random"]


def join(
    tables: Sequence[VectorTable],
    vocabulary: Sequence[str] | None = None,
    missing: Missing = "pieces",
    seed: int = 0,
) -> VectorTable:
    """Put the rows of several tables side by side, each block scaled to the same mean length.

    If a table lacks a word, :func:`fill` supplies its block. Scaling prevents a table with large values from
    dominating the others, in the network's first layer as well as in :func:`reduce`. The common length is
    chosen so that values are about 1 in size, as the initial weights and learning rates of networks expect.

    :param tables: at least one.
    :param vocabulary: distinct normalised words, the most frequent first; by default all words of all
        tables, ordered by their best rank in any table.
    :param missing: see :func:`fill`.
    :param seed: of random vectors.
    :returns: the joined table in float32; its width is the sum of the widths.
    :raises VectorsError: there are no tables, or a word of the vocabulary is in none of them.
    """
    if not tables:
        raise VectorsError("there are no tables to join; give at least one")
    words = list(vocabulary) if vocabulary is not None else words_of(tables)
    nowhere = np.logical_and.reduce([table.rows(words) < 0 for table in tables])
    if nowhere.any():
        word = words[int(np.argmax(nowhere))]
        raise VectorsError(
            f"{int(nowhere.sum())} words (the first is {word!r}) are not in any table: leave them out"
        )
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
    """Give vectors for words: the table's rows, and a substitute for the words that it lacks.

    :param table: the table.
    :param words: normalised.
    :param missing: how to make the substitute. ``"pieces"``: from the subwords, or the mean if the table has
        none; ``"mean"``: the mean of the table; ``"random"``: drawn from a normal distribution with the mean
        and standard deviation of each column.
    :param seed: of the random vectors.
    :returns: *Shape:* ``(n_words, width)``
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
    """Give random vectors for the same words, with the table's standard deviation: a baseline.

    :param table: the table.
    :param seed: of the random vectors.
    :returns: the table of random vectors, in float32.
    """
    rows = table.dense()
    draw = np.random.default_rng(seed).standard_normal(rows.shape, dtype=np.float32)
    return VectorTable(table.words, rows.std() * draw)


def reduce(table: VectorTable, width: int) -> VectorTable:
    """Reduce a table to its first principal components.

    Components keep their variances (they are not whitened), and the mean is rotated with them rather than
    subtracted: cosines stay the same as far as the width allows.

    :param table: the table; its subwords are reduced with it.
    :param width: the new width, at most the old one.
    :returns: the table in float32, with that width.
    :raises VectorsError: the table is narrower than that.
    """
    if not 1 <= width <= table.width:
        raise VectorsError(f"a table of width {table.width} cannot be reduced to {width}")
    axes, _ = principal_axes(table.dense())
    return project(table, np.ascontiguousarray(axes[:, :width]))


def project(table: VectorTable, axes: Float32) -> VectorTable:
    """Multiply a table and its subwords by a matrix.

    :param table: the table.
    :param axes: a column for each new dimension. *Shape:* ``(width, new_width)``
    :returns: the table in float32, with the new width.
    """
    subwords = None if table.subwords is None else table.subwords.rotate(axes)
    return VectorTable(table.words, table.dense() @ axes, None, subwords)


def words_of(tables: Sequence[VectorTable]) -> list[str]:
    """List the words of all tables, ordered by their best rank in any table.

    :param tables: tables, the most frequent word of each first.
    """
    best: dict[str, int] = {}
    for table in tables:
        for rank, word in enumerate(table.words):
            best[word] = min(rank, best.get(word, rank))
    return sorted(best, key=lambda word: best[word])
