"""Train an encoder-decoder to write trees."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from treesent.data.batches import EncodedCorpus, epoch_batches
from treesent.metrics.brackets import BracketScores, score_brackets
from treesent.models.parser.decoding import DecoderTargets
from treesent.models.parser.seq2seq import decoder_targets
from treesent.models.parser.task import parse_corpus
from treesent.nn.packed import Packed
from treesent.training.sections import TrainingConfig
from treesent.training.task import Task
from treesent.types import Int64

POOL = 64
"""Batches whose trees are sorted by length together: enough for batches of one length, few enough to mix."""


@dataclass(frozen=True, slots=True)
class LinearisedBatch:
    """Sentences and their trees as symbols.

    :param distinct: rows of the vectors. *Shape:* ``(n_distinct,)``.
    :param inverse: which of them each word is. *Shape:* ``(n_words,)``.
    :param source: where words stand.
    :param target: the symbols.
    :param n_trees: sentences.
    :param n_nodes: nodes of their trees.
    """

    distinct: Tensor
    inverse: Tensor
    source: Packed
    target: DecoderTargets
    n_trees: int
    n_nodes: int


@dataclass(frozen=True, slots=True)
class LinearisedTask(Task):
    """What the training loop needs to know of a parser that writes symbols.

    :param train: the trees to learn from.
    :param dev: those to be judged by.
    :param reads_words: whether the decoder reads the words that it wrote.
    """

    train: EncodedCorpus
    dev: EncodedCorpus
    reads_words: bool

    @property
    def n_train(self) -> int:
        """Trees to learn from."""
        return len(self.train)

    def order(self, config: TrainingConfig, epoch: int) -> list[Int64]:
        """Make batches of sentences of like length; see :meth:`Task.order`.

        :param config: the recipe's ``[training]``.
        :param epoch: which, from 0.
        """
        lengths = self.train.structure.lengths
        pools = epoch_batches(self.n_train, config.batch_size * POOL, config.seed, epoch)
        batches = []
        for pool in pools:
            ordered = pool[np.argsort(lengths[pool], kind="stable")]
            batches += [
                ordered[start : start + config.batch_size]
                for start in range(0, len(ordered), config.batch_size)
            ]
        shuffled = np.random.default_rng([config.seed, epoch, 1]).permutation(len(batches))
        return [batches[place] for place in shuffled]

    def batch(self, items: Int64, device: torch.device, non_blocking: bool) -> LinearisedBatch:
        """Lay some of the trees out; see :meth:`Task.batch`.

        :param items: which. *Shape:* ``(batch,)``.
        :param device: where the network is.
        :param non_blocking: copy from pinned memory while the host continues.
        """
        part = self.train.take(items)
        distinct, inverse = np.unique(part.rows, return_inverse=True)
        return LinearisedBatch(
            torch.from_numpy(distinct).to(device, non_blocking=non_blocking),
            torch.from_numpy(inverse).to(device, non_blocking=non_blocking),
            Packed.of(part.structure.lengths, device),
            decoder_targets(part.structure, inverse if self.reads_words else None, device),
            len(part),
            part.structure.n_nodes,
        )

    def loss(
        self, model: nn.Module, batch: LinearisedBatch, generator: torch.Generator, config: TrainingConfig
    ) -> Tensor:
        """The negative log-likelihood per symbol; see :meth:`Task.loss`.

        :param model: a :class:`~treesent.models.parser.task.ParserOnVectors`.
        :param batch: made by :meth:`batch`.
        :param generator: where dropout masks come from.
        :param config: unused.
        """
        both: Any = model
        vectors = both.embedding(batch.distinct)
        logits = both.parser.network(vectors, batch.inverse, batch.source, batch.target, generator)
        return functional.cross_entropy(logits.float(), batch.target.symbols)

    def weight(self, batch: LinearisedBatch, config: TrainingConfig) -> Tensor:
        """The symbols that the loss is a mean over; see :meth:`Task.weight`.

        :param batch: made by :meth:`batch`.
        :param config: unused.
        """
        return torch.tensor(float(len(batch.target.symbols)), device=batch.inverse.device)

    def evaluate(self, model: nn.Module, device: torch.device, batch_size: int) -> BracketScores:
        """Compare the parser's trees with dev's; see :meth:`Task.evaluate`.

        :param model: a :class:`~treesent.models.parser.task.ParserOnVectors`.
        :param device: where it is.
        :param batch_size: unused; the parser itself limits the words it holds.
        """
        return score_brackets(self.dev.structure, parse_corpus(model, self.dev, device))
