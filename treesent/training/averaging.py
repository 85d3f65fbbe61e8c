"""A running average of the weights, which generalises better than the last weights on small data."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class WeightAverage:
    """Exponential moving average of a model's trained weights (Polyak and Juditsky 1992).

    The decay grows to its final value as ``(1 + steps) / (10 + steps)``, so that the first average is not
    dominated by the random start. Tuned vectors are not averaged: that would touch every row of the table
    in every step.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        """Start from the model's weights.

        :param model: whose weights are averaged.
        :param decay: weight of the old average in each update, in [0, 1); 0 turns averaging off.
        """
        tables = {id(m.table) for m in model.modules() if getattr(m, "tune", False)}
        named = dict(model.named_parameters()).items()
        self.decay = decay
        self.names = [name for name, p in named if p.requires_grad and id(p) not in tables] if decay else []
        self._weights = [model.get_parameter(name).detach() for name in self.names]
        self._average = [weight.clone() for weight in self._weights]

    def update(self, step: int) -> None:
        """Update the average with the weights after a step.

        :param step: from 0.
        """
        if self.names:
            weight = 1 - min(self.decay, (1 + step) / (10 + step))
            torch._foreach_lerp_(self._average, self._weights, weight)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Give the model its averaged weights until the context ends."""
        kept = [weight.clone() for weight in self._weights]
        self._copy(self._average, self._weights)
        try:
            yield
        finally:
            self._copy(kept, self._weights)

    def state_dict(self) -> dict[str, Tensor]:
        """Return the averages by the names of the weights."""
        return dict(zip(self.names, self._average, strict=True))

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Restore what :meth:`state_dict` returned.

        :param state: one tensor for each weight.
        """
        self._copy([state[name] for name in self.names], self._average)

    def _copy(self, sources: list[Tensor], targets: list[Tensor]) -> None:
        with torch.no_grad():
            for source, target in zip(sources, targets, strict=True):
                target.copy_(source)
