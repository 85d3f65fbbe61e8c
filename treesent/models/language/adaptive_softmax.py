"""An adaptive softmax (Grave et al. 2017): rare symbols are predicted in clusters with fewer dimensions."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from treesent.models.language.softmax import OutputLayer
from treesent.nn.precision import cast_for_autocast


class AdaptiveSoftmax(OutputLayer):
    """See :class:`torch.nn.AdaptiveLogSoftmaxWithLoss`.

    :param n_features: width of its inputs.
    :param n_symbols: how many symbols there are, the most frequent first.
    :param cutoffs: where the vocabulary is cut; the first is the size of the head.
    :param generator: source of the initial weights.
    """

    def __init__(
        self,
        n_features: int,
        n_symbols: int,
        cutoffs: Sequence[int],
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            # torch initialises it from its global generator only.
            torch.manual_seed(generator.initial_seed() if generator is not None else torch.seed())
            self.softmax = nn.AdaptiveLogSoftmaxWithLoss(n_features, n_symbols, list(cutoffs))

    def losses(self, features: Tensor, symbols: Tensor, without: int | None = None) -> Tensor:
        """See :meth:`OutputLayer.losses`; ``without`` must be a symbol of the head."""
        # torch writes the results into a tensor of the input's type, which must be that of the products.
        features = cast_for_autocast(features)
        found: Tensor = self.softmax(features, symbols).output
        found = found.to(torch.promote_types(found.dtype, torch.float32))
        if without is not None:
            head = functional.log_softmax(self.softmax.head(features).to(found.dtype), 1)
            found = found - torch.log1p(-head[:, without].exp())
        return -found

    def log_probs(self, features: Tensor) -> Tensor:
        """See :meth:`OutputLayer.log_probs`."""
        found: Tensor = self.softmax.log_prob(features)
        return found
