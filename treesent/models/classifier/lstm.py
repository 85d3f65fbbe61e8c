"""The LSTM network: layers of :class:`~treesent.nn.cells.LSTM`."""

from treesent.config import section
from treesent.models.classifier.recurrent_config import ForgetGateConfig
from treesent.nn.cells import LSTM


@section
class LSTMConfig(ForgetGateConfig):
    """Settings of the LSTM: see :class:`~treesent.models.classifier.recurrent_config.ForgetGateConfig`."""

    kind = LSTM
