"""How a model of texts says where a text ends: the three ways of Goodfellow et al. 2016, section 10.2.3.

Whichever way it is, a step's distribution over the symbols has a place for the symbol that ends a text, so
that drawing and scoring need not know the way:

- ``end``: the symbol is one of the softmax layer's, like any other.
- ``go_on``: a second head predicts at each step the probability that the text goes on, a Bernoulli variable
  with a cross-entropy of its own. What it leaves is the end symbol's; the softmax layer shares out the rest.
- ``count``: the number of symbols is drawn before the first of them. What remains of it is an input of every
  step, and at 0 the text ends. The numbers' distribution is learned from the data.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from treesent.errors import DataError
from treesent.nn.windows import gather
from treesent.types import Int64

Length = Literal["end", "go_on", "count"]
LENGTHS: tuple[Length, ...] = ("end", "go_on", "count")

EXACT = 64
"""Numbers below this have a bucket each."""
PER_OCTAVE = 8
"""Buckets between a number and its double, from there on."""
OCTAVES = 14
"""Doublings: the last bucket holds all from ``EXACT * 2 ** OCTAVES``, a million."""
UNSEEN = 0.5
"""Texts' worth of probability that all lengths together have beside those seen."""


def bucket_starts() -> Int64:
    """The smallest number of each bucket, from 0. *Shape:* ``(n_buckets,)``."""
    above = EXACT * 2.0 ** (np.arange(PER_OCTAVE * OCTAVES + 1) / PER_OCTAVE)
    return np.concatenate([np.arange(EXACT), above.round().astype(np.int64)])


class GoOn(nn.Module):
    r"""The Bernoulli variable: :math:`p(\text{go on} \mid h_t) = \sigma(w h_t + b)`.

    :param width: of the states.
    :param end: the symbol that ends a text.
    """

    def __init__(self, width: int, end: int) -> None:
        super().__init__()
        self.end = end
        self.weight = nn.Parameter(torch.zeros(width))
        self.bias = nn.Parameter(torch.zeros(()))

    @torch.no_grad()
    def fit(self, lengths: Int64) -> None:
        """Begin with the texts' mean length, whatever the state is; training finds the rest.

        :param lengths: symbols of each text to learn from, begin and end not counted. *Shape:* ``(n_texts,)``
        :raises DataError: there are no texts.
        """
        self.bias.fill_(float(np.log(max(_some(lengths).mean(), 1e-3))))

    def forward(self, log_probs: Tensor, states: Tensor) -> Tensor:
        """Give the end symbol what the variable says, and the others the rest.

        :param log_probs: of the softmax layer, up to a constant a row. *Shape:* (..., n_symbols)
        :param states: what the layer saw. *Shape:* (..., width)
        :return: *Shape:* (..., n_symbols)
        """
        go_on = self.logit(states).to(log_probs.dtype)[..., None]
        rest = without(log_probs, self.end) + functional.logsigmoid(go_on)
        return _with_end(rest, self.end, functional.logsigmoid(-go_on))

    def logit(self, states: Tensor) -> Tensor:
        """Give the logit of going on.

        :param states: *Shape:* (..., width)
        :return: *Shape:* (...)
        """
        return states @ self.weight.to(states.dtype) + self.bias.to(states.dtype)


class Count(nn.Module):
    """The number of symbols, drawn before the first of them.

    Lengths of up to 63 have a probability each; longer ones share that of their bucket, of which there are
    eight between a length and its double.

    :param width: of the vectors that the first layer reads.
    :param end: the symbol that ends a text.
    """

    starts: Tensor
    log_share: Tensor

    def __init__(self, width: int, end: int) -> None:
        super().__init__()
        self.end = end
        starts = torch.from_numpy(bucket_starts())
        self.register_buffer("starts", starts, persistent=False)
        self.register_buffer("log_share", torch.full((len(starts),), -float(np.log(len(starts)))))
        self.embedding = nn.Parameter(torch.zeros(len(starts), width))

    def forward(self, log_probs: Tensor, remaining: Tensor) -> Tensor:
        """End the texts of which nothing remains, and no others.

        :param log_probs: of the softmax layer, up to a constant a row. *Shape:* (..., n_symbols)
        :param remaining: symbols that the text still has. *Shape:* (...)
        :return: *Shape:* (..., n_symbols)
        """
        over = (remaining <= 0)[..., None]
        never = torch.full_like(log_probs[..., :1], -torch.inf)
        rest = torch.where(over, never, without(log_probs, self.end))
        return _with_end(rest, self.end, torch.where(over, torch.zeros_like(never), never))

    def vectors(self, remaining: Tensor) -> Tensor:
        """Give what the first layer reads beside the symbol.

        :param remaining: symbols that the text still has after this one. *Shape:* (...)
        :return: *Shape:* (..., width)
        """
        found = gather(self.embedding, self.bucket(remaining).reshape(-1))
        return found.view(*remaining.shape, -1)

    def bucket(self, lengths: Tensor) -> Tensor:
        """Find the buckets of numbers.

        :param lengths: *Shape:* (...)
        :return: *Shape:* (...)
        """
        return torch.bucketize(lengths.clamp(min=0), self.starts, right=True) - 1

    @torch.no_grad()
    def fit(self, lengths: Int64) -> None:
        """Learn the distribution: the most likely one is that of the texts themselves.

        A half of a text more is spread over all lengths up to the longest's double, so that none of them is
        impossible.

        :param lengths: symbols of each text to learn from, begin and end not counted. *Shape:* ``(n_texts,)``
        :raises DataError: there are no texts.
        """
        starts = bucket_starts()
        place = np.searchsorted(starts, _some(lengths), "right") - 1
        counts = np.bincount(place, minlength=len(starts)).astype(np.float64)
        possible = starts <= 2 * int(lengths.max()) + 1
        counts += UNSEEN * possible / possible.sum()
        # Beyond, next to nothing: a text there has some probability to be ranked by.
        counts[~possible] = UNSEEN * 1e-6
        log_share = np.log(counts / counts.sum())
        self.log_share.copy_(torch.from_numpy(log_share))

    def log_prob(self, lengths: Tensor) -> Tensor:
        """Give the log-probability of lengths.

        :param lengths: *Shape:* (n,)
        :return: *Shape:* (n,)
        """
        bucket = self.bucket(lengths)
        sizes = torch.diff(self.starts, append=2 * self.starts[-1:]).to(self.log_share.dtype)
        return self.log_share[bucket] - sizes.log()[bucket]

    def longest(self) -> int:
        """Give the longest length that is worth drawing: beyond it next to nothing remains."""
        share = self.log_share.double().softmax(0).cpu().numpy()
        last = int(np.flatnonzero(share > 1e-3 * share.max() / len(share))[-1])
        starts = bucket_starts()
        return int(starts[last + 1] if last + 1 < len(starts) else 2 * starts[last]) - 1


def _some(lengths: Int64) -> Int64:
    if not len(lengths):
        raise DataError("no text to learn lengths from: give texts in corpora.train")
    return lengths


def without(log_probs: Tensor, symbol: int) -> Tensor:
    """Share a symbol's probability out among the others.

    :param log_probs: up to a constant a row. *Shape:* (..., n_symbols)
    :param symbol: which.
    :return: *Shape:* (..., n_symbols)
    """
    masked = _with_end(log_probs, symbol, torch.full_like(log_probs[..., :1], -torch.inf))
    return masked.log_softmax(-1)


def _with_end(log_probs: Tensor, end: int, value: Tensor) -> Tensor:
    """Put a value into the end symbol's place."""
    place = torch.arange(log_probs.shape[-1], device=log_probs.device) == end
    return torch.where(place, value, log_probs)
