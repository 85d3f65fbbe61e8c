"""The peephole LSTM network: layers of :class:`~treesent.nn.cells.PeepholeLSTM`."""

from treesent.config import section
from treesent.models.classifier.recurrent_config import ForgetGateConfig
from treesent.nn.cells import PeepholeLSTM


@section
class PeepholeLSTMConfig(ForgetGateConfig):
    """Settings of the peephole LSTM: see :class:`~treesent.models.classifier.recurrent_config.ForgetGateConfig`."""

    kind = PeepholeLSTM
