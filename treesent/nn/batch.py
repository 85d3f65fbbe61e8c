"""A forest as tensors on a device: the input of every network."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from treesent.nn.constituents import Constituents, constituent_arrays
from treesent.nn.layout import Block, Layout, blocks
from treesent.nn.packed import packing
from treesent.nn.pieces import MOST_PIECES, PieceBatch, lay_out
from treesent.text.pieces import Pieces
from treesent.trees.forest import Forest
from treesent.types import Float32, Int64


@dataclass(frozen=True, slots=True)
class ForestBatch:
    """The arrays of a :class:`~treesent.trees.forest.Forest` on a device, and what networks derive from them.

    Shapes and meaning are the forest's; new are:

    :param deduplicated: ``children`` if equal words have one state: a leaf is its index in ``distinct``, an
        inner node ``k`` is ``n_distinct + k``. *Shape:* ``(n_inner, 2)``
    :param state: row of every node in that numbering. *Shape:* ``(n_nodes,)``
    :param blocks: inner nodes of one height, at most 512 in each.
    :param packed: the word at each position of the packed sentences. *Shape:* ``(n_words,)``
    :param unpacked: position of each word in the packed sentences. *Shape:* ``(n_words,)``
    :param batch_sizes: number of sentences that have a word at each step, on the host, as ``PackedSequence``
        takes it. *Shape:* ``(steps,)``
    :param sizes: the same as integers. *Shape:* ``(steps,)``
    :param constituents: the words of every node, for networks that read constituents as sequences.
    :param extra: vectors of words outside the table; rows from the table's end on point to them.
        *Shape:* ``(n_extra, width)``
    :param pieces: of the words, for networks that read a transformer.
    """

    distinct: Tensor
    inverse: Tensor
    children: Tensor
    deduplicated: Tensor
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
    constituents: Constituents
    extra: Tensor | None = None
    head: Tensor | None = None
    pieces: PieceBatch | None = None

    @property
    def n_words(self) -> int:
        """Number of leaves of all trees."""
        return len(self.inverse)

    @property
    def n_nodes(self) -> int:
        """Number of nodes of all trees."""
        return len(self.order)

    @property
    def n_trees(self) -> int:
        """Number of trees in the batch."""
        return len(self.roots)

    @property
    def device(self) -> torch.device:
        """Where the tensors are."""
        return self.order.device

    def layout(self, deduplicate: bool) -> Layout:
        """Return where the states of the nodes lie.

        :param deduplicate: equal words have one state (correct if a leaf's state depends on its word alone).
        """
        return Layout(
            n_leaves=len(self.distinct) if deduplicate else self.n_words,
            children=self.deduplicated if deduplicate else self.children,
            parent=self.parent[self.n_words :],
            leaf_parent=self.parent[: self.n_words],
            leaf=self.inverse if deduplicate else None,
            tree=self.tree[self.n_words :],
            blocks=self.blocks,
            state=self.state if deduplicate else None,
            head=self.head,
        )

    @classmethod
    def from_forest(
        cls,
        forest: Forest,
        device: torch.device | str = "cpu",
        non_blocking: bool = False,
        extra: Float32 | None = None,
        pieces: Pieces | None = None,
        longest: int = MOST_PIECES,
    ) -> ForestBatch:
        """Move a forest to a device, in one transfer.

        :param forest: the trees.
        :param device: that of the network.
        :param non_blocking: copy from pinned memory without waiting.
        :param extra: vectors of words outside the table. *Shape:* ``(n_extra, width)``
        :param pieces: of the forest's words, for a transformer.
        :param longest: pieces of a window of the transformer at most.
        """
        device = torch.device(device)
        n_inner, n_distinct = len(forest.children), len(forest.distinct)
        state = np.concatenate([forest.inverse, np.arange(n_distinct, n_distinct + n_inner)])
        packed, unpacked, batch_sizes = packing(forest.lengths)
        arrays = {
            "distinct": forest.distinct,
            "inverse": forest.inverse,
            "children": forest.children,
            "deduplicated": state[forest.children],
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
        words = constituent_arrays(forest)
        laid, groups = ({}, ()) if pieces is None else lay_out(pieces, forest.lengths, longest)
        of_pieces = {f"pieces.{name}": array for name, array in laid.items()}
        moved = _move({**arrays, **words, **of_pieces}, device, non_blocking)
        constituents = Constituents.of({name: moved.pop(name) for name in words}, words)
        read = {name: moved.pop(f"pieces.{name}") for name in laid}
        return cls(
            **moved,
            batch_sizes=torch.from_numpy(batch_sizes),
            levels=forest.levels,
            sizes=tuple(batch_sizes.tolist()),
            blocks=blocks(forest.levels),
            constituents=constituents,
            extra=None if extra is None else torch.from_numpy(np.array(extra)).to(device),
            pieces=None if pieces is None else PieceBatch(**read, groups=groups),
        )


def _move(arrays: dict[str, Int64], device: torch.device, non_blocking: bool) -> dict[str, Tensor]:
    """Return tensors of int64 arrays on a device; to any but the host they travel as one buffer."""
    if device.type == "cpu":
        return {name: torch.from_numpy(array) for name, array in arrays.items()}
    whole = torch.from_numpy(np.concatenate([array.ravel() for array in arrays.values()]))
    if non_blocking and device.type == "cuda":
        whole = whole.pin_memory()
    sizes = [array.size for array in arrays.values()]
    parts = torch.split(whole.to(device, non_blocking=non_blocking), sizes)
    return {name: part.view(array.shape) for part, (name, array) in zip(parts, arrays.items(), strict=True)}
