"""Where every node of a tree stands, seen from every word of it: the input of attention over a whole tree."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from treesent.trees.structure import Structure
from treesent.types import Int64

LONGEST, CONTEXT = 96, 48
"""Words of a tree that is seen whole; of a longer one each word sees so many words to either side, and more."""
MOST_PAIRS = 1 << 20
"""Pairs of nodes in one batch."""
UP, DOWN, FAR = 7, 4, 4
N_RELATIONS = UP * DOWN * 2 * FAR
"""Relations of a word and a node: levels up to the node that has both, levels down, the side, the distance."""


@dataclass(frozen=True, slots=True)
class Views:
    """Trees of about the same size as padded arrays; of a long tree, several parts.

    :param word: the words that look, counted over all trees; padding repeats one. *Shape:* ``(batch, n_words)``
    :param looks: false at padding. *Shape:* ``(batch, n_words)``
    :param place: where they stand, counted from the first word of their part. *Shape:* ``(batch, n_words)``
    :param node: the nodes that they see, counted over all trees; padding repeats the first.
        *Shape:* ``(batch, n_nodes)``
    :param seen: false at padding. *Shape:* ``(batch, n_nodes)``
    :param start: first word of each node, counted alike. *Shape:* ``(batch, n_nodes)``
    :param end: one past its last word. *Shape:* ``(batch, n_nodes)``
    """

    word: Tensor
    looks: Tensor
    place: Tensor
    node: Tensor
    seen: Tensor
    start: Tensor
    end: Tensor

    def relations(self) -> Tensor:
        """Say how each word and each node are related.

        :returns: numbers below :data:`N_RELATIONS`. *Shape:* ``(batch, n_words, n_nodes)``
        """
        # In float32, which is faster than integers; the numbers are small.
        place = self.place[:, :, None].float()
        first, last, seen = self.start.float(), self.end.float(), self.seen[:, None]
        start, end = first[:, None], last[:, None]
        covers = (start <= place) & (end > place) & seen
        covering = covers.float()
        above = (first[:, :, None] <= start) & (last[:, :, None] >= end) & self.seen[:, :, None]
        above = above.float()
        shared = torch.bmm(covering, above)
        # A word is as deep as the nodes above it are many, and so is a node.
        up = (covering.sum(2, keepdim=True) - shared).clamp_(0, UP - 1)
        down = (above.sum(1)[:, None] - shared).clamp_(0, DOWN - 1)
        gap = torch.maximum(start - place - 1, place - end)
        far = (gap > 0).float() + (gap > 2).float() + (gap > 6).float()
        side = (start > place).float()
        return (((up * DOWN + down) * 2 + side) * FAR + far).long()


def views(
    structure: Structure, words: Int64 | None = None, device: torch.device | str = "cpu"
) -> Iterator[Views]:
    """Lay trees out, small ones together.

    :param structure: the trees.
    :param words: those that look, counted over all trees, in order; None for all. *Shape:* ``(n,)``
    :param device: where the network is.
    """
    words = np.arange(structure.n_words) if words is None else words
    parts = _parts(structure)
    parts = np.concatenate([parts, np.searchsorted(words, parts[:, :2])], 1)
    parts = parts[parts[:, 5] > parts[:, 4]]
    sizes = parts[:, 3] - parts[:, 2]
    order = np.argsort(sizes, kind="stable")
    begin = 0
    while begin < len(order):
        # The largest is the last, so the batch ends before it would become too large.
        squares = sizes[order[begin:]].astype(np.int64) ** 2 * np.arange(1, len(order) - begin + 1)
        end = begin + max(1, int(np.searchsorted(squares, MOST_PAIRS, "right")))
        yield _padded(structure, parts[order[begin:end]], words, device)
        begin = end


def _parts(structure: Structure) -> Int64:
    """The first word and the end of the words that look, and of the nodes that they see, of every part."""
    lengths = structure.lengths
    words = np.concatenate([[0], np.cumsum(lengths)])
    offsets = structure.offsets.astype(np.int64)
    found = np.stack([words[:-1], words[1:], offsets[:-1], offsets[1:]], 1)
    long = np.flatnonzero(lengths > LONGEST)
    if not len(long):
        return found
    leaf = np.flatnonzero(structure.left < 0)
    rows = [found[lengths <= LONGEST]]
    for tree in long.tolist():
        first = np.arange(words[tree], words[tree + 1], CONTEXT)
        last = np.minimum(first + CONTEXT, words[tree + 1])
        lowest = leaf[np.maximum(first - CONTEXT, words[tree])]
        highest = leaf[np.minimum(last + CONTEXT, words[tree + 1]) - 1] + 1
        rows.append(np.stack([first, last, lowest, highest], 1))
    return np.concatenate(rows)


def _padded(structure: Structure, parts: Int64, words: Int64, device: torch.device | str) -> Views:
    first, _, lowest, highest, begin, end = parts.T
    step = np.arange((end - begin).max())
    looks = begin[:, None] + step < end[:, None]
    word = words[np.where(looks, begin[:, None] + step, begin[:, None])]
    step = np.arange((highest - lowest).max())
    seen = lowest[:, None] + step < highest[:, None]
    node = np.where(seen, lowest[:, None] + step, lowest[:, None])
    tree = np.searchsorted(structure.offsets, lowest, "right") - 1
    shift = (first - (np.cumsum(structure.lengths) - structure.lengths)[tree])[:, None]
    start, end = structure.start[node] - shift, structure.end[node] - shift
    arrays = (word, looks, word - first[:, None], node, seen, start, end)
    return Views(*(torch.from_numpy(np.ascontiguousarray(array)).to(device) for array in arrays))
