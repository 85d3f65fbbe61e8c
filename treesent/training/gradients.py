"""How large gradients are, layer by layer and, in a recurrent network, time step by time step."""

import re
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn

_STACKED = re.compile(r"_l(\d+)(?:_reverse)?$")  # torch's own recurrent layers: weight_ih_l0


@runtime_checkable
class RecordsSteps(Protocol):
    """A recurrent network that can report how its gradient vanishes over time (Pascanu et al. 2013).

    Such a network has the flag and the method. The loop sets the flag if gradients are logged, and calls the
    method after each backward pass.
    """

    record_steps: bool
    """Whether to keep what :meth:`state_gradient_norms` needs."""

    def state_gradient_norms(self) -> Tensor:
        """Norms of the loss's gradient with respect to the states of the last batch, by their distance from it.

        *Shape:* ``(steps,)``.
        """


def layers(model: nn.Module) -> dict[str, list[nn.Parameter]]:
    """Group a network's parameters by layer, in the network's own order.

    A layer is the module that owns the parameters. Each layer of torch's stacked recurrent networks is a layer
    of its own, and the network's own parameters are the softmax layer.

    :param model: the network.
    """
    found: dict[str, list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        owner, _, own = name.rpartition(".")
        stacked = _STACKED.search(own)
        single = stacked is None or getattr(model.get_submodule(owner), "num_layers", 2) == 1
        layer = (owner or "softmax") + ("" if stacked is None or single else f".{stacked[1]}")
        found.setdefault(layer, []).append(parameter)
    return found


def layer_norms(by_layer: dict[str, list[nn.Parameter]]) -> Tensor:
    """Return the norm of each layer's gradient, on the device; zero if a layer has none.

    :param by_layer: made by :func:`layers`.
    :returns: in the order of the layers. *Shape:* ``(n_layers,)``.
    """
    return torch.stack([_norm(parameters) for parameters in by_layer.values()])


def _norm(parameters: list[nn.Parameter]) -> Tensor:
    found = [
        p.grad.coalesce()._values() if p.grad.is_sparse else p.grad for p in parameters if p.grad is not None
    ]
    return torch.nn.utils.get_total_norm(found) if found else parameters[0].new_zeros(())
