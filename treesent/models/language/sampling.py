"""Sample symbols: temperature, top-k, nucleus sampling, and separate random numbers for each sample."""

from __future__ import annotations

from typing import Annotated

import numpy as np
import torch
from pydantic import Field, NonNegativeFloat, NonNegativeInt
from torch import Tensor

from treesent.config import section
from treesent.errors import RecipeError


@section
class SamplingConfig:
    """How a distribution is modified before sampling; the fields apply in their order."""

    temperature: NonNegativeFloat = 1.0
    """The logarithms are divided by it; 0 takes the most probable symbol, the first of them where several
    are."""
    top_k: NonNegativeInt = 0
    """Keep this many most probable symbols; 0 for all."""
    top_p: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Keep the fewest most probable symbols that have together at least this probability (the nucleus,
    Holtzman et al. 2020, eqs. 2-3); 1 for all."""


PLAIN = SamplingConfig()


def adjusted_probs(log_probs: Tensor, config: SamplingConfig) -> Tensor:
    """Apply a sampling configuration to distributions.

    :param log_probs: up to a constant per row; minus infinity for an impossible symbol; each row has at least
        one possible symbol. *Shape:* (batch, n_symbols)
    :param config: the configuration.
    :returns: probabilities that sum to one in each row, in float64 if the device has it. *Shape:*
        (batch, n_symbols)
    """
    # Metal only has single precision.
    scores = log_probs.to(torch.float32 if log_probs.device.type == "mps" else torch.float64)
    if config.temperature == 0:
        return torch.zeros_like(scores).scatter_(1, scores.argmax(1, keepdim=True), 1.0)
    # Its largest value first, so that a small temperature cannot overflow.
    scores = (scores - scores.amax(1, keepdim=True)) / config.temperature
    probs = scores.softmax(1)
    if not config.top_k and config.top_p == 1:
        return probs
    # Stable, so that of equal symbols the first are kept.
    falling, order = probs.sort(dim=1, descending=True, stable=True)
    if config.top_k:
        falling = falling.clone()
        falling[:, config.top_k :] = 0
        falling = falling / falling.sum(1, keepdim=True)
    if config.top_p < 1:
        # What stands before a symbol decides: the one that reaches top_p is still in.
        before = falling.cumsum(1) - falling
        falling = falling * (before < config.top_p)
        falling = falling / falling.sum(1, keepdim=True)
    return torch.zeros_like(probs).scatter_(1, order, falling)


def pick(probs: Tensor, uniform: Tensor) -> Tensor:
    """Draw a symbol per row, by the inverse of the cumulative distribution.

    :param probs: *Shape:* (batch, n_symbols)
    :param uniform: a uniform number in [0, 1) per row. *Shape:* (batch,)
    :returns: *Shape:* (batch,)
    """
    below = probs.cumsum(1)
    total = below[:, -1:]
    # Rounding could reach the total, and with it a symbol of probability 0 behind the last possible one.
    target = torch.minimum(uniform.to(probs.dtype)[:, None] * total, total.nextafter(torch.zeros_like(total)))
    return torch.searchsorted(below, target, right=True).squeeze(1)


class Streams:
    """Random numbers for many samples; those of one sample depend only on the seed and its number.

    :param seed: 0 or more.
    :param n: samples.
    """

    def __init__(self, seed: int, n: int) -> None:
        if seed < 0:
            raise RecipeError(f"seed is {seed}; give 0 or more")
        self.streams = [np.random.Generator(np.random.Philox(key=[seed, i])) for i in range(n)]

    def draw(self, steps: int, device: torch.device) -> Tensor:
        """Draw the next uniform numbers in [0, 1).

        :param steps: how many for each sample.
        :param device: where they go, all at once.
        :returns: *Shape:* (steps, n)
        """
        numbers = np.stack([stream.random(steps) for stream in self.streams], 1)
        kind = torch.float32 if device.type == "mps" else torch.float64
        return torch.from_numpy(numbers).to(device, kind)
