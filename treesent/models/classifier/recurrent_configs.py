"""Settings of the recurrent networks, one dataclass for each, and how they become networks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from treesent.errors import RecipeError
from treesent.models.classifier.recurrent import POOLINGS, Layer, RecurrentClassifier
from treesent.nn import cells
from treesent.nn.checks import at_least, shares
from treesent.nn.embedding import VectorEmbedding


@dataclass(frozen=True, slots=True, kw_only=True)
class RecurrentConfig:
    """Settings that all recurrent networks have.

    :param hidden: width of the states of one direction.
    :param layers: how many lie above each other.
    :param bidirectional: read from both ends.
    :param residual: add the input of each layer but the first to its output.
    :param pooling: what the softmax layer sees: ``last``, ``mean``, ``max``, ``attention`` or ``outputs``;
        see :class:`~treesent.models.classifier.recurrent.RecurrentClassifier`.
    :param input_dropout: share of the vectors that is dropped.
    :param recurrent_dropout: share of the states before that is dropped, one mask a sentence and layer.
    :param layer_dropout: share of the states between layers that is dropped.
    :param output_dropout: share of what the softmax layer sees that is dropped.
    :raises RecipeError: a width, a rate or a name makes no sense.
    """

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

    def cell(self, width: int, generator: torch.Generator | None) -> cells.Cell:
        """Make the cell of one direction of a layer.

        :param width: of its inputs.
        :param generator: where its first weights come from.
        """
        raise NotImplementedError


@dataclass(frozen=True, slots=True, kw_only=True)
class RNNConfig(RecurrentConfig):
    """The simple recurrent network's settings: those of :class:`RecurrentConfig`."""

    def cell(self, width: int, generator: torch.Generator | None) -> cells.Cell:
        """See :meth:`RecurrentConfig.cell`."""
        return cells.Elman(width, self.hidden, generator)


@dataclass(frozen=True, slots=True, kw_only=True)
class LeakyConfig(RecurrentConfig):
    """Settings of leaky units: those of :class:`RecurrentConfig`, and their rates.

    :param rate: of the fastest unit, above 0 and at most 1.
    :param slowest: rate of the slowest unit, None for one rate.
    :param tune_rates: learn the rates.
    :raises RecipeError: a rate makes no sense.
    """

    rate: float = 1.0
    slowest: float | None = 0.1
    tune_rates: bool = False

    def __post_init__(self) -> None:
        # A dataclass with slots is made anew, which the short form of super() does not follow.
        RecurrentConfig.__post_init__(self)
        slowest = self.rate if self.slowest is None else self.slowest
        if not 0 < slowest <= self.rate <= 1:
            raise RecipeError(f"rate is {self.rate}, slowest {slowest}; give 0 < slowest <= rate <= 1")
        if self.tune_rates and self.rate == 1:
            raise RecipeError("rate is 1.0, from where it cannot be learned; give less than 1, 0.9 say")

    def cell(self, width: int, generator: torch.Generator | None) -> cells.Cell:
        """See :meth:`RecurrentConfig.cell`."""
        return cells.Leaky(
            width, self.hidden, generator, rate=self.rate, slowest=self.slowest, tune=self.tune_rates
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockworkConfig(RecurrentConfig):
    """The clockwork network's settings: those of :class:`RecurrentConfig`, and its modules.

    :param modules: how many; module ``i`` moves at every ``2 ** i``-th step.
    :raises RecipeError: there are no modules, or more than hidden units.
    """

    modules: int = 4

    def __post_init__(self) -> None:
        RecurrentConfig.__post_init__(self)
        if not 1 <= self.modules <= self.hidden:
            raise RecipeError(f"modules is {self.modules}; give 1 to {self.hidden}, the hidden units")

    def cell(self, width: int, generator: torch.Generator | None) -> cells.Cell:
        """See :meth:`RecurrentConfig.cell`."""
        return cells.Clockwork(width, self.hidden, generator, modules=self.modules)


@dataclass(frozen=True, slots=True, kw_only=True)
class ForgettingConfig(RecurrentConfig):
    """Settings of networks with forget gates: those of :class:`RecurrentConfig`, and one more.

    :param forget_bias: first bias of the forget gates.
    """

    kind: ClassVar[type[cells.ForgetGateCell]]

    forget_bias: float = 1.0

    def cell(self, width: int, generator: torch.Generator | None) -> cells.Cell:
        """See :meth:`RecurrentConfig.cell`."""
        return self.kind(width, self.hidden, generator, forget_bias=self.forget_bias)


@dataclass(frozen=True, slots=True, kw_only=True)
class LSTMConfig(ForgettingConfig):
    """The LSTM's settings: see :class:`ForgettingConfig`."""

    kind = cells.LSTM


@dataclass(frozen=True, slots=True, kw_only=True)
class PeepholeLSTMConfig(ForgettingConfig):
    """The peephole LSTM's settings: see :class:`ForgettingConfig`."""

    kind = cells.PeepholeLSTM


@dataclass(frozen=True, slots=True, kw_only=True)
class CoupledLSTMConfig(ForgettingConfig):
    """Settings of the LSTM with coupled gates: see :class:`ForgettingConfig`."""

    kind = cells.CoupledLSTM


@dataclass(frozen=True, slots=True, kw_only=True)
class GRUConfig(RecurrentConfig):
    """The GRU's settings: those of :class:`RecurrentConfig`."""

    def cell(self, width: int, generator: torch.Generator | None) -> cells.Cell:
        """See :meth:`RecurrentConfig.cell`."""
        return cells.GRU(width, self.hidden, generator)


@dataclass(frozen=True, slots=True, kw_only=True)
class MinimalGatedUnitConfig(RecurrentConfig):
    """The minimal gated unit's settings: those of :class:`RecurrentConfig`."""

    def cell(self, width: int, generator: torch.Generator | None) -> cells.Cell:
        """See :meth:`RecurrentConfig.cell`."""
        return cells.MinimalGatedUnit(width, self.hidden, generator)


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
    :param generator: where the first weights come from, so that a seed fixes them.
    """
    above = config.hidden * (2 if config.bidirectional else 1)
    layers = []
    for below in (width, *[above] * (config.layers - 1)):
        forth = config.cell(below, generator)
        layers.append(Layer(forth, config.cell(below, generator) if config.bidirectional else None))
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
