"""How many of the treebank's brackets a parser finds, whatever their labels."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from treesent.errors import TreesentError
from treesent.trees.structure import Structure
from treesent.types import Int64


@dataclass(frozen=True, slots=True)
class BracketScores:
    """Unlabelled brackets of binary trees, without whole sentences and single words, in percent.

    Two binary trees over the same words have equally many brackets, so that precision, recall and F1 are one
    figure.
    """

    n: int
    """Brackets of the treebank."""
    f1: float
    exact_match: float
    """Fraction of sentences whose brackets are all right."""

    def to_dict(self) -> dict[str, Any]:
        """Give plain values for JSON."""
        return {"bracket_f1": self.f1, "exact_match": self.exact_match, "n": self.n}

    def metric(self, name: str) -> float:
        """Look up a metric by name.

        :param name: ``bracket_f1`` or ``exact_match``.
        :raises TreesentError: there is no such metric.
        """
        if name in ("bracket_f1", "exact_match"):
            return float(self.to_dict()[name])
        raise TreesentError(f"a parser has no metric {name!r}; there are bracket_f1 and exact_match")


def score_brackets(gold: Structure, predicted: Structure) -> BracketScores:
    """Compare trees with those of a treebank.

    :param gold: the treebank's.
    :param predicted: over the same sentences, in the same order.
    :raises TreesentError: the sentences differ.
    """
    if not np.array_equal(gold.lengths, predicted.lengths):
        raise TreesentError("trees of different sentences cannot be compared: parse the treebank's own words")
    expected, tree = brackets(gold)
    found, _ = brackets(predicted)
    right = np.isin(expected, found, assume_unique=True)
    wrong = np.bincount(tree[~right], minlength=gold.n_trees) > 0
    n = len(expected)
    return BracketScores(
        n,
        100.0 * float(right.sum()) / n if n else 100.0,
        100.0 * float((~wrong).sum()) / len(wrong) if len(wrong) else 100.0,
    )


def brackets(structure: Structure) -> tuple[Int64, Int64]:
    """Number the brackets that count, so that equal spans of equal sentences have equal numbers.

    :param structure: the trees.
    :returns: the number of each bracket, and the tree it belongs to. *Shape of each:* ``(n_brackets,)``.
    """
    width = structure.end - structure.start
    tree = np.repeat(np.arange(structure.n_trees), np.diff(structure.offsets))
    kept = (width > 1) & (width < structure.lengths[tree])
    longest = np.int64(structure.lengths.max(initial=0) + 1)
    tree, start, end = tree[kept], structure.start[kept].astype(np.int64), structure.end[kept]
    return (tree * longest + start) * longest + end, tree
