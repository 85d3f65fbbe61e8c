"""Settings that the recursive networks have in common, and how they become a network."""

from __future__ import annotations

from abc import abstractmethod
from typing import Annotated

import torch
from pydantic import NonNegativeInt, PositiveInt
from torch import nn

from treesent.config import Dropout, OneOf, section
from treesent.errors import RecipeError
from treesent.models.classifier.recursive import RecursiveClassifier
from treesent.models.classifier.word_input import TRANSFORMER, InputConfig, check_encoder, input_width
from treesent.nn.embedding import VectorEmbedding
from treesent.nn.encoder import ENCODERS, Encoder
from treesent.nn.initial import glorot_linear
from treesent.nn.levels import Composition
from treesent.nn.node_attention import NodeAttention
from treesent.nn.top_down import TopDown
from treesent.nn.transformer import Transformer


@section
class RecursiveConfig(InputConfig):
    """Settings of every recursive network; each network's own config adds to them."""

    hidden: PositiveInt = 150
    """Width of the states."""
    projection: NonNegativeInt = 0
    """Width of a linear layer over the vectors, 0 for none: it reduces the table as the task requires.
    :func:`~treesent.models.classifier.compact.fold_projection` moves it into the table."""
    leaf: NonNegativeInt = 0
    """Width of a tanh layer between vectors and tree, 0 for none."""
    encoder: Annotated[str, OneOf((*ENCODERS, TRANSFORMER))] = "lstm"
    """Network under the leaves: a bidirectional recurrent one, ``lstm`` or ``sru``, or the ``transformer`` of the
    section ``[transformer]``."""
    encoder_hidden: NonNegativeInt = 0
    """Width of each direction of a recurrent encoder, 0 for none."""
    encoder_layers: PositiveInt = 1
    """Number of its layers."""
    encoder_dropout: Dropout = 0.0
    """Dropout rate of the output of each of its layers."""
    input_dropout: Dropout = 0.0
    """Dropout rate of the vectors."""
    recurrent_dropout: Dropout = 0.0
    """Dropout rate of the children's hidden states, with one mask per tree."""
    output_dropout: Dropout = 0.0
    """Dropout rate of the hidden states before the softmax layer."""
    top_down: NonNegativeInt = 0
    """Width of the states of a second pass, from the root down, which gives every node its context; 0 for
    none. See :class:`~treesent.nn.top_down.TopDown`."""
    attention: NonNegativeInt = 0
    """Width of the scoring layer of an attention over the nodes of a tree, whose weighted sum becomes the
    root's state; 0 for none. See :class:`~treesent.nn.node_attention.NodeAttention`."""

    def __post_init__(self) -> None:
        if self.encoder == TRANSFORMER and (self.encoder_hidden or self.projection):
            key = "encoder_hidden" if self.encoder_hidden else "projection"
            raise RecipeError(f"{key} is {getattr(self, key)} beside encoder = 'transformer'; leave it out")

    @abstractmethod
    def composition(self, width: int, generator: torch.Generator | None) -> Composition:
        """Make the part in which the networks differ.

        :param width: of the input at the leaves.
        :param generator: source of the initial weights.
        """


def build(
    config: RecursiveConfig,
    width: int,
    n_classes: int,
    embedding: VectorEmbedding | None = None,
    generator: torch.Generator | None = None,
    transformer: Transformer | None = None,
) -> RecursiveClassifier:
    """Make the network that a config describes.

    :param config: its settings.
    :param width: of the vectors.
    :param n_classes: of every node.
    :param embedding: the vectors; may be set later.
    :param generator: source of the initial weights, so that a seed fixes them.
    :param transformer: that of ``encoder = "transformer"``.
    """
    check_encoder(config.encoder, transformer)
    width = input_width(config, width, transformer)
    projection: nn.Linear | None = None
    if config.projection:
        projection = glorot_linear(width, config.projection, generator, bias=False)
        width = config.projection
    leaf: nn.Module | None = None
    if config.leaf:
        leaf = nn.Sequential(glorot_linear(width, config.leaf, generator), nn.Tanh())
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
        transformer=transformer,
        join=config.join_vectors,
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
