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
    """Make the optimisers of a model: one for the network, and one for tuned vectors if there are any.

    Tuned vectors have sparse gradients and are updated row by row: a step changes, and costs time for, only the
    rows of words in the batch. Weight decay does not apply to them, since it would change every row.

    :param model: parameters of modules with ``tune`` set are the vectors; a module's ``learn_rate`` multiplies
        the learning rate of its parameters.
    :param config: the optimiser and its hyperparameters.
    """
    tables = {
        id(parameter)
        for module in model.modules()
        if getattr(module, "tune", False)
        for parameter in module.parameters(recurse=False)
    }
    factors: dict[int, float] = {
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
            groups.setdefault(factors.get(id(parameter), 1.0), []).append(parameter)
    optimizers = [_dense(groups, config)]
    if sparse:
        optimizers.append(_sparse(sparse, config))
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["base_rate"] = group["lr"]
    return optimizers


def _dense(groups: dict[float, list[nn.Parameter]], config: "OptimizerConfig") -> torch.optim.Optimizer:
    rate, decay = config.learn_rate, config.weight_decay
    parameters = [{"params": group, "lr": factor * rate} for factor, group in groups.items()]
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
    """Clip gradients in place, dense and sparse ones, first by value and then by their global norm.

    :param parameters: those with gradients.
    :param norm: the largest global norm (Pascanu et al. 2013, section 3.2); 0 turns it off.
    :param value: the largest absolute value of one element; 0 turns it off.
    :returns: the global norm before it was clipped, on the device. *Shape:* ``()``.
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
    """Set the learning rates of a step.

    :param optimizers: made by :func:`build_optimizers`.
    :param factor: what the base rates are multiplied by, see :func:`rate_factor`.
    """
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["lr"] = group["base_rate"] * factor


def rate_factor(config: "ScheduleConfig", step: int, steps_per_epoch: int, max_epochs: int) -> float:
    """Return the factor of the learning rate at a step; of a run it depends on the step's number alone.

    :param config: the schedule, with linear warm-up.
    :param step: from 0.
    :param steps_per_epoch: batches per epoch.
    :param max_epochs: epochs of the whole run, when linear and cosine schedules reach their floor.
    :returns: in [0, 1].
    """
    if step < config.warmup:
        return (step + 1) / (config.warmup + 1)
    if config.kind == "constant":
        return 1.0
    if config.kind == "exponential":
        return float(config.decay ** (step // steps_per_epoch))
    total = steps_per_epoch * max_epochs
    done = min(1.0, (step - config.warmup) / max(1, total - config.warmup))
    left = 1 - done if config.kind == "linear" else (1 + math.cos(math.pi * done)) / 2
    return config.floor + (1 - config.floor) * left


def optimizer_state(optimizer: torch.optim.Optimizer) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Split an optimiser's state into tensors and plain values, so that neither has to be pickled.

    :param optimizer: any torch optimiser.
    :returns: tensors by ``PARAMETER.NAME``, and the plain values by names of the same form.
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
    """Restore what :func:`optimizer_state` returned.

    :param optimizer: made for the same parameters.
    :param tensors: the tensors of its state.
    :param values: the plain values of its state.
    """
    state: dict[int, dict[str, Any]] = {}
    for key, value in {**tensors, **values}.items():
        index, _, name = key.partition(".")
        state.setdefault(int(index), {})[name] = value
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
