"""Bidirectional recurrent encoders under the leaves, which give each word's state its context."""

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
    :param layers: number of layers.
    :param rate: dropout rate of every layer's output.
    :param generator: source of the initial weights.
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
        self.layers = nn.ModuleList(self.make_layer(below, hidden, generator) for below in widths)

    @abstractmethod
    def make_layer(self, width: int, hidden: int, generator: torch.Generator | None) -> nn.Module:
        """Make a layer.

        :param width: of its input.
        :param hidden: of each direction.
        :param generator: source of its initial weights.
        """

    def forward(
        self, vectors: Tensor, batch: ForestBatch, generator: torch.Generator | None = None
    ) -> Tensor:
        """Run over the sentences, without padding and without waiting for the device.

        :param vectors: of the distinct words. *Shape:* ``(n_distinct, width)``
        :param batch: the sentences.
        :param generator: source of the dropout masks in training; None for torch's own.
        :returns: the output at each word. *Shape:* ``(n_words, 2 * hidden)``
        """
        words = batch.inverse.index_select(0, batch.packed)
        return self.run_packed(vectors, words, batch, generator).index_select(0, batch.unpacked)

    @abstractmethod
    def run_packed(
        self, vectors: Tensor, words: Tensor, batch: ForestBatch, generator: torch.Generator | None
    ) -> Tensor:
        """Run over packed words: all first words, all second words, the longest sentence first.

        :param vectors: of the distinct words. *Shape:* ``(n_distinct, width)``
        :param words: the distinct word at each position. *Shape:* ``(n_words,)``
        :param batch: the sentences.
        :param generator: source of the dropout masks.
        :returns: in packed order. *Shape:* ``(n_words, 2 * hidden)``
        """


class LSTMEncoder(Encoder):
    """Bidirectional LSTM, torch's own; see :class:`Encoder`."""

    def make_layer(self, width: int, hidden: int, generator: torch.Generator | None) -> nn.Module:
        """See :meth:`Encoder.make_layer`."""
        # Made empty first, because torch's own initialisation would advance its global generator.
        layer = nn.LSTM(width, hidden, bidirectional=True, device="meta").to_empty(
            device=torch.get_default_device()
        )
        with torch.no_grad():
            for weight in layer.parameters():
                nn.init.uniform_(weight, -(hidden**-0.5), hidden**-0.5, generator=generator)
        return layer

    def run_packed(
        self, vectors: Tensor, words: Tensor, batch: ForestBatch, generator: torch.Generator | None
    ) -> Tensor:
        """See :meth:`Encoder.run_packed`."""
        states = vectors.index_select(0, words)
        for layer in self.layers:
            output, _ = layer(PackedSequence(states, batch.batch_sizes))
            states = dropout(output.data, self.rate, self.training, generator)
        return states


class SRUEncoder(Encoder):
    """Bidirectional simple recurrent units: about the LSTM's accuracy at a fraction of its time.

    See :class:`Encoder`.
    """

    def make_layer(self, width: int, hidden: int, generator: torch.Generator | None) -> nn.Module:
        """See :meth:`Encoder.make_layer`."""
        return BidirectionalSRU(width, hidden, generator)

    def run_packed(
        self, vectors: Tensor, words: Tensor, batch: ForestBatch, generator: torch.Generator | None
    ) -> Tensor:
        """See :meth:`Encoder.run_packed`."""
        states: Tensor | None = None
        for layer in self.layers:
            assert isinstance(layer, BidirectionalSRU)
            # The first product depends on the word alone: once for each distinct word.
            gates = layer.project(vectors).take(words) if states is None else layer.project(states)
            states = dropout(layer(gates, batch.sizes), self.rate, self.training, generator)
        assert states is not None
        return states


ENCODERS: dict[str, type[Encoder]] = {"lstm": LSTMEncoder, "sru": SRUEncoder}
"""The encoders by the name that recipes give them."""
