"""Recurrent encoders that stand under the leaves: what a word's state knows of its neighbours."""

from __future__ import annotations

from abc import abstractmethod

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from treesent.nn.batch import ForestBatch
from treesent.nn.dropout import dropout
from treesent.nn.sru import BidirectionalSRU


class Encoder(nn.Module):
    """A recurrent network over every sentence, in both directions.

    :param width: of the vectors.
    :param hidden: of each direction.
    :param layers: how many.
    :param rate: dropout rate of every layer's output.
    :param generator: where the first weights come from.
    """

    def __init__(
        self,
        width: int,
        hidden: int,
        layers: int = 1,
        rate: float = 0.0,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        self.width, self.hidden, self.rate = width, hidden, rate
        widths = [width, *[2 * hidden] * (layers - 1)]
        self.layers = nn.ModuleList(self.layer(below, hidden, generator) for below in widths)

    @abstractmethod
    def layer(self, width: int, hidden: int, generator: torch.Generator | None) -> nn.Module:
        """Make a layer.

        :param width: of what it reads.
        :param hidden: of each direction.
        :param generator: where its first weights come from.
        """

    def forward(
        self, vectors: Tensor, batch: ForestBatch, generator: torch.Generator | None = None
    ) -> Tensor:
        """Run over the sentences without padding and without waiting for the device.

        :param vectors: of the distinct words. *Shape:* (n_distinct, width)
        :param batch: the sentences.
        :param generator: where dropout masks come from in training; None for torch's own.
        :return: its output at each word. *Shape:* (n_words, 2 * hidden)
        """
        words = batch.inverse.index_select(0, batch.packed)
        return self.packed(vectors, words, batch, generator).index_select(0, batch.unpacked)

    @abstractmethod
    def packed(
        self, vectors: Tensor, words: Tensor, batch: ForestBatch, generator: torch.Generator | None
    ) -> Tensor:
        """Run over packed words: all first words, all second words, the longest sentence first.

        :param vectors: of the distinct words. *Shape:* (n_distinct, width)
        :param words: which of them stands at each place. *Shape:* (n_words,)
        :param batch: the sentences.
        :param generator: where dropout masks come from.
        :return: in packed order. *Shape:* (n_words, 2 * hidden)
        """


class LSTMEncoder(Encoder):
    """Bidirectional LSTM, torch's own; see :class:`Encoder`."""

    def layer(self, width: int, hidden: int, generator: torch.Generator | None) -> nn.Module:
        """See :meth:`Encoder.layer`."""
        # Made empty first, since torch's own first weights would move its global generator.
        layer = nn.LSTM(width, hidden, bidirectional=True, device="meta").to_empty(device="cpu")
        with torch.no_grad():
            for weight in layer.parameters():
                nn.init.uniform_(weight, -(hidden**-0.5), hidden**-0.5, generator=generator)
        return layer

    def packed(
        self, vectors: Tensor, words: Tensor, batch: ForestBatch, generator: torch.Generator | None
    ) -> Tensor:
        """See :meth:`Encoder.packed`."""
        states = vectors.index_select(0, words)
        for layer in self.layers:
            output, _ = layer(PackedSequence(states, batch.batch_sizes))
            states = dropout(output.data, self.rate, self.training, generator)
        return states


class SRUEncoder(Encoder):
    """Bidirectional simple recurrent units: about the LSTM's accuracy at a fraction of its time.

    See :class:`Encoder`.
    """

    def layer(self, width: int, hidden: int, generator: torch.Generator | None) -> nn.Module:
        """See :meth:`Encoder.layer`."""
        return BidirectionalSRU(width, hidden, generator)

    def packed(
        self, vectors: Tensor, words: Tensor, batch: ForestBatch, generator: torch.Generator | None
    ) -> Tensor:
        """See :meth:`Encoder.packed`."""
        states: Tensor | None = None
        for layer in self.layers:
            assert isinstance(layer, BidirectionalSRU)
            # The first product is a function of the word alone: once for each distinct word.
            gates = layer.project(vectors).take(words) if states is None else layer.project(states)
            states = dropout(layer(gates, batch.sizes), self.rate, self.training, generator)
        assert states is not None
        return states


ENCODERS: dict[str, type[Encoder]] = {"lstm": LSTMEncoder, "sru": SRUEncoder}
