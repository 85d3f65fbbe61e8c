"""The gated recurrent network: layers of :class:`~treesent.nn.cells.GRU`."""

from treesent.config import section
from treesent.models.classifier.recurrent_config import RecurrentConfig
from treesent.nn.cells import GRU


@section
class GRUConfig(RecurrentConfig):
    """Settings of the GRU: see :class:`~treesent.models.classifier.recurrent_config.RecurrentConfig`."""

    kind = GRU
