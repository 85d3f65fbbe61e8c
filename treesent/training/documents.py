"""Texts of several sentences: their class follows from those of the sentences, as in the component.

A text's class probabilities are a weighted mean of those of its sentences' roots
(:data:`treesent.component.sentiment.AGGREGATES`), so the loss of a text is that of the mean. All of a batch
is one segment mean over its roots.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

from treesent.data.batches import Documents, EncodedCorpus
from treesent.training.metrics import TreeScores, score, score_trees

if TYPE_CHECKING:
    from torch import Tensor

Float32 = npt.NDArray[np.float32]
Int64 = npt.NDArray[np.int64]
Aggregate = Literal["mean", "words", "last"]


def shares(documents: Documents, lengths: Int64, aggregate: Aggregate) -> Float32:
    """Give how much each sentence counts in its text; those of a text sum to 1.

    :param documents: the texts.
    :param lengths: words of each sentence. *Shape:* ``(n_trees,)``.
    :param aggregate: ``mean``, ``words`` or ``last``, as in the component.
    :returns: *Shape:* ``(n_trees,)``.
    """
    weight = lengths.astype(np.float64) if aggregate == "words" else np.ones(len(lengths))
    if aggregate == "last":
        weight[:] = 0
        weight[documents.offsets[1:] - 1] = 1
    total = np.add.reduceat(weight, documents.offsets[:-1])
    share: Float32 = (weight / np.repeat(total, np.diff(documents.offsets))).astype(np.float32)
    return share


def document_log_probs(
    log_probs: "Tensor", document: "Tensor", share: "Tensor", n_documents: int
) -> "Tensor":
    """Give the log-probabilities of texts: of each, the weighted mean of its sentences' probabilities.

    :param log_probs: of the roots. *Shape:* ``(n_trees, n_classes)``.
    :param document: the text of each root. *Shape:* ``(n_trees,)``.
    :param share: how much each counts, see :func:`shares`. *Shape:* ``(n_trees,)``.
    :param n_documents: how many texts there are.
    :returns: *Shape:* ``(n_documents, n_classes)``.
    """
    terms = log_probs + share.log()[:, None]
    shape = (n_documents, log_probs.shape[1])
    index = document[:, None].expand_as(terms)
    top = terms.new_full(shape, -float("inf")).scatter_reduce(0, index, terms.detach(), "amax")
    total = terms.new_zeros(shape).index_add(0, document, (terms - top.index_select(0, document)).exp())
    return top + total.log()


def score_corpus(
    probs: Float32, corpus: EncodedCorpus, polarity: Sequence[float] | None, aggregate: Aggregate = "mean"
) -> TreeScores:
    """Score texts and all labelled nodes.

    :param probs: of all nodes, each tree in post-order. *Shape:* ``(n_nodes, n_classes)``.
    :param corpus: the texts and their labels.
    :param polarity: a number for each class, or None where classes have none.
    :param aggregate: how sentences make the class of a text.
    :returns: under ``root`` the figures of whole texts.
    """
    roots = corpus.structure.offsets[1:] - 1
    documents = corpus.documents
    if documents is None:
        return score_trees(probs, corpus.label, roots, polarity)
    share = shares(documents, corpus.structure.lengths, aggregate)
    texts = np.add.reduceat(probs[roots] * share[:, None], documents.offsets[:-1])
    several = np.diff(documents.offsets) > 1
    label = np.where(several, documents.target, corpus.label[roots[documents.offsets[1:] - 1]])
    nodes = score(
        np.concatenate([probs, texts[several]]), np.concatenate([corpus.label, label[several]]), polarity
    )
    return TreeScores(score(texts, label, polarity), nodes)


def class_weights(
    setting: Literal["balanced"] | Sequence[float] | None, corpus: EncodedCorpus, n_classes: int
) -> Float32 | None:
    """Give how much each class counts in the loss.

    :param setting: ``balanced`` for the inverse of how often a class occurs among the labels, 1 on average
        over these; or a number for each class; or None.
    :param corpus: what is learned from.
    :param n_classes: how many classes there are.
    :returns: *Shape:* ``(n_classes,)``, or None where all count the same.
    """
    if setting is None:
        return None
    if setting != "balanced":
        return np.asarray(setting, np.float32)
    labels = [corpus.label] if corpus.documents is None else [corpus.label, corpus.documents.target]
    met = np.concatenate([label[label >= 0] for label in labels])
    counts = np.bincount(met, minlength=n_classes)
    there = max(1, int((counts > 0).sum()))
    return (len(met) / (there * np.maximum(counts, 1))).astype(np.float32)
