"""Recursive networks: vectors at the leaves, a composition up the tree, a softmax layer on every node."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from treesent.errors import RecipeError
from treesent.nn.batch import ForestBatch
from treesent.nn.checks import at_least, shares
from treesent.nn.dropout import dropout, dropout_mask
from treesent.nn.embedding import VectorEmbedding
from treesent.nn.encoder import ENCODERS, Encoder
from treesent.nn.levels import Composition, weight_block
from treesent.nn.node_attention import NodeAttention
from treesent.nn.top_down import TopDown


@dataclass(frozen=True, slots=True, kw_only=True)
class RecursiveConfig:
    """The settings that all recursive networks share; each network's own config adds to them.

    :param hidden: width of the states.
    :param projection: width to which a linear layer brings the vectors first, 0 for none: a reduction of the
        table that is learned with the task. :func:`fold_projection` moves it into the table.
    :param leaf: width of a tanh layer between vectors and tree, 0 for none.
    :param encoder: kind of the bidirectional recurrent network under the leaves, ``lstm`` or ``sru``.
    :param encoder_hidden: width of each of its directions, 0 for no encoder.
    :param encoder_layers: how many layers it has.
    :param encoder_dropout: share of the output of each of its layers that is dropped.
    :param input_dropout: share of the leaf input that is dropped.
    :param recurrent_dropout: share of the children's hidden states that is dropped, one mask a tree.
    :param output_dropout: share of the hidden states that is dropped before the softmax layer.
    :param top_down: width of the states of a second pass, from the root down, 0 for none: every node then
        knows what stands around it. See :class:`~treesent.nn.top_down.TopDown`.
    :param attention: width of the layer that weighs the nodes of a tree, 0 for none: the root's class then
        follows from all of them. See :class:`~treesent.nn.node_attention.NodeAttention`.
    :raises RecipeError: a width or a rate makes no sense.
    """

    hidden: int = 150
    projection: int = 0
    leaf: int = 0
    encoder: str = "lstm"
    encoder_hidden: int = 0
    encoder_layers: int = 1
    encoder_dropout: float = 0.0
    input_dropout: float = 0.0
    recurrent_dropout: float = 0.0
    output_dropout: float = 0.0
    top_down: int = 0
    attention: int = 0

    def __post_init__(self) -> None:
        at_least(self, 1, "hidden", "encoder_layers")
        at_least(self, 0, "projection", "leaf", "encoder_hidden", "top_down", "attention")
        if self.encoder not in ENCODERS:
            raise RecipeError(f"encoder is {self.encoder!r}; give one of {', '.join(map(repr, ENCODERS))}")
        shares(self, "encoder_dropout", "input_dropout", "recurrent_dropout", "output_dropout")

    @abstractmethod
    def composition(self, width: int, generator: torch.Generator | None) -> Composition:
        """Make the part in which the networks differ.

        :param width: of what arrives at the leaves.
        :param generator: where the first weights come from.
        """


class NodeStates:
    """What a network says of every node of a batch, in forest order.

    :param logits: before the softmax. *Shape:* (n_nodes, n_classes)
    """

    __slots__ = ("_place", "_states", "logits")

    def __init__(self, logits: Tensor, states: Tensor, place: Tensor | None = None) -> None:
        """Take logits, and states that nodes may share.

        :param logits: *Shape:* (n_nodes, n_classes)
        :param states: hidden states. *Shape:* (n_states, hidden)
        :param place: row of each node's state, or None where they are in forest order. *Shape:* (n_nodes,)
        """
        self.logits, self._states, self._place = logits, states, place

    @property
    def hidden(self) -> Tensor:
        """Hidden states, spread over the nodes when they are asked for. *Shape:* (n_nodes, hidden)."""
        return self._states if self._place is None else self._states.index_select(0, self._place)


class RecursiveClassifier(nn.Module):
    """Vectors, what lies under the leaves, a composition, a softmax layer.

    The table of vectors belongs to whoever made it and may serve several networks: it is handed in.

    :param composition: how states follow from those of the children.
    :param n_classes: of every node.
    :param embedding: vectors of the words; may be set later.
    :param projection: linear layer over the vectors.
    :param leaf: what to apply to each word's vector on its own, after that.
    :param encoder: recurrent network along the sentence, under the tree.
    :param top_down: second pass, from the root down.
    :param attention: weighs the nodes of a tree for its root.
    :param input_dropout: see :class:`RecursiveConfig`, as for the other two.
    :param recurrent_dropout:
    :param output_dropout:
    :param generator: where the softmax layer's first weights come from.
    """

    embedding: VectorEmbedding | None

    def __init__(
        self,
        composition: Composition,
        n_classes: int,
        embedding: VectorEmbedding | None = None,
        *,
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
        super().__init__()
        self.embedding = embedding
        self.projection, self.leaf = projection, leaf
        self.encoder, self.composition = encoder, composition
        self.top_down, self.attention = top_down, attention
        hidden = composition.hidden + (0 if top_down is None else top_down.hidden)
        self.weight = nn.Parameter(weight_block(n_classes, [hidden], generator))
        self.bias = nn.Parameter(torch.zeros(n_classes))
        self.input_dropout, self.recurrent_dropout = input_dropout, recurrent_dropout
        self.output_dropout = output_dropout

    def forward(self, batch: ForestBatch, generator: torch.Generator | None = None) -> NodeStates:
        """Score every node.

        :param batch: the trees.
        :param generator: where dropout masks come from in training; None for torch's own.
        :raises RecipeError: no embedding was set.
        """
        # A mask for each tree parts the words of different trees.
        share = self.encoder is None and not (self.training and self.recurrent_dropout)
        vectors = self._leaves(batch, share, generator)
        mask = None
        if self.training and self.recurrent_dropout:
            shape = (batch.n_trees, self.composition.hidden)
            mask = dropout_mask(shape, self.recurrent_dropout, self.weight, generator)
        layout = batch.layout(share)
        hidden = self.composition(vectors, layout, mask)[0]
        place = layout.state
        if place is not None and (self.top_down is not None or self.attention is not None):
            # What stands above a node is its own, even where the word is not.
            hidden, place = hidden.index_select(0, place), None
        if self.top_down is not None:
            hidden = torch.cat([hidden, self.top_down(hidden, batch)], 1)
        if self.attention is not None:
            hidden = self.attention(hidden, batch)
        logits = functional.linear(
            dropout(hidden, self.output_dropout, self.training, generator), self.weight, self.bias
        )
        if place is not None:
            logits = logits.index_select(0, place)
        return NodeStates(logits, hidden, place)

    def _leaves(self, batch: ForestBatch, share: bool, generator: torch.Generator | None) -> Tensor:
        """What arrives at the leaves: one row for each distinct word where they share, else for each word."""
        if self.embedding is None:
            raise RecipeError("the classifier has no vectors; set its embedding to a VectorEmbedding")
        vectors: Tensor = self.embedding(batch.distinct, batch.extra)
        vectors = dropout(vectors, self.input_dropout, self.training, generator)
        if self.projection is not None:
            vectors = self.projection(vectors)
        if self.leaf is not None:
            vectors = self.leaf(vectors)
        if self.encoder is not None:
            encoded: Tensor = self.encoder(vectors, batch, generator)
            return encoded
        return vectors if share else vectors.index_select(0, batch.inverse)


def build(
    config: RecursiveConfig,
    width: int,
    n_classes: int,
    embedding: VectorEmbedding | None = None,
    generator: torch.Generator | None = None,
) -> RecursiveClassifier:
    """Make the network that a config describes.

    :param config: its settings.
    :param width: of the vectors.
    :param n_classes: of every node.
    :param embedding: the vectors; may be set later.
    :param generator: where the first weights come from, so that a seed fixes them.
    """
    projection: nn.Linear | None = None
    if config.projection:
        projection = _linear(width, config.projection, generator, bias=False)
        width = config.projection
    leaf: nn.Module | None = None
    if config.leaf:
        leaf = nn.Sequential(_linear(width, config.leaf, generator), nn.Tanh())
        width = config.leaf
    encoder: Encoder | None = None
    if config.encoder_hidden:
        encoder = ENCODERS[config.encoder](
            width, config.encoder_hidden, config.encoder_layers, config.encoder_dropout, generator
        )
        width = 2 * config.encoder_hidden
    composition = config.composition(width, generator)
    top_down: TopDown | None = None
    if config.top_down:
        top_down = TopDown(composition.hidden, config.top_down, generator)
    attention: NodeAttention | None = None
    if config.attention:
        attention = NodeAttention(composition.hidden + config.top_down, config.attention, generator)
    return RecursiveClassifier(
        composition,
        n_classes,
        embedding,
        projection=projection,
        leaf=leaf,
        encoder=encoder,
        top_down=top_down,
        attention=attention,
        input_dropout=config.input_dropout,
        recurrent_dropout=config.recurrent_dropout,
        output_dropout=config.output_dropout,
        generator=generator,
    )


def node_loss(logits: Tensor, label: Tensor, weight: Tensor | None = None) -> Tensor:
    """Mean cross-entropy over the labelled nodes; zero where no node has a label.

    :param logits: *Shape:* (n_nodes, n_classes)
    :param label: -1 where there is none. *Shape:* (n_nodes,)
    :param weight: of each node (roots, rare classes). *Shape:* (n_nodes,)
    :return: *Shape:* ()
    """
    wide = logits.to(torch.promote_types(logits.dtype, torch.float32))
    losses = functional.cross_entropy(wide, label, ignore_index=-1, reduction="none")
    count = (label >= 0).to(losses.dtype)
    if weight is not None:
        losses, count = losses * weight, count * weight
    return losses.sum() / count.sum().clamp(min=torch.finfo(losses.dtype).tiny)


def _linear(width: int, hidden: int, generator: torch.Generator | None, bias: bool = True) -> nn.Linear:
    """Linear layer whose weights the generator fixes."""
    # Made empty first, since torch's own first weights would move its global generator.
    layer = nn.Linear(width, hidden, bias, device="meta").to_empty(device="cpu")
    with torch.no_grad():
        nn.init.xavier_uniform_(layer.weight, generator=generator)
        if bias:
            layer.bias.zero_()
    return layer
