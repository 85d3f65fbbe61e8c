"""The training task of the chart parser: spans and syntactic distances of bracketed trees, with or without labels."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from treesent.data.batches import EncodedCorpus
from treesent.metrics.brackets import BracketScores, score_brackets
from treesent.models.parser.chart import inside
from treesent.models.parser.chart_parser import ChartParser, SentenceBatch, grid, groups, span_scores
from treesent.models.parser.distance_loss import rank_loss, split_loss
from treesent.models.parser.kinds import Parser
from treesent.nn.embedding import VectorEmbedding
from treesent.training.sections import TrainingConfig
from treesent.training.task import Task
from treesent.trees.arrays import ranges
from treesent.trees.structure import Structure
from treesent.types import Int64


class ParserOnVectors(nn.Module):
    """A parser with the frozen vectors that it reads; only the parser has weights.

    :param parser: the parser.
    :param embedding: the vectors.
    """

    def __init__(self, parser: Parser, embedding: VectorEmbedding) -> None:
        super().__init__()
        self.parser, self.embedding = parser, embedding


@dataclass(frozen=True, slots=True)
class Spans:
    """The spans of the trees of sentences that share a chart.

    :param places: see :func:`~treesent.models.parser.chart_parser.grid`. *Shape:* ``(n, steps + 1)``.
    :param lengths: words of each sentence. *Shape:* ``(n,)``.
    :param tree: which sentence of the chart each span belongs to. *Shape:* ``(n_spans,)``.
    :param start: its first word. *Shape:* ``(n_spans,)``.
    :param end: one past its last word. *Shape:* ``(n_spans,)``.
    """

    places: Tensor
    lengths: Tensor
    tree: Tensor
    start: Tensor
    end: Tensor


@dataclass(frozen=True, slots=True)
class ParserBatch:
    """Sentences and what their trees say of the order of their gaps.

    :param distinct: rows of the vectors. *Shape:* ``(n_distinct,)``.
    :param inverse: which of them each word is. *Shape:* ``(n_words,)``.
    :param sentences: where words stand.
    :param choices: gaps within each node, see :func:`~treesent.models.parser.distance_loss.split_loss`; then the node of
        each, then the gap at which each node splits.
    :param pairs: the higher and the lower gap of each pair, see
        :func:`~treesent.models.parser.distance_loss.rank_loss`.
    :param charts: the trees' spans, by groups of sentences of like length.
    :param n_trees: sentences.
    :param n_nodes: nodes of their trees.
    """

    distinct: Tensor
    inverse: Tensor
    sentences: SentenceBatch
    choices: tuple[Tensor, Tensor, Tensor]
    pairs: tuple[Tensor, Tensor]
    charts: tuple[Spans, ...]
    n_trees: int
    n_nodes: int


@dataclass(frozen=True, slots=True)
class ParserTask(Task):
    """The training task of a chart parser.

    :param train: training trees.
    :param dev: held-out trees.
    """

    train: EncodedCorpus
    dev: EncodedCorpus

    @property
    def n_train(self) -> int:
        """Trees to learn from."""
        return len(self.train)

    def batch(self, trees: Int64, device: torch.device, non_blocking: bool) -> ParserBatch:
        """Make a batch of some trees.

        :param trees: which. *Shape:* ``(batch,)``.
        :param device: where the network is.
        :param non_blocking: copy while the host continues.
        """

        def move(array: Int64) -> Tensor:
            return torch.from_numpy(array).to(device, non_blocking=non_blocking)

        lengths = self.train.structure.lengths
        words = ranges(np.cumsum(lengths)[trees] - lengths[trees], lengths[trees])
        distinct, inverse = np.unique(self.train.rows[words], return_inverse=True)
        structure = self.train.structure.take(trees)
        gaps, node, split = choices(structure)
        higher, lower = pairs(structure)
        return ParserBatch(
            move(distinct),
            move(inverse),
            SentenceBatch.from_lengths(lengths[trees], device),
            (move(gaps), move(node), move(split)),
            (move(higher), move(lower)),
            tuple(Spans(*map(move, arrays)) for arrays in charts(structure)),
            len(trees),
            structure.n_nodes,
        )

    def loss(
        self, model: nn.Module, batch: ParserBatch, generator: torch.Generator, config: TrainingConfig
    ) -> Tensor:
        """The negative log-likelihood of the trees, and the losses on the order of the distances, per word.

        :param model: a :class:`ParserOnVectors`.
        :param batch: made by :meth:`batch`.
        :param generator: the source of dropout masks.
        :param config: unused.
        """
        vectors = model.embedding(batch.distinct)  # type: ignore[operator]
        parser: ChartParser = model.parser  # type: ignore[assignment]
        distances, start, end = parser(vectors, batch.inverse, batch.sentences, generator)
        order = split_loss(distances, *batch.choices) + RANK_WEIGHT * rank_loss(distances, *batch.pairs)
        total = ORDER_WEIGHT * order
        for chart in batch.charts:
            scores = span_scores(start, end, chart.places).float()
            total = (
                total + inside(scores, chart.lengths).sum() - scores[chart.tree, chart.start, chart.end].sum()
            )
        return total / len(batch.inverse)

    def weight(self, batch: ParserBatch, config: TrainingConfig) -> Tensor:
        """The number of words that the loss is a mean over.

        :param batch: made by :meth:`batch`.
        :param config: unused.
        """
        return torch.tensor(float(len(batch.inverse)), device=batch.inverse.device)

    def evaluate(self, model: nn.Module, device: torch.device, batch_size: int) -> BracketScores:
        """Compare the parser's trees with dev's.

        :param model: a :class:`ParserOnVectors`.
        :param device: where it is.
        :param batch_size: unused; the parser itself limits the words it holds.
        """
        return score_brackets(self.dev.structure, parse_corpus(model, self.dev, device))


LONGEST = 120
"""Longer sentences, in words, have only the losses on distances: their chart would take too long."""
ORDER_WEIGHT = 0.3
"""Weight of the losses on distances; the distances parse long sentences only."""
RANK_WEIGHT = 0.1
"""Weight of the ranking loss among them: it counts every pair of gaps, the split loss every node once."""


def parse_corpus(model: Any, corpus: EncodedCorpus, device: torch.device) -> Structure:
    """Parse the sentences of a corpus, whatever trees it has.

    :param model: a :class:`ParserOnVectors`.
    :param corpus: sentences as rows.
    :param device: where the model is.
    """
    distinct, inverse = np.unique(corpus.rows, return_inverse=True)
    vectors = model.embedding(torch.from_numpy(distinct).to(device))
    structure: Structure = model.parser.parse(
        vectors, torch.from_numpy(inverse).to(device), corpus.structure.lengths
    )
    return structure


def charts(structure: Structure) -> Iterator[tuple[Int64, ...]]:
    """Group sentences for their charts and list the spans of their trees.

    :param structure: the trees.
    :returns: the fields of :class:`Spans`.
    """
    lengths = structure.lengths
    for trees in groups(lengths, LONGEST, room=1 << 20):
        part = structure.take(trees)
        tree = np.repeat(np.arange(len(trees)), np.diff(part.offsets))
        wide = part.end - part.start > 1
        start, end = part.start[wide].astype(np.int64), part.end[wide].astype(np.int64)
        yield grid(lengths, trees), lengths[trees], tree[wide], start, end


def choices(structure: Structure) -> tuple[Int64, Int64, Int64]:
    """List the choices that a top-down parser makes, at nodes over three words and more.

    Gaps are numbered over all sentences.

    :param structure: the trees.
    :returns: the gaps within each node, node after node; the node that each belongs to; the gap at which
        each node splits.
    """
    tree = np.repeat(np.arange(structure.n_trees), np.diff(structure.offsets))
    kept = np.flatnonzero(structure.end - structure.start > 2)
    lengths = structure.lengths
    first = (np.cumsum(lengths - 1) - (lengths - 1))[tree[kept]]
    start, end = structure.start[kept].astype(np.int64), structure.end[kept].astype(np.int64)
    left = structure.left[kept] + structure.offsets[tree[kept]]
    sizes = end - start - 1
    node = np.repeat(np.arange(len(kept)), sizes)
    return ranges(first + start, sizes), node, first + structure.end[left] - 1


def pairs(structure: Structure) -> tuple[Int64, Int64]:
    """List the pairs of gaps of one sentence of which one splits higher up than the other.

    :param structure: the trees.
    :returns: the higher and the lower gap of each pair, numbered over all sentences.
    """
    height = structure.distances()
    gaps = structure.lengths - 1
    own = np.repeat(gaps, gaps)
    one = np.repeat(np.arange(len(height)), own)
    other = ranges(np.repeat(np.cumsum(gaps) - gaps, gaps), own)
    kept = height[one] > height[other]
    return one[kept], other[kept]
