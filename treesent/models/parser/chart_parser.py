"""A constituency parser: scores of gaps and of spans, all sentences of a batch at once.

Every gap between two words has a syntactic distance (Shen et al. 2018, arXiv:1806.04168), and every span a
score (Zhang et al. 2020, arXiv:2008.03736). Trees come from the spans by dynamic programming, which is exact;
in a sentence too long for that, the tree splits first where the distance is largest.

The encoder is a stack of simple recurrent units (Lei et al. 2018, arXiv:1709.02755) in both directions: no
matrix product depends on the step before, so a batch costs a few large products, and the first of them is a
function of the word alone, done once per distinct word.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from pydantic import PositiveInt
from torch import Tensor, nn
from torch.nn import functional

from treesent.config import Dropout, section
from treesent.errors import TreesentError
from treesent.models.parser.chart import cky
from treesent.models.parser.file import read_parser_file, save_parser
from treesent.nn.dropout import dropout
from treesent.nn.initial import glorot_blocks
from treesent.nn.matmul import linear
from treesent.nn.packed import packing
from treesent.nn.sru import BidirectionalSRU
from treesent.trees.structure import Structure


@section
class ParserConfig:
    """The parser's settings."""

    hidden: PositiveInt = 96
    """Width of each direction of a layer."""
    layers: PositiveInt = 3
    """How many layers."""
    gap: PositiveInt = 128
    """Width of the layer that looks at the two words beside a boundary."""
    span: PositiveInt = 64
    """Width of what a span's score compares of its two boundaries."""
    chart: PositiveInt = 120
    """Sentences of more words are split by distances: a chart takes the cube of their length."""
    input_dropout: Dropout = 0.0
    """Dropout rate of the vectors."""
    dropout: Dropout = 0.0
    """Dropout rate of the output of every layer."""


@dataclass(frozen=True, slots=True)
class SentenceBatch:
    """Sentences laid out step by step: all first words, all second words, the longest sentence first.

    :param packed: word, in text order, that stands at each place. *Shape:* (n_words,)
    :param before: place of the word before each boundary, ``n_words`` where a sentence begins; boundaries in
        text order, one more a sentence than it has words. *Shape:* (n_words + n_trees,)
    :param after: place of the word after each boundary, ``n_words`` where a sentence ends.
        *Shape:* (n_words + n_trees,)
    :param inner: boundaries that are gaps between two words. *Shape:* (n_gaps,)
    :param lengths: words of each sentence, on the host. *Shape:* (n_trees,)
    :param sizes: sentences that have a word at each step, on the host. *Shape:* (steps,)
    """

    packed: Tensor
    before: Tensor
    after: Tensor
    inner: Tensor
    lengths: NDArray[np.int64]
    sizes: tuple[int, ...]

    @classmethod
    def from_lengths(cls, lengths: ArrayLike, device: torch.device | str = "cpu") -> SentenceBatch:
        """Lay sentences out.

        :param lengths: words of each sentence, at least 1. *Shape:* (n_trees,)
        :param device: where the network is.
        :raises TreesentError: a sentence without words.
        """
        lengths = np.asarray(lengths, np.int64)
        if lengths.ndim != 1 or not len(lengths) or lengths.min() < 1:
            raise TreesentError(
                f"lengths {lengths.tolist()}: give at least one sentence, and no sentence without words"
            )
        packed, unpacked, sizes = packing(lengths)
        n_words, first = len(packed), np.cumsum(lengths) - lengths
        begins = first + np.arange(len(lengths))
        return cls(
            packed=torch.from_numpy(packed).to(device),
            before=torch.from_numpy(np.insert(unpacked, first, n_words)).to(device),
            after=torch.from_numpy(np.insert(unpacked, first + lengths, n_words)).to(device),
            inner=torch.from_numpy(
                np.delete(np.arange(n_words + len(lengths)), np.concatenate([begins, begins + lengths]))
            ).to(device),
            lengths=lengths,
            sizes=tuple(sizes.tolist()),
        )


class ChartParser(nn.Module):
    """Vectors of words, a recurrent encoder, one distance for every gap between two words.

    The vectors are handed in, so that parser and classifier share one table.

    :param config: the settings.
    :param width: of the vectors.
    :param generator: where the first weights come from.
    """

    trees: ClassVar[Literal["learned"]] = "learned"
    """The name of its trees in a component's settings."""
    format: ClassVar[str] = "treesent.parser.1"
    config_type: ClassVar[type[ParserConfig]] = ParserConfig

    def __init__(self, config: ParserConfig, width: int, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.config, self.width = config, width
        widths = [width, *[2 * config.hidden] * config.layers]
        layers = [BidirectionalSRU(below, config.hidden, generator) for below in widths[:-1]]
        self.first, self.layers = layers[0], nn.ModuleList(layers[1:])
        self.before = nn.Parameter(glorot_blocks(config.gap, [2 * config.hidden], generator))
        self.after = nn.Parameter(glorot_blocks(config.gap, [2 * config.hidden], generator))
        self.bias = nn.Parameter(torch.zeros(config.gap))
        self.output = nn.Parameter(glorot_blocks(1, [config.gap], generator))
        self.start = nn.Parameter(glorot_blocks(config.span, [config.gap], generator))
        self.end = nn.Parameter(glorot_blocks(config.span, [config.gap], generator))
        self.start_bias = nn.Parameter(torch.zeros(config.span))
        self.end_bias = nn.Parameter(torch.zeros(config.span))

    def forward(
        self,
        vectors: Tensor,
        inverse: Tensor,
        sentences: SentenceBatch,
        generator: torch.Generator | None = None,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Look at every boundary between words, and at the two ends of each sentence.

        :param vectors: of the distinct words. *Shape:* (n_distinct, width)
        :param inverse: which of them each word is, in text order. *Shape:* (n_words,)
        :param sentences: where words stand.
        :param generator: where dropout masks come from in training; None for torch's own.
        :returns: the distance of every gap, *Shape:* (n_gaps,); of every boundary what it is as the start and
            as the end of a span, *Shape of each:* (n_words + n_trees, span). All in text order.
        """
        vectors = dropout(vectors, self.config.input_dropout, self.training, generator)
        words = inverse.index_select(0, sentences.packed)
        states = self.first(self.first.project(vectors).take(words), sentences.sizes)
        for layer in self.layers:
            states = dropout(states, self.config.dropout, self.training, generator)
            states = layer(layer.project(states), sentences.sizes)  # type: ignore[operator]
        states = dropout(states, self.config.dropout, self.training, generator)
        before = functional.pad(linear(states, self.before), (0, 0, 0, 1))
        after = functional.pad(linear(states, self.after), (0, 0, 0, 1))
        bounds = before.index_select(0, sentences.before) + after.index_select(0, sentences.after)
        bounds = dropout(torch.relu(bounds + self.bias), self.config.dropout, self.training, generator)
        return (
            linear(bounds, self.output).squeeze(1).index_select(0, sentences.inner),
            linear(bounds, self.start, self.start_bias),
            linear(bounds, self.end, self.end_bias),
        )

    def parse(self, vectors: Tensor, inverse: Tensor, lengths: ArrayLike, n_words: int = 8192) -> Structure:
        """Give the trees of sentences, in the order of the sentences.

        :param vectors: of the distinct words. *Shape:* (n_distinct, width)
        :param inverse: which of them each word is, in text order. *Shape:* (n_words,)
        :param lengths: words of each sentence, at least 1. *Shape:* (n_trees,)
        :param n_words: about how many words to hold at a time.
        :raises TreesentError: a sentence without words, or lengths that do not add up to the words.
        """
        lengths = np.asarray(lengths, np.int64)
        if int(lengths.sum()) != len(inverse):
            raise TreesentError(f"lengths for {lengths.sum()} words, but {len(inverse)} words are given")
        if not len(lengths):
            return Structure.right_branching(lengths)
        mode = self.training
        if mode:
            self.eval()
        try:
            with torch.inference_mode():
                distances = [
                    self._distances(vectors, words, SentenceBatch.from_lengths(part, vectors.device))
                    for part, words in _parts(lengths, inverse, n_words)
                ]
        finally:
            if mode:
                self.train()
        return Structure.from_distances(np.concatenate(distances), lengths)

    def _distances(self, vectors: Tensor, inverse: Tensor, sentences: SentenceBatch) -> NDArray[np.float32]:
        """Distances on the host; those of sentences that a chart can hold are the order of its best tree."""
        distances, start, end = self(vectors, inverse, sentences)
        lengths = sentences.lengths
        host: NDArray[np.float32] = distances.float().cpu().numpy()
        first = np.cumsum(lengths - 1) - (lengths - 1)
        for trees in groups(lengths, self.config.chart):
            places = torch.from_numpy(grid(lengths, trees)).to(vectors.device)
            best = cky(span_scores(start, end, places), lengths[trees])
            sizes = lengths[trees] - 1
            before = np.cumsum(sizes) - sizes
            host[np.arange(len(best)) + np.repeat(first[trees] - before, sizes)] = best
        return host

    def save(self, path: str | Path) -> None:
        """Write settings and weights to one file, the weights in half precision.

        :param path: the file, ``parser.safetensors`` in a pipeline's folder.
        """
        save_parser(self, path, self.format)

    @classmethod
    def load(cls, path: str | Path) -> ChartParser:
        """Read what :meth:`save` wrote, ready to parse.

        :param path: the file.
        :raises ModelError: it is missing, damaged or no parser of this version.
        """
        return read_parser_file(path, cls)


def span_scores(start: Tensor, end: Tensor, places: Tensor) -> Tensor:
    """Score all spans of some sentences.

    :param start: what each boundary is as the start of a span. *Shape:* (n_bounds, span)
    :param end: what it is as the end of one. *Shape:* (n_bounds, span)
    :param places: of the boundaries of each sentence, see :func:`grid`. *Shape:* (n, steps + 1)
    :returns: *Shape:* (n, steps + 1, steps + 1)
    """
    flat, shape = places.flatten(), (*places.shape, -1)
    return start.index_select(0, flat).view(shape) @ end.index_select(0, flat).view(shape).transpose(1, 2)


def groups(lengths: NDArray[np.int64], longest: int, room: int = 200_000) -> list[NDArray[np.int64]]:
    """Put sentences of like length together, so that a chart is nowhere much wider than a sentence needs.

    :param lengths: words of each sentence. *Shape:* (n_trees,)
    :param longest: leave longer sentences out, and those of one or two words, which have one tree only.
    :param room: numbers in a group's chart, about.
    :returns: the sentences of each group.
    """
    order = np.argsort(lengths, kind="stable")
    sorted_lengths = lengths[order]
    order = order[(sorted_lengths > 2) & (sorted_lengths <= longest)]
    found = []
    while len(order):
        # The longest come first; a group ends where a chart would be twice as large as needed.
        most = int(lengths[order[-1]]) + 1
        n = min(max(1, room // most**2), int((lengths[order] + 1 >= 0.8 * most).sum()))
        found.append(order[-n:])
        order = order[:-n]
    return found


def grid(lengths: NDArray[np.int64], trees: NDArray[np.int64]) -> NDArray[np.int64]:
    """Place the boundaries of some sentences in a rectangle, the last one repeated in short sentences.

    :param lengths: words of all sentences. *Shape:* (n_trees,)
    :param trees: which sentences. *Shape:* (n,)
    :returns: boundaries, counted over all sentences. *Shape:* (n, steps + 1)
    """
    first = (np.cumsum(lengths + 1) - (lengths + 1))[trees]
    step = np.arange(int(lengths[trees].max()) + 1)
    places: NDArray[np.int64] = first[:, None] + np.minimum(step, lengths[trees][:, None])
    return places


def _parts(
    lengths: NDArray[np.int64], inverse: Tensor, n_words: int
) -> list[tuple[NDArray[np.int64], Tensor]]:
    """Cut sentences into runs of about ``n_words`` words."""
    ends = np.cumsum(lengths)
    cuts = [0, *np.flatnonzero(np.diff(ends // n_words)).tolist(), len(lengths)]
    words = np.concatenate([[0], ends])
    return [
        (lengths[begin:end], inverse[words[begin] : words[end]])
        for begin, end in pairwise(cuts)
        if end > begin
    ]
