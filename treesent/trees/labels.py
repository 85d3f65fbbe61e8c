"""Carry labels from trees to other trees over the same words."""

import numpy as np

from treesent.errors import DataError
from treesent.trees.structure import Structure
from treesent.types import Int64


def carry_labels(source: Structure, label: Int64, target: Structure) -> Int64:
    """Give every node of some trees the label of the node with the same span in other trees.

    :param source: the trees with labels.
    :param label: the class of each of their nodes, -1 for none. *Shape:* ``(n_nodes,)``
    :param target: trees over the same words.
    :returns: the class of each node of ``target``, -1 for none. *Shape:* ``(n_nodes,)``
    :raises DataError: the trees are over different words.
    """
    if not np.array_equal(source.lengths, target.lengths):
        raise DataError("labels can only be carried to trees over the same sentences, in the same order")
    width = int(source.lengths.max(initial=0)) + 1
    here, there = _spans(source, width), _spans(target, width)
    order = np.argsort(here)
    place = np.searchsorted(here[order], there).clip(max=len(here) - 1)
    found = order[place]
    return np.where(here[found] == there, label[found], -1)


def _spans(trees: Structure, width: int) -> Int64:
    """Number every span of every tree: two nodes have the same number if tree and span are the same."""
    tree = np.repeat(np.arange(trees.n_trees, dtype=np.int64), np.diff(trees.offsets))
    return (tree * width + trees.start) * width + trees.end
