"""A constituency parser: a syntactic distance for every gap (Shen et al. 2018, arXiv:1806.04168).

The tree splits first where the distance is largest. The encoder is a stack of simple recurrent units (Lei et
al. 2018, arXiv:1709.02755) in both directions: no matrix product depends on the step before, so a batch costs
a few large products, and the first of them is a function of the word alone, done once per distinct word.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn
from torch.nn import functional

from treesent.errors import ModelError, RecipeError, TreesentError
from treesent.nn.batch import packing
from treesent.nn.dropout import dropout_mask
from treesent.nn.levels import weight_block
from treesent.trees.structure import Structure

FORMAT = "treesent.parser.1"


@dataclass(frozen=True, slots=True, kw_only=True)
class ParserConfig:
    """The parser's settings.

    :param hidden: width of each direction of a layer.
    :param layers: how many layers.
    :param gap: width of the layer that looks at the two words beside a gap.
    :param input_dropout: share of the vectors that is dropped.
    :param dropout: share of every layer's output that is dropped.
    :raises RecipeError: a width or a rate makes no sense.
    """

    hidden: int = 96
    layers: int = 3
    gap: int = 128
    input_dropout: float = 0.0
    dropout: float = 0.0

    def __post_init__(self) -> None:
        for name in ("hidden", "layers", "gap"):
            if getattr(self, name) < 1:
                raise RecipeError(f"{name} is {getattr(self, name)}; give 1 or more")
        for name in ("input_dropout", "dropout"):
            if not 0 <= getattr(self, name) < 1:
                raise RecipeError(f"{name} is {getattr(self, name)}; give a share from 0 up to, but not, 1")


@dataclass(frozen=True, slots=True)
class SentenceBatch:
    """Sentences laid out step by step: all first words, all second words, the longest sentence first.

    :param packed: word, in text order, that stands at each place. *Shape:* (n_words,)
    :param before: place of the word before each gap; gaps in text order. *Shape:* (n_gaps,)
    :param after: place of the word after each gap. *Shape:* (n_gaps,)
    :param sizes: sentences that have a word at each step, on the host. *Shape:* (steps,)
    """

    packed: Tensor
    before: Tensor
    after: Tensor
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
        last = np.cumsum(lengths) - 1
        return cls(
            packed=torch.from_numpy(packed).to(device),
            before=torch.from_numpy(np.delete(unpacked, last)).to(device),
            after=torch.from_numpy(np.delete(unpacked, last - lengths + 1)).to(device),
            sizes=tuple(sizes.tolist()),
        )


class BidirectionalSRU(nn.Module):
    r"""Simple recurrent units along the sentence and against it (Lei et al. 2018, eqs. 1-4 without ``v``).

    .. math::
        c_t = f_t c_{t-1} + (1 - f_t) z_t, \qquad h_t = r_t c_t + (1 - r_t) x'_t

    with :math:`z, f, r` and :math:`x'` linear in the input, the gates under a sigmoid, and the output
    normalised. Columns of ``weight`` are ``z, f, r, x'``, each with the forward direction first.

    :param width: of the input.
    :param hidden: of each direction.
    :param generator: where the first weights come from.
    """

    def __init__(self, width: int, hidden: int, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.hidden = hidden
        # Where input and output are equally wide, the input itself is x'.
        self.columns = 6 if width == 2 * hidden else 8
        self.weight = nn.Parameter(weight_block(self.columns * hidden, [width], generator))
        self.bias = nn.Parameter(torch.zeros(self.columns * hidden))
        self.norm = nn.LayerNorm(2 * hidden)
        with torch.no_grad():
            # Units begin with memories of different lengths, from two steps to twenty.
            self.bias[2 * hidden : 4 * hidden] = torch.linspace(-1.0, 3.0, hidden).repeat(2)

    def project(self, states: Tensor) -> Tensor:
        """Do the layer's matrix product.

        :param states: *Shape:* (n, width)
        :return: before the sigmoids. *Shape:* (n, columns * hidden)
        """
        return functional.linear(states, self.weight, self.bias)

    def forward(self, states: Tensor | None, sizes: Sequence[int], gates: Tensor | None = None) -> Tensor:
        """Run along the sentences.

        :param states: the layer's input, in packed order; None will do where the product is given and the
            input is not as wide as the output. *Shape:* (n_words, width)
        :param sizes: sentences at each step.
        :param gates: the product where it is there already, in packed order.
            *Shape:* (n_words, columns * hidden)
        :return: in packed order. *Shape:* (n_words, 2 * hidden)
        """
        if gates is None:
            if states is None:
                raise ValueError("give the layer's input, or its product with the weights")
            gates = self.project(states)
        z, f, r, *skip = torch.split(gates, 2 * self.hidden, 1)
        f, r = torch.sigmoid(f), torch.sigmoid(r)
        memory = torch.cat([along(z, f, sizes, self.hidden), against(z, f, sizes, self.hidden)], 1)
        mixed = torch.lerp(skip[0] if skip or states is None else states, memory, r)
        normed: Tensor = self.norm(mixed)
        return normed


def along(z: Tensor, f: Tensor, sizes: Sequence[int], hidden: int) -> Tensor:
    """Run the recurrence from the first word to the last, on the first ``hidden`` columns.

    :param z: candidates, in packed order. *Shape:* (n_words, 2 * hidden)
    :param f: share of the memory that is kept. *Shape:* (n_words, 2 * hidden)
    :param sizes: sentences at each step.
    :param hidden: columns of one direction.
    :return: the memory after every word. *Shape:* (n_words, hidden)
    """
    memory = z.new_zeros(sizes[0], hidden)
    outputs = []
    for new, keep in zip(_steps(z[:, :hidden], sizes), _steps(f[:, :hidden], sizes), strict=True):
        # Sentences that have ended are the last ones. A slice that cuts nothing would cost its backward pass.
        memory = memory if len(memory) == len(new) else memory[: len(new)]
        memory = torch.lerp(new, memory, keep)
        outputs.append(memory)
    return torch.cat(outputs)


def against(z: Tensor, f: Tensor, sizes: Sequence[int], hidden: int) -> Tensor:
    """Run the recurrence from the last word to the first, on the last ``hidden`` columns.

    :param z: as in :func:`along`. *Shape:* (n_words, 2 * hidden)
    :param f: *Shape:* (n_words, 2 * hidden)
    :param sizes: sentences at each step.
    :param hidden: columns of one direction.
    :return: the memory after every word. *Shape:* (n_words, hidden)
    """
    memory = z.new_zeros(0, hidden)
    outputs = []
    steps = zip(_steps(z[:, hidden:], sizes), _steps(f[:, hidden:], sizes), strict=True)
    for new, keep in reversed(list(steps)):
        if len(new) > len(memory):
            memory = functional.pad(memory, (0, 0, 0, len(new) - len(memory)))
        memory = torch.lerp(new, memory, keep)
        outputs.append(memory)
    return torch.cat(outputs[::-1])


def _steps(packed: Tensor, sizes: Sequence[int]) -> tuple[Tensor, ...]:
    """Cut packed rows into the steps. One split has one backward pass; a slice a step would have many."""
    steps: tuple[Tensor, ...] = torch.split(packed, list(sizes))
    return steps


class DistanceParser(nn.Module):
    """Vectors of words, a recurrent encoder, one distance for every gap between two words.

    The vectors are handed in, so that parser and classifier share one table.

    :param config: the settings.
    :param width: of the vectors.
    :param generator: where the first weights come from.
    """

    def __init__(self, config: ParserConfig, width: int, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.config, self.width = config, width
        widths = [width, *[2 * config.hidden] * config.layers]
        layers = [BidirectionalSRU(below, config.hidden, generator) for below in widths[:-1]]
        self.first, self.layers = layers[0], nn.ModuleList(layers[1:])
        self.before = nn.Parameter(weight_block(config.gap, [2 * config.hidden], generator))
        self.after = nn.Parameter(weight_block(config.gap, [2 * config.hidden], generator))
        self.bias = nn.Parameter(torch.zeros(config.gap))
        self.output = nn.Parameter(weight_block(1, [config.gap], generator))

    def forward(
        self,
        vectors: Tensor,
        inverse: Tensor,
        sentences: SentenceBatch,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Give the distance of every gap.

        :param vectors: of the distinct words. *Shape:* (n_distinct, width)
        :param inverse: which of them each word is, in text order. *Shape:* (n_words,)
        :param sentences: where words stand.
        :param generator: where dropout masks come from in training; None for torch's own.
        :return: gap after gap in text order, sentence after sentence. *Shape:* (n_gaps,)
        """
        vectors = self._drop(vectors, self.config.input_dropout, generator)
        words = inverse.index_select(0, sentences.packed)
        gates = self.first.project(vectors).index_select(0, words)
        same = self.first.columns == 6
        states = self.first(vectors.index_select(0, words) if same else None, sentences.sizes, gates)
        for layer in self.layers:
            states = self._drop(states, self.config.dropout, generator)
            states = layer(states, sentences.sizes)
        states = self._drop(states, self.config.dropout, generator)
        before = functional.linear(states, self.before, self.bias).index_select(0, sentences.before)
        after = functional.linear(states, self.after).index_select(0, sentences.after)
        gaps = self._drop(torch.relu(before + after), self.config.dropout, generator)
        return functional.linear(gaps, self.output).squeeze(1)

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
        self.eval()
        try:
            with torch.inference_mode():
                distances = [
                    self(vectors, words, SentenceBatch.from_lengths(part, vectors.device))
                    for part, words in _parts(lengths, inverse, n_words)
                ]
                host: NDArray[np.float32] = torch.cat(distances).float().cpu().numpy()
        finally:
            self.train(mode)
        return Structure.from_distances(host, lengths)

    def save(self, path: str | Path) -> None:
        """Write settings and weights to one file, the weights in half precision.

        :param path: the file, ``parser.safetensors`` in a pipeline's folder.
        """
        from safetensors.torch import save_file

        tensors = {name: t.detach().cpu().half().contiguous() for name, t in self.state_dict().items()}
        config = json.dumps({"width": self.width, **asdict(self.config)})
        save_file(tensors, path, {"format": FORMAT, "config": config})

    @classmethod
    def load(cls, path: str | Path) -> DistanceParser:
        """Read what :meth:`save` wrote, ready to parse.

        :param path: the file.
        :raises ModelError: it is missing, damaged or no parser of this version.
        """
        from safetensors import SafetensorError, safe_open

        path = Path(path)
        if not path.is_file():
            raise ModelError(f"{path}: there is no such file; train a parser with pipelines/parser.cfg")
        try:
            with safe_open(path, "pt") as file:
                header = file.metadata() or {}
                tensors = {name: file.get_tensor(name).float() for name in file.keys()}  # noqa: SIM118
            if header.get("format") != FORMAT:
                raise ModelError(f"{path}: no parser of this version of treesent; train it again")
            config = json.loads(header["config"])
            parser = cls(width=config.pop("width"), config=ParserConfig(**config))
            parser.load_state_dict(tensors)
        except (SafetensorError, OSError, KeyError, TypeError, RuntimeError) as error:
            raise ModelError(f"{path}: cut short or damaged ({error}); copy or train it again") from error
        return parser.eval()

    def _drop(self, states: Tensor, rate: float, generator: torch.Generator | None) -> Tensor:
        if not self.training or not rate:
            return states
        return states * dropout_mask(tuple(states.shape), rate, states, generator)


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
