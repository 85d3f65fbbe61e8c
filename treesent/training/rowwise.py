"""Optimisers for tables of vectors: a step updates only the rows of the batch's words.

torch's own sparse optimisers build a sparse tensor for every intermediate and warn about it; here rows are
gathered, updated and scattered.
"""

from collections.abc import Iterable
from typing import Any, Literal

import torch
from torch import Tensor, nn

Kind = Literal["adamw", "adagrad", "sgd"]


class RowOptimizer(torch.optim.Optimizer):
    """Adam, Adagrad or SGD over the rows that have a gradient.

    Adam is lazy: the moments of a row decay only in steps that have a gradient for it, as in
    ``torch.optim.SparseAdam``.
    """

    def __init__(
        self,
        parameters: Iterable[nn.Parameter],
        kind: Kind,
        lr: float,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
    ) -> None:
        """Make the optimiser.

        :param parameters: tables whose gradients are sparse, with one sparse dimension. *Shape:* ``(n_rows, width)``.
        :param kind: the update rule.
        :param lr: learning rate.
        :param betas: decay rates of Adam's first and second moments.
        :param eps: added to Adam's and Adagrad's denominators.
        """
        super().__init__(parameters, {"lr": lr, "betas": betas, "eps": eps})
        self.kind = kind

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """Take a step.

        :param closure: ignored; part of torch's interface.
        """
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    gradient = parameter.grad.coalesce()
                    change = self._change(parameter, gradient.indices()[0], gradient.values(), group)
                    parameter.index_add_(0, gradient.indices()[0], change, alpha=-group["lr"])

    def _change(self, parameter: Tensor, rows: Tensor, gradient: Tensor, group: dict[str, Any]) -> Tensor:
        state = self.state[parameter]
        if self.kind == "sgd":
            return gradient
        if self.kind == "adagrad":
            total = self._moment(state, "sum", parameter)
            total.index_add_(0, rows, gradient.square())
            return gradient / total.index_select(0, rows).sqrt().add_(group["eps"])
        beta1, beta2 = group["betas"]
        state["step"] = state.get("step", 0) + 1
        means, squares = (self._moment(state, name, parameter) for name in ("mean", "square"))
        mean = means.index_select(0, rows).lerp_(gradient, 1 - beta1)
        square = squares.index_select(0, rows).mul_(beta2).addcmul_(gradient, gradient, value=1 - beta2)
        means.index_copy_(0, rows, mean)
        squares.index_copy_(0, rows, square)
        scale = square.div_(1 - beta2 ** state["step"]).sqrt_().add_(group["eps"])
        return mean.div_(scale).div_(1 - beta1 ** state["step"])

    @staticmethod
    def _moment(state: dict[str, Any], name: str, parameter: Tensor) -> Tensor:
        if name not in state:
            state[name] = torch.zeros_like(parameter)
        moment: Tensor = state[name]
        return moment
