"""The simple recurrent network: layers of :class:`~treesent.nn.cells.Elman`."""

from dataclasses import dataclass

from treesent.models.classifier.recurrent_config import RecurrentConfig
from treesent.nn.cells import Elman


@dataclass(frozen=True, slots=True, kw_only=True)
class RNNConfig(RecurrentConfig):
    """Settings of the simple recurrent network: see :class:`~treesent.models.classifier.recurrent_config.RecurrentConfig`."""

    kind = Elman
