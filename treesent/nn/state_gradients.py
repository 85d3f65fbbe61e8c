"""How a gradient fades or grows on its way back through the states of a recurrent network."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from treesent.nn.cells.cell import State


def norms_by_distance(states: Sequence[State]) -> Tensor:
    r"""Measure the gradients of recorded states by their distance from the loss.

    Of a sequence of :math:`n` steps with its loss after the last one, the state after step :math:`t` lies at the
    distance :math:`k = n - t`, and its gradient is

    .. math::
        \frac{\partial L}{\partial h_{n-k}} = \frac{\partial L}{\partial h_n}
        \prod_{i=n-k+1}^{n} \frac{\partial h_i}{\partial h_{i-1}}

    (Pascanu et al. 2013, eq. 5), which vanishes or explodes with :math:`k`. A cell with a memory has both in its
    state.

    :param states: after each step, of the sequences that still go on, the longest first; after the backward pass.
        *Shape of each:* ``(n_sequences, hidden)``
    :returns: the root mean square of the norms over the sequences that reach so far and have a loss, 0 at a
        distance that none of them reaches. *Shape:* ``(steps,)``
    """
    sizes = [len(state[0]) for state in states]
    device = states[0][0].device
    squares = [sum((_square(each) for each in state), torch.zeros((), device=device)) for state in states]
    # A sequence ends at the last step that has as many as its rank.
    ends = torch.tensor([sum(size > rank for size in sizes) for rank in range(sizes[0])], device=device) - 1
    total = torch.zeros(len(sizes), dtype=torch.float64, device=device)
    count = torch.zeros_like(total)
    table = torch.zeros(len(sizes), sizes[0], dtype=torch.float64, device=device)
    for step, square in enumerate(squares):
        table[step, : len(square)] = square
    learns = (table.gather(0, ends[None])[0] > 0).double()
    for step, size in enumerate(sizes):
        distance = ends[:size] - step
        total.index_add_(0, distance, table[step, :size] * learns[:size])
        count.index_add_(0, distance, learns[:size])
    return (total / count.clamp(min=1)).sqrt()


def _square(state: Tensor) -> Tensor:
    """The squared norm of each row's gradient, in float64: what has nearly vanished has no square in float32."""
    if state.grad is None:
        return state.new_zeros(len(state), dtype=torch.float64)
    return state.grad.double().square().sum(1)
