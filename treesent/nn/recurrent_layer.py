"""A recurrent layer: one cell, or one for each direction."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from treesent.nn.cells import Cell
from treesent.nn.packed import Packed


class RecurrentLayer(nn.Module):
    """A cell per direction; at each item the states of both directions are concatenated.

    :param forward_cell: reads from left to right.
    :param backward_cell: reads from right to left; None for one direction.
    """

    learn_rate: float = 1.0
    """Factor of the learning rate for its weights."""

    def __init__(self, forward_cell: Cell, backward_cell: Cell | None = None) -> None:
        super().__init__()
        self.forward_cell, self.backward_cell = forward_cell, backward_cell

    def forward(self, inputs: Tensor, sequences: Packed, index: Tensor | None = None) -> Tensor:
        """Run over sequences.

        :param inputs: of every row, or distinct inputs that ``index`` points into.
            *Shape:* ``(n_rows or n_distinct, width)``
        :param sequences: how they are laid out.
        :param index: the input of each row, None if every row has its own. *Shape:* ``(n_rows,)``
        :returns: *Shape:* ``(n_rows, hidden)``, or twice as wide for two directions
        """
        states: Tensor = self.forward_cell(inputs, sequences.steps, index)
        if self.backward_cell is None:
            return states
        if index is None:
            reverse = self.backward_cell(inputs.index_select(0, sequences.mirror), sequences.steps)
        else:
            reverse = self.backward_cell(inputs, sequences.steps, index.index_select(0, sequences.mirror))
        return torch.cat([states, reverse.index_select(0, sequences.mirror)], 1)


def current_names(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Rename the weights of an earlier version's files, which call the cells of a layer ``forth`` and ``back``.

    :param weights: by their name in the file.
    """
    parts = {"forth": "forward_cell", "back": "backward_cell"}
    return {".".join(parts.get(part, part) for part in name.split(".")): w for name, w in weights.items()}
