"""Optimisers, gradient clipping and learning-rate schedules."""

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from treesent.training.rowwise import RowOptimizer

if TYPE_CHECKING:
    from treesent.training.sections import OptimizerConfig, ScheduleConfig


def build_optimizers(model: nn.Module, config: "OptimizerConfig") -> list[torch.optim.Optimizer]:
    """Make the optimisers of a model: one for the network, one for tuned vectors where there are any.

    Tuned vectors have sparse gradients and are updated row by row: only rows of words in the batch change,
    and cost time. Weight decay does not touch them, since it would have to touch every row.

    :param model: parameters whose module has ``tune`` set are the vectors; a module with a ``learn_rate`` has
        that share of the network's.
    :param config: kind and numbers.
    """
    tables = {
        id(parameter)
        for module in model.modules()
        if getattr(module, "tune", False)
        for parameter in module.parameters(recurse=False)
    }
    shares: dict[int, float] = {
        id(parameter): getattr(module, "learn_rate", 1.0)
        for module in model.modules()
        if hasattr(module, "learn_rate")
        for parameter in module.parameters()
    }
    groups: dict[float, list[nn.Parameter]] = {1.0: []}
    sparse = []
    for parameter in model.parameters():
        if parameter.requires_grad and id(parameter) in tables:
            sparse.append(parameter)
        elif parameter.requires_grad:
            groups.setdefault(shares.get(id(parameter), 1.0), []).append(parameter)
    optimizers = [_dense(groups, config)]
    if sparse:
        optimizers.append(_sparse(sparse, config))
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["base_rate"] = group["lr"]
    return optimizers


def _dense(groups: dict[float, list[nn.Parameter]], config: "OptimizerConfig") -> torch.optim.Optimizer:
    rate, decay = config.learn_rate, config.weight_decay
    parameters = [{"params": group, "lr": share * rate} for share, group in groups.items()]
    kinds = {p.device.type for group in groups.values() for p in group}
    fused = kinds <= {"cpu", "cuda"}
    if config.kind == "adamw":
        betas = (config.beta1, config.beta2)
        return torch.optim.AdamW(parameters, rate, betas, config.eps, decay, fused=fused)
    if config.kind == "adagrad":
        on_host = kinds <= {"cpu"}
        return torch.optim.Adagrad(parameters, rate, weight_decay=decay, eps=config.eps, fused=on_host)
    return torch.optim.SGD(parameters, rate, momentum=config.momentum, weight_decay=decay, fused=fused)


def _sparse(parameters: list[nn.Parameter], config: "OptimizerConfig") -> torch.optim.Optimizer:
    rate = config.learn_rate if config.vectors_learn_rate is None else config.vectors_learn_rate
    return RowOptimizer(parameters, config.kind, rate, (config.beta1, config.beta2), config.eps)


def clip(parameters: Iterable[nn.Parameter], norm: float, value: float) -> Tensor:
    """Clip gradients in place, dense and sparse alike, first by value and then by their common norm.

    :param parameters: those with gradients.
    :param norm: the largest norm of all gradients together; 0 for no limit (Pascanu et al. 2013, 3.2).
    :param value: the largest absolute value of one number; 0 for no limit.
    :returns: the norm before clipping by it; it stays on the device. *Shape:* ``()``.
    """
    gradients = []
    for parameter in parameters:
        if parameter.grad is None:
            continue
        if parameter.grad.is_sparse:
            parameter.grad = parameter.grad.coalesce()
            gradients.append(parameter.grad._values())
        else:
            gradients.append(parameter.grad)
    if value > 0:
        for gradient in gradients:
            gradient.clamp_(-value, value)
    total = torch.nn.utils.get_total_norm(gradients)
    if norm > 0:
        torch._foreach_mul_(gradients, (norm / (total + 1e-6)).clamp(max=1.0))
    return total


def set_rate(optimizers: Iterable[torch.optim.Optimizer], factor: float) -> None:
    """Set the learning rates to a share of what they started from.

    :param optimizers: made by :func:`build_optimizers`.
    :param factor: the schedule's, see :func:`rate_factor`.
    """
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["lr"] = group["base_rate"] * factor


def rate_factor(config: "ScheduleConfig", step: int, steps_per_epoch: int, max_epochs: int) -> float:
    """Give the share of the learning rate that a step uses; it depends on nothing but the step's number.

    :param config: kind and numbers.
    :param step: from 0.
    :param steps_per_epoch: batches an epoch.
    :param max_epochs: epochs of the whole run, where linear and cosine schedules end.
    """
    if step < config.warmup:
        return (step + 1) / (config.warmup + 1)
    if config.kind == "constant":
        return 1.0
    if config.kind == "exponential":
        return float(config.decay ** (step // steps_per_epoch))
    total = steps_per_epoch * max_epochs
    done = min(1.0, (step - config.warmup) / max(1, total - config.warmup))
    share = 1 - done if config.kind == "linear" else (1 + math.cos(math.pi * done)) / 2
    return config.floor + (1 - config.floor) * share


def optimizer_state(optimizer: torch.optim.Optimizer) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Split an optimiser's state into tensors and plain values, so that neither needs pickle.

    :param optimizer: any of torch's.
    :returns: tensors by ``PARAMETER.NAME``, and the rest under the same names.
    """
    tensors: dict[str, Tensor] = {}
    values: dict[str, Any] = {}
    for index, state in optimizer.state_dict()["state"].items():
        for name, value in state.items():
            if isinstance(value, Tensor):
                tensors[f"{index}.{name}"] = value
            else:
                values[f"{index}.{name}"] = value
    return tensors, values


def restore_optimizer(
    optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor], values: dict[str, Any]
) -> None:
    """Put back what :func:`optimizer_state` gave.

    :param optimizer: made with the same settings over the same parameters.
    :param tensors: its tensors.
    :param values: its plain values.
    """
    state: dict[int, dict[str, Any]] = {}
    for key, value in {**tensors, **values}.items():
        index, _, name = key.partition(".")
        state.setdefault(int(index), {})[name] = value
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
