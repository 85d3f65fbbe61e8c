"""Recurrence from hidden states: layers of cells, each of which reads its own last state."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from treesent.models.language.config import LanguageModelConfig
from treesent.models.language.embedding import SymbolEmbedding
from treesent.models.language.state import LanguageState
from treesent.nn.cells import Cell, State, make_cell
from treesent.nn.dropout import dropout, dropout_mask
from treesent.nn.windows import run_window
from treesent.text.vocabulary import EOS


class HiddenRecurrence(nn.Module):
    """A stack of cells.

    :param config: the model's settings.
    :param width: of the symbols' vectors.
    :param generator: source of the initial weights.
    """

    n_before = 0
    """Symbols before a window that it reads."""

    def __init__(
        self, config: LanguageModelConfig, width: int, generator: torch.Generator | None = None
    ) -> None:
        super().__init__()
        self.config = config
        widths = (width, *[config.hidden] * (config.layers - 1))
        self.layers = nn.ModuleList(make_cell(config.cell, each, config.hidden, generator) for each in widths)

    @property
    def n_features(self) -> int:
        """Width of the inputs that are added in the first layer, beside the vectors'."""
        return self.cells[0].n_gates * self.config.hidden

    @property
    def cells(self) -> list[Cell]:
        """The cells, the lowest layer first."""
        return [cell for cell in self.layers if isinstance(cell, Cell)]

    def initial_states(self, zeros: Tensor) -> tuple[State, ...]:
        """Give the states before any symbol.

        :param zeros: *Shape:* ``(batch, hidden)``
        """
        return tuple((zeros,) * cell.n_states for cell in self.cells)

    def forward(
        self,
        embedding: SymbolEmbedding,
        symbols: Tensor,
        state: LanguageState,
        added: Sequence[Tensor],
        generator: torch.Generator | None = None,
    ) -> tuple[Tensor, tuple[State, ...]]:
        """Read a window.

        :param embedding: of the symbols.
        :param symbols: *Shape:* ``(steps, batch)``
        :param state: before the window.
        :param added: other inputs of the first layer. *Shape of each:* ``(steps, batch, n_features)``
        :param generator: source of dropout masks in training; None for torch's own.
        :returns: the outputs of the last layer, *Shape:* ``(steps, batch, hidden)``, and the states after the
            window.
        """
        config, after = self.config, list[State]()
        keep = (symbols != EOS)[:, :, None]
        outputs = embedding.project(self.cells[0], symbols, generator)
        for each in added:
            outputs = outputs + each.to(outputs.dtype)
        for number, (cell, before) in enumerate(zip(self.cells, state.layers, strict=True)):
            below = dropout(outputs, config.layer_dropout, self.training, generator) if number else outputs
            preactivations = cell.project(below) if number else below
            mask = self._mask(before[0], generator)
            outputs, last = run_window(cell, preactivations, before, keep, mask, state.number)
            if number and config.residual:
                outputs = outputs + below
            after.append(last)
        return outputs, tuple(after)

    def _mask(self, like: Tensor, generator: torch.Generator | None) -> Tensor | None:
        rate = self.config.recurrent_dropout
        if not self.training or not rate:
            return None
        weight = next(self.parameters())
        return dropout_mask((len(like), self.config.hidden), rate, weight, generator)
