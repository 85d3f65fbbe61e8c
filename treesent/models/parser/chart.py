"""Dynamic programmes over all binary trees of a sentence, for a batch of sentences at once.

A tree scores the sum of the scores of its spans. Spans of one width are one array operation over the whole
batch, so that a sentence costs as many steps as it has words.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from treesent.errors import ModelError

Float32 = NDArray[np.float32]
Int64 = NDArray[np.int64]


def inside(scores: Tensor, lengths: Tensor) -> Tensor:
    """Give the logarithm of the sum over all trees of the exponential of the tree's score.

    The inside algorithm; with the score of a tree it is the loss of Zhang et al. 2020 (arXiv:2008.03736,
    eq. 6), and its gradient is the probability of every span.

    :param scores: of the span from word ``i`` to word ``j``, ``j`` left out, of each sentence; spans of one
        word are not read. *Shape:* (n_trees, steps + 1, steps + 1)
    :param lengths: words of each sentence, at least 1 and at most ``steps``. *Shape:* (n_trees,)
    :returns: *Shape:* (n_trees,)
    """
    bounds = scores.shape[1]
    last = bounds - 1
    # The value of the span of w words from i to j is by_start[:, i, w] and by_end[:, j, last - w], so that
    # all the ways to split the spans of one width are two slices.
    by_start, by_end = scores.new_zeros(scores.shape), scores.new_zeros(scores.shape)
    for width in range(2, bounds):
        n_spans = bounds - width
        ways = by_start[:, :n_spans, 1:width] + by_end[:, width:, last - width + 1 : last]
        total = ways.logsumexp(-1) + scores.diagonal(width, 1, 2)
        by_start[:, :n_spans, width] = total
        by_end[:, width:, last - width] = total
    return by_start[:, 0].gather(1, lengths[:, None]).squeeze(1)


def cky(scores: Tensor, lengths: Int64) -> Float32:
    """Find the tree with the largest score of each sentence (the CKY algorithm).

    :param scores: as in :func:`inside`; not written to. *Shape:* (n_trees, steps + 1, steps + 1)
    :param lengths: words of each sentence. *Shape:* (n_trees,)
    :returns: for every gap the depth of the node that splits there, negative, 0 at the root: distances that
        give the tree. Sentence after sentence. *Shape:* (n_gaps,)
    """
    bounds = scores.shape[1]
    last = bounds - 1
    # Sentences lie innermost, where the machine maximises many numbers at once.
    spans = scores.permute(1, 2, 0).contiguous()
    by_start, by_end = torch.zeros_like(spans), torch.zeros_like(spans)
    values = torch.full_like(spans, -torch.inf)
    values.diagonal(1, 0, 1).zero_()
    for width in range(2, bounds):
        n_spans = bounds - width
        ways = by_start[:n_spans, 1:width] + by_end[width:, last - width + 1 : last]
        value = ways.amax(1) + spans.diagonal(width, 0, 1).t()
        by_start[:n_spans, width] = value
        by_end[width:, last - width] = value
        values.diagonal(width, 0, 1).copy_(value.t())
    left, right = (values.permute(axes).contiguous().cpu().numpy() for axes in ((2, 0, 1), (2, 1, 0)))
    return _follow(left, right, lengths)


def _follow(left: Float32, right: Float32, lengths: Int64) -> Float32:
    """Read the trees off: all nodes of one depth of all sentences at a time.

    :param left: the best value of the span from word ``i`` to word ``j``, minus infinity where there is no
        such span. *Shape:* (n_trees, steps + 1, steps + 1)
    :param right: the same with ``j`` before ``i``.
    """
    gaps = np.cumsum(lengths - 1) - (lengths - 1)
    distances = np.zeros(int((lengths - 1).sum()), np.float32)
    tree, start, end = np.arange(len(lengths)), np.zeros(len(lengths), np.int64), lengths
    depth = 0
    while len(tree := tree[kept := end - start > 1]):
        start, end = start[kept], end[kept]
        with np.errstate(invalid="ignore"):
            split = (left[tree, start] + right[tree, end]).argmax(1)
        if ((split <= start) | (split >= end)).any():  # NaN and infinity leave no best place
            raise ModelError("the parser gives scores that are not finite; copy or train it again")
        distances[gaps[tree] + split - 1] = -depth
        tree = np.concatenate([tree, tree])
        start, end = np.concatenate([start, split]), np.concatenate([split, end])
        depth += 1
    return distances
