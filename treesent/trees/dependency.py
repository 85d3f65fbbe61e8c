"""Dependency parses as trees: binarised at the head for binary networks, as they are for Child-Sum ones.

All sentences of a batch are done at once with array operations; nothing here costs a step of Python per word.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from treesent.errors import TreesentError
from treesent.trees.structure import Structure, range_maximum, run_offsets
from treesent.types import Int64

if TYPE_CHECKING:
    from spacy.tokens import Doc, Span

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

        A word whose head is left out, or outside its range, goes to the nearest ancestor inside; where there
        is none, it is a root. Of several roots in a range the first takes the others.

        :param heads: the head of every token, counted from the first token of the batch; its own index at a
            root. *Shape:* ``(n_tokens,)``
        :param start: first token of each range; None makes one range of all tokens. *Shape:* ``(n_trees,)``
        :param end: one past the last token of each range. *Shape:* ``(n_trees,)``
        :param keep: which tokens are words; None keeps all. *Shape:* ``(n_tokens,)``
        :raises TreesentError: if a head is no token, heads go in a circle, or a range is without words.
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
                f"tokens {first[empty]}:{last[empty]} hold no word: leave ranges of white space out"
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
                f"the heads of token {token[climbing[0]]} go in a circle: make one word the root"
            )
        inside = (head >= first[tree]) & (head < last[tree]) & kept[head]
        parent = np.where(inside & (head != token), rank[head] - rank[first[tree]] + words[tree], -1)

        roots = np.flatnonzero(parent < 0)
        main = np.full(len(lengths), -1)
        main[tree[roots[::-1]]] = roots[::-1]
        if len(main) and main.min() < 0:
            lost = int(token[words[main.argmin()]])
            raise TreesentError(
                f"the heads of the sentence at token {lost} go in a circle: make one word the root"
            )
        others = roots[main[tree[roots]] != roots]
        parent[others] = main[tree[others]]
        dependencies = cls(parent, lengths)
        dependencies.depth()
        return dependencies

    @classmethod
    def from_docs(cls, docs: Iterable[Doc]) -> Dependencies:
        """Take the sentences of parsed Docs, one after the other; white space is no word.

        Sentences that are nothing but white space are left out.

        :param docs: Docs with a dependency parse.
        :raises TreesentError: if a Doc has none.
        """
        from spacy.attrs import SENT_START

        docs = list(docs)
        heads, space = token_heads(docs)
        begins = [doc.to_array(SENT_START) == 1 for doc in docs]
        for flags in begins:
            flags[:1] = True
        start = np.flatnonzero(np.concatenate(begins)) if begins else np.zeros(0, np.int64)
        end = np.append(start, len(heads))[1:]
        rank = run_offsets(~space)
        full = rank[end] > rank[start]
        return cls.from_heads(heads, start[full], end[full], ~space)

    @classmethod
    def from_spans(cls, spans: Sequence[Span]) -> Dependencies:
        """Take sentences or parts of them, which may overlap; white space is no word.

        :param spans: spans of Docs with a dependency parse, each with at least one word.
        :raises TreesentError: if a Doc has no parse, or a span no word.
        """
        docs = list({id(span.doc): span.doc for span in spans}.values())
        heads, space = token_heads(docs)
        base = dict(zip(map(id, docs), run_offsets([len(doc) for doc in docs]).tolist(), strict=False))
        start = np.array([base[id(span.doc)] + span.start for span in spans], np.int64)
        end = np.array([base[id(span.doc)] + span.end for span in spans], np.int64)
        return cls.from_heads(heads, start, end, ~space)

    def depth(self) -> Int64:
        """Give the number of arcs from each word up to its root. *Shape:* ``(n_words,)``.

        :raises TreesentError: if heads go in a circle.
        """
        above = np.where(self.parent < 0, np.arange(len(self.parent)), self.parent)
        depth = (self.parent >= 0).astype(np.int64)
        for _ in range(int(self.lengths.max(initial=1)).bit_length()):
            if not depth[above].any():
                return depth
            depth += depth[above]  # twice as far up each time
            above = above[above]
        lost = int(np.flatnonzero(depth[above])[0]) if depth[above].any() else -1
        if lost >= 0:
            raise TreesentError(f"the heads of word {lost} go in a circle: make one word the root")
        return depth

    def crossing(self) -> NDArray[np.bool_]:
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
    :raises TreesentError: if a head is no token, heads go in a circle, or a range is without words.
    """
    return Dependencies.from_heads(heads, start, end, keep).binarise()


def token_heads(docs: Sequence[Doc]) -> tuple[Int64, NDArray[np.bool_]]:
    """Give the head of every token, counted over all Docs, and which tokens are white space.

    :param docs: Docs with a dependency parse; empty ones may be among them.
    :returns: heads and white space. *Shape:* ``(n_tokens,)`` each.
    :raises TreesentError: if a Doc has no parse.
    """
    from spacy.attrs import HEAD, IS_SPACE

    for number, doc in enumerate(docs):
        if len(doc) and not doc.has_annotation("DEP"):
            raise TreesentError(
                f"Doc {number} ({doc.text[:40]!r}) has no dependency parse: "
                "put a parser before, or use other trees"
            )
    table = np.concatenate([np.zeros((0, 2), np.uint64), *(doc.to_array([HEAD, IS_SPACE]) for doc in docs)])
    return np.arange(len(table)) + table[:, 0].view(np.int64), table[:, 1] != 0
