"""The same words in two tables, to see where training moved them."""

import numpy as np

from treesent.errors import VectorsError
from treesent.projector.codec import unit_rows
from treesent.projector.points import Points
from treesent.types import Float32
from treesent.vectors.table import VectorTable


def compare(before: VectorTable, after: VectorTable, most: int) -> Points:
    """Return the words that both tables hold, with both vectors of each.

    The second table is rotated onto the first (:func:`align`): what remains is the change that a rotation
    does not explain.

    :param before: the table that gives the order of the words.
    :param after: the table to compare with, of any width.
    :param most: use only the first so many common words.
    :returns: the common words, with the vectors of both tables.
    :raises VectorsError: the tables have fewer than three words in common.
    """
    known = set(after.words)
    common = [word for word in before.words if word in known][:most]
    if len(common) < 3:
        raise VectorsError(
            f"the two tables have {len(common)} words in common: compare tables of the same language and case"
        )
    first, second = before.dense(before.rows(common)), after.dense(after.rows(common))
    return Points(tuple(common), first, after=align(first, second))


def align(before: Float32, after: Float32) -> Float32:
    """Rotate a table onto another as closely as possible (orthogonal Procrustes, Schönemann 1966).

    Tables that were trained separately differ by an arbitrary rotation, which changes no cosine within a
    table.

    :param before: *Shape:* ``(n_points, width)``
    :param after: rows of any length and width. *Shape:* ``(n_points, other_width)``
    :returns: the rows of ``after`` at unit length, rotated. *Shape:* ``(n_points, larger_width)``
    """
    from scipy.linalg import orthogonal_procrustes

    first, second = unit_rows(before), unit_rows(after)
    width = max(first.shape[1], second.shape[1])
    first = np.pad(first, ((0, 0), (0, width - first.shape[1])))
    second = np.pad(second, ((0, 0), (0, width - second.shape[1])))
    rotation, _ = orthogonal_procrustes(second.astype(np.float64), first.astype(np.float64))
    turned: Float32 = (second @ rotation).astype(np.float32)
    return turned
