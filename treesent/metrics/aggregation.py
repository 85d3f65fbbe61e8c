"""Aggregation of the class probabilities of sentences into those of a document.

A document's probabilities are a weighted mean of those of its sentences, or their normalised product. The
component, the metrics and the loss of a classifier all use this module, so that what is trained is what is
predicted. A batch of documents is one segment sum over its sentences.
"""

from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from treesent.errors import TreesentError
from treesent.types import Bool, Float32, Int64

if TYPE_CHECKING:
    from torch import Tensor

#: ``mean``: each sentence has equal weight; ``words``: each word has; ``strongest``: the sentence whose
#: polarity is furthest from 0; ``last``: the last sentence, in which reviews tend to conclude; ``product``:
#: the probabilities are multiplied, so that evidence accumulates, for a model trained with this aggregation.
Aggregate = Literal["mean", "words", "strongest", "last", "product"]
AGGREGATES: tuple[Aggregate, ...] = get_args(Aggregate)


def check_aggregate(name: str) -> Aggregate:
    """Return the name of an aggregation unchanged.

    :param name: the name.
    :raises TreesentError: if it is not one of :data:`AGGREGATES`.
    """
    for known in AGGREGATES:
        if name == known:
            return known
    raise TreesentError(
        f"aggregate = {name!r} is not a known aggregation; use one of {', '.join(AGGREGATES)}"
    )


def sentence_weights(
    offsets: Int64, lengths: Int64, aggregate: Aggregate, silent: Bool | None = None
) -> Float32:
    """Weight each sentence in the mean of its document; the weights of a document sum to 1.

    :param offsets: the first sentence of each document, and the number of sentences; no document is empty.
        *Shape:* ``(n_documents + 1,)``.
    :param lengths: words of each sentence. *Shape:* ``(n_trees,)``.
    :param aggregate: ``words`` and ``last`` weight accordingly; others weight all sentences equally.
    :param silent: whether each sentence holds no opinion; such ones weigh nothing beside others.
        *Shape:* ``(n_trees,)``.
    :returns: *Shape:* ``(n_trees,)``.
    """
    weights = lengths.astype(np.float64) if aggregate == "words" else np.ones(len(lengths))
    if aggregate == "last":
        weights[:] = 0
        weights[offsets[1:] - 1] = 1
    if silent is not None:
        rest = np.where(silent, 0, weights)
        heard = np.add.reduceat(rest, offsets[:-1]) > 0
        weights = np.where(np.repeat(heard, np.diff(offsets)), rest, weights)
    total = np.add.reduceat(weights, offsets[:-1])
    normalised: Float32 = (weights / np.repeat(total, np.diff(offsets))).astype(np.float32)
    return normalised


def document_probs(
    probs: Float32, offsets: Int64, lengths: Int64, aggregate: Aggregate, polarity: Float32 | None = None
) -> Float32:
    """Aggregate the probabilities of sentences.

    :param probs: of the sentences. *Shape:* ``(n_trees, n_classes)``.
    :param offsets: the first sentence of each document, and the number of sentences; no document is empty.
        *Shape:* ``(n_documents + 1,)``.
    :param lengths: words of each sentence. *Shape:* ``(n_trees,)``.
    :param aggregate: the aggregation.
    :param polarity: the value of each class, which ``strongest`` needs; NaN counts as 0.
        *Shape:* ``(n_classes,)``.
    :returns: *Shape:* ``(n_documents, n_classes)``.
    """
    if aggregate == "product":
        return normalised_product(probs, offsets[:-1])
    if aggregate == "strongest":
        assert polarity is not None
        strength = np.nan_to_num(np.abs(probs @ polarity))
        bounds = zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True)
        return probs[[first + int(strength[first:last].argmax()) for first, last in bounds]]
    weights = sentence_weights(offsets, lengths, aggregate)
    return np.add.reduceat(probs * weights[:, None], offsets[:-1])


def normalised_product(probs: Float32, begins: Int64) -> Float32:
    """Multiply the probabilities of the sentences of each document and normalise the result to sum to 1.

    :param probs: of the sentences. *Shape:* ``(n_trees, n_classes)``.
    :param begins: the first sentence of each document. *Shape:* ``(n_documents,)``.
    :returns: *Shape:* ``(n_documents, n_classes)``.
    """
    tiny = np.finfo(np.float32).tiny  # a single sentence's zero must not outweigh all others
    logs = np.add.reduceat(np.log(np.maximum(probs, tiny), dtype=np.float64), begins)
    powers = np.exp(logs - logs.max(axis=1, keepdims=True))
    product: Float32 = (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32)
    return product


def document_log_probs(
    log_probs: "Tensor", document: "Tensor", weights: "Tensor", n_documents: int
) -> "Tensor":
    """Aggregate log-probabilities by the weighted mean of the probabilities; gradients stay finite.

    :param log_probs: of the roots. *Shape:* ``(n_trees, n_classes)``.
    :param document: the document of each root. *Shape:* ``(n_trees,)``.
    :param weights: of the roots, see :func:`sentence_weights`. *Shape:* ``(n_trees,)``.
    :param n_documents: the number of documents.
    :returns: *Shape:* ``(n_documents, n_classes)``.
    """
    terms = log_probs + weights.log()[:, None]
    shape = (n_documents, log_probs.shape[1])
    index = document[:, None].expand_as(terms)
    top = terms.new_full(shape, -float("inf")).scatter_reduce(0, index, terms.detach(), "amax")
    total = terms.new_zeros(shape).index_add(0, document, (terms - top.index_select(0, document)).exp())
    return top + total.log()


def product_log_probs(log_probs: "Tensor", document: "Tensor", n_documents: int) -> "Tensor":
    """Aggregate log-probabilities by the normalised product of the probabilities (Hinton 2002).

    :param log_probs: of the roots. *Shape:* ``(n_trees, n_classes)``.
    :param document: the document of each root. *Shape:* ``(n_trees,)``.
    :param n_documents: the number of documents.
    :returns: *Shape:* ``(n_documents, n_classes)``.
    """
    total = log_probs.new_zeros(n_documents, log_probs.shape[1]).index_add(0, document, log_probs)
    return total.log_softmax(1)
