"""Simple recurrent units (Lei et al. 2018, arXiv:1709.02755) along a batch of sentences, in both directions.

No matrix product depends on the step before, so a batch costs a few large products, and those of the first
layer are a function of the word alone, done once per distinct word.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from treesent.nn.levels import weight_block
from treesent.nn.matmul import linear


class BidirectionalSRU(nn.Module):
    r"""Simple recurrent units along the sentence and against it (Lei et al. 2018, eqs. 1-4 without ``v``).

    .. math::
        c_t = f_t c_{t-1} + (1 - f_t) z_t, \qquad h_t = r_t c_t + (1 - r_t) x'_t

    with :math:`z, f, r` and :math:`x'` linear in the input, the gates under a sigmoid, and the output
    normalised. Columns of ``weight`` are ``z, f, r, x'``, each with the forward direction first.

    :param width: of the input.
    :param hidden: of each direction.
    :param generator: where the first weights come from.
    """

    def __init__(self, width: int, hidden: int, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.hidden = hidden
        # Where input and output are equally wide, the input itself is x'.
        self.columns = 6 if width == 2 * hidden else 8
        self.weight = nn.Parameter(weight_block(self.columns * hidden, [width], generator))
        self.bias = nn.Parameter(torch.zeros(self.columns * hidden))
        self.norm = nn.LayerNorm(2 * hidden)
        with torch.no_grad():
            # Units begin with memories of different lengths, from two steps to twenty.
            self.bias[2 * hidden : 4 * hidden] = torch.linspace(-1.0, 3.0, hidden).repeat(2)

    def project(self, states: Tensor) -> Tensor:
        """Do the layer's matrix product.

        :param states: *Shape:* (n, width)
        :return: before the sigmoids. *Shape:* (n, columns * hidden)
        """
        return linear(states, self.weight, self.bias)

    def forward(self, states: Tensor | None, sizes: Sequence[int], gates: Tensor | None = None) -> Tensor:
        """Run along the sentences.

        :param states: the layer's input, in packed order; None will do where the product is given and the
            input is not as wide as the output. *Shape:* (n_words, width)
        :param sizes: sentences at each step.
        :param gates: the product where it is there already, in packed order.
            *Shape:* (n_words, columns * hidden)
        :return: in packed order. *Shape:* (n_words, 2 * hidden)
        """
        if gates is None:
            if states is None:
                raise ValueError("give the layer's input, or its product with the weights")
            gates = self.project(states)
        z, f, r, *skip = torch.split(gates, 2 * self.hidden, 1)
        f, r = torch.sigmoid(f), torch.sigmoid(r)
        memory = torch.cat([along(z, f, sizes, self.hidden), against(z, f, sizes, self.hidden)], 1)
        mixed = torch.lerp(skip[0] if skip or states is None else states, memory, r)
        normed: Tensor = self.norm(mixed)
        return normed


def along(z: Tensor, f: Tensor, sizes: Sequence[int], hidden: int) -> Tensor:
    """Run the recurrence from the first word to the last, on the first ``hidden`` columns.

    :param z: candidates, in packed order. *Shape:* (n_words, 2 * hidden)
    :param f: share of the memory that is kept. *Shape:* (n_words, 2 * hidden)
    :param sizes: sentences at each step.
    :param hidden: columns of one direction.
    :return: the memory after every word. *Shape:* (n_words, hidden)
    """
    memory = z.new_zeros(sizes[0], hidden)
    outputs = []
    for new, keep in zip(_steps(z[:, :hidden], sizes), _steps(f[:, :hidden], sizes), strict=True):
        # Sentences that have ended are the last ones. A slice that cuts nothing would cost its backward pass.
        memory = memory if len(memory) == len(new) else memory[: len(new)]
        memory = torch.lerp(new, memory, keep)
        outputs.append(memory)
    return torch.cat(outputs)


def against(z: Tensor, f: Tensor, sizes: Sequence[int], hidden: int) -> Tensor:
    """Run the recurrence from the last word to the first, on the last ``hidden`` columns.

    :param z: as in :func:`along`. *Shape:* (n_words, 2 * hidden)
    :param f: *Shape:* (n_words, 2 * hidden)
    :param sizes: sentences at each step.
    :param hidden: columns of one direction.
    :return: the memory after every word. *Shape:* (n_words, hidden)
    """
    memory = z.new_zeros(0, hidden)
    outputs = []
    steps = zip(_steps(z[:, hidden:], sizes), _steps(f[:, hidden:], sizes), strict=True)
    for new, keep in reversed(list(steps)):
        if len(new) > len(memory):
            memory = functional.pad(memory, (0, 0, 0, len(new) - len(memory)))
        memory = torch.lerp(new, memory, keep)
        outputs.append(memory)
    return torch.cat(outputs[::-1])


def _steps(packed: Tensor, sizes: Sequence[int]) -> tuple[Tensor, ...]:
    """Cut packed rows into the steps. One split has one backward pass; a slice a step would have many."""
    steps: tuple[Tensor, ...] = torch.split(packed, list(sizes))
    return steps
