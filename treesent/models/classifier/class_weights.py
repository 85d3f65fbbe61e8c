"""The weight of each class in the loss of a classifier."""

from collections.abc import Sequence
from typing import Literal

import numpy as np

from treesent.data.batches import EncodedCorpus
from treesent.trees.label_sets import members
from treesent.types import Float32, Int64


def class_weights(
    setting: Literal["balanced"] | Sequence[float] | None, corpus: EncodedCorpus, n_classes: int
) -> Float32 | None:
    """Give the weight of each class.

    :param setting: ``balanced`` for the inverse of the frequency of a class among the labels, scaled so that
        the mean weight over the labels is 1; or a number for each class; or None.
    :param corpus: the training data.
    :param n_classes: the number of classes.
    :returns: *Shape:* ``(n_classes,)``, or None if all classes have equal weight.
    """
    if setting is None:
        return None
    if setting != "balanced":
        return np.asarray(setting, np.float32)
    named = members(_labels(corpus), n_classes).astype(np.float64)
    # A label of a set counts for each of its classes in equal parts.
    counts = (named / named.sum(1, keepdims=True)).sum(0)
    n_present = max(1, int((counts > 0).sum()))
    return (len(named) / (n_present * np.where(counts > 0, counts, 1))).astype(np.float32)


def has_sets(corpus: EncodedCorpus, n_classes: int) -> bool:
    """Say whether a label of a corpus names a set of classes.

    :param corpus: the training data.
    :param n_classes: the number of classes.
    """
    return bool((_labels(corpus) >= n_classes).any())


def _labels(corpus: EncodedCorpus) -> Int64:
    """All labels of nodes and texts."""
    labels = [corpus.label] if corpus.documents is None else [corpus.label, corpus.documents.target]
    return np.concatenate([label[label >= 0] for label in labels])
