"""How a model of texts decides where a text ends: the three ways of Goodfellow et al. 2016, section 10.2.3.

In all three, each step's distribution over symbols includes the end-of-text symbol (EOS), so that sampling
and scoring do not depend on the way:

- ``end``: EOS is one of the softmax's symbols: :class:`EndSymbol`.
- ``go_on``: a second head predicts at each step whether the text continues, a Bernoulli variable with a
  cross-entropy of its own: :class:`~treesent.models.language.go_on.GoOn`.
- ``count``: the number of symbols is drawn first, and the number that remains is an input of each step:
  :class:`~treesent.models.language.count.Count`.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from treesent.errors import DataError
from treesent.models.language.softmax import OutputLayer
from treesent.text.vocabulary import UNK
from treesent.types import Int64


class EndOfText(nn.Module):
    """What the ways to end a text have in common.

    :param eos: the symbol that ends a text.
    """

    in_softmax = False
    """Whether EOS is one of the softmax's symbols."""

    def __init__(self, eos: int) -> None:
        super().__init__()
        self.eos = eos

    def fit(self, lengths: Int64) -> None:
        """Learn what needs no gradient from the lengths of texts.

        :param lengths: symbols of each text, without BOS and EOS. *Shape:* ``(n_texts,)``
        :raises DataError: there are no texts.
        """

    def inputs(self, remaining: Tensor) -> list[Tensor]:
        """Give the inputs of the first layer, beside the symbols' vectors.

        :param remaining: symbols left in each text after this one. *Shape:* ``(steps, batch)``
        :returns: *Shape of each:* ``(steps, batch, n_features)``
        """
        return []

    def losses(self, output: OutputLayer, features: Tensor, symbols: Tensor) -> Tensor:
        """Give the negative log-probability of each symbol: 0 for EOS, which is certain or scored elsewhere.

        :param output: the output layer.
        :param features: that it reads. *Shape:* ``(n, n_features)``
        :param symbols: *Shape:* ``(n,)``
        :returns: in nats. *Shape:* ``(n,)``
        """
        ends = symbols == self.eos
        # UNK takes the place of EOS, which the layer has no loss for; its value is not used.
        losses = output.losses(features, symbols.masked_fill(ends, UNK), without=self.eos)
        return losses.masked_fill(ends, 0.0)

    def log_probs(self, log_probs: Tensor, features: Tensor, remaining: Tensor | None = None) -> Tensor:
        """Give the distribution over all symbols, EOS included.

        :param log_probs: of the softmax. *Shape:* ``(n, n_symbols)``
        :param features: that it read. *Shape:* ``(n, n_features)``
        :param remaining: symbols left in each text, if lengths are drawn first. *Shape:* ``(n,)``
        :returns: *Shape:* ``(n, n_symbols)``
        """
        return without(log_probs, self.eos)


class EndSymbol(EndOfText):
    """EOS is a symbol like any other."""

    in_softmax = True

    def losses(self, output: OutputLayer, features: Tensor, symbols: Tensor) -> Tensor:
        """See :meth:`EndOfText.losses`."""
        return output.losses(features, symbols)

    def log_probs(self, log_probs: Tensor, features: Tensor, remaining: Tensor | None = None) -> Tensor:
        """See :meth:`EndOfText.log_probs`."""
        return log_probs


def require_texts(lengths: Int64) -> Int64:
    """Return the lengths, unless there are none.

    :param lengths: *Shape:* ``(n_texts,)``
    :raises DataError: there are none.
    """
    if not len(lengths):
        raise DataError("no text to learn lengths from: give texts in corpora.train")
    return lengths


def without(log_probs: Tensor, symbol: int) -> Tensor:
    """Distribute a symbol's probability over the others, in proportion.

    :param log_probs: up to a constant per row. *Shape:* ``(..., n_symbols)``
    :param symbol: the symbol.
    :returns: *Shape:* ``(..., n_symbols)``
    """
    return with_value(log_probs, symbol, torch.full_like(log_probs[..., :1], -torch.inf)).log_softmax(-1)


def with_value(log_probs: Tensor, symbol: int, value: Tensor) -> Tensor:
    """Set the value of a symbol.

    :param log_probs: *Shape:* ``(..., n_symbols)``
    :param symbol: the symbol.
    :param value: *Shape:* ``(..., 1)``
    :returns: *Shape:* ``(..., n_symbols)``
    """
    place = torch.arange(log_probs.shape[-1], device=log_probs.device) == symbol
    return torch.where(place, value, log_probs)
