"""The gradient of a recurrent weight for all steps at once.

Backpropagation accumulates the gradient of a weight step by step, each time by a small product. The rows that
the weight multiplied and the gradients of the products are all known at the end, so one large product
suffices.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from treesent.nn.precision import cast_for_autocast


class DeferredGradient:
    """A weight used at every step, as ``preactivations + rows @ weight``, whose gradient comes at the end.

    :param weight: *Shape:* ``(n_in, n_out)``
    """

    def __init__(self, weight: Tensor) -> None:
        # Cast once, and not at every step.
        self._weight, self._rows = cast_for_autocast(weight), list[Tensor]()
        self.active = torch.is_grad_enabled() and weight.requires_grad

    @property
    def weight(self) -> Tensor:
        """What to multiply by."""
        return self._weight.detach() if self.active else self._weight

    def attach(self, preactivations: Tensor) -> Tensor:
        """Return the pre-activations; the gradient that reaches them becomes the weight's.

        :param preactivations: of all steps. *Shape:* ``(n_rows, n_out)``
        """
        if not self.active:
            return preactivations
        attached: Tensor = _Attach.apply(preactivations, self._weight, self._rows)  # type: ignore[no-untyped-call]
        return attached

    def note(self, rows: Tensor) -> None:
        """Note what the weight multiplies at a step; steps come in order.

        :param rows: *Shape:* ``(batch, n_in)``
        """
        if self.active:
            self._rows.append(rows.detach())


class _Attach(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, preactivations: Tensor, weight: Tensor, rows: list[Tensor]) -> Tensor:
        ctx.rows, ctx.dtype = rows, weight.dtype
        return preactivations.view_as(preactivations)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, None]:
        (gradient,) = gradients
        rows = torch.cat(ctx.rows)
        return gradient, rows.to(ctx.dtype).t() @ gradient.to(ctx.dtype), None
