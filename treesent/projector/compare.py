"""The same words in two tables, to see where training moved them."""

import numpy as np

from treesent.errors import VectorsError
from treesent.projector.codec import unit_rows
from treesent.projector.points import Points
from treesent.types import Float32
from treesent.vectors.table import VectorTable


def compare(before: VectorTable, after: VectorTable, most: int) -> Points:
    """Return the words that both tables hold, with both vectors of each.

    The second table is turned onto the first (:func:`align`), so that only what no rotation explains is left.

    :param before: gives the order of the words.
    :param after: of any width.
    :param most: take the first so many common words.
    :raises VectorsError: fewer than three words in common.
    """
    known = set(after.words)
    common = [word for word in before.words if word in known][:most]
    if len(common) < 3:
        raise VectorsError(
            f"the two tables share {len(common)} words: compare tables of the same language and letter case"
        )
    first, second = before.dense(before.rows(common)), after.dense(after.rows(common))
    return Points(tuple(common), first, after=align(first, second))


def align(before: Float32, after: Float32) -> Float32:
    """Turn a table onto another by the best rotation (orthogonal Procrustes, Schönemann 1966).

    Tables trained apart differ by an arbitrary rotation, which no cosine within a table can see.

    :param before: *Shape:* ``(n_points, width)``
    :param after: of unit length or not, any width. *Shape:* ``(n_points, width of its own)``
    """
    first, second = unit_rows(before), unit_rows(after)
    width = max(first.shape[1], second.shape[1])
    first = np.pad(first, ((0, 0), (0, width - first.shape[1])))
    second = np.pad(second, ((0, 0), (0, width - second.shape[1])))
    left, _, right = np.linalg.svd((second.T @ first).astype(np.float64))
    turned: Float32 = (second @ (left @ right)).astype(np.float32)
    return turned
