"""What the training loop asks of a task: batches, a loss, figures on dev."""

from abc import ABC, abstractmethod
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from treesent.data.batches import epoch_batches
from treesent.training.sections import TrainingConfig
from treesent.types import Int64


class Scored(Protocol):
    """Figures of an evaluation, in percent."""

    def figure(self, name: str) -> float:
        """Look a figure up by the name that ``training.metric`` has."""

    def to_dict(self) -> dict[str, Any]:
        """Give all of them as plain values."""


class Task(ABC):
    """What a run learns and what it is judged by; the loop itself knows no network."""

    @property
    @abstractmethod
    def n_train(self) -> int:
        """Items to learn from: texts, trees, windows of a stream."""

    @abstractmethod
    def batch(self, items: Int64, device: torch.device, non_blocking: bool) -> Any:
        """Lay some of them out; the result has ``n_trees`` and ``n_nodes``.

        :param items: which. *Shape:* ``(batch,)``.
        :param device: where the network is.
        :param non_blocking: copy from pinned memory while the host goes on.
        """

    @abstractmethod
    def loss(
        self, model: nn.Module, batch: Any, generator: torch.Generator, config: TrainingConfig
    ) -> Tensor:
        """Give the mean loss of a batch. *Shape:* ``()``.

        :param model: the network.
        :param batch: made by :meth:`batch`.
        :param generator: where dropout masks come from.
        :param config: the recipe's ``[training]``.
        """

    @abstractmethod
    def weight(self, batch: Any, config: TrainingConfig) -> Tensor:
        """Give what that mean is over: the labels counted, each with its weight. *Shape:* ``()``.

        :param batch: made by :meth:`batch`.
        :param config: the recipe's ``[training]``.
        """

    @abstractmethod
    def evaluate(self, model: nn.Module, device: torch.device, batch_size: int) -> Scored:
        """Give the figures on dev.

        :param model: the network.
        :param device: where it is.
        :param batch_size: items at a time.
        """

    def order(self, config: TrainingConfig, epoch: int) -> list[Int64]:
        """Say which items each step of an epoch learns from: shuffled, each once.

        It may depend on the settings and the epoch alone, so that a run can go on in the middle of one, and
        epochs have equally many steps.

        :param config: the recipe's ``[training]``.
        :param epoch: which, from 0.
        """
        return epoch_batches(self.n_train, config.batch_size, config.seed, epoch)

    def state(self) -> dict[str, Tensor]:
        """Give what a step hands to the next beside the weights: the states carried along a stream."""
        return {}

    def restore(self, state: dict[str, Tensor]) -> None:  # noqa: B027 - most tasks carry nothing
        """Take up what :meth:`state` gave.

        :param state: read from a checkpoint.
        """
