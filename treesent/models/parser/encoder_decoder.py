r"""Encoder-decoder: a recurrent network reads a sentence, another one writes symbols.

With one layer each it is that of Bahdanau et al. (2015, arXiv:1409.0473) or Luong et al. (2015,
arXiv:1508.04025) by the kind of attention, without attention that of Sutskever et al. (2014,
arXiv:1409.3215); with more it is that of Wu et al. (2016, arXiv:1609.08144): the first decoder layer asks,
and what attention answers goes to all layers above and to the symbol's scores. The first layer itself can
read it a step later (``feed``), which is what makes decoding in training go step by step; without it each
layer takes all its steps at once. Attention is asked by the state after the symbol before was read, as Luong
et al. do; Bahdanau et al. ask by the one before that.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from treesent.models.parser.decoding import DecoderState, DecoderTargets, EncodedSentences
from treesent.models.parser.encoder_decoder_config import EncoderDecoderConfig
from treesent.nn.attention import AdditiveAttention, Attention, Memory, MultiplicativeAttention
from treesent.nn.cells import Cell, Unrolled, make_cell
from treesent.nn.deferred import DeferredGradient
from treesent.nn.dropout import dropout
from treesent.nn.initial import glorot_blocks
from treesent.nn.packed import Packed
from treesent.nn.recurrent_layer import RecurrentLayer


class EncoderDecoder(nn.Module):
    """Vectors of words, a recurrent encoder, attention, a recurrent decoder, a softmax layer over symbols.

    Training has the decoder read the symbols that it should have written (teacher forcing), all steps in one
    call: :meth:`forward`. :meth:`step` takes one step from any symbols; unrolled over the same ones, it gives
    the same logits.

    :param config: the settings.
    :param width: of the vectors.
    :param n_symbols: that the decoder may write.
    :param copy: the symbol that stands for the next word of the sentence; None if none does.
    :param generator: where the first weights come from.
    """

    def __init__(
        self,
        config: EncoderDecoderConfig,
        width: int,
        n_symbols: int,
        copy: int | None = None,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        self.config, self.width, self.n_symbols, self.copy = config, width, n_symbols, copy
        layers, below = [], width
        for directions in config.directions:
            both = [
                make_cell(config.cell, below, config.encoder_hidden, generator) for _ in range(directions)
            ]
            layers.append(RecurrentLayer(both[0], both[1] if directions == 2 else None))
            below = directions * config.encoder_hidden
        self.encoder = nn.ModuleList(layers)
        self.attention: Attention | None = None
        if config.attention == "additive":
            self.attention = AdditiveAttention(config.hidden, below, config.attention_hidden, generator)
        elif config.attention == "multiplicative":
            self.attention = MultiplicativeAttention(config.hidden, below, generator)
        context = 0 if self.attention is None else below
        widths = [config.embedding, *[config.hidden + context] * (config.decoder_layers - 1)]
        self.decoder = nn.ModuleList(
            make_cell(config.cell, width, config.hidden, generator) for width in widths
        )
        first = self._cells()[0]
        feed = self.attention is not None and config.feed
        self.feed = (
            nn.Parameter(glorot_blocks(first.n_gates * config.hidden, [context], generator)) if feed else None
        )
        self.symbols = nn.Parameter(torch.empty(n_symbols + 1, config.embedding))
        nn.init.normal_(self.symbols, std=config.embedding**-0.5, generator=generator)
        self.read = None
        if config.copy and copy is not None:
            self.read = nn.Parameter(glorot_blocks(config.embedding, [width], generator))
        states = config.decoder_layers * first.n_states * config.hidden
        self.bridge = nn.Parameter(glorot_blocks(states, [below], generator))
        self.bridge_bias = nn.Parameter(torch.zeros(states))
        columns = [config.hidden, *([context] if context else [])]
        self.readout = nn.Parameter(glorot_blocks(config.hidden, columns, generator))
        self.readout_bias = nn.Parameter(torch.zeros(config.hidden))
        self.output = nn.Parameter(glorot_blocks(n_symbols, [config.hidden], generator))
        self.output_bias = nn.Parameter(torch.zeros(n_symbols))

    @property
    def begin(self) -> int:
        """What the decoder reads before it has written anything; no symbol of its own."""
        return self.n_symbols

    def forward(
        self,
        vectors: Tensor,
        words: Tensor,
        source: Packed,
        target: DecoderTargets,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Score each symbol after those that should come before it.

        :param vectors: of the distinct words. *Shape:* (n_distinct, width)
        :param words: which of them each word is, in text order. *Shape:* (n_words,)
        :param source: where the words stand.
        :param target: what should be written.
        :param generator: where dropout masks come from in training; None for torch's own.
        :returns: logits in the target's packed order. *Shape:* (n_rows, n_symbols)
        """
        sentences, state = self.encode(vectors, words, source, generator)
        order, packed = target.packed.order, target.packed
        sentences, state = sentences.select(order), state.select(order)
        gates = sentences.table.index_select(0, target.inputs)
        states, contexts = self._first(gates, packed, sentences, state)
        for number, cell in enumerate(self._cells()[1:], 1):
            below = dropout(states, self.config.layer_dropout, self.training, generator)
            read = below if contexts is None else torch.cat([below, contexts], 1)
            states = cell.run(cell.project(read), packed.steps, state=state.layers[number])
            states = states + below if self._residual(number) else states
        return self._scores(states, contexts, generator)

    def encode(
        self, vectors: Tensor, words: Tensor, source: Packed, generator: torch.Generator | None = None
    ) -> tuple[EncodedSentences, DecoderState]:
        """Read sentences.

        :param vectors: see :meth:`forward`.
        :param words: see :meth:`forward`.
        :param source: see :meth:`forward`.
        :param generator: see :meth:`forward`.
        :returns: what decoding looks at, and the state that it begins with; both in the sentences' order.
        """
        vectors = dropout(vectors, self.config.input_dropout, self.training, generator)
        rows: Tensor | None = words.index_select(0, source.rows)
        if self.config.reverse:
            rows = words.index_select(0, source.rows.index_select(0, source.mirror))
        states = vectors
        for number, layer in enumerate(self.encoder):
            below = (
                states if not number else dropout(states, self.config.layer_dropout, self.training, generator)
            )
            states = layer(below, source, rows)
            states = states + below if self._residual(number) else states
            rows = None
        ends = states.index_select(0, source.last)
        if self.config.directions[-1] == 2:
            hidden = self.config.encoder_hidden
            ends = torch.cat([ends[:, :hidden], states.index_select(0, source.first)[:, hidden:]], 1)
        if self.config.reverse:
            states = states.index_select(0, source.mirror)
        states = dropout(states, self.config.layer_dropout, self.training, generator)
        return self._sentences(vectors, words, states, source), self._begin(ends)

    def _sentences(self, vectors: Tensor, words: Tensor, states: Tensor, source: Packed) -> EncodedSentences:
        """Prepare what every step needs.

        :param states: of the encoder, in packed order. *Shape:* (n_rows, width)
        """
        table: Tensor = self.symbols
        if self.read is not None:
            table = torch.cat([table, functional.linear(vectors, self.read).to(table.dtype)])
        flat, shape = source.grid.flatten(), source.grid.shape
        memory = None
        if self.attention is not None:
            values = states.index_select(0, flat).view(*shape, -1)
            memory = self.attention.memory(values, source.present)
        places = words.index_select(0, source.rows.index_select(0, flat)).view(shape)
        return EncodedSentences(memory, self._cells()[0].project(table), places)

    def _begin(self, ends: Tensor) -> DecoderState:
        """The decoder's first state, from the encoder's last ones. *Shape:* (batch, width)."""
        config, memories = self.config, self._cells()[0].n_states
        states = torch.tanh(functional.linear(ends, self.bridge, self.bridge_bias))
        parts = torch.split(states, config.hidden, 1)
        layers = tuple(parts[i : i + memories] for i in range(0, len(parts), memories))
        context = None if self.attention is None else ends.new_zeros(ends.shape)
        copied = torch.zeros(len(ends), dtype=torch.int64, device=ends.device)
        return DecoderState(layers, context, None, copied)

    def _first(
        self, gates: Tensor, packed: Packed, sentences: EncodedSentences, state: DecoderState
    ) -> tuple[Tensor, Tensor | None]:
        """Run the first decoder layer and ask attention; in packed order."""
        cell, memory = self._cells()[0], sentences.memory
        if self.attention is None or memory is None:
            return cell.run(gates, packed.steps, state=state.layers[0]), None
        if self.feed is None:
            states = cell.run(gates, packed.steps, state=state.layers[0])
            # The rectangle is in the order of the first step, as the memory is.
            grid = packed.grid.index_select(0, packed.order)
            query = states.index_select(0, grid.flatten()).view(*grid.shape, -1)
            contexts, _ = self.attention(query, memory)
            return states, contexts.flatten(0, 1).index_select(0, packed.place)
        return self._feeding(cell, gates, packed.steps.sizes, memory, state)

    def _feeding(
        self, cell: Cell, gates: Tensor, sizes: tuple[int, ...], memory: Memory, state: DecoderState
    ) -> tuple[Tensor, Tensor]:
        """Run the first layer where it reads the context of the step before."""
        assert self.attention is not None and self.feed is not None and state.context is not None
        feed = DeferredGradient(self.feed.t())
        unrolled = Unrolled(cell, feed.attach(gates))
        own, context, states, contexts = state.layers[0], state.context, [], []
        for number, part in enumerate(torch.split(unrolled.preactivations, list(sizes))):
            n = len(part)
            if n < len(context):
                own, context, memory = tuple(each[:n] for each in own), context[:n], memory.first(n)
            feed.note(context)
            part = torch.addmm(part, context, feed.weight)
            own = unrolled.step(part, own[0], own, number)
            context = self.attention(own[0][:, None], memory)[0][:, 0]
            states.append(own[0])
            contexts.append(context)
        return torch.cat(states), torch.cat(contexts)

    def step(
        self, symbols: Tensor, state: DecoderState, sentences: EncodedSentences
    ) -> tuple[Tensor, DecoderState]:
        """Take one step.

        :param symbols: those written last, :attr:`begin` at first. *Shape:* (batch,)
        :param state: the state before.
        :param sentences: what :meth:`encode` gave.
        :returns: logits of the next symbols, *Shape:* (batch, n_symbols); the state after.
        """
        inputs, copied = symbols, state.copied
        if self.read is not None:
            copy = symbols.eq(-1 if self.copy is None else self.copy)
            last = sentences.words.shape[1] - 1
            word = sentences.words.gather(1, copied.clamp(max=last)[:, None])[:, 0]
            inputs = torch.where(copy, word + self.n_symbols + 1, symbols)
            copied = copied + copy
        gates, first = sentences.table.index_select(0, inputs), self._cells()[0]
        if self.feed is not None:
            assert state.context is not None
            gates = torch.addmm(gates, state.context, self.feed.t())
        layers = [
            first.step(gates, state.layers[0][0], state.layers[0], first.recurrent_weight(), state.number)
        ]
        states, context, weights = layers[0][0], None, None
        if self.attention is not None:
            assert sentences.memory is not None
            contexts, shares_ = self.attention(states[:, None], sentences.memory)
            context, weights = contexts[:, 0], shares_[:, 0]
        for number, cell in enumerate(self._cells()[1:], 1):
            read = states if context is None else torch.cat([states, context], 1)
            own = state.layers[number]
            layers.append(cell.step(cell.project(read), own[0], own, cell.recurrent_weight(), state.number))
            states = layers[-1][0] + states if self._residual(number) else layers[-1][0]
        after = DecoderState(tuple(layers), context, weights, copied, state.number + 1)
        return self._scores(states, context, None), after

    def _scores(self, states: Tensor, contexts: Tensor | None, generator: torch.Generator | None) -> Tensor:
        """Logits from what the last layer and attention say (Luong et al. 2015, eqs. 5 and 6)."""
        both = states if contexts is None else torch.cat([states, contexts], 1)
        seen = torch.tanh(functional.linear(both, self.readout, self.readout_bias))
        seen = dropout(seen, self.config.output_dropout, self.training, generator)
        return functional.linear(seen, self.output, self.output_bias)

    def _cells(self) -> list[Cell]:
        return [cell for cell in self.decoder if isinstance(cell, Cell)]

    def _residual(self, number: int) -> bool:
        """Whether layer ``number``, counted from 0, has its input added."""
        return 0 < self.config.residual <= number + 1
