"""A text's length, drawn before its first symbol."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from treesent.models.language.end_of_text import EndOfText, require_texts, with_value, without
from treesent.nn.windows import gather
from treesent.types import Int64

EXACT = 64
"""Lengths below this have a bucket each."""
PER_OCTAVE = 8
"""Buckets between a length and its double, above that."""
OCTAVES = 14
"""Doublings: the last bucket holds all lengths from ``EXACT * 2 ** OCTAVES``, about a million."""
UNSEEN = 0.5
"""Pseudo-count that is spread over all possible lengths."""


def bucket_starts() -> Int64:
    """Give the smallest length in each bucket, from 0. *Shape:* ``(n_buckets,)``."""
    above = EXACT * 2.0 ** (np.arange(PER_OCTAVE * OCTAVES + 1) / PER_OCTAVE)
    return np.concatenate([np.arange(EXACT), above.round().astype(np.int64)])


class Count(EndOfText):
    """A distribution over lengths, and vectors of the remaining length that the first layer reads.

    Lengths up to 63 each have a probability; longer ones are uniform within their bucket, of which there are
    eight between a length and its double.

    :param width: of the vectors.
    :param eos: the symbol that ends a text.
    """

    starts: Tensor
    bucket_log_probs: Tensor

    def __init__(self, width: int, eos: int) -> None:
        super().__init__(eos)
        starts = torch.from_numpy(bucket_starts())
        self.register_buffer("starts", starts, persistent=False)
        self.register_buffer("bucket_log_probs", torch.full((len(starts),), -float(np.log(len(starts)))))
        self.embedding = nn.Parameter(torch.zeros(len(starts), width))

    def forward(self, log_probs: Tensor, remaining: Tensor) -> Tensor:
        """Make EOS certain where nothing remains, and impossible elsewhere.

        :param log_probs: of the softmax, up to a constant per row. *Shape:* (..., n_symbols)
        :param remaining: symbols left in the text. *Shape:* (...)
        :returns: *Shape:* (..., n_symbols)
        """
        over = (remaining <= 0)[..., None]
        never = torch.full_like(log_probs[..., :1], -torch.inf)
        rest = torch.where(over, never, without(log_probs, self.eos))
        return with_value(rest, self.eos, torch.where(over, torch.zeros_like(never), never))

    def log_probs(self, log_probs: Tensor, features: Tensor, remaining: Tensor | None = None) -> Tensor:
        """See :meth:`EndOfText.log_probs`; EOS is impossible if ``remaining`` is not known."""
        if remaining is None:
            return super().log_probs(log_probs, features)
        certain: Tensor = self(log_probs, remaining)
        return certain

    def inputs(self, remaining: Tensor) -> list[Tensor]:
        """See :meth:`EndOfText.inputs`."""
        return [self.vectors(remaining)]

    def vectors(self, remaining: Tensor) -> Tensor:
        """Give the vectors of remaining lengths, an input of the first layer.

        :param remaining: symbols left in the text after this one. *Shape:* (...)
        :returns: *Shape:* (..., width)
        """
        found = gather(self.embedding, self.bucket(remaining).reshape(-1))
        return found.view(*remaining.shape, -1)

    def bucket(self, lengths: Tensor) -> Tensor:
        """Find the buckets of lengths.

        :param lengths: *Shape:* (...)
        :returns: *Shape:* (...)
        """
        return torch.bucketize(lengths.clamp(min=0), self.starts, right=True) - 1

    @torch.no_grad()
    def fit(self, lengths: Int64) -> None:
        """Estimate the distribution by maximum likelihood, smoothed.

        A pseudo-count of half a text is spread over all lengths up to twice the longest, so that none of them
        is impossible.

        :param lengths: symbols of each text, without BOS and EOS. *Shape:* ``(n_texts,)``
        :raises DataError: there are no texts.
        """
        starts = bucket_starts()
        place = np.searchsorted(starts, require_texts(lengths), "right") - 1
        counts = np.bincount(place, minlength=len(starts)).astype(np.float64)
        possible = starts <= 2 * int(lengths.max()) + 1
        counts += UNSEEN * possible / possible.sum()
        # A tiny probability for longer ones, so that any text can be ranked.
        counts[~possible] = UNSEEN * 1e-6
        bucket_log_probs = np.log(counts / counts.sum())
        self.bucket_log_probs.copy_(torch.from_numpy(bucket_log_probs))

    def log_prob(self, lengths: Tensor) -> Tensor:
        """Give the log-probability of lengths.

        :param lengths: *Shape:* (n,)
        :returns: *Shape:* (n,)
        """
        bucket = self.bucket(lengths)
        sizes = torch.diff(self.starts, append=2 * self.starts[-1:]).to(self.bucket_log_probs.dtype)
        return self.bucket_log_probs[bucket] - sizes.log()[bucket]

    def longest(self) -> int:
        """Give the longest length that is worth drawing: the probability beyond it is negligible."""
        probs = self.bucket_log_probs.double().softmax(0).cpu().numpy()
        last = int(np.flatnonzero(probs > 1e-3 * probs.max() / len(probs))[-1])
        starts = bucket_starts()
        return int(starts[last + 1] if last + 1 < len(starts) else 2 * starts[last]) - 1
