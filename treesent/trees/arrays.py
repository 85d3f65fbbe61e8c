"""Array operations that make trees: offsets, range maxima, the layout of post-order, spans from distances."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from treesent.errors import TreesentError
from treesent.types import Bool, Int32, Int64


def run_offsets(sizes: ArrayLike) -> Int64:
    """Give where each of several runs begins, and where the last ends."""
    sizes = np.asarray(sizes, np.int64)
    offsets = np.zeros(len(sizes) + 1, np.int64)
    np.cumsum(sizes, out=offsets[1:])
    return offsets


def ranges(starts: Int64, sizes: Int64) -> Int64:
    """Concatenate ``arange(start, start + size)`` over all pairs.

    :param starts: *Shape:* ``(n,)``.
    :param sizes: *Shape:* ``(n,)``.
    :returns: *Shape:* ``(sizes.sum(),)``.
    """
    before = np.cumsum(sizes) - sizes
    index: Int64 = np.arange(int(sizes.sum())) + np.repeat(starts - before, sizes)
    return index


def range_maximum(values: Int64, start: Int64, end: Int64) -> Int64:
    """Give the largest of ``values[start[i]:end[i]]`` for every ``i``, from maxima over runs of 2^k."""
    length = end - start
    level = np.frexp(length)[1] - 1
    result = np.empty(len(start), values.dtype)
    table, step = values, 1
    for k in range(int(level.max()) + 1):
        here = level == k
        result[here] = np.maximum(table[start[here]], table[end[here] - step])
        table, step = np.maximum(table[:-step], table[step:]), 2 * step
    return result


def layout(leaf: Bool, offsets: Int64 | None = None) -> tuple[Int32, Int32, Int32, Int32]:
    """Give ``left``, ``right``, ``start`` and ``end`` of the trees that have leaves where ``leaf`` says.

    In post-order a binary tree is a sum that gains one at a leaf and loses one at an inner node (which takes
    two and gives one); the left child of a node is the last node before it with the same sum.

    :param leaf: which nodes are leaves. *Shape:* ``(n_nodes,)``
    :param offsets: where each tree begins, and where the last ends; None for one tree.
        *Shape:* ``(n_trees + 1,)``
    :raises TreesentError: if no tree has its leaves there.
    """
    if offsets is None:
        offsets = run_offsets([len(leaf)])
    sizes = np.diff(offsets)
    tree = np.repeat(np.arange(len(sizes)), sizes)
    total = np.cumsum(np.where(leaf, 1, -1)) - tree  # each tree before leaves one behind
    roots = offsets[1:] - 1
    if (sizes < 1).any() or total.min(initial=1) < 1 or (total[roots] != 1).any():
        raise TreesentError(
            f"{int(leaf.sum())} leaves among {len(leaf)} nodes are not a binary tree in post-order: n words "
            "need n leaves and n - 1 inner nodes, each inner node after its two children"
        )
    order = np.lexsort((total, tree))
    sorted_leaf = leaf[order]
    node = np.arange(len(leaf)) - offsets[tree]
    left = np.full(len(leaf), -1, np.int32)
    left[order[1:]] = np.where(sorted_leaf[1:], -1, node[order[:-1]])
    right = np.where(leaf, -1, node - 1).astype(np.int32)
    count = np.cumsum(leaf)
    end = (count - run_offsets((sizes + 1) // 2)[tree]).astype(np.int32)
    start = np.empty(len(leaf), np.int32)
    first = np.maximum.accumulate(np.where(sorted_leaf, np.arange(len(leaf)), 0))
    start[order] = end[order[first]] - 1
    return left, right, start, end


def spans_of_distances(gaps: NDArray[np.floating], lengths: Int64) -> tuple[Int64, Int64]:
    """Give the span of the node that splits at each gap, if the largest distance of a span splits it.

    A node ends where a larger distance stands, so all nodes are found at once by binary search over running
    maxima: O(n_words log n_words) whatever the distances are, chains included.

    :param gaps: a finite distance for each gap between neighbouring words, sentence after sentence.
        *Shape:* ``(n_words - n_trees,)``
    :param lengths: words of each sentence, at least 1. *Shape:* ``(n_trees,)``
    :returns: first word of each node and one past its last, counted over the whole batch.
        *Shape:* ``(n_words - n_trees,)`` each.
    """
    if not len(gaps):
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    n_words = int(lengths.sum())
    # One value per boundary between words, infinite where a sentence begins or ends, with room on both
    # sides.
    steps = [1 << k for k in range(int(lengths.max() - 1).bit_length())]
    pad = 2 * steps[-1]
    value = np.full(n_words + 1 + 2 * pad, np.inf, gaps.dtype)
    boundary = np.delete(np.arange(n_words), run_offsets(lengths)[:-1]) + pad
    value[boundary] = gaps
    maxima = [value]  # maxima[k][i] is the largest of value[i : i + 2 ** k]
    for step in steps[:-1]:
        below = maxima[-1]
        maxima.append(np.maximum(below[:-step], below[step:]))

    start, end = boundary.copy(), boundary.copy()
    for step, table in zip(reversed(steps), reversed(maxima), strict=True):
        start -= step * (table[start - step] < gaps)
        end += step * (table[end + 1] <= gaps)
    return start - 1 - pad, end + 1 - pad
