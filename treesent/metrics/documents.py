"""Texts of several sentences: their class follows from those of the sentences, as in the component.

A text's class probabilities are a weighted mean of those of its sentences' roots, or their product
(:data:`treesent.pipeline.sentiment.AGGREGATES`), and the loss of a text is that of what comes out. All of a
batch is one segment sum over its roots.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np

from treesent.data.batches import Documents, EncodedCorpus
from treesent.metrics.accuracy import TreeScores, score, score_trees
from treesent.types import Float32, Int64

if TYPE_CHECKING:
    from torch import Tensor

Aggregate = Literal["mean", "words", "last", "product"]


def shares(documents: Documents, lengths: Int64, aggregate: Aggregate) -> Float32:
    """Give how much each sentence counts in the mean of its text; those of a text sum to 1.

    :param documents: the texts.
    :param lengths: words of each sentence. *Shape:* ``(n_trees,)``.
    :param aggregate: ``mean``, ``words`` or ``last``, as in the component; of a ``product`` nothing is used.
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


def product_log_probs(log_probs: "Tensor", document: "Tensor", n_documents: int) -> "Tensor":
    """Give the log-probabilities of texts: of each, that of the product of its sentences' (Hinton 2002).

    :param log_probs: of the roots. *Shape:* ``(n_trees, n_classes)``.
    :param document: the text of each root. *Shape:* ``(n_trees,)``.
    :param n_documents: how many texts there are.
    :returns: *Shape:* ``(n_documents, n_classes)``.
    """
    total = log_probs.new_zeros(n_documents, log_probs.shape[1]).index_add(0, document, log_probs)
    return total.log_softmax(1)


def normalised_product(probs: Float32, begins: Int64) -> Float32:
    """Multiply the probabilities of the sentences of each text, and let those of a text sum to 1 again.

    :param probs: of the sentences. *Shape:* ``(n_sentences, n_classes)``.
    :param begins: the first sentence of each text. *Shape:* ``(n_documents,)``.
    :returns: *Shape:* ``(n_documents, n_classes)``.
    """
    least = np.finfo(np.float32).tiny  # one sentence's zero is no veto over all others
    logs = np.add.reduceat(np.log(np.maximum(probs, least), dtype=np.float64), begins)
    powers = np.exp(logs - logs.max(axis=1, keepdims=True))
    product: Float32 = (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32)
    return product


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
    begins = documents.offsets[:-1]
    if aggregate == "product":
        texts = normalised_product(probs[roots], begins)
    else:
        share = shares(documents, corpus.structure.lengths, aggregate)
        texts = np.add.reduceat(probs[roots] * share[:, None], begins)
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
