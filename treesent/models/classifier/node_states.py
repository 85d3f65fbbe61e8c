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


def label_losses(log_probs: Tensor, label: Tensor, sets: bool = False) -> Tensor:
    """Compute the negative log-probability of each label: of a class, or of any class of a set.

    :param log_probs: *Shape:* ``(n, n_classes)``
    :param label: see :mod:`treesent.trees.label_sets`. *Shape:* ``(n,)``
    :param sets: whether some label may be a set.
    :returns: zero where there is no label. *Shape:* ``(n,)``
    """
    if not sets:
        return functional.nll_loss(log_probs, label, ignore_index=-1, reduction="none")
    member = _members(label, log_probs.shape[1])
    return -log_probs.masked_fill(member == 0, -float("inf")).logsumexp(1) * (label >= 0)


def label_weights(class_weight: Tensor, label: Tensor, sets: bool = False) -> Tensor:
    """Give the weight of each label: that of its class, or the mean of those of its set.

    :param class_weight: *Shape:* ``(n_classes,)``
    :param label: *Shape:* ``(n,)``
    :param sets: whether some label may be a set.
    :returns: anything where there is no label. *Shape:* ``(n,)``
    """
    if not sets:
        return class_weight.index_select(0, label.clamp(min=0))
    member = _members(label, len(class_weight))
    return (member * class_weight).sum(1) / member.sum(1)


def _members(label: Tensor, n_classes: int) -> Tensor:
    """1 at the classes that each label names; anything where there is no label. *Shape:* ``(n, n_classes)``."""
    bits = torch.where(label >= n_classes, label - n_classes, 1 << label.clamp(0, n_classes - 1))
    return (bits[:, None] >> torch.arange(n_classes, device=label.device)) & 1


def node_loss(logits: Tensor, label: Tensor, weight: Tensor | None = None, sets: bool = False) -> Tensor:
    """Compute the mean cross-entropy over the labelled nodes; zero if no node has a label.

    :param logits: *Shape:* ``(n_nodes, n_classes)``
    :param label: -1 at nodes without a label. *Shape:* ``(n_nodes,)``
    :param weight: of each node (roots, rare classes). *Shape:* ``(n_nodes,)``
    :param sets: whether some label may be a set of classes.
    :returns: *Shape:* ``()``
    """
    losses = label_losses(at_least_float32(logits).log_softmax(1), label, sets)
    count = (label >= 0).to(losses.dtype)
    if weight is not None:
        losses, count = losses * weight, count * weight
    return losses.sum() / count.sum().clamp(min=torch.finfo(losses.dtype).tiny)
