"""The simple recurrent network: layers of :class:`~treesent.nn.cells.Elman`."""

from treesent.config import section
from treesent.models.classifier.recurrent_config import RecurrentConfig
from treesent.nn.cells import Elman


@section
class RNNConfig(RecurrentConfig):
    """Settings of the simple recurrent network: see :class:`~treesent.models.classifier.recurrent_config.RecurrentConfig`."""

    kind = Elman
