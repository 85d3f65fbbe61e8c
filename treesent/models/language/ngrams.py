"""Vectors of n-grams of symbols, from hash tables."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from treesent.nn.initial import glorot_blocks
from treesent.nn.matmul import linear
from treesent.text.vocabulary import EOS

# Two odd numbers whose bits look random (of SplitMix64), as signed integers of 64 bits.
_FIRST, _SECOND = 0x9E3779B97F4A7C15 - (1 << 64), 0xBF58476D1CE4E5B9 - (1 << 64)


class NgramEmbedding(nn.Module):
    r"""Sum of the vectors of the n-grams that end at each symbol (Pagnoni et al. 2024, eqs. 3-4).

    .. math:: e_t = \sum_n E_n[\mathrm{hash}(x_{t-n+1} \ldots x_t) \bmod 2^{bits}]

    A table stores what a recurrent network must compute about the last few symbols: a step gathers one row
    per n. Gradients are sparse, so that training updates only the rows of a batch.

    :param orders: the n of the n-grams.
    :param bits: each table has ``2 ** bits`` rows.
    :param width: of the vectors.
    :param generator: source of the initial vectors.
    """

    tune = True
    """Training updates it row by row."""

    def __init__(
        self, orders: Sequence[int], bits: int, width: int, generator: torch.Generator | None = None
    ) -> None:
        super().__init__()
        self.orders, self.bits = tuple(orders), bits
        table = torch.empty(len(self.orders) << bits, width)
        self.table = nn.Parameter(table.normal_(std=0.1 * len(self.orders) ** -0.5, generator=generator))

    @property
    def before(self) -> int:
        """How many symbols before a window its first n-grams contain."""
        return max(self.orders) - 1

    def forward(self, symbols: Tensor) -> Tensor:
        """Gather and sum.

        :param symbols: of the window, and :attr:`before` ones before it.
            *Shape:* (before + steps, batch)
        :returns: *Shape:* (steps, batch, width)
        """
        rows = self.rows(symbols)
        steps, batch = rows.shape[1:]
        vectors = functional.embedding_bag(
            rows.view(len(self.orders), -1).t().contiguous(), self.table, mode="sum", sparse=True
        )
        return vectors.view(steps, batch, -1)

    def rows(self, symbols: Tensor) -> Tensor:
        """Hash the n-grams.

        :param symbols: see :meth:`forward`.
        :returns: rows of the table. *Shape:* (n_orders, steps, batch)
        """
        steps = len(symbols) - self.before
        found, hashed = {}, torch.zeros_like(symbols[:steps])
        same = torch.ones_like(hashed)
        for n in range(1, self.before + 2):
            begin = self.before + 1 - n
            # Integers wrap around: this is a hash, not a sum.
            symbol = symbols[begin : begin + steps] * same
            hashed = (hashed * _FIRST + symbol + 1) * _SECOND
            hashed = hashed ^ (hashed >> 29)
            # Symbols before EOS belong to another text.
            same = same * (symbol != EOS)
            found[n] = (hashed * _SECOND >> 24) & ((1 << self.bits) - 1)
        return torch.stack([found[n] + (k << self.bits) for k, n in enumerate(self.orders)])


class NgramInput(nn.Module):
    """Vectors of n-grams as an input of the first layer and of the output layer.

    This is the hash-based maximum entropy model of Mikolov et al. 2011 beside a recurrent network.

    :param embedding: the vectors.
    :param n_features: width of the first layer's preactivations.
    :param width: of the vectors.
    :param generator: source of the initial weights.
    """

    def __init__(
        self,
        embedding: NgramEmbedding,
        n_features: int,
        width: int,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        self.embedding = embedding
        self.projection = nn.Parameter(glorot_blocks(n_features, [width], generator))

    def forward(self, history: Tensor) -> tuple[Tensor, Tensor]:
        """Look a window up.

        :param history: its symbols, and those before it. *Shape:* ``(before + steps, batch)``
        :returns: the vectors, *Shape:* ``(steps, batch, width)``, and their preactivations,
            *Shape:* ``(steps, batch, n_features)``
        """
        vectors: Tensor = self.embedding(history)
        return vectors, linear(vectors.flatten(0, 1), self.projection).view(*vectors.shape[:2], -1)
