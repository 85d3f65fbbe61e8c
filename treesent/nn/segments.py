"""A softmax within each segment of a batch: the nodes of a tree, or the words of a constituent."""

from __future__ import annotations

import torch
from torch import Tensor


def segment_softmax(scores: Tensor, segment: Tensor, n_segments: int) -> Tensor:
    """Compute a softmax within each segment.

    :param scores: *Shape:* ``(n,)``
    :param segment: of each score. *Shape:* ``(n,)``
    :param n_segments: number of segments.
    :returns: weights that sum to one in each segment. *Shape:* ``(n,)``
    """
    # Subtracting the maximum changes no weight and keeps the exponentials finite.
    maximum = scores.detach().new_full((n_segments,), -torch.inf)
    maximum = maximum.scatter_reduce(0, segment, scores.detach(), "amax")
    exponential = torch.exp(scores - maximum.index_select(0, segment))
    total = exponential.new_zeros(n_segments).index_add(0, segment, exponential)
    return exponential / total.index_select(0, segment)
