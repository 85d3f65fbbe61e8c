"""Binary trees from constituents of any number of children."""

import numpy as np
from numpy.typing import ArrayLike

from treesent.trees.arrays import run_offsets
from treesent.trees.structure import Structure


def from_constituents(start: ArrayLike, end: ArrayLike, lengths: ArrayLike) -> Structure:
    """Make binary trees in which every constituent is a node; its children are combined from the right.

    A constituent deeper in the tree is split later, and of its gaps the leftmost first; so the number of
    constituents around a gap, negated, is a syntactic distance. Constituents may be in any order and be given
    more than once; single words may be left out.

    :param start: first word of each constituent, counted over the whole batch. *Shape:* ``(n_constituents,)``
    :param end: one past its last word. *Shape:* ``(n_constituents,)``
    :param lengths: words of each sentence. *Shape:* ``(n_trees,)``
    """
    lengths = np.asarray(lengths, np.int64)
    words = run_offsets(lengths)
    start, end = np.asarray(start, np.int64), np.asarray(end, np.int64)
    start, end = start[start < end], end[start < end]  # white space alone is a constituent of no word
    n_boundaries = int(words[-1]) + 2
    around = np.cumsum(
        np.bincount(start + 1, minlength=n_boundaries) - np.bincount(end, minlength=n_boundaries)
    )
    gaps = np.delete(np.arange(words[-1]), words[:-1])
    return Structure.from_distances(-around[gaps].astype(np.float64), lengths)
