"""The training task of a classifier: the class of every labelled node, and of every labelled text."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn

from treesent.data.batches import EncodedCorpus
from treesent.metrics.accuracy import TreeScores
from treesent.metrics.aggregation import (
    Aggregate,
    sentence_weights,
)
from treesent.models.classifier.evaluation import predict, score_corpus
from treesent.models.classifier.node_states import label_losses, label_weights, node_loss
from treesent.models.classifier.texts import TextBatch, Texts, document_log_probs_of
from treesent.nn.batch import ForestBatch
from treesent.nn.pieces import MOST_PIECES
from treesent.nn.precision import at_least_float32
from treesent.text.pieces import Pieces
from treesent.training.sections import TrainingConfig
from treesent.training.task import Task
from treesent.trees.forest import Forest
from treesent.types import Float32, Int64


@dataclass(frozen=True, slots=True)
class ClassifierTask(Task):
    """The training task of a classifier.

    :param train: training trees.
    :param dev: held-out trees.
    :param polarity: a number for each class; None if classes have no polarity.
    :param aggregate: how the classes of sentences are combined into the class of a text.
    :param class_weight: the weight of each class in the loss, on the network's device. *Shape:* ``(n_classes,)``.
    :param word_dropout: rate at which the words of a batch are replaced by zeros.
    :param n_rows: rows of the table; a dropped word has this row, one past the last.
    :param width: width of the vectors.
    :param sets: whether some label names a set of classes, see :mod:`treesent.trees.label_sets`.
    :param pieces: the word pieces of the distinct words, for a transformer; None without one.
    :param longest: pieces of a window of the transformer at most.
    :param teacher_share: weight of the teacher's probabilities in the loss, where the training trees have them.
    :param node_fraction: of the labelled nodes below the roots that a batch keeps.
    :param seed: the run's; together with a batch's texts it fixes which words are dropped.
    """

    train: EncodedCorpus
    dev: EncodedCorpus
    polarity: Sequence[float] | None
    aggregate: Aggregate = "mean"
    class_weight: Tensor | None = None
    word_dropout: float = 0.0
    n_rows: int = 0
    width: int = 0
    seed: int = 0
    sets: bool = False
    pieces: Pieces | None = None
    longest: int = MOST_PIECES
    node_fraction: float = 1.0
    teacher_share: float = 0.0

    @property
    def n_train(self) -> int:
        """Texts to learn from; a tree of a treebank is one."""
        return self.train.n_documents

    def batch(self, texts: Int64, device: torch.device, non_blocking: bool) -> TextBatch:
        """Lay some of the texts out.

        :param texts: which. *Shape:* ``(batch,)``.
        :param device: where the network is.
        :param non_blocking: copy from pinned memory while the host continues.
        """
        trees, found = texts, None
        if self.train.documents is not None:
            documents, trees = self.train.documents.take(texts)
            lengths = self.train.structure.lengths[trees]
            weights = sentence_weights(documents.offsets, lengths, self.aggregate)
            arrays = (documents.of_tree, weights, documents.target)
            found = Texts(*(torch.from_numpy(a).to(device, non_blocking=non_blocking) for a in arrays))
        corpus, extra = self.train, None
        if self.word_dropout:
            corpus, extra = self._without_words(trees), np.zeros((1, self.width), np.float32)
            trees = np.arange(len(trees))
        if self.node_fraction < 1:
            corpus, trees = self._without_labels(corpus.take(trees)), np.arange(len(trees))
        part = corpus.take(trees)
        forest = self._forest(part, device, non_blocking, extra)
        soft = None
        if part.soft is not None:
            given = torch.from_numpy(part.soft).to(device, non_blocking=non_blocking).float()
            soft = torch.empty_like(given).index_copy_(0, forest.order, given)
        return TextBatch(forest, found, soft)

    def _forest(
        self,
        part: EncodedCorpus,
        device: torch.device,
        non_blocking: bool = False,
        extra: Float32 | None = None,
    ) -> ForestBatch:
        """Lay trees out on a device, with their pieces for a transformer."""
        pieces = None if self.pieces is None or part.words is None else self.pieces.take(part.words)
        forest = Forest.build(part.structure, part.rows, part.label)
        return ForestBatch.from_forest(forest, device, non_blocking, extra, pieces, self.longest)

    def _without_labels(self, part: EncodedCorpus) -> EncodedCorpus:
        """Some trees, with the labels of all roots and of a fraction of the other nodes."""
        rng = np.random.default_rng([self.seed, 3, *part.rows[:64].tolist()])
        kept = rng.random(len(part.label)) < self.node_fraction
        kept[part.structure.offsets[1:] - 1] = True
        return replace(part, label=np.where(kept, part.label, -1))

    def _without_words(self, trees: Int64) -> EncodedCorpus:
        """Some trees, with the row past the table for dropped words."""
        part = self.train.take(trees)
        rng = np.random.default_rng([self.seed, 2, *trees[:64].tolist()])
        dropped = rng.random(len(part.rows)) < self.word_dropout
        return replace(part, rows=np.where(dropped, self.n_rows, part.rows))

    def loss(
        self, model: nn.Module, batch: TextBatch, generator: torch.Generator, config: TrainingConfig
    ) -> Tensor:
        """Mean cross-entropy over the labelled nodes and texts.

        :param model: the network.
        :param batch: made by :meth:`batch`.
        :param generator: the source of dropout masks.
        :param config: has the weight of roots and texts.
        """
        forest, texts = batch.forest, batch.texts
        logits = model(forest, generator).logits
        if texts is None and batch.soft is None:
            return node_loss(logits, forest.label, self._node_weight(forest, config), self.sets)
        log_probs = at_least_float32(logits).log_softmax(1)
        nodes, text_weight = self._both(batch, config)
        total = (label_losses(log_probs, forest.label, self.sets) * nodes).sum()
        weight = nodes.sum() + text_weight.sum()
        if texts is not None:
            documents = document_log_probs_of(log_probs.index_select(0, forest.roots), texts, self.aggregate)
            total = total + (label_losses(documents, texts.target, self.sets) * text_weight).sum()
        if batch.soft is not None:
            taught = self._taught(batch, config)
            total = total - ((batch.soft * log_probs).sum(1) * taught).sum()
            weight = weight + taught.sum()
        return total / weight.clamp(min=torch.finfo(torch.float32).tiny)

    def weight(self, batch: TextBatch, config: TrainingConfig) -> Tensor:
        """The weighted number of labels in a batch. *Shape:* ``()``.

        :param batch: made by :meth:`batch`.
        :param config: has the weight of roots and texts.
        """
        nodes, texts = self._both(batch, config)
        weight = nodes.sum() + texts.sum()
        return weight if batch.soft is None else weight + self._taught(batch, config).sum()

    def _taught(self, batch: TextBatch, config: TrainingConfig) -> Tensor:
        """The weight of the teacher's probabilities of each node."""
        weight = torch.full((batch.n_nodes,), self.teacher_share, device=batch.forest.device)
        weight = weight.index_fill(0, batch.forest.roots, self.teacher_share * config.root_weight)
        return weight * batch.taught

    def _both(self, batch: TextBatch, config: TrainingConfig) -> tuple[Tensor, Tensor]:
        """The weight of each node and each text in the loss: 0 without a label."""
        label = batch.forest.label
        labelled = (label >= 0).float()
        weight = self._node_weight(batch.forest, config)
        nodes = labelled if weight is None else weight * labelled
        if batch.soft is not None:
            nodes = nodes * (1 - self.teacher_share * batch.taught)
        if batch.texts is None:
            return nodes, nodes.new_zeros(1)
        target = batch.texts.target
        texts = (target >= 0).float() * config.root_weight
        if self.class_weight is not None:
            texts = texts * label_weights(self.class_weight, target, self.sets)
        return nodes, texts

    def _node_weight(self, forest: ForestBatch, config: TrainingConfig) -> Tensor | None:
        """The weight of each node if it has a label; None if all weights are equal."""
        weight: Tensor | None = None
        if config.root_weight != 1:
            weight = torch.ones(forest.n_nodes, device=forest.device)
            weight = weight.index_fill(0, forest.roots, config.root_weight)
        if self.class_weight is None:
            return weight
        classes = label_weights(self.class_weight, forest.label, self.sets)
        return classes if weight is None else weight * classes

    def evaluate(self, model: nn.Module, device: torch.device, batch_size: int) -> TreeScores:
        """Score the dev texts.

        :param model: the network.
        :param device: where it is.
        :param batch_size: trees a batch.
        """
        dev, n_trees = self.dev, len(self.dev)
        starts = range(0, n_trees, batch_size)
        trees = (np.arange(start, min(start + batch_size, n_trees)) for start in starts)
        probs = predict(model, (self._forest(dev.take(some), device) for some in trees))
        return score_corpus(probs, self.dev, self.polarity, self.aggregate)
