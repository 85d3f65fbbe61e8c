"""The recursive neural tensor network (Socher et al. 2013, EMNLP, D13-1170, section 4.3)."""

from __future__ import annotations

import torch
from torch import nn

from treesent.config import section
from treesent.models.classifier.recursive_config import RecursiveConfig
from treesent.models.classifier.recursive_net import RecursiveNet
from treesent.nn.levels import Composition, States
from treesent.nn.matmul import linear


class RNTN(RecursiveNet):
    r"""Recursive neural tensor network: a bilinear form of the children's states beside the linear layer.

    .. math:: p = \tanh([a; b]^\top V [a; b] + W [a; b] + b_p)

    :math:`V` has one slice per unit of :math:`p`. The form is the product of :math:`V` with the outer product
    of :math:`[a; b]` with itself: one matrix product for all slices and nodes. The parameter ``tensor`` is
    :math:`V` times ``2 * hidden``, because the form has that many times the terms of :math:`W [a; b]`; so one
    learning rate suits both.

    :param width: of the vectors at the leaves.
    :param hidden: of the states; :math:`V` has ``4 * hidden ** 3`` weights. The paper has 25 to 35 units.
    :param generator: source of the initial weights.
    """

    def __init__(self, width: int, hidden: int, generator: torch.Generator | None = None) -> None:
        super().__init__(width, hidden, generator)
        # The authors' program starts with weights of V up to 1 / (4 * hidden).
        tensor = torch.empty(hidden, 2 * hidden, 2 * hidden)
        self.tensor = nn.Parameter(nn.init.uniform_(tensor, -0.5, 0.5, generator=generator))

    def compose(self, children: States) -> States:
        """Apply the tensor and the linear layer.

        :param children: *Shape:* ``(n, 2, hidden)``
        :returns: *Shape:* ``(n, hidden)``
        """
        pair = children[0].flatten(1)
        products = torch.bmm(pair[:, :, None] / (2 * self.hidden), pair[:, None, :])
        return (torch.tanh(linear(products.flatten(1), self.tensor.flatten(1)) + self.affine(pair)),)


@section
class RNTNConfig(RecursiveConfig):
    """Settings of the RNTN: see :class:`~treesent.models.classifier.recursive_config.RecursiveConfig`.

    :param hidden: width of the states; time and memory grow with its cube.
    """

    hidden: int = 30

    def composition(self, width: int, generator: torch.Generator | None) -> Composition:
        """See :meth:`RecursiveConfig.composition`."""
        return RNTN(width, self.hidden, generator)
