"""The simple recurrent network: layers of :class:`~treesent.nn.cells.Elman`."""

from __future__ import annotations

import torch
from pydantic import PositiveFloat

from treesent.config import section
from treesent.models.classifier.recurrent_config import RecurrentConfig
from treesent.nn.cells import Cell, Elman


@section
class RNNConfig(RecurrentConfig):
    """Settings of the simple recurrent network: see :class:`~treesent.models.classifier.recurrent_config.RecurrentConfig`."""

    kind = Elman
    spectral_radius: PositiveFloat | None = None
    """Largest absolute eigenvalue of the initial recurrent weights: below 1 gradients vanish, and well above 1 they can
    explode (Pascanu et al. 2013). Null leaves the weights as they are drawn, with about 0.58."""

    def cell(self, width: int, generator: torch.Generator | None) -> Cell:
        """See :meth:`RecurrentConfig.cell`."""
        cell = Elman(width, self.hidden, generator)
        if self.spectral_radius is not None:
            with torch.no_grad():
                weight = cell.kernel.weight_hh_l0
                weight.mul_(self.spectral_radius / torch.linalg.eigvals(weight).abs().max())
        return cell
