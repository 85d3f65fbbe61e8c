"""A forest as tensors on a device: what the forward pass of every network takes."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from treesent.nn.spans import Spans, span_arrays
from treesent.trees.forest import Forest

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
    """Where the states of a batch lie: those of the leaves first, then those of the inner nodes by height.

    :param n_leaves: leaf states; the state of inner node ``k`` is row ``n_leaves + k``.
    :param children: rows of the two children of each inner node. *Shape:* (n_inner, 2)
    :param parent: position of each inner node in ``children.ravel()``, ``2 * n_inner`` at a root.
        *Shape:* (n_inner,)
    :param leaf_parent: the same for every word. *Shape:* (n_words,)
    :param leaf: state of every word, or None where word ``j`` has state ``j``. *Shape:* (n_words,)
    :param tree: tree of each inner node. *Shape:* (n_inner,)
    :param blocks: inner nodes that can be computed at once, children first.
    :param state: row of every node of the forest, or None where they are the same. *Shape:* (n_nodes,)
    :param head: which of its two children holds the head of each inner node, or None where trees do not say.
        *Shape:* (n_inner,)
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
        """Inner nodes."""
        return len(self.children)


@dataclass(frozen=True, slots=True)
class ForestBatch:
    """The arrays of a :class:`~treesent.trees.forest.Forest` on a device, and what networks derive from them.

    Shapes and meaning are the forest's; what is new:

    :param shared: ``children`` where equal words share one state: a leaf is its place in ``distinct``, an
        inner node ``k`` is ``n_distinct + k``. *Shape:* (n_inner, 2)
    :param state: row of every node in that numbering. *Shape:* (n_nodes,)
    :param blocks: inner nodes of one height, at most 512 in each.
    :param packed: word that stands at each place of the packed sequences. *Shape:* (n_words,)
    :param unpacked: place of each word in the packed sequences. *Shape:* (n_words,)
    :param batch_sizes: sentences that have a word at each step, on the host, as ``PackedSequence`` wants.
        *Shape:* (steps,)
    :param sizes: the same as plain integers. *Shape:* (steps,)
    :param spans: the words of every node, for networks that read constituents as sequences.
    :param extra: vectors of words outside the table, which rows from its end on point to.
        *Shape:* (n_extra, width)
    """

    distinct: Tensor
    inverse: Tensor
    children: Tensor
    shared: Tensor
    state: Tensor
    roots: Tensor
    order: Tensor
    label: Tensor
    tree: Tensor
    parent: Tensor
    packed: Tensor
    unpacked: Tensor
    batch_sizes: Tensor
    levels: tuple[int, ...]
    sizes: tuple[int, ...]
    blocks: tuple[Block, ...]
    spans: Spans
    extra: Tensor | None = None
    head: Tensor | None = None

    @property
    def n_words(self) -> int:
        """Leaves of all trees."""
        return len(self.inverse)

    @property
    def n_nodes(self) -> int:
        """Nodes of all trees."""
        return len(self.order)

    @property
    def n_trees(self) -> int:
        """Trees in the batch."""
        return len(self.roots)

    @property
    def device(self) -> torch.device:
        """Where the tensors are."""
        return self.order.device

    def layout(self, share: bool) -> Layout:
        """Places of the states.

        :param share: equal words have one state (right where the state depends on the word alone).
        """
        return Layout(
            n_leaves=len(self.distinct) if share else self.n_words,
            children=self.shared if share else self.children,
            parent=self.parent[self.n_words :],
            leaf_parent=self.parent[: self.n_words],
            leaf=self.inverse if share else None,
            tree=self.tree[self.n_words :],
            blocks=self.blocks,
            state=self.state if share else None,
            head=self.head,
        )

    @classmethod
    def from_forest(
        cls,
        forest: Forest,
        device: torch.device | str = "cpu",
        non_blocking: bool = False,
        extra: NDArray[np.float32] | None = None,
    ) -> ForestBatch:
        """Move a forest to a device, in one transfer.

        :param forest: the trees.
        :param device: where the network is.
        :param non_blocking: copy from pinned memory while the host goes on.
        :param extra: vectors of words outside the table. *Shape:* (n_extra, width)
        """
        device = torch.device(device)
        n_inner, n_distinct = len(forest.children), len(forest.distinct)
        state = np.concatenate([forest.inverse, np.arange(n_distinct, n_distinct + n_inner)])
        packed, unpacked, batch_sizes = packing(forest.lengths)
        arrays = {
            "distinct": forest.distinct,
            "inverse": forest.inverse,
            "children": forest.children,
            "shared": state[forest.children],
            "state": state,
            "roots": forest.roots,
            "order": forest.order,
            "label": forest.label,
            "tree": forest.tree,
            "parent": forest.parent,
            "packed": packed,
            "unpacked": unpacked,
        }
        if forest.head is not None:
            arrays["head"] = forest.head
        words = span_arrays(forest)
        moved = _move({**arrays, **words}, device, non_blocking)
        spans = Spans.of({name: moved.pop(name) for name in words}, words)
        return cls(
            **moved,
            batch_sizes=torch.from_numpy(batch_sizes),
            levels=forest.levels,
            sizes=tuple(batch_sizes.tolist()),
            blocks=blocks(forest.levels),
            spans=spans,
            extra=None if extra is None else torch.from_numpy(np.array(extra)).to(device),
        )


def blocks(levels: tuple[int, ...]) -> tuple[Block, ...]:
    """Cut the levels above the leaves into blocks.

    :param levels: bounds of the levels in the forest, as :class:`~treesent.trees.forest.Forest` has them.
    """
    n_words = levels[1]
    return tuple(
        Block(first - n_words, min(first + BLOCK, end) - n_words)
        for begin, end in pairwise(levels[1:])
        for first in range(begin, end, BLOCK)
    )


def packing(lengths: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Order words as ``torch.nn.utils.rnn.PackedSequence`` does: step by step, longest sentence first.

    :param lengths: words in each sentence. *Shape:* (n_trees,)
    :return: the word at each packed place, the packed place of each word, the sentences at each step.
    """
    n_words = int(lengths.sum())
    longest = np.argsort(-lengths, kind="stable")
    rank = np.empty_like(longest)
    rank[longest] = np.arange(len(longest))
    first = np.cumsum(lengths) - lengths
    step = np.arange(n_words) - np.repeat(first, lengths)
    batch_sizes = np.bincount(step).astype(np.int64)
    before = np.cumsum(batch_sizes) - batch_sizes
    unpacked = before[step] + np.repeat(rank, lengths)
    packed = np.empty(n_words, np.int64)
    packed[unpacked] = np.arange(n_words)
    return packed, unpacked, batch_sizes


def _move(
    arrays: dict[str, NDArray[np.int64]], device: torch.device, non_blocking: bool
) -> dict[str, Tensor]:
    """Tensors of int64 arrays on the device; elsewhere than on the host they travel as one buffer."""
    if device.type == "cpu":
        return {name: torch.from_numpy(array) for name, array in arrays.items()}
    whole = torch.from_numpy(np.concatenate([array.ravel() for array in arrays.values()]))
    if non_blocking and device.type == "cuda":
        whole = whole.pin_memory()
    sizes = [array.size for array in arrays.values()]
    parts = torch.split(whole.to(device, non_blocking=non_blocking), sizes)
    return {name: part.view(array.shape) for part, (name, array) in zip(parts, arrays.items(), strict=True)}
