"""The coupled LSTM network: layers of :class:`~treesent.nn.cells.CoupledLSTM`."""

from treesent.config import section
from treesent.models.classifier.recurrent_config import ForgetGateConfig
from treesent.nn.cells import CoupledLSTM


@section
class CoupledLSTMConfig(ForgetGateConfig):
    """Settings of the LSTM with coupled gates: see :class:`~treesent.models.classifier.recurrent_config.ForgetGateConfig`."""

    kind = CoupledLSTM
