"""The recursive neural tensor network (Socher et al. 2013, EMNLP, D13-1170, section 4.3)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from treesent.models.classifier.recursive import RecursiveConfig
from treesent.models.classifier.recursive_net import RecursiveNet
from treesent.nn.levels import Composition, States
from treesent.nn.matmul import linear


class RNTN(RecursiveNet):
    """``p = tanh([a; b]' V [a; b] + W [a; b] + bias)``, one slice of ``V`` for each number of ``p``.

    ``x' V x`` is the product of ``V`` with the products of all pairs of numbers in ``x``: one matmul for all
    slices and nodes. As a parameter ``V`` is ``2 * hidden`` times as large: the form has that many times the
    terms of ``W x``, and so one learning rate suits both.

    :param width: of the vectors at the leaves.
    :param hidden: of the states; ``V`` has its cube, four times. The paper has 25 to 35.
    :param generator: where the first weights come from.
    """

    def __init__(self, width: int, hidden: int, generator: torch.Generator | None = None) -> None:
        super().__init__(width, hidden, generator)
        # The authors' own program begins with numbers of V up to 1 / (4 * hidden).
        tensor = torch.empty(hidden, 2 * hidden, 2 * hidden)
        self.tensor = nn.Parameter(nn.init.uniform_(tensor, -0.5, 0.5, generator=generator))

    def compose(self, children: States) -> States:
        """Apply tensor and matrix.

        :param children: *Shape:* (n, 2, hidden)
        :return: *Shape:* (n, hidden)
        """
        pair = children[0].flatten(1)
        products = torch.bmm(pair[:, :, None] / (2 * self.hidden), pair[:, None, :])
        return (torch.tanh(linear(products.flatten(1), self.tensor.flatten(1)) + self.affine(pair)),)


@dataclass(frozen=True, slots=True, kw_only=True)
class RNTNConfig(RecursiveConfig):
    """The RNTN's settings: see :class:`~treesent.models.classifier.recursive.RecursiveConfig`.

    :param hidden: width of the states; time and memory grow with its cube.
    """

    hidden: int = 30

    def composition(self, width: int, generator: torch.Generator | None) -> Composition:
        """See :meth:`RecursiveConfig.composition`."""
        return RNTN(width, self.hidden, generator)
