"""Parsing as translation (Vinyals et al. 2015, "Grammar as a Foreign Language", arXiv:1412.7449).

A tree is written in post-order: a symbol for each word where it stands, a symbol that closes a bracket over
the last two constituents after its second one, the end symbol. ``(not (very good))`` is
``word word word close close end``: opening brackets, which a binary tree has where they must be, are left
out, and so are the words themselves, of which the next one is meant each time.

The search allows only symbols from which a binary tree over exactly the words of the sentence can still
come; the decoder itself sees neither a stack nor how many words are left.
"""

from __future__ import annotations

from dataclasses import field
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from pydantic import PositiveInt
from torch import Tensor, nn

from treesent.config import section
from treesent.errors import TreesentError
from treesent.models.parser.decoding import DecoderTargets
from treesent.models.parser.encoder_decoder import EncoderDecoder
from treesent.models.parser.encoder_decoder_config import EncoderDecoderConfig
from treesent.models.parser.file import read_parser_file, save_parser
from treesent.models.parser.search import Hypotheses, SearchConfig, search
from treesent.nn.packed import Packed
from treesent.trees.arrays import run_offsets
from treesent.trees.structure import Structure

Int64 = NDArray[np.int64]

WORD, CLOSE, EOS = range(3)
N_SYMBOLS = 3


@section
class Seq2SeqParserConfig(EncoderDecoderConfig):
    """A parser's settings: those of its network, and two more."""

    longest: PositiveInt = 60
    """Longer sentences are cut, see :meth:`Seq2SeqParser.parse`."""
    search: SearchConfig = field(default_factory=SearchConfig)
    """How trees are searched for."""


class TreeConstraint:
    """Only binary trees over exactly the words of each sentence; see :class:`~treesent.models.parser.search.Constraint`.

    A state is the number of words left and the number of constituents that no bracket closes yet.

    :param lengths: words of each sentence, at least 1. *Shape:* (n_sentences,)
    """

    def __init__(self, lengths: Tensor) -> None:
        self.lengths = lengths

    def begin(self) -> Tensor:
        """See :meth:`~treesent.models.parser.search.Constraint.begin`. *Shape:* (n_sentences, 2)."""
        return torch.stack([self.lengths, torch.zeros_like(self.lengths)], 1)

    def allowed(self, state: Tensor) -> Tensor:
        """See :meth:`~treesent.models.parser.search.Constraint.allowed`."""
        left, pending = state.unbind(1)
        return torch.stack([left > 0, pending > 1, (left == 0) & (pending == 1)], 1)

    def advance(self, state: Tensor, symbols: Tensor) -> Tensor:
        """See :meth:`~treesent.models.parser.search.Constraint.advance`."""
        word, close = (symbols == WORD).long(), (symbols == CLOSE).long()
        return state + torch.stack([-word, word - close], 1)


class Seq2SeqParser(nn.Module):
    """An encoder-decoder whose symbols are a tree in post-order.

    The vectors are handed in, so that parser and classifier share one table.

    :param config: the settings.
    :param width: of the vectors.
    :param generator: where the first weights come from.
    """

    trees: ClassVar[Literal["seq2seq"]] = "seq2seq"
    """The name of its trees in a component's settings."""
    format: ClassVar[str] = "treesent.seq2seq_parser.1"
    config_type: ClassVar[type[Seq2SeqParserConfig]] = Seq2SeqParserConfig

    def __init__(
        self, config: Seq2SeqParserConfig, width: int, generator: torch.Generator | None = None
    ) -> None:
        super().__init__()
        self.config, self.width = config, width
        self.network = EncoderDecoder(config, width, N_SYMBOLS, WORD, generator)

    def target(
        self, structure: Structure, words: Int64, device: torch.device | str = "cpu"
    ) -> DecoderTargets:
        """Write trees as symbols, for training.

        :param structure: the trees.
        :param words: which distinct word each word is, in text order. *Shape:* (n_words,)
        :param device: where the network is.
        """
        return decoder_targets(structure, words if self.network.read is not None else None, device)

    def parse(self, vectors: Tensor, inverse: Tensor, lengths: ArrayLike, n_words: int = 4096) -> Structure:
        """Parse sentences; every tree is a binary tree over the sentence's words, whatever the weights are.

        A sentence of more than ``config.longest`` words is cut into as few pieces as that allows, as equal
        as can be; each piece is parsed by itself, and the pieces are joined from the right.

        :param vectors: of the distinct words. *Shape:* (n_distinct, width)
        :param inverse: which of them each word is, in text order. *Shape:* (n_words,)
        :param lengths: words of each sentence, at least 1. *Shape:* (n_trees,)
        :param n_words: about how many words to search for at a time, those of every beam counted.
        :raises TreesentError: a sentence without words, or lengths that do not add up to the words.
        """
        lengths = np.asarray(lengths, np.int64)
        if lengths.ndim != 1 or (len(lengths) and lengths.min() < 1) or int(lengths.sum()) != len(inverse):
            raise TreesentError(
                f"lengths {lengths.tolist()} for {len(inverse)} words; give at least one word a "
                "sentence, and all words"
            )
        if not len(lengths):
            return Structure.right_branching(lengths)
        pieces, n_pieces = cut(lengths, self.config.longest)
        leaf = np.zeros(2 * len(inverse) - len(lengths), np.bool_)
        # The nodes of a piece come after those of the pieces before it and what joins the pieces of sentences
        # before its own.
        sentence = np.repeat(np.arange(len(lengths)), n_pieces)
        joints = np.cumsum(n_pieces - 1) - (n_pieces - 1)
        first = run_offsets(2 * pieces - 1)[:-1] + joints[sentence]
        words = run_offsets(pieces)
        order = np.argsort(pieces, kind="stable")
        budget = max(1, n_words // self.config.search.beam)
        for part in np.split(order, np.flatnonzero(np.diff(np.cumsum(pieces[order]) // budget)) + 1):
            own = pieces[part]
            rows = np.repeat(words[part], own) + np.arange(own.sum()) - np.repeat(run_offsets(own)[:-1], own)
            found = self.search(vectors, inverse[torch.from_numpy(rows).to(inverse.device)], own)
            kept = np.arange(found.symbols.shape[1]) < found.lengths[:, None]
            places = first[part][:, None] + np.arange(found.symbols.shape[1])
            leaf[places[kept]] = found.symbols[kept] == WORD
        return Structure.from_leaves(leaf, lengths)

    def search(
        self, vectors: Tensor, inverse: Tensor, lengths: Int64, keep_attention: bool = False
    ) -> Hypotheses:
        """Search for the symbols of sentences, all at once.

        :param vectors: see :meth:`parse`.
        :param inverse: see :meth:`parse`.
        :param lengths: see :meth:`parse`.
        :param keep_attention: give the weights of attention too.
        """
        mode = self.training
        if mode:
            self.eval()
        try:
            with torch.inference_mode():
                device = vectors.device
                sentences, state = self.network.encode(vectors, inverse, Packed.of(lengths, device))
                return search(
                    self.network,
                    sentences,
                    state,
                    EOS,
                    2 * int(lengths.max()),
                    self.config.search,
                    TreeConstraint(torch.from_numpy(lengths).to(device)),
                    keep_attention,
                )
        finally:
            if mode:
                self.train()

    def save(self, path: str | Path) -> None:
        """Write settings and weights to one file, the weights in half precision.

        :param path: the file.
        """
        save_parser(self, path, self.format)

    @classmethod
    def load(cls, path: str | Path) -> Seq2SeqParser:
        """Read what :meth:`save` wrote, ready to parse.

        :param path: the file.
        :raises ModelError: it is missing, damaged or no parser of this version.
        """
        return read_parser_file(path, cls)


def decoder_targets(
    structure: Structure, words: Int64 | None, device: torch.device | str = "cpu"
) -> DecoderTargets:
    """Write trees as symbols.

    :param structure: the trees.
    :param words: which distinct word each word is, in text order, for a decoder that reads the words that it
        wrote; None for one that does not. *Shape:* (n_words,)
    :param device: where the network is.
    """
    symbols = np.where(structure.left < 0, WORD, CLOSE)
    symbols = np.insert(symbols, structure.offsets[1:], EOS)
    lengths = structure.lengths
    copies = None if words is None else (WORD, words, lengths)
    return DecoderTargets.of(symbols, 2 * lengths, N_SYMBOLS, copies, device)


def cut(lengths: Int64, longest: int) -> tuple[Int64, Int64]:
    """Cut long sentences into pieces as equal as can be.

    :param lengths: words of each sentence. *Shape:* (n_sentences,)
    :param longest: words of a piece at most.
    :returns: words of each piece, sentence after sentence; pieces of each sentence.
    """
    n_pieces = -(-lengths // longest)
    sentence = np.repeat(np.arange(len(lengths)), n_pieces)
    number = np.arange(len(sentence)) - (np.cumsum(n_pieces) - n_pieces)[sentence]
    pieces = lengths[sentence] // n_pieces[sentence] + (number < (lengths % n_pieces)[sentence])
    return pieces, n_pieces
