"""Batches of texts of one or more sentences, and their probabilities from those of the sentences."""

from dataclasses import dataclass

from torch import Tensor

from treesent.metrics.aggregation import Aggregate, document_log_probs, product_log_probs
from treesent.nn.batch import ForestBatch


@dataclass(frozen=True, slots=True)
class Texts:
    """The texts of a batch.

    :param document: the text of each root. *Shape:* ``(n_trees,)``.
    :param weight: the weight of each root in its text; those of a text sum to 1. *Shape:* ``(n_trees,)``.
    :param target: class of each text; -1 if it has none, or if its root has it. *Shape:* ``(n_documents,)``.
    """

    document: Tensor
    weight: Tensor
    target: Tensor


def document_log_probs_of(roots: Tensor, texts: Texts, aggregate: Aggregate) -> Tensor:
    """Give the log-probabilities of texts from those of their sentences.

    :param roots: log-probabilities. *Shape:* ``(n_trees, n_classes)``.
    :param texts: the texts.
    :param aggregate: how sentences are combined.
    :returns: *Shape:* ``(n_documents, n_classes)``.
    """
    if aggregate == "product":
        return product_log_probs(roots, texts.document, len(texts.target))
    return document_log_probs(roots, texts.document, texts.weight, len(texts.target))


@dataclass(frozen=True, slots=True)
class TextBatch:
    """The trees of a batch and the texts they are of.

    :param forest: input of the network.
    :param texts: None if each tree is a text.
    :param soft: a teacher's probabilities of each node, in forest order, zeros where it has none; None without one.
        *Shape:* ``(n_nodes, n_classes)``
    """

    forest: ForestBatch
    texts: Texts | None
    soft: Tensor | None = None

    @property
    def taught(self) -> Tensor:
        """1 where a teacher has scored a node, 0 elsewhere. *Shape:* ``(n_nodes,)``."""
        assert self.soft is not None
        return (self.soft.sum(1) > 0).float()

    @property
    def n_trees(self) -> int:
        """Trees in the batch."""
        return self.forest.n_trees

    @property
    def n_nodes(self) -> int:
        """Nodes of all trees."""
        return self.forest.n_nodes
