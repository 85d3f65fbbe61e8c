"""What the training loop asks of a task: batches, a loss, metrics on dev."""

from abc import ABC, abstractmethod
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from treesent.data.batches import epoch_batches
from treesent.training.sections import TrainingConfig
from treesent.types import Int64

StreamState = dict[str, Tensor]
"""What a step hands to the next one besides the weights, by name: the hidden states of a stream. Empty before the
first step, and for tasks whose batches do not depend on each other."""


class Scored(Protocol):
    """Metrics of an evaluation, in percent."""

    def metric(self, name: str) -> float:
        """Return one metric.

        :param name: as in ``training.metric``.
        """

    def to_dict(self) -> dict[str, Any]:
        """Return all metrics as plain values."""


class Batch(Protocol):
    """What the log says of a batch."""

    @property
    def n_trees(self) -> int:
        """Trees, sentences or streams."""

    @property
    def n_nodes(self) -> int:
        """Nodes, or symbols to predict."""


class Task(ABC):
    """What a run learns and what it is evaluated on; the loop itself knows no network.

    Nothing here may change the task: batches may be made on another thread, ahead of the steps. What one step
    leaves for the next is a :data:`StreamState`, which the loop owns.
    """

    @property
    @abstractmethod
    def n_train(self) -> int:
        """Items to learn from: texts, trees, windows of a stream."""

    @abstractmethod
    def batch(self, items: Int64, device: torch.device, non_blocking: bool) -> Any:
        """Make a :class:`Batch` of some items.

        :param items: their numbers. *Shape:* ``(batch,)``.
        :param device: where the network is.
        :param non_blocking: copy from pinned memory while the host continues.
        """

    @abstractmethod
    def loss(
        self, model: nn.Module, batch: Any, generator: torch.Generator, config: TrainingConfig
    ) -> Tensor:
        """Return the mean loss of a batch. *Shape:* ``()``.

        :param model: the network.
        :param batch: made by :meth:`batch`.
        :param generator: the source of dropout masks.
        :param config: the recipe's ``[training]``.
        """

    def stream_loss(
        self,
        model: nn.Module,
        batch: Any,
        state: StreamState,
        generator: torch.Generator,
        config: TrainingConfig,
    ) -> tuple[Tensor, StreamState]:
        """Return the mean loss of a batch and the state for the next one, without a graph.

        Only tasks whose batches continue a stream override this one (truncated backpropagation through time).

        :param model: the network.
        :param batch: made by :meth:`batch`.
        :param state: what the step before returned.
        :param generator: the source of dropout masks.
        :param config: the recipe's ``[training]``.
        """
        return self.loss(model, batch, generator, config), {}

    @abstractmethod
    def weight(self, batch: Any, config: TrainingConfig) -> Tensor:
        """Return the denominator of that mean: the weighted number of labels. *Shape:* ``()``.

        :param batch: made by :meth:`batch`.
        :param config: the recipe's ``[training]``.
        """

    @abstractmethod
    def evaluate(self, model: nn.Module, device: torch.device, batch_size: int) -> Scored:
        """Return the metrics on dev.

        :param model: the network.
        :param device: where it is.
        :param batch_size: items at a time.
        """

    def order(self, config: TrainingConfig, epoch: int) -> list[Int64]:
        """Return the items of each step of an epoch: shuffled, each item once.

        It may depend on the settings and the epoch alone, so that a run can be resumed in the middle of one.
        All epochs have the same number of steps.

        :param config: the recipe's ``[training]``.
        :param epoch: its number, from 0.
        :returns: of each step. *Shape of each:* ``(batch,)``.
        """
        return epoch_batches(self.n_train, config.batch_size, config.seed, epoch)
