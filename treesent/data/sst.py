"""The Stanford Sentiment Treebank (Socher et al. 2013): a binary tree a line, a class on every node."""

from collections.abc import Iterable
from pathlib import Path

from treesent.data.batches import Corpus
from treesent.errors import DataError
from treesent.trees.brackets import read_trees
from treesent.trees.tree import Tree

LABELS = ("very negative", "negative", "neutral", "positive", "very positive")
POLARITY = (-1.0, -0.5, 0.0, 0.5, 1.0)


def read_trees_of(paths: Iterable[str | Path], n_classes: int = len(LABELS)) -> list[Tree]:
    """Read the trees of several files.

    :param paths: the files, in order.
    :param n_classes: labels are integers from 0 below this.
    :raises TreesentError: a file is missing, a tree is broken, or there is no tree at all.
    """
    paths = list(paths)
    trees = [tree for path in paths for tree in read_trees(path, n_classes)]
    if not trees:
        raise DataError(
            f"{', '.join(map(str, paths))}: no tree; expected one a line, (3 (2 good) (2 film)) say"
        )
    return trees


def read_treebank(paths: Iterable[str | Path], n_classes: int = len(LABELS)) -> Corpus:
    """Read files of bracketed trees as one corpus.

    :param paths: the files, in order.
    :param n_classes: labels are integers from 0 below this.
    :raises TreesentError: a file is missing, a tree is broken, or there is no tree at all.
    """
    return Corpus.from_trees(read_trees_of(paths, n_classes))
