"""The weight of each class in the loss of a classifier."""

from collections.abc import Sequence
from typing import Literal

import numpy as np

from treesent.data.batches import EncodedCorpus
from treesent.types import Float32


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
    labels = [corpus.label] if corpus.documents is None else [corpus.label, corpus.documents.target]
    labelled = np.concatenate([label[label >= 0] for label in labels])
    counts = np.bincount(labelled, minlength=n_classes)
    n_present = max(1, int((counts > 0).sum()))
    return (len(labelled) / (n_present * np.maximum(counts, 1))).astype(np.float32)
