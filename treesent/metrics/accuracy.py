"""Accuracy, macro F1 and the confusion table, in percent as the papers print them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from treesent.errors import TreesentError
from treesent.trees.label_sets import MOST_CLASSES, members
from treesent.types import Float32, Float64, Int64


@dataclass(frozen=True, slots=True, eq=False)
class Scores:
    """How well probabilities agree with labels. All metrics are in percent (0 to 100)."""

    n: int
    """Labelled nodes scored."""
    n_classes: int
    accuracy: float
    """Fraction of nodes whose most probable class is the label's."""
    accuracy_2: float | None
    """Binary accuracy, see :func:`score`; None if the classes have no polarity."""
    macro_f1: float
    """Mean F1 of the classes that stand among the labels or the predictions."""
    confusion: Int64
    """Counts; the row is the label, the column the prediction. *Shape:* ``(n_classes, n_classes)``."""

    def to_dict(self) -> dict[str, Any]:
        """Give plain values for JSON: ``accuracy_5`` for five classes and so on."""
        figures: dict[str, Any] = {f"accuracy_{self.n_classes}": self.accuracy}
        if self.accuracy_2 is not None:
            figures["accuracy_2"] = self.accuracy_2
        return figures | {"macro_f1": self.macro_f1, "n": self.n, "confusion": self.confusion.tolist()}

    def metric(self, name: str) -> float:
        """Look up a metric by name.

        :param name: ``accuracy``, ``accuracy_N`` with N the number of classes, ``accuracy_2``, ``macro_f1``.
        :raises TreesentError: there is no such metric for these classes.
        """
        figures = {"accuracy": self.accuracy} | self.to_dict()
        if name in figures and name not in ("n", "confusion"):
            return float(figures[name])
        known = ", ".join(key for key in figures if key not in ("n", "confusion"))
        raise TreesentError(f"no metric {name!r} for {self.n_classes} classes; there are {known}")


@dataclass(frozen=True, slots=True, eq=False)
class TreeScores:
    """Scores of the roots and of all labelled nodes, the roots among them."""

    root: Scores
    nodes: Scores

    def to_dict(self) -> dict[str, Any]:
        """Give plain values for JSON: an object each for ``root`` and ``nodes``."""
        return {"root": self.root.to_dict(), "nodes": self.nodes.to_dict()}

    def metric(self, name: str) -> float:
        """Look up a metric by name.

        :param name: ``root.`` or ``nodes.`` and the name of a metric, ``root.accuracy_5`` say; or several
            joined by ``+``, for their mean.
        :raises TreesentError: there is no such metric.
        """
        if "+" in name:
            names = name.split("+")
            return sum(map(self.metric, names)) / len(names)
        place, _, figure = name.partition(".")
        if place not in ("root", "nodes") or not figure:
            raise TreesentError(f"the metric {name!r} is not of the form root.METRIC or nodes.METRIC")
        return (self.root if place == "root" else self.nodes).metric(figure)


def score(probs: Float32, labels: npt.NDArray[np.integer[Any]], polarity: Sequence[float] | None) -> Scores:
    """Score probabilities against labels.

    Binary accuracy is taken over the nodes whose label has a polarity other than 0. The prediction is
    positive where the classes of positive polarity are together more probable than those of negative
    polarity; the probability of neutral classes plays no part (Socher et al. 2013, section 5).

    :param probs: *Shape:* ``(n_nodes, n_classes)``; need not sum to one.
    :param labels: classes; nodes of a negative label are left out. A set of classes (see
        :mod:`treesent.trees.label_sets`) counts for binary accuracy alone, where all its classes are of one side.
        *Shape:* ``(n_nodes,)``.
    :param polarity: a number for each class, or None if classes have none.
    :raises TreesentError: a label that is not a class.
    """
    n_classes = probs.shape[1]
    every = labels.astype(np.int64)
    sets = every[every >= n_classes] - n_classes
    # A set has two members at least.
    wrong = sets[((sets & (sets - 1)) == 0) | (sets >> min(n_classes, MOST_CLASSES) > 0)]
    if wrong.size:
        message = f"the label {wrong.max() + n_classes} is none of the model's {n_classes} classes (0 to {n_classes - 1})"
        raise TreesentError(message)
    binary = None if polarity is None else _binary(probs, every, np.asarray(polarity, np.float64))
    kept = (every >= 0) & (every < n_classes)
    probs, gold = probs[kept], every[kept]
    predicted = probs.argmax(1) if gold.size else gold
    counts = np.bincount(gold * n_classes + predicted, minlength=n_classes * n_classes)
    confusion = counts.reshape(n_classes, n_classes).astype(np.int64)
    accuracy = _percent(float(np.trace(confusion)), gold.size)
    return Scores(gold.size, n_classes, accuracy, binary, _macro_f1(confusion), confusion)


def score_trees(
    probs: Float32,
    labels: npt.NDArray[np.integer[Any]],
    roots: npt.NDArray[np.integer[Any]],
    polarity: Sequence[float] | None,
) -> TreeScores:
    """Score the roots and all nodes of many trees.

    :param probs: *Shape:* ``(n_nodes, n_classes)``.
    :param labels: *Shape:* ``(n_nodes,)``.
    :param roots: which of the nodes are roots. *Shape:* ``(n_trees,)``.
    :param polarity: a number for each class, or None if classes have none.
    """
    return TreeScores(score(probs[roots], labels[roots], polarity), score(probs, labels, polarity))


def _binary(probs: Float32, labels: Int64, polarity: Float64) -> float:
    named = members(labels, len(polarity))
    good = named.any(1) & ~named[:, polarity <= 0].any(1)
    bad = named.any(1) & ~named[:, polarity >= 0].any(1)
    positive = probs[:, polarity > 0].sum(1) > probs[:, polarity < 0].sum(1)
    polar, right = good | bad, (positive & good) | (~positive & bad)
    return _percent(float(right.sum()), int(polar.sum()))


def _macro_f1(confusion: Int64) -> float:
    met = confusion.sum(0) + confusion.sum(1)
    f1 = 2 * np.diag(confusion)[met > 0] / met[met > 0]
    return _percent(float(f1.sum()), f1.size)


def _percent(part: float, whole: int) -> float:
    return 100.0 * part / whole if whole else 0.0
