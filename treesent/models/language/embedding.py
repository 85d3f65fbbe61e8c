"""Vectors of a language model's symbols."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from treesent.nn.cells import Cell
from treesent.nn.dropout import dropout
from treesent.nn.embedding import VectorEmbedding
from treesent.nn.windows import gather

FEW = 1024
"""Vocabularies up to this size are projected whole, once per window."""


class DenseTable(nn.Module):
    """A table whose gradient has all rows: for characters, which occur in every step, and for tied weights.

    :param vectors: *Shape:* ``(n_symbols, width)``
    :param tune: train them.
    """

    def __init__(self, vectors: Tensor, tune: bool) -> None:
        super().__init__()
        self.table = nn.Parameter(vectors.clone(), requires_grad=tune)

    def forward(self, rows: Tensor) -> Tensor:
        """Gather vectors.

        :param rows: *Shape:* ``(n,)``
        :returns: *Shape:* ``(n, width)``
        """
        return functional.embedding(rows, self.table)


class SymbolEmbedding(nn.Module):
    """Vectors of symbols, with dropout.

    :param vectors: the initial ones. *Shape:* ``(n_symbols, width)``
    :param tune: train them.
    :param rowwise: update only the rows of a batch in a step, which suits large vocabularies.
    :param rate: of dropout.
    """

    def __init__(self, vectors: Tensor, tune: bool, rowwise: bool, rate: float) -> None:
        super().__init__()
        self.lookup = VectorEmbedding(vectors, tune=tune) if rowwise else DenseTable(vectors, tune)
        self.rowwise, self.rate = rowwise, rate

    @property
    def table(self) -> Tensor:
        """The vectors of all symbols. *Shape:* ``(n_symbols, width)``."""
        table: Tensor = self.lookup.table
        return table

    def forward(self, symbols: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Look symbols up.

        :param symbols: *Shape:* ``(steps, batch)``
        :param generator: source of dropout masks in training; None for torch's own.
        :returns: *Shape:* ``(steps, batch, width)``
        """
        found = dropout(self.lookup(symbols.reshape(-1)), self.rate, self.training, generator)
        return found.view(*symbols.shape, -1)

    def project(self, cell: Cell, symbols: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Compute the preactivations of a cell that reads the symbols' vectors.

        :param cell: of the first layer.
        :param symbols: *Shape:* ``(steps, batch)``
        :param generator: source of dropout masks in training; None for torch's own.
        :returns: *Shape:* ``(steps, batch, n_gates * hidden)``
        """
        if self.rowwise or len(self.table) > min(symbols.numel(), FEW):
            return cell.project(self(symbols, generator))
        # Few symbols occur many times: each is projected once.
        rows = cell.project(dropout(self.table, self.rate, self.training, generator))
        return gather(rows, symbols.reshape(-1)).view(*symbols.shape, -1)
