"""Dropout whose masks come from a given generator, so that a seed fixes them."""

from __future__ import annotations

import torch
from torch import Tensor


def dropout(states: Tensor, rate: float, training: bool, generator: torch.Generator | None) -> Tensor:
    """Set elements to zero at random and scale the others to keep the mean (Srivastava et al. 2014).

    :param states: *Shape:* any
    :param rate: probability of a zero, in [0, 1).
    :param training: whether the network is in training; if not, the states are returned as they are.
    :param generator: source of randomness; None for torch's own.
    :returns: *Shape:* that of ``states``
    """
    if not training or not rate:
        return states
    return states * dropout_mask(tuple(states.shape), rate, states, generator)


def dropout_mask(
    shape: tuple[int, ...], rate: float, like: Tensor, generator: torch.Generator | None
) -> Tensor:
    """Draw zeros with probability ``rate`` and ``1 / (1 - rate)`` elsewhere.

    :param shape: of the mask.
    :param rate: probability of a zero, in [0, 1).
    :param like: a tensor with the mask's device and type.
    :param generator: source of randomness; None for torch's own.
    """
    keep = 1.0 - rate
    mask = torch.empty(shape, device=like.device, dtype=like.dtype)
    return mask.bernoulli_(keep, generator=generator).div_(keep)
