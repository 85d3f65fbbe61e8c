"""Gradients of a recurrent weight for all steps at once.

Back-propagation adds the gradient of a weight up step by step, each time by a small product. What the weight
multiplied at a step and the gradient of the result are all there at the end, so one large product does.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


class LateGradient:
    """A weight used at every step, as ``gates + rows @ weight``, whose gradient is computed at the end.

    :param weight: *Shape:* (n_in, n_out)
    """

    def __init__(self, weight: Tensor) -> None:
        device = weight.device.type
        if torch.amp.is_autocast_available(device) and torch.is_autocast_enabled(device):
            weight = weight.to(torch.get_autocast_dtype(device))  # once, and not at every step
        self._weight, self._rows = weight, list[Tensor]()
        self.wanted = torch.is_grad_enabled() and weight.requires_grad

    @property
    def weight(self) -> Tensor:
        """What to multiply by."""
        return self._weight.detach() if self.wanted else self._weight

    def tie(self, gates: Tensor) -> Tensor:
        """Give what the products are added to; its gradient is theirs.

        :param gates: of all steps. *Shape:* (n_rows, n_out)
        """
        if not self.wanted:
            return gates
        tied: Tensor = _Late.apply(gates, self._weight, self._rows)  # type: ignore[no-untyped-call]
        return tied

    def saw(self, rows: Tensor) -> None:
        """Note what the weight multiplies at a step; steps come in order.

        :param rows: *Shape:* (batch, n_in)
        """
        if self.wanted:
            self._rows.append(rows.detach())


class _Late(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, gates: Tensor, weight: Tensor, rows: list[Tensor]) -> Tensor:
        ctx.rows, ctx.kind = rows, weight.dtype
        return gates.view_as(gates)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, None]:
        (gates,) = gradients
        rows = torch.cat(ctx.rows)
        return gates, rows.to(ctx.kind).t() @ gates.to(ctx.kind), None
