"""Settings that the recurrent networks have in common, and how they become a network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from treesent.errors import RecipeError
from treesent.models.classifier.recurrent import POOLINGS, RecurrentClassifier
from treesent.nn.cells import Cell, ForgetGateCell
from treesent.nn.checks import at_least, shares
from treesent.nn.embedding import VectorEmbedding
from treesent.nn.recurrent_layer import RecurrentLayer


@dataclass(frozen=True, slots=True, kw_only=True)
class RecurrentConfig:
    """Settings of every recurrent network.

    :param hidden: width of the states of one direction.
    :param layers: number of stacked layers.
    :param bidirectional: read in both directions.
    :param residual: add the input of each layer above the first to its output.
    :param pooling: input of the softmax layer: ``last``, ``mean``, ``max``, ``attention`` or ``outputs``; see
        :class:`~treesent.models.classifier.recurrent.RecurrentClassifier`.
    :param input_dropout: dropout rate of the vectors.
    :param recurrent_dropout: dropout rate of the previous state, with one mask per sentence and layer.
    :param layer_dropout: dropout rate of the states between layers.
    :param output_dropout: dropout rate of the softmax layer's input.
    :raises RecipeError: if a width, a rate or a name is invalid.
    """

    kind: ClassVar[type[Cell]]
    """The cell of every layer."""

    hidden: int = 168
    layers: int = 1
    bidirectional: bool = False
    residual: bool = False
    pooling: str = "last"
    input_dropout: float = 0.0
    recurrent_dropout: float = 0.0
    layer_dropout: float = 0.0
    output_dropout: float = 0.0

    def __post_init__(self) -> None:
        at_least(self, 1, "hidden", "layers")
        if self.pooling not in POOLINGS:
            raise RecipeError(f"pooling is {self.pooling!r}; give one of {', '.join(map(repr, POOLINGS))}")
        if self.pooling == "outputs" and self.bidirectional:
            raise RecipeError("pooling is 'outputs', which needs one direction; set bidirectional = false")
        shares(self, "input_dropout", "recurrent_dropout", "layer_dropout", "output_dropout")

    def cell(self, width: int, generator: torch.Generator | None) -> Cell:
        """Make the cell of one direction of a layer.

        :param width: of its inputs.
        :param generator: source of its initial weights.
        """
        return self.kind(width, self.hidden, generator)


@dataclass(frozen=True, slots=True, kw_only=True)
class ForgetGateConfig(RecurrentConfig):
    """Settings of networks with forget gates: those of :class:`RecurrentConfig`, and one more.

    :param forget_bias: initial bias of the forget gates.
    """

    kind: ClassVar[type[ForgetGateCell]]

    forget_bias: float = 1.0

    def cell(self, width: int, generator: torch.Generator | None) -> Cell:
        """See :meth:`RecurrentConfig.cell`."""
        return self.kind(width, self.hidden, generator, forget_bias=self.forget_bias)


def build(
    config: RecurrentConfig,
    width: int,
    n_classes: int,
    embedding: VectorEmbedding | None = None,
    generator: torch.Generator | None = None,
) -> RecurrentClassifier:
    """Make the network that a config describes.

    :param config: its settings.
    :param width: of the vectors.
    :param n_classes: of every node.
    :param embedding: the vectors; may be set later.
    :param generator: source of the initial weights, so that a seed fixes them.
    """
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
        pooling=config.pooling,
        residual=config.residual,
        input_dropout=config.input_dropout,
        recurrent_dropout=config.recurrent_dropout,
        layer_dropout=config.layer_dropout,
        output_dropout=config.output_dropout,
        generator=generator,
    )
