"""The shape of many binary trees at once, as flat arrays, without their words.

Every function here works on whole batches with array operations only: no recursion and no step of Python per
node. Two facts about a binary tree over ``n_words`` words make that possible.

* Its ``n_words - 1`` inner nodes and the ``n_words - 1`` boundaries between neighbouring words are one to
  one: a node belongs to the boundary at which it splits. A tree is therefore a start and an end for every
  boundary.
* In post-order the nodes of a subtree are contiguous, so spans alone say where every node stands.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from treesent.errors import TreesentError
from treesent.trees.arrays import layout, range_maximum, run_offsets, spans_of_distances
from treesent.types import Int8, Int32, Int64

if TYPE_CHECKING:
    from treesent.trees.tree import Tree


@dataclass(frozen=True, slots=True, eq=False)
class Structure:
    """The binary trees of many sentences, concatenated, each in post-order.

    Children are indices within their own tree, spans count words within their own sentence.

    :param left: left child of each node, -1 at a leaf. *Shape:* ``(n_nodes,)``
    :param right: right child of each node, -1 at a leaf; always the node just before. *Shape:* ``(n_nodes,)``
    :param start: first word under each node. *Shape:* ``(n_nodes,)``
    :param end: one past the last word under each node. *Shape:* ``(n_nodes,)``
    :param offsets: tree ``t`` has nodes ``offsets[t]:offsets[t + 1]``. *Shape:* ``(n_trees + 1,)``
    :param head: which child of each inner node holds its head, 0 the left one, 1 the right one; 0 at a leaf.
        None if it is not known. *Shape:* ``(n_nodes,)``
    """

    left: Int32
    right: Int32
    start: Int32
    end: Int32
    offsets: Int64
    head: Int8 | None = field(default=None, compare=False)

    @property
    def n_trees(self) -> int:
        """How many trees there are."""
        return len(self.offsets) - 1

    @property
    def n_nodes(self) -> int:
        """Nodes of all trees together."""
        return len(self.left)

    @property
    def lengths(self) -> Int64:
        """Words of each tree. *Shape:* ``(n_trees,)``."""
        return (np.diff(self.offsets) + 1) // 2

    @property
    def n_words(self) -> int:
        """Words of all trees together."""
        return (self.n_nodes + self.n_trees) // 2

    def __eq__(self, other: object) -> bool:
        """Structures are equal if the trees are; heads are not compared."""
        if not isinstance(other, Structure):
            return NotImplemented
        return all(
            np.array_equal(getattr(self, f.name), getattr(other, f.name)) for f in fields(self) if f.compare
        )

    __hash__ = None  # type: ignore[assignment]

    def arrays(self, tree: int) -> tuple[Int32, Int32, Int32, Int32]:
        """Give ``left``, ``right``, ``start`` and ``end`` of one tree, as views.

        :param tree: which one.
        """
        nodes = slice(self.offsets[tree], self.offsets[tree + 1])
        return self.left[nodes], self.right[nodes], self.start[nodes], self.end[nodes]

    def height(self) -> Int32:
        """Give the height of every node: 0 at a leaf, else one more than the higher child.

        The ancestors of a node are the later nodes whose subtree reaches back over it, so depths are one
        running sum; the height is how much deeper the deepest leaf under the node is. O(n_nodes log n_words)
        at most, for chains too. *Shape:* ``(n_nodes,)``
        """
        if not self.n_nodes:
            return np.zeros(0, np.int32)
        node = np.arange(self.n_nodes)
        first = node - 2 * (self.end - self.start).astype(np.int64) + 2
        opened = np.bincount(first, minlength=self.n_nodes)
        depth = np.cumsum(opened) - node - 1  # node i has itself and the i nodes before it closed
        leaf = self.left < 0
        words = np.repeat(run_offsets(self.lengths)[:-1], np.diff(self.offsets))
        deepest = range_maximum(depth[leaf], self.start + words, self.end + words)
        return (deepest - depth).astype(np.int32)

    def distances(self) -> NDArray[np.float32]:
        """Give the syntactic distance of every gap between neighbouring words, sentence after sentence.

        It is the height of the node that splits there, as in Shen et al. 2018 (arXiv:1806.04168, algorithm
        1), and
        :meth:`from_distances` turns it into the same trees again. *Shape:* ``(n_words - n_trees,)``
        """
        inner = np.flatnonzero(self.left >= 0)
        tree = np.repeat(np.arange(self.n_trees), np.diff(self.offsets))[inner]
        split = self.end[self.left[inner] + self.offsets[tree]]
        gaps = run_offsets(self.lengths - 1)
        distances = np.zeros(self.n_words - self.n_trees, np.float32)
        distances[gaps[tree] + split - 1] = self.height()[inner]
        return distances

    @classmethod
    def from_trees(cls, trees: Iterable[Tree]) -> Structure:
        """Join trees one after another.

        :param trees: the trees, in order.
        """
        trees = list(trees)
        parts = {f: [getattr(tree, f) for tree in trees] for f in ("left", "right", "start", "end")}
        joined: dict[str, Any] = {
            f: np.concatenate(p) if p else np.zeros(0, np.int32) for f, p in parts.items()
        }
        return cls(**joined, offsets=run_offsets([tree.n_nodes for tree in trees]))

    @classmethod
    def concatenate(cls, parts: Iterable[Structure]) -> Structure:
        """Join structures one after another; the result has heads if all of them have.

        :param parts: the structures, in order.
        """
        parts = list(parts)
        if not parts:
            return cls.right_branching([])
        joined: dict[str, Any] = {
            f: np.concatenate([getattr(p, f) for p in parts]) for f in ("left", "right", "start", "end")
        }
        heads = [part.head for part in parts if part.head is not None]
        head = np.concatenate(heads) if len(heads) == len(parts) else None
        return cls(
            **joined, offsets=run_offsets(np.concatenate([np.diff(p.offsets) for p in parts])), head=head
        )

    def take(self, trees: ArrayLike) -> Structure:
        """Select trees, in the order given.

        :param trees: their numbers. *Shape:* ``(n_taken,)``
        """
        trees = np.asarray(trees, np.int64)
        sizes = np.diff(self.offsets)[trees]
        offsets = run_offsets(sizes)
        nodes = np.arange(offsets[-1]) + np.repeat(self.offsets[trees] - offsets[:-1], sizes)
        return self._select(nodes, offsets)

    def part(self, begin: int, end: int) -> Structure:
        """Select trees ``begin:end``, as views.

        :param begin: the first.
        :param end: one past the last.
        """
        offsets = self.offsets[begin : end + 1]
        return self._select(slice(offsets[0], offsets[-1]), offsets - offsets[0])

    def _select(self, nodes: Int64 | slice, offsets: Int64) -> Structure:
        return Structure(
            self.left[nodes],
            self.right[nodes],
            self.start[nodes],
            self.end[nodes],
            offsets,
            None if self.head is None else self.head[nodes],
        )

    @classmethod
    def right_branching(cls, lengths: ArrayLike) -> Structure:
        """Make the trees in which every word is combined with all that follows.

        :param lengths: words of each sentence, at least 1. *Shape:* ``(n_trees,)``
        """
        lengths = _checked(lengths)
        start, end = _boundaries(lengths)
        return cls.from_splits(start, end, lengths)

    @classmethod
    def from_leaves(cls, leaf: ArrayLike, lengths: ArrayLike) -> Structure:
        """Make trees from which of their nodes, in post-order, are leaves: a tree as shifts and reductions.

        :param leaf: of all trees. *Shape:* ``(n_nodes,)``
        :param lengths: words of each sentence, at least 1. *Shape:* ``(n_trees,)``
        :raises TreesentError: if these are not trees over that many words.
        """
        lengths, leaf = _checked(lengths), np.asarray(leaf, np.bool_)
        offsets = run_offsets(2 * lengths - 1)
        if len(leaf) != offsets[-1]:
            raise TreesentError(
                f"{len(leaf)} nodes for {lengths.sum()} words in {len(lengths)} sentences: there must be one "
                f"less than twice the words in every sentence, {offsets[-1]} in all"
            )
        return cls(*layout(leaf, offsets), offsets)

    @classmethod
    def from_splits(
        cls, start: ArrayLike, end: ArrayLike, lengths: ArrayLike, head: ArrayLike | None = None
    ) -> Structure:
        """Make trees from the span of the node that splits at each boundary between two words.

        The spans are trusted to be those of binary trees; whoever computes them sees to that.

        :param start: first word of the node that splits after word ``i`` of its sentence, sentence after
            sentence, the words counted from the start of the whole batch. *Shape:* ``(n_words - n_trees,)``
        :param end: one past that node's last word, counted alike. *Shape:* ``(n_words - n_trees,)``
        :param lengths: words of each sentence, at least 1. *Shape:* ``(n_trees,)``
        :param head: 1 where the node's head is in its right child, else 0. *Shape:* ``(n_words - n_trees,)``
        """
        lengths = _checked(lengths)
        start, end = np.asarray(start, np.int64), np.asarray(end, np.int64)
        words, offsets = run_offsets(lengths), run_offsets(2 * lengths - 1)
        n_words, n_nodes = int(words[-1]), int(offsets[-1])
        if len(start) != n_words - len(lengths) or len(end) != len(start):
            raise TreesentError(
                f"{len(start)} gaps for {n_words} words in {len(lengths)} sentences: there must be one less "
                f"than the words in every sentence, {n_words - len(lengths)} in all"
            )
        # Before the leaf of word w stand w leaves and every inner node that is complete by then.
        complete = np.cumsum(np.bincount(end, minlength=n_words + 1))[:n_words]
        leaf = np.arange(n_words) + complete
        split = np.delete(np.arange(n_words), words[:-1])
        node = leaf[start] + 2 * (end - start) - 2

        left, right = np.full(n_nodes, -1, np.int32), np.full(n_nodes, -1, np.int32)
        first, last = np.empty(n_nodes, np.int64), np.empty(n_nodes, np.int64)
        first[leaf], first[node] = np.arange(n_words), start
        last[leaf], last[node] = np.arange(1, n_words + 1), end
        base = np.repeat(offsets[:-1], lengths - 1)
        left[node] = leaf[start] + 2 * (split - start) - 2 - base
        right[node] = node - 1 - base
        shift = np.repeat(words[:-1], 2 * lengths - 1)
        heads = None
        if head is not None:
            heads = np.zeros(n_nodes, np.int8)
            heads[node] = head
        first, last = first - shift, last - shift
        return cls(left, right, first.astype(np.int32), last.astype(np.int32), offsets, heads)

    @classmethod
    def from_distances(cls, distances: ArrayLike, lengths: ArrayLike) -> Structure:
        """Split every sentence at its largest distance, then the parts, down to the words.

        The top-down split of Shen et al. 2018 (arXiv:1806.04168, algorithm 2); of equal distances the
        leftmost splits first. A node ends where a larger distance stands, so all nodes are found at once by
        binary search over running maxima: O(n_words log n_words) whatever the distances are, chains included.

        :param distances: one per gap between neighbouring words, sentence after sentence.
            *Shape:* ``(n_words - n_trees,)``
        :param lengths: words of each sentence, at least 1. *Shape:* ``(n_trees,)``
        :raises TreesentError: if the numbers of gaps and words disagree, or a distance is not finite.
        """
        lengths, gaps = _checked(lengths), np.asarray(distances)
        if gaps.dtype.kind != "f":
            gaps = gaps.astype(np.float64)
        n_words = int(lengths.sum())
        if gaps.shape != (n_words - len(lengths),):
            raise TreesentError(
                f"distances of shape {gaps.shape} for {n_words} words in {len(lengths)} sentences: there "
                f"must be one less than the words in every sentence, ({n_words - len(lengths)},) in all"
            )
        if not np.isfinite(gaps).all():
            bad = int(np.flatnonzero(~np.isfinite(gaps))[0])
            raise TreesentError(f"distance {bad} is {gaps[bad]}: distances must be finite numbers")
        return cls.from_splits(*spans_of_distances(gaps, lengths), lengths)


def _checked(lengths: ArrayLike) -> Int64:
    """Refuse sentences without words."""
    lengths = np.asarray(lengths, np.int64)
    if lengths.ndim != 1 or (len(lengths) and lengths.min() < 1):
        raise TreesentError(
            f"lengths {lengths.tolist()}: every sentence needs at least one word; leave empty ones out"
        )
    return lengths


def _boundaries(lengths: Int64) -> tuple[Int64, Int64]:
    """Give, for every gap, the word before it and the end of its sentence, counted over the whole batch."""
    words = run_offsets(lengths)
    before = np.delete(np.arange(words[-1]), words[1:] - 1)
    return before, np.repeat(words[1:], lengths - 1)
