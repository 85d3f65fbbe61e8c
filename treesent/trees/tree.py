"""A binary tree over the words of a sentence, as an immutable value."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from treesent.errors import TreesentError
from treesent.trees.arrays import layout
from treesent.trees.notation import format_tree
from treesent.trees.structure import Structure
from treesent.types import Int32

UNLABELLED = -1
"""The label of a node without one; such a node counts neither in the loss nor in the metrics."""


@dataclass(frozen=True, slots=True, eq=False)
class Tree:
    """A binary tree, its nodes in post-order: children before parents, left before right, the root last.

    Make one with :meth:`from_structure`, which checks; this constructor trusts.

    :param words: the words, in order.
    :param left: left child of each node, -1 at a leaf. *Shape:* ``(n_nodes,)``
    :param right: right child of each node, -1 at a leaf; at an inner node the node just before. *Shape:*
        ``(n_nodes,)``
    :param start: first word under each node. *Shape:* ``(n_nodes,)``
    :param end: one past the last word under each node. *Shape:* ``(n_nodes,)``
    :param label: class of each node, -1 for none. *Shape:* ``(n_nodes,)``
    """

    words: tuple[str, ...]
    left: Int32
    right: Int32
    start: Int32
    end: Int32
    label: Int32

    @classmethod
    def from_structure(
        cls, words: Sequence[str], left: ArrayLike, right: ArrayLike, label: ArrayLike | None = None
    ) -> Tree:
        """Make a tree from its children, checked.

        :param words: the words, in order, at least one.
        :param left: left child of each node, -1 at a leaf. *Shape:* ``(n_nodes,)``
        :param right: right child of each node, -1 at a leaf. *Shape:* ``(n_nodes,)``
        :param label: class of each node, -1 for none; None for no labels. *Shape:*
            ``(n_nodes,)``
        :raises TreesentError: if these are not the children of one binary tree in post-order over these
            words.
        """
        left, right = np.asarray(left, np.int32), np.asarray(right, np.int32)
        expected, right_expected, start, end = layout(left < 0)
        wrong = np.flatnonzero((left != expected) | (right != right_expected))
        if len(wrong):
            node = int(wrong[0])
            raise TreesentError(
                f"node {node} has children {left[node]} and {right[node]}, in post-order they must be "
                f"{expected[node]} and {right_expected[node]}: number children before their parent, "
                "left before right"
            )
        if len(words) != int(end[-1]):
            raise TreesentError(
                f"{len(words)} words for a tree of {int(end[-1])} leaves: give one word per leaf"
            )
        return cls(tuple(words), left, right, start, end, _labels(label, len(left)))

    @classmethod
    def from_batch(
        cls, structure: Structure, tree: int, words: Sequence[str], label: ArrayLike | None = None
    ) -> Tree:
        """Take one tree out of many and give it its words.

        :param structure: the trees.
        :param tree: which one.
        :param words: its words, in order.
        :param label: class of each of its nodes, -1 for none; None for no labels. *Shape:*
            ``(n_nodes,)``
        :raises TreesentError: if the number of words or labels is not the tree's.
        """
        left, right, start, end = structure.arrays(tree)
        if len(words) != int(end[-1]):
            raise TreesentError(
                f"{len(words)} words for a tree of {int(end[-1])} leaves: give one word per leaf"
            )
        return cls(tuple(words), left, right, start, end, _labels(label, len(left)))

    @property
    def n_words(self) -> int:
        """The number of words."""
        return len(self.words)

    @property
    def n_nodes(self) -> int:
        """The number of nodes, ``2 * n_words - 1``."""
        return len(self.left)

    @property
    def root(self) -> int:
        """The root's index, the last."""
        return len(self.left) - 1

    def spans(self) -> Iterator[tuple[int, int]]:
        """Give the half-open word span of every node, in post-order."""
        return zip(self.start.tolist(), self.end.tolist(), strict=True)

    def text(self, node: int) -> str:
        """Give the words under a node, joined with spaces.

        :param node: its index.
        """
        return " ".join(self.words[self.start[node] : self.end[node]])

    def with_labels(self, label: ArrayLike | None) -> Tree:
        """Give the same tree with other labels.

        :param label: class of each node, -1 for none; None for no labels. *Shape:*
            ``(n_nodes,)``
        :raises TreesentError: if there is not one label per node.
        """
        return replace(self, label=_labels(label, self.n_nodes))

    def brackets(self) -> str:
        """Write the tree in Penn treebank brackets, as :func:`treesent.trees.notation.format_tree` does."""
        return format_tree(self)

    def __eq__(self, other: object) -> bool:
        """Trees are equal if words, shape and labels are."""
        if not isinstance(other, Tree):
            return NotImplemented
        return self.words == other.words and all(
            np.array_equal(getattr(self, field.name), getattr(other, field.name))
            for field in fields(self)[1:]
        )

    def __hash__(self) -> int:
        """Equal trees have equal hashes."""
        return hash((self.words, self.left.tobytes(), self.label.tobytes()))


def _labels(label: ArrayLike | None, n_nodes: int) -> NDArray[np.int32]:
    """Check the labels' number, or make as many as there are nodes."""
    if label is None:
        return np.full(n_nodes, UNLABELLED, np.int32)
    array = np.asarray(label, np.int32)
    if array.shape != (n_nodes,):
        raise TreesentError(
            f"labels of shape {array.shape} for a tree of {n_nodes} nodes: give one label per node"
        )
    return array
