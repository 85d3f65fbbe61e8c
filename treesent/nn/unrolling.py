"""Cells run over packed sequences from any states, and in both directions."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from treesent.nn.cells import Cell, State
from treesent.nn.late import LateGradient
from treesent.nn.packed import Packed
from treesent.nn.spans import Steps


def unroll(cell: Cell, gates: Tensor, sizes: tuple[int, ...], state: State) -> Tensor:
    """Run a cell from given states.

    :param cell: the cell.
    :param gates: its inputs' share of the gates, in packed order. *Shape:* (n_rows, gates * hidden)
    :param sizes: sequences at each step. *Shape:* (steps,)
    :param state: the states before the first step. *Shape of each:* (batch, hidden)
    :return: the states after each step. *Shape:* (n_rows, hidden)
    """
    late = LateGradient(cell.matrix()) if cell.plain else None
    recurrent = cell.matrix() if late is None else late.weight
    states = []
    for number, part in enumerate(torch.split(gates if late is None else late.tie(gates), list(sizes))):
        if len(part) < len(state[0]):
            state = tuple(each[: len(part)] for each in state)
        if late is not None:
            late.saw(state[0])
        state = cell.step(part, state[0], state, recurrent, number)
        states.append(state[0])
    return torch.cat(states)


def along(cell: Cell, inputs: Tensor, steps: Steps, words: Tensor | None = None) -> Tensor:
    """Run a cell from states of zero; see :meth:`~treesent.nn.cells.Cell.forward`."""
    if inputs.is_cuda:
        states: Tensor = cell(inputs, steps, words)
        return states
    gates = cell.project(inputs)
    gates = gates if words is None else gates.index_select(0, words)
    zero = inputs.new_zeros(steps.sizes[0], cell.hidden)
    return unroll(cell, gates, steps.sizes, (zero,) * cell.memories)


class EncoderLayer(nn.Module):
    """A cell, or one for each direction.

    :param forth: reads from left to right.
    :param back: reads from right to left; None for one direction.
    """

    def __init__(self, forth: Cell, back: Cell | None) -> None:
        super().__init__()
        self.forth, self.back = forth, back

    def forward(self, below: Tensor, source: Packed, words: Tensor | None) -> Tensor:
        """Run over sentences.

        :param below: of every row, or vectors that rows share. *Shape:* (n_rows or n_vectors, width)
        :param source: the sentences.
        :param words: the vector that each row reads, None where each has its own. *Shape:* (n_rows,)
        :return: *Shape:* (n_rows, hidden, or twice as much)
        """
        states = along(self.forth, below, source.steps, words)
        if self.back is None:
            return states
        if words is None:
            turned = along(self.back, below.index_select(0, source.mirror), source.steps)
        else:
            turned = along(self.back, below, source.steps, words.index_select(0, source.mirror))
        return torch.cat([states, turned.index_select(0, source.mirror)], 1)
