"""Recursive networks: vectors at the leaves, a composition up the tree, a softmax layer on every node."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from treesent.models.classifier.node_states import NodeStates
from treesent.models.classifier.word_input import WordInput
from treesent.nn.batch import ForestBatch
from treesent.nn.dropout import dropout, dropout_mask
from treesent.nn.embedding import VectorEmbedding
from treesent.nn.encoder import Encoder
from treesent.nn.initial import glorot_blocks
from treesent.nn.levels import Composition
from treesent.nn.node_attention import NodeAttention
from treesent.nn.top_down import TopDown
from treesent.nn.transformer import Transformer


class RecursiveClassifier(WordInput):
    """Word vectors, layers under the leaves, a composition up the tree, and a softmax layer.

    :param composition: computes the states of nodes from those of their children.
    :param n_classes: of every node.
    :param embedding: vectors of the words; may be set later.
    :param transformer: under the leaves.
    :param join: read static vectors beside the transformer's states.
    :param projection: linear layer over the vectors.
    :param leaf: layer over each word's vector on its own, after the projection.
    :param encoder: recurrent network over the sentence, under the tree.
    :param top_down: second pass, from the root down.
    :param attention: over the nodes of a tree, for its root.
    :param input_dropout: dropout rate of the vectors.
    :param recurrent_dropout: dropout rate of the children's hidden states, with one mask per tree.
    :param output_dropout: dropout rate of the hidden states before the softmax layer.
    :param generator: source of the softmax layer's initial weights.
    """

    def __init__(
        self,
        composition: Composition,
        n_classes: int,
        embedding: VectorEmbedding | None = None,
        *,
        transformer: Transformer | None = None,
        join: bool = True,
        projection: nn.Linear | None = None,
        leaf: nn.Module | None = None,
        encoder: Encoder | None = None,
        top_down: TopDown | None = None,
        attention: NodeAttention | None = None,
        input_dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        output_dropout: float = 0.0,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__(embedding, transformer, join, input_dropout)
        self.projection, self.leaf = projection, leaf
        self.encoder, self.composition = encoder, composition
        self.top_down, self.attention = top_down, attention
        hidden = composition.hidden + (0 if top_down is None else top_down.hidden)
        self.weight = nn.Parameter(glorot_blocks(n_classes, [hidden], generator))
        self.bias = nn.Parameter(torch.zeros(n_classes))
        self.recurrent_dropout, self.output_dropout = recurrent_dropout, output_dropout

    def forward(self, batch: ForestBatch, generator: torch.Generator | None = None) -> NodeStates:
        """Score every node.

        :param batch: the trees.
        :param generator: source of the dropout masks in training; None for torch's own.
        :raises RecipeError: if no embedding is set.
        """
        # With one mask per tree, equal words of different trees have different states.
        static = self.encoder is None and self.transformer is None
        deduplicate = static and not (self.training and self.recurrent_dropout)
        leaves = self._leaves(batch, deduplicate, generator)
        mask = None
        if self.training and self.recurrent_dropout:
            shape = (batch.n_trees, self.composition.hidden)
            mask = dropout_mask(shape, self.recurrent_dropout, self.weight, generator)
        layout = batch.layout(deduplicate)
        hidden = self.composition(leaves, layout, mask)[0]
        index = layout.state
        if index is not None and (self.top_down is not None or self.attention is not None):
            # These depend on the position of a node, so equal words have different states.
            hidden, index = hidden.index_select(0, index), None
        if self.top_down is not None:
            hidden = torch.cat([hidden, self.top_down(hidden, batch)], 1)
        if self.attention is not None:
            hidden = self.attention(hidden, batch)
        logits = functional.linear(
            dropout(hidden, self.output_dropout, self.training, generator), self.weight, self.bias
        )
        if index is not None:
            logits = logits.index_select(0, index)
        return NodeStates(logits, hidden, index)

    def _leaves(self, batch: ForestBatch, deduplicate: bool, generator: torch.Generator | None) -> Tensor:
        """Return the input at the leaves: a row per distinct word if deduplicated, else a row per word."""
        vectors, index = self.read_words(batch, generator)
        if self.projection is not None:
            vectors = self.projection(vectors)
        if self.leaf is not None:
            vectors = self.leaf(vectors)
        if self.encoder is not None:
            encoded: Tensor = self.encoder(vectors, batch, generator)
            return encoded
        return vectors if deduplicate or index is None else vectors.index_select(0, index)
