"""Recurrent networks: every constituent's words as a sequence, pooling, and a softmax layer.

The constituents of a sentence are read with the same weights, so that one network scores all phrases and
learns from the label of each, as in Tai et al. (2015), who train theirs on all phrases of the treebank.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from treesent.errors import RecipeError
from treesent.models.classifier.node_states import NodeStates
from treesent.models.classifier.word_input import WordInput
from treesent.nn.batch import ForestBatch
from treesent.nn.constituents import Constituents
from treesent.nn.dropout import dropout, dropout_mask
from treesent.nn.embedding import VectorEmbedding
from treesent.nn.initial import glorot_blocks
from treesent.nn.pooling import AttentionPool, max_pool, mean_pool
from treesent.nn.recurrent_layer import RecurrentLayer
from treesent.nn.sequences import Sequences
from treesent.nn.state_gradients import norms_by_distance
from treesent.nn.transformer import Transformer

POOLINGS = ("last", "mean", "max", "attention", "outputs")


class RecurrentClassifier(WordInput):
    """Word vectors, recurrent layers over each constituent, pooling, and a softmax layer.

    :param layers: the first reads vectors, each of the others the states of the one below.
    :param n_classes: of every node.
    :param embedding: vectors of the words; may be set later.
    :param transformer: under the layers.
    :param join: read static vectors beside the transformer's states.
    :param pooling: input of the softmax layer: ``last``, the last layer's state at the last word (of the
        backward direction: at the first); or the ``mean``, ``max`` or ``attention`` over the states at all
        words. With ``outputs``, the softmax layer reads the state at each word, and the logits of a
        constituent are the mean of the log-probabilities at its words (a product of experts, Hinton 2002):
        an output at every step, all of which learn; one direction only.
    :param residual: add the input of each layer above the first to its output (He et al. 2016).
    :param input_dropout: dropout rate of the vectors.
    :param recurrent_dropout: dropout rate of the previous state, with one mask per sentence and layer.
    :param layer_dropout: dropout rate of the states between layers.
    :param output_dropout: dropout rate of the softmax layer's input.
    :param generator: source of the initial weights of pooling and softmax layer.
    """

    def __init__(
        self,
        layers: list[RecurrentLayer],
        n_classes: int,
        embedding: VectorEmbedding | None = None,
        *,
        transformer: Transformer | None = None,
        join: bool = True,
        pooling: str = "last",
        residual: bool = False,
        input_dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        layer_dropout: float = 0.0,
        output_dropout: float = 0.0,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__(embedding, transformer, join, input_dropout)
        self.layers = nn.ModuleList(layers)
        self.bidirectional = layers[0].backward_cell is not None
        self.hidden = layers[0].forward_cell.hidden
        width = self.hidden * (2 if self.bidirectional else 1)
        self.pooling, self.residual = pooling, residual
        self.attention = AttentionPool(width, generator) if pooling == "attention" else None
        self.weight = nn.Parameter(glorot_blocks(n_classes, [width], generator))
        self.bias = nn.Parameter(torch.zeros(n_classes))
        self.recurrent_dropout, self.layer_dropout = recurrent_dropout, layer_dropout
        self.output_dropout = output_dropout

    def forward(self, batch: ForestBatch, generator: torch.Generator | None = None) -> NodeStates:
        """Score every node.

        :param batch: the trees.
        :param generator: source of the dropout masks in training; None for torch's own.
        :raises RecipeError: if no embedding is set.
        """
        if not batch.n_nodes:
            nothing = self.weight.new_zeros(0, self.weight.shape[1])
            return NodeStates(functional.linear(nothing, self.weight, self.bias), nothing)
        if self.pooling == "outputs":
            return self._score_outputs(batch, generator)
        hidden = (
            self._bidirectional(batch, generator) if self.bidirectional else self._forward(batch, generator)
        )
        return NodeStates(self._classify(hidden, generator), hidden)

    def prefixes(self, batch: ForestBatch) -> Tensor:
        """Score, at each word, the sentence up to there: the output at every step.

        With pooling ``last``, the output at the last word of a constituent that begins the sentence is the
        constituent's own score.

        :param batch: the sentences.
        :returns: logits in text order. *Shape:* ``(n_words, n_classes)``
        :raises RecipeError: if the network reads in both directions, or pools over words.
        """
        if self.bidirectional or self.pooling not in ("last", "outputs"):
            raise RecipeError("every step has an output in one direction with pooling 'last' or 'outputs'")
        if not batch.n_nodes:
            return self.forward(batch).logits
        sequences, states = self._run_forward(batch, None)
        start = self._reads(batch.constituents)
        begin = start.index_select(0, batch.roots.index_select(0, batch.tree[: batch.n_words]))
        step = start[: batch.n_words] - begin
        return self._classify(states.index_select(0, sequences.row(begin, step)), None)

    @property
    def record_steps(self) -> bool:
        """Whether to keep what :meth:`state_gradient_norms` needs."""
        return self.stack()[-1].forward_cell.record

    @record_steps.setter
    def record_steps(self, wanted: bool) -> None:
        self.stack()[-1].forward_cell.record = wanted

    def state_gradient_norms(self) -> Tensor:
        """Return the norms of the loss's gradient with respect to the last layer's forward states.

        While they are recorded, each constituent is read by itself, so that the only loss of a sequence is at its
        last word (with pooling ``last``), and the states before it lie at 1, 2, 3 ... words from the loss. Call it
        once after each backward pass: it releases what was kept.

        :returns: the root mean square over the constituents with a loss, by the distance from the last word.
            *Shape:* ``(steps,)``
        """
        cell = self.stack()[-1].forward_cell
        kept, cell.kept = cell.kept, []
        return norms_by_distance(kept) if kept else self.bias.new_zeros(0)

    def stack(self) -> list[RecurrentLayer]:
        """Return the layers, the lowest first."""
        return [layer for layer in self.layers if isinstance(layer, RecurrentLayer)]

    def _classify(self, hidden: Tensor, generator: torch.Generator | None) -> Tensor:
        hidden = dropout(hidden, self.output_dropout, self.training, generator)
        return functional.linear(hidden, self.weight, self.bias)

    def _run_forward(self, batch: ForestBatch, generator: torch.Generator | None) -> tuple[Sequences, Tensor]:
        """Run one direction from every word; constituents with the same first word have the same states."""
        sequences = self._forward_sequences(batch.constituents)
        states, index = self.read_words(batch, generator)
        words = sequences.word if index is None else index.index_select(0, sequences.word)
        tree = batch.tree.index_select(0, sequences.order)
        for number, layer in enumerate(self.stack()):
            if not number:
                mask = self._mask(batch, tree, generator)
                states = layer.forward_cell(states, sequences.steps, words, mask)
                continue
            below = dropout(states, self.layer_dropout, self.training, generator)
            states = layer.forward_cell(below, sequences.steps, None, self._mask(batch, tree, generator))
            states = states + below if self.residual else states
        return sequences, states

    def _forward_sequences(self, constituents: Constituents) -> Sequences:
        """Lay out what the forward direction reads: constituents that begin at one word share a sequence."""
        return constituents.node_sequences() if self.record_steps else constituents.forward_sequences()

    def _reads(self, constituents: Constituents) -> Tensor:
        """Return the sequence that contains each node, by its first word. *Shape:* ``(n_nodes,)``."""
        if not self.record_steps:
            return constituents.start
        return torch.arange(len(constituents.start), device=constituents.start.device)

    def _forward(self, batch: ForestBatch, generator: torch.Generator | None) -> Tensor:
        """Pool the states of one direction at each node. *Shape:* ``(n_nodes, hidden)``."""
        sequences, states = self._run_forward(batch, generator)
        constituents = batch.constituents
        start = self._reads(constituents)
        if self.pooling == "last":
            return states.index_select(0, sequences.row(start, constituents.length - 1))
        nodes = constituents.node_sequences()
        row = sequences.row(start.index_select(0, nodes.sequence), nodes.step)
        return self._pool(states.index_select(0, row), nodes, constituents)

    def _score_outputs(self, batch: ForestBatch, generator: torch.Generator | None) -> NodeStates:
        """Score every node by the outputs at its words."""
        sequences, states = self._run_forward(batch, generator)
        constituents, nodes = batch.constituents, batch.constituents.node_sequences()
        start, length = self._reads(constituents), constituents.length
        scores = functional.log_softmax(self._classify(states, generator), 1)
        row = sequences.row(start.index_select(0, nodes.sequence), nodes.step)
        logits = mean_pool(scores.index_select(0, row), nodes.sequence, length)
        return NodeStates(logits, states, sequences.row(start, length - 1))

    def _bidirectional(self, batch: ForestBatch, generator: torch.Generator | None) -> Tensor:
        """Pool the states of two directions at each node. *Shape:* ``(n_nodes, 2 * hidden)``."""
        constituents = batch.constituents
        start, end, length = self._reads(constituents), constituents.end, constituents.length
        vectors, index = self.read_words(batch, generator)
        first = self.stack()[0]
        assert first.backward_cell is not None
        forward, backward = self._forward_sequences(constituents), constituents.backward_sequences()
        forward_states, backward_states = (
            cell(
                vectors,
                sequences.steps,
                sequences.word if index is None else index.index_select(0, sequences.word),
                self._mask(batch, batch.tree.index_select(0, sequences.order), generator),
            )
            for sequences, cell in ((forward, first.forward_cell), (backward, first.backward_cell))
        )
        if len(self.layers) == 1 and self.pooling == "last":
            left = forward_states.index_select(0, forward.row(start, length - 1))
            right = backward_states.index_select(0, backward.row(end - 1, length - 1))
            return torch.cat([left, right], 1)
        nodes = constituents.node_sequences()
        # Counted from the last word: the step of the backward direction at the same word.
        opposite = length.index_select(0, nodes.sequence) - 1 - nodes.step
        left = forward.row(start.index_select(0, nodes.sequence), nodes.step)
        right = backward.row(end.index_select(0, nodes.sequence) - 1, opposite)
        states = torch.cat([forward_states.index_select(0, left), backward_states.index_select(0, right)], 1)
        if len(self.layers) > 1:
            states = self._upper_layers(states, nodes, nodes.row(nodes.sequence, opposite), batch, generator)
        if self.pooling != "last":
            return self._pool(states, nodes, constituents)
        zero = nodes.order.new_zeros(()).expand(len(length))
        sequence = torch.arange(len(length), device=length.device)
        left = states.index_select(0, nodes.row(sequence, length - 1))[:, : self.hidden]
        right = states.index_select(0, nodes.row(sequence, zero))[:, self.hidden :]
        return torch.cat([left, right], 1)

    def _upper_layers(
        self,
        states: Tensor,
        nodes: Sequences,
        mirror: Tensor,
        batch: ForestBatch,
        generator: torch.Generator | None,
    ) -> Tensor:
        """Run the layers above the first, which see the whole constituent: one sequence for each.

        :param mirror: the row of the word as far from the end as each row's is from the beginning.
            *Shape:* ``(n_rows,)``
        """
        tree = batch.tree.index_select(0, nodes.order)
        for layer in self.stack()[1:]:
            assert layer.backward_cell is not None
            below = dropout(states, self.layer_dropout, self.training, generator)
            left = layer.forward_cell(below, nodes.steps, None, self._mask(batch, tree, generator))
            reverse = below.index_select(0, mirror)
            right = layer.backward_cell(reverse, nodes.steps, None, self._mask(batch, tree, generator))
            states = torch.cat([left, right.index_select(0, mirror)], 1)
            states = states + below if self.residual else states
        return states

    def _pool(self, states: Tensor, nodes: Sequences, constituents: Constituents) -> Tensor:
        if self.attention is not None:
            pooled: Tensor = self.attention(states, nodes.sequence, constituents.length)
            return pooled
        pool = mean_pool if self.pooling == "mean" else max_pool
        return pool(states, nodes.sequence, constituents.length)

    def _mask(self, batch: ForestBatch, tree: Tensor, generator: torch.Generator | None) -> Tensor | None:
        """Draw a mask per sentence and broadcast it to its sequences. *Shape:* ``(n_sequences, hidden)``."""
        if not self.training or not self.recurrent_dropout:
            return None
        shape = (batch.n_trees, self.hidden)
        return dropout_mask(shape, self.recurrent_dropout, self.weight, generator).index_select(0, tree)
