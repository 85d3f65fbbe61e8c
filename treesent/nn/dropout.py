"""Dropout masks drawn from a given generator, so that a seed fixes them."""

from __future__ import annotations

import torch
from torch import Tensor


def dropout_mask(
    shape: tuple[int, ...], rate: float, like: Tensor, generator: torch.Generator | None
) -> Tensor:
    """Draw zeros with probability ``rate`` and ``1 / (1 - rate)`` elsewhere.

    :param shape: of the mask.
    :param rate: share of zeros, in [0, 1).
    :param like: a tensor whose device and type the mask takes.
    :param generator: where randomness comes from; None for torch's own.
    """
    keep = 1.0 - rate
    mask = torch.empty(shape, device=like.device, dtype=like.dtype)
    return mask.bernoulli_(keep, generator=generator).div_(keep)
