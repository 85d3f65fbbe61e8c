"""The LSTM network: layers of :class:`~treesent.nn.cells.LSTM`."""

from dataclasses import dataclass

from treesent.models.classifier.recurrent_config import ForgetGateConfig
from treesent.nn.cells import LSTM


@dataclass(frozen=True, slots=True, kw_only=True)
class LSTMConfig(ForgetGateConfig):
    """Settings of the LSTM: see :class:`~treesent.models.classifier.recurrent_config.ForgetGateConfig`."""

    kind = LSTM
