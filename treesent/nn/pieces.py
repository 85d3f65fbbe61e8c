"""Sequences of word pieces as a transformer reads them: windows of one length, sorted, with little padding."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from treesent.text.pieces import Pieces
from treesent.trees.arrays import ranges, run_offsets
from treesent.types import Int64

MOST_PIECES = 512
"""Pieces of a window where a model sets no limit itself."""
TOKENS = 4096
"""Pieces of a group of windows, padding included, unless one window is longer."""


@dataclass(frozen=True, slots=True)
class Group:
    """Windows that are read together, padded to the longest of them.

    :param begin: where their ids begin in :attr:`PieceBatch.ids`.
    :param shape: number of windows, and pieces of each.
    :param first: the first of them in :attr:`PieceBatch.sizes`.
    :param full: whether no window is padded.
    """

    begin: int
    shape: tuple[int, int]
    first: int
    full: bool


@dataclass(frozen=True, slots=True)
class PieceBatch:
    """The pieces of the sentences of a batch.

    :param ids: numbers of the pieces of all groups, marks and padding (-1) among them. *Shape:* ``(n_ids,)``
    :param sizes: pieces of each window, marks included. *Shape:* ``(n_windows,)``
    :param place: the id that holds each piece with the most context. *Shape:* ``(n_pieces,)``
    :param word: the word of each piece. *Shape:* ``(n_pieces,)``
    :param first: the first piece of each word. *Shape:* ``(n_words,)``
    :param count: pieces of each word. *Shape:* ``(n_words,)``
    :param groups: the windows that are read together.
    """

    ids: Tensor
    sizes: Tensor
    place: Tensor
    word: Tensor
    first: Tensor
    count: Tensor
    groups: tuple[Group, ...]


def lay_out(pieces: Pieces, lengths: Int64, longest: int) -> tuple[dict[str, Int64], tuple[Group, ...]]:
    """Cut sentences into windows, and sort these by length.

    A sentence of more pieces than a window holds gets windows that overlap by half; the state of a piece is
    taken from the window in whose middle it is.

    :param pieces: of the words of all sentences.
    :param lengths: words of each sentence. *Shape:* ``(n_trees,)``
    :param longest: pieces of a window at most, marks included.
    :returns: the arrays of a :class:`PieceBatch` by name, and its groups.
    """
    marks = pieces.marks
    n_prefix, n_marks = len(marks.prefix), len(marks.prefix) + len(marks.suffix)
    room = longest - n_marks
    words = run_offsets(lengths)
    bounds = pieces.offsets[words]
    n_pieces = np.diff(bounds)
    step = max(1, room // 2)
    n_windows = 1 + np.maximum(0, -((room - n_pieces) // step))
    first_window = run_offsets(n_windows)
    sentence = np.repeat(np.arange(len(lengths)), n_windows)
    number = np.arange(len(sentence)) - first_window[sentence]
    start = np.minimum(number * step, np.maximum(0, n_pieces[sentence] - room))
    size = np.minimum(n_pieces[sentence], room)

    of_piece = np.repeat(np.arange(len(lengths)), n_pieces)
    inside = np.arange(len(pieces.ids)) - bounds[of_piece]
    # The last window may begin before its turn, and is the best for the pieces after the one before.
    best = np.clip((inside - (room - step) // 2) // step, 0, n_windows[of_piece] - 1)
    window = first_window[of_piece] + best

    order = np.argsort(size, kind="stable")
    groups, row_at = _groups(size[order] + n_marks)
    at = np.empty(len(order), np.int64)
    at[order] = row_at
    ids = np.full(sum(rows * width for rows, width in (group.shape for group in groups)), -1, np.int64)
    for offset, mark in enumerate(marks.prefix):
        ids[at + offset] = mark
    for offset, mark in enumerate(marks.suffix):
        ids[at + n_prefix + size + offset] = mark
    ids[ranges(at + n_prefix, size)] = pieces.ids[ranges(bounds[sentence] + start, size)]
    count = np.diff(pieces.offsets)
    arrays = {
        "ids": ids,
        "sizes": size[order] + n_marks,
        "place": at[window] + n_prefix + inside - start[window],
        "word": np.repeat(np.arange(len(count)), count),
        "first": pieces.offsets[:-1],
        "count": count,
    }
    return arrays, groups


def _groups(sizes: Int64) -> tuple[tuple[Group, ...], Int64]:
    """Cut sorted windows into groups; give where the ids of each window begin too."""
    cuts = [0]
    for place, size in enumerate(sizes.tolist()):
        begin = cuts[-1]
        if place > begin and (size > 1.25 * sizes[begin] + 2 or (place - begin + 1) * size > TOKENS):
            cuts.append(place)
    groups: list[Group] = []
    starts, end = [np.zeros(0, np.int64)], 0
    for begin, stop in pairwise([*cuts, len(sizes)] if len(sizes) else []):
        rows, width = stop - begin, int(sizes[stop - 1])
        groups.append(Group(end, (rows, width), begin, bool(sizes[begin] == width)))
        starts.append(end + width * np.arange(rows))
        end += rows * width
    return tuple(groups), np.concatenate(starts)


def padding_mask(sizes: Tensor, width: int) -> Tensor:
    """Tell the pieces of windows from padding.

    :param sizes: *Shape:* ``(n_windows,)``
    :param width: pieces of the longest.
    :returns: *Shape:* ``(n_windows, width)``
    """
    return torch.arange(width, device=sizes.device) < sizes[:, None]
