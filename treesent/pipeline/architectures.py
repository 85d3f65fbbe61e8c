"""The networks in spaCy: the thinc model around a torch network, and the functions that spaCy finds by name."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from thinc.api import ArgsKwargs, Model, PyTorchShim

from treesent.config import KEY
from treesent.errors import ModelError
from treesent.models.classifier.networks import NETWORKS, network_config
from treesent.models.classifier.weights import weights_from_bytes, weights_to_bytes
from treesent.nn.batch import ForestBatch
from treesent.types import Float32

Block = Mapping[str, Any]


class NetworkShim(PyTorchShim):
    """Lets thinc, and so spaCy, train a network that reads a :class:`ForestBatch`.

    Weights travel as safetensors: reading them never unpickles.
    """

    def __init__(self, network: torch.nn.Module, device: torch.device | None = None) -> None:
        super().__init__(
            network,
            device=device,
            serialize_model=weights_to_bytes,
            deserialize_model=weights_from_bytes,
        )
        network.eval()

    def predict(self, inputs: ArgsKwargs) -> Any:
        """Run the network without dropout and gradients."""
        # thinc's own turns training mode on again afterwards, which would reach a second thread's prediction.
        if self._model.training:
            self._model.eval()
        with torch.inference_mode():
            return self._model(*inputs.args, **inputs.kwargs)

    def finish_update(self, optimizer: Any) -> None:
        """Take a step."""
        for parameter in self._model.parameters():
            # Tuned vectors have row-wise gradients, which thinc's optimisers do not know.
            if parameter.grad is not None and parameter.grad.is_sparse:
                parameter.grad = parameter.grad.to_dense()
        super().finish_update(optimizer)


def network_model(block: Block, network: torch.nn.Module | None = None) -> "Model[ForestBatch, Float32]":
    """A thinc model of a ``[model]`` block.

    :param block: ``@architectures`` and settings.
    :param network: the network; None until vectors and classes are known, and then set by :func:`attach`.
    """
    model: Model[ForestBatch, Float32] = Model(str(block[KEY]), _forward, attrs={"block": dict(block)})
    if network is not None:
        attach(model, network)
    return model


def attach(
    model: "Model[ForestBatch, Float32]", network: torch.nn.Module, device: torch.device | None = None
) -> NetworkShim:
    """Put a network into a thinc model, in place of an earlier one.

    :param device: where it runs; None for where spaCy's own models do.
    """
    shim = NetworkShim(network, device)
    model.shims[:] = [shim]
    return shim


def _forward(
    model: "Model[ForestBatch, Float32]", batch: ForestBatch, is_train: bool
) -> tuple[Float32, Callable[[Float32], None]]:
    if not model.shims:
        raise ModelError("the network has no weights yet: call nlp.initialize(), or load a trained pipeline")
    states, backward = model.shims[0](ArgsKwargs((batch,), {}), is_train)
    logits = states.logits

    def backprop(gradient: Float32) -> None:
        given = torch.from_numpy(np.ascontiguousarray(gradient)).to(logits.device)
        backward(ArgsKwargs(((logits,),), {"grad_tensors": (given,)}))

    return logits.detach().float().cpu().numpy(), backprop


def _architecture(name: str) -> Callable[..., "Model[ForestBatch, Float32]"]:
    """What spaCy calls for a ``[model]`` block of that name: its arguments are the fields of the config."""

    def make(**settings: Any) -> "Model[ForestBatch, Float32]":
        block = {KEY: name, **settings}
        network_config(block)
        return network_model(block)

    # Any type, so that confection converts nothing: the config itself is strict.
    arguments = inspect.signature(NETWORKS[name].config).parameters.values()
    signature = inspect.Signature([argument.replace(annotation=Any) for argument in arguments])
    make.__signature__ = signature.replace(return_annotation=Model)  # type: ignore[attr-defined]
    make.__doc__ = NETWORKS[name].config.__doc__
    return make


for _name in NETWORKS:  # TreeLSTM_v1 and so on, which are spaCy's entry points
    globals()[_name.removeprefix("treesent.").replace(".", "_")] = _architecture(_name)
