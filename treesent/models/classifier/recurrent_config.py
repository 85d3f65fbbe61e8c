"""Settings that the recurrent networks have in common, and how they become a network."""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch
from pydantic import PositiveInt

from treesent.config import Dropout, OneOf, section
from treesent.errors import RecipeError
from treesent.models.classifier.recurrent import POOLINGS, RecurrentClassifier
from treesent.models.classifier.word_input import InputConfig, RecurrentEncoder, check_encoder, input_width
from treesent.nn.cells import Cell, ForgetGateCell
from treesent.nn.embedding import VectorEmbedding
from treesent.nn.recurrent_layer import RecurrentLayer
from treesent.nn.transformer import Transformer


@section
class RecurrentConfig(InputConfig):
    """Settings of every recurrent network."""

    kind: ClassVar[type[Cell]]
    """The cell of every layer."""
    encoder: RecurrentEncoder = "none"
    """Network under the layers: ``none``, or the ``transformer`` of the section ``[transformer]``."""
    hidden: PositiveInt = 168
    """Width of the states of one direction."""
    layers: PositiveInt = 1
    """Number of stacked layers."""
    bidirectional: bool = False
    """Read in both directions."""
    residual: bool = False
    """Add the input of each layer above the first to its output."""
    pooling: Annotated[str, OneOf(POOLINGS)] = "last"
    """Input of the softmax layer: ``last``, ``mean``, ``max``, ``attention`` or ``outputs``; see
    :class:`~treesent.models.classifier.recurrent.RecurrentClassifier`."""
    input_dropout: Dropout = 0.0
    """Dropout rate of the vectors."""
    recurrent_dropout: Dropout = 0.0
    """Dropout rate of the previous state, with one mask per sentence and layer."""
    layer_dropout: Dropout = 0.0
    """Dropout rate of the states between layers."""
    output_dropout: Dropout = 0.0
    """Dropout rate of the softmax layer's input."""

    def __post_init__(self) -> None:
        if self.pooling == "outputs" and self.bidirectional:
            raise RecipeError("pooling is 'outputs', which needs bidirectional = false")

    def cell(self, width: int, generator: torch.Generator | None) -> Cell:
        """Make the cell of one direction of a layer.

        :param width: of its inputs.
        :param generator: source of its initial weights.
        """
        return self.kind(width, self.hidden, generator)


@section
class ForgetGateConfig(RecurrentConfig):
    """Settings of networks with forget gates: those of :class:`RecurrentConfig`, and one more."""

    kind: ClassVar[type[ForgetGateCell]]
    forget_bias: float = 1.0
    """Initial bias of the forget gates."""

    def cell(self, width: int, generator: torch.Generator | None) -> Cell:
        """See :meth:`RecurrentConfig.cell`."""
        return self.kind(width, self.hidden, generator, forget_bias=self.forget_bias)


def build(
    config: RecurrentConfig,
    width: int,
    n_classes: int,
    embedding: VectorEmbedding | None = None,
    generator: torch.Generator | None = None,
    transformer: Transformer | None = None,
) -> RecurrentClassifier:
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
    above = config.hidden * (2 if config.bidirectional else 1)
    layers = []
    for below in (width, *[above] * (config.layers - 1)):
        cell = config.cell(below, generator)
        backward = config.cell(below, generator) if config.bidirectional else None
        layers.append(RecurrentLayer(cell, backward))
    return RecurrentClassifier(
        layers,
        n_classes,
        embedding,
        transformer=transformer,
        join=config.join_vectors,
        pooling=config.pooling,
        residual=config.residual,
        input_dropout=config.input_dropout,
        recurrent_dropout=config.recurrent_dropout,
        layer_dropout=config.layer_dropout,
        output_dropout=config.output_dropout,
        generator=generator,
    )
