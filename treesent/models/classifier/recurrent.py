"""Recurrent networks: every constituent's words as a sequence, a softmax layer on what they leave behind.

A sentence's constituents are read by the same weights, so one network scores all phrases and learns from the
label of each, as Tai et al. (2015) train theirs on the treebank.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from treesent.errors import RecipeError
from treesent.models.classifier.recursive import NodeStates
from treesent.nn.batch import ForestBatch
from treesent.nn.dropout import dropout, dropout_mask
from treesent.nn.embedding import VectorEmbedding
from treesent.nn.levels import weight_block
from treesent.nn.pooling import AttentionPool, max_pool, mean_pool
from treesent.nn.recurrent_layer import RecurrentLayer
from treesent.nn.spans import Sequences, Spans

POOLINGS = ("last", "mean", "max", "attention", "outputs")


class RecurrentClassifier(nn.Module):
    """Vectors, recurrent layers along each constituent, pooling, a softmax layer.

    :param layers: the first reads vectors, each other one the states of that before.
    :param n_classes: of every node.
    :param embedding: vectors of the words; may be set later.
    :param pooling: what of the last layer's states goes to the softmax layer: ``last``, the state at the last
        word (of the other direction: at the first); ``mean``, ``max`` or ``attention``, over all words. With
        ``outputs`` each word's state goes there, and the logits of a constituent are the mean of the
        log-probabilities at its words (a product of experts, Hinton 2002): an output at every step, all of
        which learn; one direction only.
    :param residual: add the input of each layer but the first to its output (He et al. 2016).
    :param input_dropout: share of the vectors that is dropped.
    :param recurrent_dropout: share of the states before that is dropped, one mask a sentence and layer.
    :param layer_dropout: share of the states between layers that is dropped.
    :param output_dropout: share of the pooled states that is dropped before the softmax layer.
    :param generator: where the first weights of pooling and softmax layer come from.
    """

    embedding: VectorEmbedding | None

    def __init__(
        self,
        layers: list[RecurrentLayer],
        n_classes: int,
        embedding: VectorEmbedding | None = None,
        *,
        pooling: str = "last",
        residual: bool = False,
        input_dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        layer_dropout: float = 0.0,
        output_dropout: float = 0.0,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        self.embedding = embedding
        self.layers = nn.ModuleList(layers)
        self.bidirectional = layers[0].backward_cell is not None
        self.hidden = layers[0].forward_cell.hidden
        width = self.hidden * (2 if self.bidirectional else 1)
        self.pooling, self.residual = pooling, residual
        self.attention = AttentionPool(width, generator) if pooling == "attention" else None
        self.weight = nn.Parameter(weight_block(n_classes, [width], generator))
        self.bias = nn.Parameter(torch.zeros(n_classes))
        self.input_dropout, self.recurrent_dropout = input_dropout, recurrent_dropout
        self.layer_dropout, self.output_dropout = layer_dropout, output_dropout

    def forward(self, batch: ForestBatch, generator: torch.Generator | None = None) -> NodeStates:
        """Score every node.

        :param batch: the trees.
        :param generator: where dropout masks come from in training; None for torch's own.
        :raises RecipeError: no embedding was set.
        """
        if not batch.n_nodes:
            nothing = self.weight.new_zeros(0, self.weight.shape[1])
            return NodeStates(functional.linear(nothing, self.weight, self.bias), nothing)
        if self.pooling == "outputs":
            return self._outputs(batch, generator)
        hidden = self._along(batch, generator) if not self.bidirectional else self._both(batch, generator)
        return NodeStates(self._classify(hidden, generator), hidden)

    def prefixes(self, batch: ForestBatch) -> Tensor:
        """Score what has been read after each word of its sentence: the output at every step.

        With pooling ``last``, the output at the last word of a constituent that begins the sentence is the
        constituent's own score.

        :param batch: the sentences.
        :return: logits in text order. *Shape:* (n_words, n_classes)
        :raises RecipeError: the network reads in both directions, or pools over words.
        """
        if self.bidirectional or self.pooling not in ("last", "outputs"):
            raise RecipeError("every step has an output in one direction with pooling 'last' or 'outputs'")
        if not batch.n_nodes:
            return self.forward(batch).logits
        runs, states = self._runs(batch, None)
        begin = batch.spans.start.index_select(0, batch.roots.index_select(0, batch.tree[: batch.n_words]))
        step = batch.spans.start[: batch.n_words] - begin
        return self._classify(states.index_select(0, runs.row(begin, step)), None)

    @property
    def record_steps(self) -> bool:
        """Whether to keep what :meth:`step_gradient_norms` needs."""
        return self.stack()[-1].forward_cell.record

    @record_steps.setter
    def record_steps(self, wanted: bool) -> None:
        self.stack()[-1].forward_cell.record = wanted

    def step_gradient_norms(self) -> Tensor:
        """Give the norms of the loss's gradient by the states of the last layer, as it reads forth.

        A state's gradient is what comes through all later states too, so it fades towards the first words
        where it vanishes. Asked once after each backward pass: what was kept is let go.

        :return: the first step first. *Shape:* (steps,)
        """
        cell = self.stack()[-1].forward_cell
        kept, cell.outputs = cell.outputs, []
        norms = [output.new_zeros(()) if output.grad is None else output.grad.norm() for output in kept]
        return torch.stack(norms) if norms else self.bias.new_zeros(0)

    def stack(self) -> list[RecurrentLayer]:
        """Give the layers, the lowest first."""
        return [layer for layer in self.layers if isinstance(layer, RecurrentLayer)]

    def _classify(self, hidden: Tensor, generator: torch.Generator | None) -> Tensor:
        return functional.linear(
            dropout(hidden, self.output_dropout, self.training, generator), self.weight, self.bias
        )

    def _vectors(self, batch: ForestBatch, generator: torch.Generator | None) -> Tensor:
        """Vectors of the distinct words. *Shape:* (n_distinct, width)."""
        if self.embedding is None:
            raise RecipeError("the classifier has no vectors; set its embedding to a VectorEmbedding")
        return dropout(
            self.embedding(batch.distinct, batch.extra), self.input_dropout, self.training, generator
        )

    def _runs(self, batch: ForestBatch, generator: torch.Generator | None) -> tuple[Sequences, Tensor]:
        """Run one direction from every word on; constituents with the same first word share states."""
        runs = batch.spans.from_words()
        states, words = self._vectors(batch, generator), batch.inverse.index_select(0, runs.word)
        tree = batch.tree.index_select(0, runs.order)
        for number, layer in enumerate(self.stack()):
            if not number:
                states = layer.forward_cell(states, runs.steps, words, self._mask(batch, tree, generator))
                continue
            below = dropout(states, self.layer_dropout, self.training, generator)
            states = layer.forward_cell(below, runs.steps, None, self._mask(batch, tree, generator))
            states = states + below if self.residual else states
        return runs, states

    def _along(self, batch: ForestBatch, generator: torch.Generator | None) -> Tensor:
        """What one direction leaves of each node. *Shape:* (n_nodes, hidden)."""
        runs, states = self._runs(batch, generator)
        spans = batch.spans
        if self.pooling == "last":
            return states.index_select(0, runs.row(spans.start, spans.length - 1))
        nodes = spans.of_nodes()
        row = runs.row(spans.start.index_select(0, nodes.sequence), nodes.step)
        return self._pool(states.index_select(0, row), nodes, spans)

    def _outputs(self, batch: ForestBatch, generator: torch.Generator | None) -> NodeStates:
        """Score every node by the outputs at its words."""
        runs, states = self._runs(batch, generator)
        spans, nodes = batch.spans, batch.spans.of_nodes()
        scores = functional.log_softmax(self._classify(states, generator), 1)
        row = runs.row(spans.start.index_select(0, nodes.sequence), nodes.step)
        logits = mean_pool(scores.index_select(0, row), nodes.sequence, spans.length)
        return NodeStates(logits, states, runs.row(spans.start, spans.length - 1))

    def _both(self, batch: ForestBatch, generator: torch.Generator | None) -> Tensor:
        """What two directions leave of each node. *Shape:* (n_nodes, 2 * hidden)."""
        spans = batch.spans
        vectors, first = self._vectors(batch, generator), self.stack()[0]
        halves = []
        for runs, cell in ((spans.from_words(), first.forward_cell), (spans.to_words(), first.backward_cell)):
            assert cell is not None
            words = batch.inverse.index_select(0, runs.word)
            mask = self._mask(batch, batch.tree.index_select(0, runs.order), generator)
            halves.append((runs, cell(vectors, runs.steps, words, mask)))
        (forth, ahead), (back, behind) = halves
        length = spans.length
        if len(self.layers) == 1 and self.pooling == "last":
            left = ahead.index_select(0, forth.row(spans.start, length - 1))
            right = behind.index_select(0, back.row(spans.end - 1, length - 1))
            return torch.cat([left, right], 1)
        nodes = spans.of_nodes()
        # Counted from the last word: where the other direction stands at the same word.
        opposite = length.index_select(0, nodes.sequence) - 1 - nodes.step
        left = ahead.index_select(0, forth.row(spans.start.index_select(0, nodes.sequence), nodes.step))
        right = behind.index_select(0, back.row(spans.end.index_select(0, nodes.sequence) - 1, opposite))
        states = torch.cat([left, right], 1)
        if len(self.layers) > 1:
            states = self._deeper(states, nodes, nodes.row(nodes.sequence, opposite), batch, generator)
        if self.pooling != "last":
            return self._pool(states, nodes, spans)
        every = nodes.order.new_zeros(()).expand(len(length))
        sequence = torch.arange(len(length), device=length.device)
        left = states.index_select(0, nodes.row(sequence, length - 1))[:, : self.hidden]
        right = states.index_select(0, nodes.row(sequence, every))[:, self.hidden :]
        return torch.cat([left, right], 1)

    def _deeper(
        self,
        states: Tensor,
        nodes: Sequences,
        mirror: Tensor,
        batch: ForestBatch,
        generator: torch.Generator | None,
    ) -> Tensor:
        """Run the layers above the first, which see the whole constituent: one sequence for each.

        :param mirror: the row of the word as far from the end as each row's is from the beginning.
            *Shape:* (n_rows,)
        """
        tree = batch.tree.index_select(0, nodes.order)
        for layer in self.stack()[1:]:
            assert layer.backward_cell is not None
            below = dropout(states, self.layer_dropout, self.training, generator)
            left = layer.forward_cell(below, nodes.steps, None, self._mask(batch, tree, generator))
            turned = below.index_select(0, mirror)
            right = layer.backward_cell(turned, nodes.steps, None, self._mask(batch, tree, generator))
            states = torch.cat([left, right.index_select(0, mirror)], 1)
            states = states + below if self.residual else states
        return states

    def _pool(self, states: Tensor, nodes: Sequences, spans: Spans) -> Tensor:
        if self.attention is not None:
            pooled: Tensor = self.attention(states, nodes.sequence, spans.length)
            return pooled
        pool = mean_pool if self.pooling == "mean" else max_pool
        return pool(states, nodes.sequence, spans.length)

    def _mask(self, batch: ForestBatch, tree: Tensor, generator: torch.Generator | None) -> Tensor | None:
        """Draw a mask for each sentence and give it to its sequences. *Shape:* (n_sequences, hidden)."""
        if not self.training or not self.recurrent_dropout:
            return None
        shape = (batch.n_trees, self.hidden)
        return dropout_mask(shape, self.recurrent_dropout, self.weight, generator).index_select(0, tree)
