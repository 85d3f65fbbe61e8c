"""Recurrent cells, one per file, behind the interface of :class:`Cell`, and the table of them by name."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from treesent.errors import RecipeError
from treesent.nn.cells.cell import Cell, State, Unrolled
from treesent.nn.cells.clockwork import Clockwork
from treesent.nn.cells.coupled_lstm import CoupledLSTM
from treesent.nn.cells.forget_gate import ForgetGateCell
from treesent.nn.cells.gru import GRU
from treesent.nn.cells.leaky import Leaky
from treesent.nn.cells.lstm import LSTM
from treesent.nn.cells.minimal_gated_unit import MinimalGatedUnit
from treesent.nn.cells.peephole_lstm import PeepholeLSTM
from treesent.nn.cells.rnn import Elman
from treesent.nn.cells.torch_cell import TorchCell

__all__ = [
    "CELLS",
    "GRU",
    "LSTM",
    "Cell",
    "Clockwork",
    "CoupledLSTM",
    "Elman",
    "ForgetGateCell",
    "Leaky",
    "MinimalGatedUnit",
    "PeepholeLSTM",
    "State",
    "TorchCell",
    "Unrolled",
    "check_cell",
    "make_cell",
]

CELLS: Mapping[str, type[Cell]] = {
    "rnn": Elman,
    "leaky": Leaky,
    "clockwork": Clockwork,
    "lstm": LSTM,
    "peephole_lstm": PeepholeLSTM,
    "coupled_lstm": CoupledLSTM,
    "gru": GRU,
    "minimal_gated_unit": MinimalGatedUnit,
}
"""The cells by the name that recipes give them."""


def check_cell(name: str) -> None:
    """Refuse an unknown name.

    :param name: as in a recipe.
    :raises RecipeError: if it is not in :data:`CELLS`.
    """
    if name not in CELLS:
        raise RecipeError(f"cell is {name!r}; give one of {', '.join(map(repr, CELLS))}")


def make_cell(name: str, width: int, hidden: int, generator: torch.Generator | None = None) -> Cell:
    """Make a cell with its default settings.

    :param name: one of :data:`CELLS`.
    :param width: of the inputs.
    :param hidden: of the states.
    :param generator: source of the initial weights.
    :raises RecipeError: if it is not in :data:`CELLS`.
    """
    check_cell(name)
    return CELLS[name](width, hidden, generator)
