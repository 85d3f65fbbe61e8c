"""The state of a language model between two symbols."""

from __future__ import annotations

from dataclasses import dataclass, replace

from torch import Tensor

from treesent.nn.cells import State


@dataclass(frozen=True, slots=True)
class LanguageState:
    """What a model carries from one window of some streams to the next.

    :param layers: the states of each layer. *Shape of each:* ``(batch, hidden)``
    :param recent: the last symbols, as many as n-grams or output recurrence read. *Shape:* ``(n, batch)``
    :param number: how many symbols were read, which clocks count by.
    :param remaining: symbols left in each text, if lengths are drawn first. *Shape:* ``(batch,)``
    """

    layers: tuple[State, ...]
    recent: Tensor
    number: int = 0
    remaining: Tensor | None = None

    def detach(self) -> LanguageState:
        """Cut the state off from the graph, so that gradients stop here."""
        layers = tuple(tuple(each.detach() for each in layer) for layer in self.layers)
        return replace(self, layers=layers)

    def select(self, rows: Tensor) -> LanguageState:
        """Take some of the streams, in any order, repeated or not.

        :param rows: indices of the streams. *Shape:* ``(n,)``
        """
        layers = tuple(tuple(each.index_select(0, rows) for each in layer) for layer in self.layers)
        remaining = None if self.remaining is None else self.remaining.index_select(0, rows)
        return LanguageState(layers, self.recent.index_select(1, rows), self.number, remaining)
