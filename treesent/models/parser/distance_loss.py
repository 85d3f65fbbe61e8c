"""Losses of a parser: on the order of the distances, never on their size."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional


def rank_loss(distances: Tensor, higher: Tensor, lower: Tensor) -> Tensor:
    """Hinge loss on pairs of gaps: the one that splits higher up should be larger by 1.

    The second equation of section 2.4 of Shen et al. 2018 (arXiv:1806.04168); pairs of equal height, which
    only add a constant, are left out.

    :param distances: *Shape:* (n_gaps,)
    :param higher: the gap of each pair that splits higher up. *Shape:* (n_pairs,)
    :param lower: the other one. *Shape:* (n_pairs,)
    :returns: the sum over the pairs. *Shape:* ()
    """
    difference = distances.index_select(0, higher) - distances.index_select(0, lower)
    return functional.relu(1 - difference).sum()


def split_loss(distances: Tensor, gaps: Tensor, node: Tensor, split: Tensor) -> Tensor:
    """Cross-entropy of the top-down parser's choices: at every node, the gap that splits against all others.

    :param distances: *Shape:* (n_gaps,)
    :param gaps: the gaps within each node, node after node. *Shape:* (n_choices,)
    :param node: the node that each of them belongs to. *Shape:* (n_choices,)
    :param split: the gap at which each node splits. *Shape:* (n_nodes,)
    :returns: the sum over the nodes. *Shape:* ()
    """
    choices = distances.index_select(0, gaps)
    largest = choices.detach().new_full((len(split),), float("-inf"))
    largest = largest.scatter_reduce(0, node, choices.detach(), "amax")
    weights = (choices - largest.index_select(0, node)).exp()
    total = weights.new_zeros(len(split)).index_add(0, node, weights)
    return (total.log() + largest - distances.index_select(0, split)).sum()
