"""The interface of recurrent cells over packed sequences.

A cell reads sequences that are laid out step by step, the longest first. The product of the inputs with the
input weights is computed for all steps at once, and once per distinct word if the inputs are words; a step
then costs one product with the previous states. On a CPU this is faster than torch's own kernels
(``tests/benchmarks/speed_cells.py``); on a GPU torch's kernels run where they exist.

A dropout mask on the states (Gal and Ghahramani 2016, "variational") is drawn once per sequence and held
over its steps. It masks the :math:`h_{t-1}` of the products; a state that is carried over is not masked.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from treesent.nn.deferred import DeferredGradient
from treesent.nn.sequences import Steps

State = tuple[Tensor, ...]


class Cell(nn.Module):
    """A recurrent network of one layer and one direction; a subclass defines the step.

    Rows of the weights are blocks of ``hidden``, one per gate, in the order that the subclass names.

    :param width: of the inputs.
    :param hidden: of the states.
    :param generator: source of the initial weights.
    """

    n_gates: ClassVar[int] = 1
    """Number of blocks in the weights."""
    n_states: ClassVar[int] = 1
    """Number of states that a step hands to the next, the output included."""
    gate_names: ClassVar[tuple[str, ...]] = ()
    """What :meth:`gates` gives; none for a cell without gates."""
    affine: ClassVar[bool] = True
    """Whether a step uses the recurrent weights only in ``preactivations + h_prev @ recurrent``."""
    record: bool
    """Keep the states after each step, and the gradients with respect to them."""
    kept: list[State]
    """The states of the last run with gradients, if :attr:`record` is set."""

    def __init__(self, width: int, hidden: int, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.width, self.hidden = width, hidden
        self.record, self.kept = False, []
        self.make_weights(generator)

    def make_weights(self, generator: torch.Generator | None) -> None:
        """Make the parameters.

        :param generator: source of the initial weights.
        """
        rows, bound = self.n_gates * self.hidden, self.hidden**-0.5
        self.input = nn.Parameter(torch.empty(rows, self.width).uniform_(-bound, bound, generator=generator))
        recurrent = torch.empty(rows, self.hidden).uniform_(-bound, bound, generator=generator)
        self.recurrent = nn.Parameter(recurrent)
        self.bias = nn.Parameter(torch.zeros(rows))

    def forward(
        self, inputs: Tensor, steps: Steps, index: Tensor | None = None, mask: Tensor | None = None
    ) -> Tensor:
        """Run over sequences, from states of zero.

        :param inputs: of every row, or distinct inputs that ``index`` points into.
            *Shape:* ``(n_rows or n_distinct, width)``
        :param steps: number of sequences at each step.
        :param index: the input of each row, None if every row has its own. *Shape:* ``(n_rows,)``
        :param mask: of the states, the longest sequence first. *Shape:* ``(n_sequences, hidden)``
        :returns: the state after each row. *Shape:* ``(n_rows, hidden)``
        """
        return self.run(self.project(inputs), steps, index, mask)

    def run(
        self,
        preactivations: Tensor,
        steps: Steps,
        index: Tensor | None = None,
        mask: Tensor | None = None,
        state: State | None = None,
    ) -> Tensor:
        """Take all steps.

        :param preactivations: the output of :meth:`project`.
            *Shape:* ``(n_rows or n_distinct, n_gates * hidden)``
        :param steps: number of sequences at each step.
        :param index: see :meth:`forward`.
        :param mask: see :meth:`forward`.
        :param state: before the first step, None for zeros. *Shape:* ``(n_sequences, hidden)`` each
        :returns: the state after each row. *Shape:* ``(n_rows, hidden)``
        """
        if index is not None and torch.is_grad_enabled():
            # One gather has one backward pass. Without gradients a gather per step takes less memory.
            preactivations, index = preactivations.index_select(0, index), None
        unrolled = Unrolled(self, preactivations)
        preactivations = unrolled.preactivations
        if state is None:
            state = (preactivations.new_zeros(steps.sizes[0], self.hidden),) * self.n_states
        outputs, kept = [], []
        # One split has one backward pass; a slice per step would have many.
        parts: tuple[Tensor, ...] = torch.split(preactivations if index is None else index, list(steps.sizes))
        for t, rows in enumerate(parts):
            part = rows if index is None else preactivations.index_select(0, rows)
            n = len(part)
            if n < len(state[0]):
                # Sequences that have ended are the last ones.
                state = tuple(each[:n] for each in state)
                mask = None if mask is None else mask[:n]
            h_prev = state[0] if mask is None else state[0] * mask
            state = unrolled.step(part, h_prev, state, t)
            if self.record and torch.is_grad_enabled():
                # As copies, the hidden state and the memory have gradients of their own.
                state = tuple(each.clone() for each in state)
                for each in state:
                    each.retain_grad()
                kept.append(state)
            outputs.append(state[0])
        self.kept = kept
        return torch.cat(outputs)

    def input_bias(self) -> Tensor:
        """Return the bias of the inputs. *Shape:* ``(n_gates * hidden,)``."""
        return self.bias

    def project(self, inputs: Tensor) -> Tensor:
        """Compute the part of the pre-activations that depends on the inputs.

        :param inputs: *Shape:* ``(n, width)``
        :returns: *Shape:* ``(n, n_gates * hidden)``
        """
        return functional.linear(inputs, self.input, self.bias)

    def recurrent_weight(self) -> Tensor:
        """Return the recurrent weights. *Shape:* ``(hidden, n_gates * hidden)``."""
        return self.recurrent.t()

    def step(self, preactivations: Tensor, h_prev: Tensor, state: State, recurrent: Tensor, t: int) -> State:
        """Take one step.

        :param preactivations: the part that depends on the inputs. *Shape:* ``(batch, n_gates * hidden)``
        :param h_prev: the previous hidden state, after dropout. *Shape:* ``(batch, hidden)``
        :param state: the previous hidden state before dropout, then the cell's other states.
            *Shape:* ``(batch, hidden)`` each
        :param recurrent: the result of :meth:`recurrent_weight`. *Shape:* ``(hidden, n_gates * hidden)``
        :param t: number of the step, from 0.
        :returns: the new states, the hidden state first. *Shape:* ``(batch, hidden)`` each
        """
        raise NotImplementedError

    def gates(self, preactivations: Tensor, h_prev: Tensor, recurrent: Tensor) -> tuple[Tensor, ...]:
        """Return how open each gate of a step is, from 0 to 1, in the order of :attr:`gate_names`.

        The parameters are those of :meth:`step`. *Shape of each:* ``(batch, hidden)``
        """
        return ()


class Unrolled:
    """The steps of a cell over given inputs; computes the recurrent weights' gradient for all steps at once.

    :param cell: any.
    :param preactivations: of all steps. *Shape:* ``(n_rows, n_gates * hidden)``
    """

    def __init__(self, cell: Cell, preactivations: Tensor) -> None:
        self._cell, self._deferred = cell, None
        self._weight, self.preactivations = cell.recurrent_weight(), preactivations
        if cell.affine:
            self._deferred = DeferredGradient(self._weight)
            self._weight = self._deferred.weight
            self.preactivations = self._deferred.attach(preactivations)

    def step(self, preactivations: Tensor, h_prev: Tensor, state: State, t: int) -> State:
        """Take one step; steps come in order. The parameters are those of :meth:`Cell.step`."""
        if self._deferred is not None:
            self._deferred.note(h_prev)
        return self._cell.step(preactivations, h_prev, state, self._weight, t)
