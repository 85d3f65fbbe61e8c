"""Where the states of the nodes of a batch lie, and which nodes can be computed at once."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from torch import Tensor

# MKL loses a third of its speed on taller matrices, and 512 rows of gates stay in the cache.
BLOCK = 512


class Block(NamedTuple):
    """At most 512 inner nodes of one height, counted from the first inner node; host numbers.

    :param begin: the first.
    :param end: one past the last.
    """

    begin: int
    end: int


@dataclass(frozen=True, slots=True)
class Layout:
    """Rows of the states of a batch: those of the leaves come first, then those of the inner nodes by height.

    :param n_leaves: number of leaf states; the state of inner node ``k`` is row ``n_leaves + k``.
    :param children: rows of the two children of each inner node. *Shape:* ``(n_inner, 2)``
    :param parent: position of each inner node in ``children.ravel()``, ``2 * n_inner`` for a root.
        *Shape:* ``(n_inner,)``
    :param leaf_parent: the same for every word. *Shape:* ``(n_words,)``
    :param leaf: row of every word's state, or None if word ``j`` has row ``j``. *Shape:* ``(n_words,)``
    :param tree: tree of each inner node. *Shape:* ``(n_inner,)``
    :param blocks: inner nodes that can be computed at once, children first.
    :param state: row of every node of the forest, or None if they are the same. *Shape:* ``(n_nodes,)``
    :param head: which of its two children contains the head of each inner node, or None if the trees do not
        say. *Shape:* ``(n_inner,)``
    """

    n_leaves: int
    children: Tensor
    parent: Tensor
    leaf_parent: Tensor
    leaf: Tensor | None
    tree: Tensor
    blocks: tuple[Block, ...]
    state: Tensor | None
    head: Tensor | None = None

    @property
    def n_inner(self) -> int:
        """Number of inner nodes."""
        return len(self.children)


def blocks(levels: tuple[int, ...]) -> tuple[Block, ...]:
    """Cut the levels above the leaves into blocks.

    :param levels: bounds of the levels, as in :class:`~treesent.trees.forest.Forest`.
    """
    n_words = levels[1]
    return tuple(
        Block(first - n_words, min(first + BLOCK, end) - n_words)
        for begin, end in pairwise(levels[1:])
        for first in range(begin, end, BLOCK)
    )
