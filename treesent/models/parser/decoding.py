"""What a decoder reads and writes, and what it is between two symbols."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from treesent.nn.attention import Memory
from treesent.nn.cells import State
from treesent.nn.packed import Packed

Int64 = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class DecoderTargets:
    """What a decoder wrote or should write.

    :param packed: where the symbols stand.
    :param symbols: them, in packed order. *Shape:* (n_rows,)
    :param inputs: what the decoder reads when it is to write each of them: the symbol before it, or
        ``n_symbols`` at the beginning, or ``n_symbols + 1 + i`` where that is a copy of distinct word ``i``.
        *Shape:* (n_rows,)
    """

    packed: Packed
    symbols: Tensor
    inputs: Tensor

    @classmethod
    def of(
        cls,
        symbols: Int64,
        lengths: Int64,
        n_symbols: int,
        copies: tuple[int, Int64, Int64] | None = None,
        device: torch.device | str = "cpu",
    ) -> DecoderTargets:
        """Lay symbols out.

        :param symbols: those of all sequences. *Shape:* (n_rows,)
        :param lengths: symbols of each. *Shape:* (batch,)
        :param n_symbols: how many different ones there are.
        :param copies: the symbol that copies the next word; which distinct word each word is,
            *Shape:* (n_words,); words of each sentence, *Shape:* (batch,). None if the decoder reads no
            words.
        :param device: where the network is.
        """
        packed = Packed.of(lengths, device)
        read = symbols.astype(np.int64)
        if copies is not None:
            copy, words, n_words = copies
            sequence = np.repeat(np.arange(len(lengths)), lengths)
            copied = np.flatnonzero(symbols == copy)
            # How many copies came before in the same sequence: all before, less those of sequences before.
            each = np.bincount(sequence[copied], minlength=len(lengths))
            before = np.arange(len(copied)) - (np.cumsum(each) - each)[sequence[copied]]
            first = (np.cumsum(n_words) - n_words)[sequence[copied]]
            read[copied] = words[first + before] + n_symbols + 1
        inputs = np.empty_like(read)
        inputs[1:] = read[:-1]
        inputs[np.cumsum(lengths) - lengths] = n_symbols
        rows = packed.rows
        return cls(
            packed,
            torch.from_numpy(symbols.astype(np.int64)).to(device).index_select(0, rows),
            torch.from_numpy(inputs).to(device).index_select(0, rows),
        )


class EncodedSentences(NamedTuple):
    """What is computed once for the sentences that are decoded.

    :param memory: what attention looks at; None without attention.
    :param table: for each possible input of the first decoder layer, its part of the pre-activations of the gates.
        *Shape:* (n_symbols + 1 + n_distinct, gates * hidden)
    :param words: which distinct word stands at each place, the last one repeated. *Shape:* (batch, n_words)
    """

    memory: Memory | None
    table: Tensor
    words: Tensor

    def select(self, sentences: Tensor) -> EncodedSentences:
        """Take sentences, in the order given.

        :param sentences: *Shape:* (n,)
        """
        memory = None if self.memory is None else self.memory.select(sentences)
        return EncodedSentences(memory, self.table, self.words.index_select(0, sentences))


@dataclass(frozen=True, slots=True)
class DecoderState:
    """A decoder between two symbols.

    :param layers: the states of each layer. *Shape of each:* (batch, hidden)
    :param context: what attention gave at the last step; None without attention. *Shape:* (batch, width)
    :param weights: its weights; None without attention. *Shape:* (batch, n_words)
    :param copied: words copied so far. *Shape:* (batch,)
    :param number: steps taken.
    """

    layers: tuple[State, ...]
    context: Tensor | None
    weights: Tensor | None
    copied: Tensor
    number: int = 0

    def select(self, rows: Tensor) -> DecoderState:
        """Take some of them, in the order given.

        :param rows: *Shape:* (n,)
        """
        return DecoderState(
            tuple(tuple(part.index_select(0, rows) for part in layer) for layer in self.layers),
            None if self.context is None else self.context.index_select(0, rows),
            None if self.weights is None else self.weights.index_select(0, rows),
            self.copied.index_select(0, rows),
            self.number,
        )
