"""A forest: the trees of a batch as flat arrays in which every level is one contiguous slice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from treesent.errors import DataError
from treesent.trees.structure import Structure

Int64 = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Forest:
    """Many trees laid out for the machine.

    Nodes are renumbered by height: the leaves of all trees come first, in text order, then the nodes of
    height one, and so on. A network then computes a level with one gather of children and one matmul.

    :param rows: row in the table of vectors of each leaf. *Shape:* (n_words,)
    :param lengths: words in each tree. *Shape:* (n_trees,)
    :param distinct: the rows that occur, each once. *Shape:* (n_distinct,)
    :param inverse: ``rows == distinct[inverse]``. *Shape:* (n_words,)
    :param children: left and right child of the inner node ``n_words + k``. *Shape:* (n_inner, 2)
    :param levels: nodes of height ``k`` are ``levels[k]:levels[k + 1]``.
    :param roots: the root of each tree. *Shape:* (n_trees,)
    :param order: forest index of each node of the concatenated post-orders: ``states[order]`` puts states
        back into the trees' own order. *Shape:* (n_nodes,)
    :param label: class of each node in forest order, -1 for none. *Shape:* (n_nodes,)
    :param tree: the tree that each node belongs to. *Shape:* (n_nodes,)
    :param parent: position of each node in ``children.ravel()``; a root has ``2 * n_inner``.
        *Shape:* (n_nodes,)
    :param start: first word of each node, in forest order, words counted over the forest. *Shape:* (n_nodes,)
    :param end: one past the last word of each node. *Shape:* (n_nodes,)
    :param head: which child of each inner node holds its head, 0 the left one, 1 the right one; None if
        it is not known. *Shape:* (n_inner,)
    """

    rows: Int64
    lengths: Int64
    distinct: Int64
    inverse: Int64
    children: Int64
    levels: tuple[int, ...]
    roots: Int64
    order: Int64
    label: Int64
    tree: Int64
    parent: Int64
    start: Int64
    end: Int64
    head: Int64 | None = None

    @property
    def n_words(self) -> int:
        """Leaves of all trees."""
        return len(self.rows)

    @property
    def n_nodes(self) -> int:
        """Nodes of all trees."""
        return len(self.order)

    @property
    def n_trees(self) -> int:
        """Trees in the forest."""
        return len(self.lengths)

    @classmethod
    def build(cls, structure: Structure, rows: NDArray[Any], label: NDArray[Any] | None = None) -> Forest:
        """Lay trees out by height; vectorised over all of them.

        :param structure: the trees.
        :param rows: row of each word in the table of vectors, trees concatenated. *Shape:* (n_words,)
        :param label: class of each node, -1 for none, in concatenated post-order. *Shape:* (n_nodes,)
        :raises DataError: the number of rows or labels is not that of the words or nodes.
        """
        sizes = np.diff(structure.offsets)
        n_nodes, n_trees = len(structure.left), len(sizes)
        n_words = (n_nodes + n_trees) // 2
        rows = np.asarray(rows, np.int64)
        if len(rows) != n_words:
            raise DataError(f"{len(rows)} word rows for trees of {n_words} words; give one row for each word")
        if label is not None and len(label) != n_nodes:
            raise DataError(
                f"{len(label)} labels for trees of {n_nodes} nodes; give one for each node, -1 for none"
            )
        height = structure.height()
        # 16-bit keys make numpy's stable sort a radix sort.
        narrow = height.astype(np.int16) if n_nodes < 2**15 or height.max() < 2**15 else height
        post = np.argsort(narrow, kind="stable")
        order = np.empty(n_nodes, np.int64)
        order[post] = np.arange(n_nodes)
        tree = np.repeat(np.arange(n_trees), sizes)[post]
        inner, base = post[n_words:], structure.offsets[tree[n_words:]]
        children = np.empty((n_nodes - n_words, 2), np.int64)
        children[:, 0] = order[structure.left[inner] + base]
        children[:, 1] = order[structure.right[inner] + base]
        parent = np.full(n_nodes, children.size, np.int64)
        parent[children.ravel()] = np.arange(children.size)
        lengths = (sizes + 1) // 2
        first = (np.cumsum(lengths) - lengths)[tree]
        distinct, inverse = np.unique(rows, return_inverse=True)
        return cls(
            rows=rows,
            lengths=lengths,
            distinct=distinct,
            inverse=inverse,
            children=children,
            levels=(0, *np.cumsum(np.bincount(height, minlength=1)).tolist()),
            roots=order[structure.offsets[1:] - 1],
            order=order,
            label=np.full(n_nodes, -1, np.int64) if label is None else np.asarray(label, np.int64)[post],
            tree=tree,
            parent=parent,
            start=structure.start[post] + first,
            end=structure.end[post] + first,
            head=None if structure.head is None else structure.head[inner].astype(np.int64),
        )
