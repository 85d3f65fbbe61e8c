"""Output layers: a softmax over all symbols, with weights of its own or the input vectors (tied)."""

from __future__ import annotations

from abc import abstractmethod

import torch
from torch import Tensor, nn
from torch.nn import functional

from treesent.models.language.embedding import SymbolEmbedding
from treesent.nn.initial import glorot_blocks
from treesent.nn.matmul import linear


class OutputLayer(nn.Module):
    """From features to a distribution over symbols."""

    @abstractmethod
    def losses(self, features: Tensor, symbols: Tensor, without: int | None = None) -> Tensor:
        """Give the negative log-probability of each symbol, in nats.

        :param features: *Shape:* ``(n, n_features)``
        :param symbols: *Shape:* ``(n,)``
        :param without: a symbol whose probability goes to the others in proportion; None for none.
        :returns: *Shape:* ``(n,)``
        """

    @abstractmethod
    def log_probs(self, features: Tensor) -> Tensor:
        """Give the log-probabilities of all symbols.

        :param features: *Shape:* ``(n, n_features)``
        :returns: *Shape:* ``(n, n_symbols)``
        """


class Softmax(OutputLayer):
    """A linear layer and a softmax.

    :param n_features: width of its inputs.
    :param n_symbols: how many symbols there are.
    :param generator: source of the initial weights.
    """

    def __init__(self, n_features: int, n_symbols: int, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.make_weights(n_features, n_symbols, generator)
        self.bias = nn.Parameter(torch.zeros(n_symbols))

    def make_weights(self, n_features: int, n_symbols: int, generator: torch.Generator | None) -> None:
        """Make the weights; see the class."""
        self.weight = nn.Parameter(glorot_blocks(n_symbols, [n_features], generator))

    def logits(self, features: Tensor) -> Tensor:
        """Give the logits.

        :param features: *Shape:* ``(n, n_features)``
        :returns: *Shape:* ``(n, n_symbols)``
        """
        return linear(features, self.weight, self.bias)

    def losses(self, features: Tensor, symbols: Tensor, without: int | None = None) -> Tensor:
        """See :meth:`OutputLayer.losses`."""
        logits = self.logits(features)
        if without is not None:
            place = torch.arange(logits.shape[1], device=logits.device)
            logits = logits.masked_fill(place == without, -torch.inf)
        return functional.cross_entropy(logits, symbols, reduction="none")

    def log_probs(self, features: Tensor) -> Tensor:
        """See :meth:`OutputLayer.log_probs`."""
        logits = self.logits(features)
        return functional.log_softmax(logits.to(torch.promote_types(logits.dtype, torch.float32)), 1)


class TiedSoftmax(Softmax):
    """A softmax whose weights are the input vectors (Press and Wolf 2017; Inan et al. 2017).

    If features and vectors differ in width, a linear layer maps the one to the other.

    :param n_features: width of its inputs.
    :param embedding: of the symbols.
    :param generator: source of the initial weights.
    """

    def __init__(
        self, n_features: int, embedding: SymbolEmbedding, generator: torch.Generator | None = None
    ) -> None:
        n_symbols, self.width = embedding.table.shape
        super().__init__(n_features, n_symbols, generator)
        # In a tuple, so that the vectors are registered once, as the embedding's.
        self._tied = (embedding,)

    def make_weights(self, n_features: int, n_symbols: int, generator: torch.Generator | None) -> None:
        """Make the layer between, if there is one."""
        self.projection: nn.Parameter | None = None
        if n_features != self.width:
            self.projection = nn.Parameter(glorot_blocks(self.width, [n_features], generator))

    def logits(self, features: Tensor) -> Tensor:
        """See :meth:`Softmax.logits`."""
        projected = features if self.projection is None else linear(features, self.projection)
        return linear(projected, self._tied[0].table, self.bias)
