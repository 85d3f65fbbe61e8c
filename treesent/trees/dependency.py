"""Dependency parses as trees: binarised at the head for binary networks, as they are for Child-Sum ones.

All sentences of a batch are done at once with array operations; nothing here costs a step of Python per word.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from treesent.errors import TreesentError
from treesent.trees.arrays import range_maximum, run_offsets
from treesent.trees.structure import Structure
from treesent.types import Bool, Int64

CAREFUL_LIFTS = 8
"""Rounds in which only the shortest crossing arc of a sentence is lifted, before all of them are at once."""


@dataclass(frozen=True, slots=True, eq=False)
class Dependencies:
    """The dependency trees of many sentences, one root each: the layout of general trees (Child-Sum).

    :param parent: the head of each word, counted over the words of the whole batch, -1 at a root.
        *Shape:* ``(n_words,)``
    :param lengths: words of each sentence. *Shape:* ``(n_trees,)``
    """

    parent: Int64
    lengths: Int64

    @classmethod
    def from_heads(
        cls,
        heads: ArrayLike,
        start: ArrayLike | None = None,
        end: ArrayLike | None = None,
        keep: ArrayLike | None = None,
    ) -> Dependencies:
        """Take the trees of ranges of tokens: sentences, or parts of them.

        A word whose head is left out, or outside its range, is attached to its nearest ancestor inside, and
        is a root if there is none. If a range has several roots, the first becomes the head of the others.

        :param heads: the head of every token, counted from the first token of the batch; its own index at a
            root. *Shape:* ``(n_tokens,)``
        :param start: first token of each range; None makes one range of all tokens. *Shape:* ``(n_trees,)``
        :param end: one past the last token of each range. *Shape:* ``(n_trees,)``
        :param keep: which tokens are words; None keeps all. *Shape:* ``(n_tokens,)``
        :raises TreesentError: if a head is not a token, heads form a cycle, or a range has no words.
        """
        heads = np.asarray(heads, np.int64)
        n_tokens = len(heads)
        if n_tokens and (heads.min() < 0 or heads.max() >= n_tokens):
            bad = int(np.flatnonzero((heads < 0) | (heads >= n_tokens))[0])
            raise TreesentError(
                f"token {bad} has head {heads[bad]}: expected 0 to {n_tokens - 1}, and {bad} if it is a root"
            )
        first = np.zeros(1, np.int64) if start is None else np.asarray(start, np.int64)
        last = np.full(1, n_tokens) if end is None else np.asarray(end, np.int64)
        kept = np.ones(n_tokens, bool) if keep is None else np.asarray(keep, bool)
        rank = run_offsets(kept)  # words before each token
        lengths = rank[last] - rank[first]
        if len(lengths) and lengths.min() < 1:
            empty = int(lengths.argmin())
            raise TreesentError(
                f"tokens {first[empty]}:{last[empty]} hold no word: leave out ranges of white space"
            )

        words = run_offsets(lengths)
        tree = np.repeat(np.arange(len(lengths)), lengths)
        token = np.flatnonzero(kept)[np.arange(words[-1]) + np.repeat(rank[first] - words[:-1], lengths)]
        head = heads[token]
        climbing = np.arange(len(token))
        for _ in range(n_tokens + 1):
            at, up = head[climbing], heads[head[climbing]]
            outside = (at < first[tree[climbing]]) | (at >= last[tree[climbing]]) | ~kept[at]
            climbing, up = climbing[outside & (up != at)], up[outside & (up != at)]
            if not len(climbing):
                break
            head[climbing] = up
        else:
            raise TreesentError(
                f"the heads of token {token[climbing[0]]} form a cycle: make one word the root"
            )
        inside = (head >= first[tree]) & (head < last[tree]) & kept[head]
        parent = np.where(inside & (head != token), rank[head] - rank[first[tree]] + words[tree], -1)

        roots = np.flatnonzero(parent < 0)
        main = np.full(len(lengths), -1)
        main[tree[roots[::-1]]] = roots[::-1]
        if len(main) and main.min() < 0:
            lost = int(token[words[main.argmin()]])
            raise TreesentError(
                f"the heads of the sentence at token {lost} form a cycle: make one word the root"
            )
        others = roots[main[tree[roots]] != roots]
        parent[others] = main[tree[others]]
        dependencies = cls(parent, lengths)
        dependencies.depth()
        return dependencies

    def depth(self) -> Int64:
        """Give the number of arcs from each word up to its root. *Shape:* ``(n_words,)``.

        :raises TreesentError: if heads form a cycle.
        """
        above = np.where(self.parent < 0, np.arange(len(self.parent)), self.parent)
        depth = (self.parent >= 0).astype(np.int64)
        for _ in range(int(self.lengths.max(initial=1)).bit_length()):
            if not depth[above].any():
                return depth
            depth += depth[above]  # twice as far up each time
            above = above[above]
        lost = np.flatnonzero(depth[above])
        if len(lost):
            raise TreesentError(f"the heads of word {lost[0]} form a cycle: make one word the root")
        return depth

    def crossing(self) -> Bool:
        """Say which words hang on an arc that crosses another or spans the root. *Shape:* ``(n_words,)``."""
        word = np.arange(len(self.parent))
        low, high = np.minimum(word, self.parent), np.maximum(word, self.parent)
        arcs = np.flatnonzero((self.parent >= 0) & (high - low > 1))
        crossed = np.zeros(len(word), bool)
        if len(arcs):
            low, high = low[arcs], high[arcs]
            farthest = range_maximum(self.parent, low + 1, high)
            nearest = -range_maximum(-self.parent, low + 1, high)  # -1 if the root is between
            crossed[arcs] = (farthest > high) | (nearest < low)
        return crossed

    def projective(self) -> Dependencies:
        """Lift arcs that cross others to the head's head until none do (Nivre and Nilsson 2005, section 2).

        The shortest crossing arc of each sentence goes first.
        """
        lengths = self.lengths
        tree = np.repeat(np.arange(len(lengths)), lengths)
        trees, rounds = self, 0
        crossed = trees._to_lift()
        while len(crossed):
            parent = trees.parent.copy()
            if rounds < CAREFUL_LIFTS:
                shortest = np.argsort(np.abs(parent[crossed] - crossed), kind="stable")
                crossed = crossed[shortest][np.unique(tree[crossed[shortest]], return_index=True)[1]]
            parent[crossed] = parent[parent[crossed]]
            trees, rounds = replace(trees, parent=parent), rounds + 1
            crossed = trees._to_lift()
        return trees

    def _to_lift(self) -> Int64:
        """Give the words on crossing arcs that do not come from the root; one of two that cross is such."""
        return np.flatnonzero(self.crossing() & (self.parent[self.parent] >= 0))

    def extents(self) -> tuple[Int64, Int64]:
        """Give the first word under each word, and one past the last. *Shape:* ``(n_words,)`` each."""
        n_words = len(self.parent)
        first, last = np.arange(n_words), np.arange(1, n_words + 1)
        above = np.where(self.parent < 0, first, self.parent)
        for _ in range(int(self.depth().max(initial=0)).bit_length()):
            # Every word hands what it knows to the ancestor 1, 2, 4, ... arcs up.
            lower, upper = first.copy(), last.copy()
            np.minimum.at(lower, above, first)
            np.maximum.at(upper, above, last)
            first, last, above = lower, upper, above[above]
        return first, last

    def binarise(self) -> Structure:
        """Make binary trees: a head takes its right dependents, nearest first, then its left ones.

        Each dependent makes one node, so every subtree of a projective parse stays a constituent. Arcs that
        cross are lifted before (:meth:`projective`). The trees remember where their heads are.
        """
        trees = self.projective()
        first, last = trees.extents()
        word = np.flatnonzero(trees.parent >= 0)
        head = trees.parent[word]
        right = word > head
        split = np.where(right, first[word], last[word])
        start, end, side = np.zeros((3, len(trees.parent)), np.int64)
        start[split] = np.where(right, head, first[word])
        end[split] = np.where(right, last[word], last[head])
        side[split] = ~right
        begins = run_offsets(self.lengths)[:-1]
        start, end, side = (np.delete(array, begins) for array in (start, end, side))
        return Structure.from_splits(start, end, self.lengths, side)


def from_heads(
    heads: ArrayLike,
    start: ArrayLike | None = None,
    end: ArrayLike | None = None,
    keep: ArrayLike | None = None,
) -> Structure:
    """Binarise the parses of ranges of tokens; the parameters are those of :meth:`Dependencies.from_heads`.

    :param heads: the head of every token, counted from the first; its own index at a root. *Shape:*
        ``(n_tokens,)``
    :param start: first token of each range; None makes one range of all tokens. *Shape:* ``(n_trees,)``
    :param end: one past the last token of each range. *Shape:* ``(n_trees,)``
    :param keep: which tokens are words; None keeps all. *Shape:* ``(n_tokens,)``
    :raises TreesentError: if a head is not a token, heads form a cycle, or a range has no words.
    """
    return Dependencies.from_heads(heads, start, end, keep).binarise()
