"""A binary decision at each step: the text continues, or it ends."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from treesent.models.language.end_of_text import EndOfText, require_texts, with_value, without
from treesent.models.language.softmax import OutputLayer
from treesent.types import Int64


class GoOn(EndOfText):
    r"""The Bernoulli variable :math:`p(\text{continue} \mid h_t) = \sigma(w h_t + b)`.

    :param width: of the features.
    :param eos: the symbol that ends a text.
    """

    def __init__(self, width: int, eos: int) -> None:
        super().__init__(eos)
        self.weight = nn.Parameter(torch.zeros(width))
        self.bias = nn.Parameter(torch.zeros(()))

    @torch.no_grad()
    def fit(self, lengths: Int64) -> None:
        """Start from the mean length of the texts, whatever the features; training finds the rest.

        :param lengths: symbols of each text, without BOS and EOS. *Shape:* ``(n_texts,)``
        :raises DataError: there are no texts.
        """
        self.bias.fill_(float(np.log(max(require_texts(lengths).mean(), 1e-3))))

    def forward(self, log_probs: Tensor, features: Tensor) -> Tensor:
        """Give EOS the probability of the variable, and the other symbols the rest.

        :param log_probs: of the softmax, up to a constant per row. *Shape:* ``(..., n_symbols)``
        :param features: that it read. *Shape:* ``(..., width)``
        :returns: *Shape:* ``(..., n_symbols)``
        """
        logit = self.logit(features).to(log_probs.dtype)[..., None]
        rest = without(log_probs, self.eos) + functional.logsigmoid(logit)
        return with_value(rest, self.eos, functional.logsigmoid(-logit))

    def logit(self, features: Tensor) -> Tensor:
        """Give the logit of continuing.

        :param features: *Shape:* ``(..., width)``
        :returns: *Shape:* ``(...)``
        """
        return features @ self.weight.to(features.dtype) + self.bias.to(features.dtype)

    def losses(self, output: OutputLayer, features: Tensor, symbols: Tensor) -> Tensor:
        """Add the loss of the variable; see :meth:`EndOfText.losses`."""
        losses = super().losses(output, features, symbols)
        continues = (symbols != self.eos).to(losses.dtype)
        logit = self.logit(features).to(losses.dtype)
        return losses + functional.binary_cross_entropy_with_logits(logit, continues, reduction="none")

    def log_probs(self, log_probs: Tensor, features: Tensor, remaining: Tensor | None = None) -> Tensor:
        """See :meth:`EndOfText.log_probs`."""
        joint: Tensor = self(log_probs, features.to(log_probs.dtype))
        return joint
