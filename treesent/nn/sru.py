"""Simple recurrent units (Lei et al. 2018, arXiv:1709.02755) along a batch of sentences, in both directions.

No matrix product depends on the step before, so a batch costs a few large products, and those of the first
layer are a function of the word alone, done once per distinct word.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from treesent.nn.levels import weight_block
from treesent.nn.matmul import linear, padded


class Gates(NamedTuple):
    """What a layer's matrix product says of every word; the forward direction comes first in each.

    :param z: candidates. *Shape:* (n, 2 * hidden), as the others.
    :param f: share of the memory that is kept.
    :param r: share of the memory in the output.
    :param skip: the rest of the output.
    """

    z: Tensor
    f: Tensor
    r: Tensor
    skip: Tensor

    def take(self, words: Tensor) -> Gates:
        """Select words, in the order given.

        :param words: which. *Shape:* (n_taken,)
        """
        return Gates(*(part.index_select(0, words) for part in self))


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

    def project(self, states: Tensor) -> Gates:
        """Do the layer's matrix products.

        :param states: *Shape:* (n, width)
        """
        cuts = [2 * self.hidden] * (self.columns // 2)
        if torch.is_grad_enabled():
            z, f, r, *skip = torch.split(linear(states, self.weight, self.bias), cuts, 1)
            return Gates(z, torch.sigmoid(f), torch.sigmoid(r), skip[0] if skip else states.type_as(z))
        n = len(states)
        rows = functional.pad(states, (0, 0, 0, padded(n) - n))
        parts = zip(torch.split(self.weight, cuts), torch.split(self.bias, cuts), strict=True)
        z, f, r, *skip = (linear(rows, *part, k in (1, 2))[:n] for k, part in enumerate(parts))
        return Gates(z, f, r, skip[0] if skip else states.type_as(z))

    def forward(self, gates: Gates, sizes: Sequence[int]) -> Tensor:
        """Run along the sentences.

        :param gates: in packed order; where no gradient is wanted ``z`` is written over.
        :param sizes: sentences at each step.
        :return: in packed order. *Shape:* (n_words, 2 * hidden)
        """
        z, f, r, skip = gates
        if torch.is_grad_enabled():
            memory = torch.cat([along(z, f, sizes, self.hidden), against(z, f, sizes, self.hidden)], 1)
            mixed = torch.lerp(skip, memory, r)
        else:
            remember(z, f, sizes, self.hidden)
            mixed = torch.lerp(skip, z, r)
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


def remember(z: Tensor, f: Tensor, sizes: Sequence[int], hidden: int) -> None:
    """Do :func:`along` and :func:`against` where no gradient is wanted: memories take the candidates' places.

    :param z: candidates, in packed order, and memories after that. *Shape:* (n_words, 2 * hidden)
    :param f: *Shape:* (n_words, 2 * hidden)
    :param sizes: sentences at each step.
    :param hidden: columns of one direction.
    """
    nothing = z.new_zeros(())
    memories, keeps = _steps(z[:, :hidden], sizes), _steps(f[:, :hidden], sizes)
    torch.lerp(memories[0], nothing, keeps[0], out=memories[0])
    for memory, keep, before in zip(memories[1:], keeps[1:], memories, strict=False):
        torch.lerp(memory, before[: len(memory)], keep, out=memory)
    last = torch.from_numpy(last_words(sizes)).to(z.device)
    z, f = z[:, hidden:], f[:, hidden:]
    z.index_copy_(0, last, torch.lerp(z.index_select(0, last), nothing, f.index_select(0, last)))
    memories, keeps = _steps(z, sizes), _steps(f, sizes)
    for memory, keep, after in zip(memories[-2::-1], keeps[-2::-1], memories[:0:-1], strict=True):
        n = len(after)
        torch.lerp(memory[:n], after, keep[:n], out=memory[:n])


def last_words(sizes: Sequence[int]) -> NDArray[np.int64]:
    """Find the last word of every sentence, the shortest sentence first.

    :param sizes: sentences at each step.
    :return: places in packed order. *Shape:* (n_trees,)
    """
    going = np.array([*sizes, 0])
    ending = going[:-1] - going[1:]
    shift = np.cumsum(going[:-1]) - np.cumsum(ending)
    places: NDArray[np.int64] = np.repeat(shift, ending) + np.arange(going[0])
    return places


def _steps(packed: Tensor, sizes: Sequence[int]) -> tuple[Tensor, ...]:
    """Cut packed rows into the steps. One split has one backward pass; a slice a step would have many."""
    steps: tuple[Tensor, ...] = torch.split(packed, list(sizes))
    return steps
