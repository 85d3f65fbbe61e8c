"""Simple recurrent units (Lei et al. 2018, arXiv:1709.02755) over a batch of sentences, in both directions.

No matrix product depends on the previous step, so a batch costs a few large products. Those of the first
layer depend on the word alone and are computed once per distinct word.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from treesent.nn.initial import glorot_blocks
from treesent.nn.matmul import linear, padded
from treesent.types import Int64


class Gates(NamedTuple):
    """A layer's gates at every word; the forward direction comes first in each.

    :param z: candidate. *Shape:* ``(n, 2 * hidden)``
    :param f: forget gate. *Shape:* ``(n, 2 * hidden)``
    :param r: reset gate, the weight of the cell state in the output. *Shape:* ``(n, 2 * hidden)``
    :param skip: highway input :math:`x'`. *Shape:* ``(n, 2 * hidden)``
    """

    z: Tensor
    f: Tensor
    r: Tensor
    skip: Tensor

    def take(self, words: Tensor) -> Gates:
        """Select words, in the given order.

        :param words: *Shape:* ``(n_taken,)``
        """
        return Gates(*(part.index_select(0, words) for part in self))


class BidirectionalSRU(nn.Module):
    r"""Simple recurrent units in both directions (Lei et al. 2018, eqs. 1-4 without ``v``).

    .. math::
        c_t = f_t \odot c_{t-1} + (1 - f_t) \odot z_t, \qquad
        h_t = r_t \odot c_t + (1 - r_t) \odot x'_t

    with :math:`z, f, r` and :math:`x'` linear in the input, the gates :math:`f, r` under a sigmoid, and layer
    normalisation of the output. Rows of ``weight`` are ``z, f, r, x'``, each with the forward direction first.

    :param width: of the input.
    :param hidden: of each direction.
    :param generator: source of the initial weights.
    """

    def __init__(self, width: int, hidden: int, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.hidden = hidden
        # If input and output are equally wide, the input itself is x'.
        self.n_blocks = 6 if width == 2 * hidden else 8
        self.weight = nn.Parameter(glorot_blocks(self.n_blocks * hidden, [width], generator))
        self.bias = nn.Parameter(torch.zeros(self.n_blocks * hidden))
        self.norm = nn.LayerNorm(2 * hidden)
        with torch.no_grad():
            # Units start with memories of different lengths, from two steps to twenty.
            if not self.bias.is_meta:
                self.bias[2 * hidden : 4 * hidden] = torch.linspace(-1.0, 3.0, hidden).repeat(2)

    def project(self, states: Tensor) -> Gates:
        """Compute the gates.

        :param states: *Shape:* ``(n, width)``
        """
        cuts = [2 * self.hidden] * (self.n_blocks // 2)
        if torch.is_grad_enabled():
            z, f, r, *skip = torch.split(linear(states, self.weight, self.bias), cuts, 1)
            return Gates(z, torch.sigmoid(f), torch.sigmoid(r), skip[0] if skip else states.type_as(z))
        n = len(states)
        rows = functional.pad(states, (0, 0, 0, padded(n) - n))
        parts = zip(torch.split(self.weight, cuts), torch.split(self.bias, cuts), strict=True)
        z, f, r, *skip = (linear(rows, *part, k in (1, 2))[:n] for k, part in enumerate(parts))
        return Gates(z, f, r, skip[0] if skip else states.type_as(z))

    def forward(self, gates: Gates, sizes: Sequence[int]) -> Tensor:
        """Run over the sentences.

        :param gates: in packed order; without gradients ``z`` is overwritten.
        :param sizes: number of sentences at each step.
        :returns: in packed order. *Shape:* ``(n_words, 2 * hidden)``
        """
        z, f, r, skip = gates
        if torch.is_grad_enabled():
            forward, backward = (scan(z, f, sizes, self.hidden) for scan in (scan_forward, scan_backward))
            mixed = torch.lerp(skip, torch.cat([forward, backward], 1), r)
        else:
            scan_in_place(z, f, sizes, self.hidden)
            mixed = torch.lerp(skip, z, r)
        normed: Tensor = self.norm(mixed)
        return normed


def scan_forward(z: Tensor, f: Tensor, sizes: Sequence[int], hidden: int) -> Tensor:
    """Run the recurrence from the first word to the last, on the first ``hidden`` columns.

    :param z: candidates, in packed order. *Shape:* ``(n_words, 2 * hidden)``
    :param f: forget gates. *Shape:* ``(n_words, 2 * hidden)``
    :param sizes: number of sentences at each step.
    :param hidden: columns of one direction.
    :returns: the cell state after every word. *Shape:* ``(n_words, hidden)``
    """
    c = z.new_zeros(sizes[0], hidden)
    states = []
    for candidate, forget in zip(_steps(z[:, :hidden], sizes), _steps(f[:, :hidden], sizes), strict=True):
        # Sentences that have ended are the last ones. A slice that cuts nothing would cost its backward pass.
        c = c if len(c) == len(candidate) else c[: len(candidate)]
        c = torch.lerp(candidate, c, forget)
        states.append(c)
    return torch.cat(states)


def scan_backward(z: Tensor, f: Tensor, sizes: Sequence[int], hidden: int) -> Tensor:
    """Run the recurrence from the last word to the first, on the last ``hidden`` columns.

    :param z: candidates, in packed order. *Shape:* ``(n_words, 2 * hidden)``
    :param f: forget gates. *Shape:* ``(n_words, 2 * hidden)``
    :param sizes: number of sentences at each step.
    :param hidden: columns of one direction.
    :returns: the cell state after every word. *Shape:* ``(n_words, hidden)``
    """
    c = z.new_zeros(0, hidden)
    states = []
    steps = zip(_steps(z[:, hidden:], sizes), _steps(f[:, hidden:], sizes), strict=True)
    for candidate, forget in reversed(list(steps)):
        if len(candidate) > len(c):
            c = functional.pad(c, (0, 0, 0, len(candidate) - len(c)))
        c = torch.lerp(candidate, c, forget)
        states.append(c)
    return torch.cat(states[::-1])


def scan_in_place(z: Tensor, f: Tensor, sizes: Sequence[int], hidden: int) -> None:
    """Do :func:`scan_forward` and :func:`scan_backward` without gradients; the states replace the candidates.

    :param z: candidates, in packed order, and cell states after that. *Shape:* ``(n_words, 2 * hidden)``
    :param f: forget gates. *Shape:* ``(n_words, 2 * hidden)``
    :param sizes: number of sentences at each step.
    :param hidden: columns of one direction.
    """
    zero = z.new_zeros(())
    states, forgets = _steps(z[:, :hidden], sizes), _steps(f[:, :hidden], sizes)
    torch.lerp(states[0], zero, forgets[0], out=states[0])
    for c, forget, c_prev in zip(states[1:], forgets[1:], states, strict=False):
        torch.lerp(c, c_prev[: len(c)], forget, out=c)
    last = torch.from_numpy(last_words(sizes)).to(z.device)
    z, f = z[:, hidden:], f[:, hidden:]
    z.index_copy_(0, last, torch.lerp(z.index_select(0, last), zero, f.index_select(0, last)))
    states, forgets = _steps(z, sizes), _steps(f, sizes)
    for c, forget, c_next in zip(states[-2::-1], forgets[-2::-1], states[:0:-1], strict=True):
        n = len(c_next)
        torch.lerp(c[:n], c_next, forget[:n], out=c[:n])


def last_words(sizes: Sequence[int]) -> Int64:
    """Find the last word of every sentence, the shortest sentence first.

    :param sizes: number of sentences at each step.
    :returns: positions in packed order. *Shape:* ``(n_sentences,)``
    """
    active = np.array([*sizes, 0])
    ending = active[:-1] - active[1:]
    shift = np.cumsum(active[:-1]) - np.cumsum(ending)
    positions: Int64 = np.repeat(shift, ending) + np.arange(active[0])
    return positions


def _steps(packed: Tensor, sizes: Sequence[int]) -> tuple[Tensor, ...]:
    """Cut packed rows into steps. One split has one backward pass; a slice per step would have many."""
    steps: tuple[Tensor, ...] = torch.split(packed, list(sizes))
    return steps
