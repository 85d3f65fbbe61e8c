"""The peephole LSTM network: layers of :class:`~treesent.nn.cells.PeepholeLSTM`."""

from dataclasses import dataclass

from treesent.models.classifier.recurrent_config import ForgetGateConfig
from treesent.nn.cells import PeepholeLSTM


@dataclass(frozen=True, slots=True, kw_only=True)
class PeepholeLSTMConfig(ForgetGateConfig):
    """Settings of the peephole LSTM: see :class:`~treesent.models.classifier.recurrent_config.ForgetGateConfig`."""

    kind = PeepholeLSTM
