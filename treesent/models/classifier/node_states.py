"""The output of a classifier for every node of a batch, and the loss on it."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from treesent.nn.precision import at_least_float32


class NodeStates:
    """The output of a network for every node of a batch, in forest order.

    :param logits: before the softmax. *Shape:* ``(n_nodes, n_classes)``
    :param states: hidden states, which several nodes may have in common. *Shape:* ``(n_states, hidden)``
    :param index: row of each node's state, or None if they are in forest order. *Shape:* ``(n_nodes,)``
    """

    __slots__ = ("_index", "_states", "logits")

    def __init__(self, logits: Tensor, states: Tensor, index: Tensor | None = None) -> None:
        self.logits, self._states, self._index = logits, states, index

    @property
    def hidden(self) -> Tensor:
        """Hidden states, broadcast to the nodes on request. *Shape:* ``(n_nodes, hidden)``."""
        return self._states if self._index is None else self._states.index_select(0, self._index)


def node_loss(logits: Tensor, label: Tensor, weight: Tensor | None = None) -> Tensor:
    """Compute the mean cross-entropy over the labelled nodes; zero if no node has a label.

    :param logits: *Shape:* ``(n_nodes, n_classes)``
    :param label: -1 at nodes without a label. *Shape:* ``(n_nodes,)``
    :param weight: of each node (roots, rare classes). *Shape:* ``(n_nodes,)``
    :returns: *Shape:* ``()``
    """
    losses = functional.cross_entropy(at_least_float32(logits), label, ignore_index=-1, reduction="none")
    count = (label >= 0).to(losses.dtype)
    if weight is not None:
        losses, count = losses * weight, count * weight
    return losses.sum() / count.sum().clamp(min=torch.finfo(losses.dtype).tiny)
