"""The networks by name, for recipes and for spaCy configs alike, and the thinc model around a torch network.

A network is one entry of :data:`NETWORKS` here, and one line of ``setup.py`` that tells spaCy its name.
"""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import numpy as np
import torch
from thinc.api import ArgsKwargs, Model, PyTorchShim

from treesent.errors import ModelError, RecipeError
from treesent.models.classifier import recurrent_config, recursive_config
from treesent.models.classifier.child_sum import ChildSumConfig
from treesent.models.classifier.clockwork_rnn import ClockworkConfig
from treesent.models.classifier.coupled_lstm import CoupledLSTMConfig
from treesent.models.classifier.gru import GRUConfig
from treesent.models.classifier.leaky_rnn import LeakyConfig
from treesent.models.classifier.lstm import LSTMConfig
from treesent.models.classifier.minimal_gated_unit import MinimalGatedUnitConfig
from treesent.models.classifier.peephole_lstm import PeepholeLSTMConfig
from treesent.models.classifier.recursive_net import RecursiveNetConfig
from treesent.models.classifier.rnn import RNNConfig
from treesent.models.classifier.rntn import RNTNConfig
from treesent.models.classifier.tree_gru import TreeGRUConfig
from treesent.models.classifier.tree_lstm import TreeLSTMConfig
from treesent.nn.batch import ForestBatch
from treesent.nn.embedding import VectorEmbedding
from treesent.nn.recurrent_layer import current_names
from treesent.types import Float32

if TYPE_CHECKING:
    from treesent.models.classifier.recurrent import RecurrentClassifier
    from treesent.models.classifier.recursive import RecursiveClassifier

Block = Mapping[str, Any]
Config = TypeVar("Config")
KEY = "@architectures"


@dataclass(frozen=True, slots=True)
class Network(Generic[Config]):
    """A network that a ``[model]`` block can name.

    :param config: the dataclass of its settings; its fields are the keys of the block.
    :param build: makes the network from a config, the width of the vectors, the number of classes, an
        embedding or None, and a ``torch.Generator`` or None.
    """

    config: type[Config]
    build: Callable[..., "RecursiveClassifier | RecurrentClassifier"]


NETWORKS: Mapping[str, Network[Any]] = {
    "treesent.ChildSumTreeLSTM.v1": Network(ChildSumConfig, recursive_config.build),
    "treesent.RecursiveNet.v1": Network(RecursiveNetConfig, recursive_config.build),
    "treesent.RNTN.v1": Network(RNTNConfig, recursive_config.build),
    "treesent.TreeGRU.v1": Network(TreeGRUConfig, recursive_config.build),
    "treesent.TreeLSTM.v1": Network(TreeLSTMConfig, recursive_config.build),
    "treesent.RNN.v1": Network(RNNConfig, recurrent_config.build),
    "treesent.LeakyRNN.v1": Network(LeakyConfig, recurrent_config.build),
    "treesent.ClockworkRNN.v1": Network(ClockworkConfig, recurrent_config.build),
    "treesent.LSTM.v1": Network(LSTMConfig, recurrent_config.build),
    "treesent.PeepholeLSTM.v1": Network(PeepholeLSTMConfig, recurrent_config.build),
    "treesent.CoupledLSTM.v1": Network(CoupledLSTMConfig, recurrent_config.build),
    "treesent.GRU.v1": Network(GRUConfig, recurrent_config.build),
    "treesent.MinimalGatedUnit.v1": Network(MinimalGatedUnitConfig, recurrent_config.build),
}


def network_config(block: Block) -> Any:
    """The settings of a ``[model]`` block, checked.

    :param block: ``@architectures`` and the settings that are not left at their defaults.
    :raises RecipeError: where the name or a key is unknown; the message gives the nearest known one.
    """
    name = str(block.get(KEY))
    if name not in NETWORKS:
        raise RecipeError(f"[model] {KEY} = {name!r} is no network: {_nearest(name, NETWORKS)}")
    config = NETWORKS[name].config
    known = {field.name for field in fields(config)}
    settings = {key: value for key, value in block.items() if key != KEY}
    for key in settings:
        if key not in known:
            raise RecipeError(f"[model] has an unknown key {key!r}: {_nearest(key, known)}")
    return config(**settings)


def build_network(
    block: Block,
    width: int,
    n_classes: int,
    embedding: VectorEmbedding | None = None,
    generator: torch.Generator | None = None,
) -> "RecursiveClassifier | RecurrentClassifier":
    """Make the network of a ``[model]`` block.

    :param block: ``@architectures`` and settings.
    :param width: of the vectors.
    :param n_classes: of every node.
    :param embedding: the vectors; may be set later.
    :param generator: where the first weights come from, so that a seed fixes them.
    :raises RecipeError: where the name, a key or a value makes no sense.
    """
    config = network_config(block)
    return NETWORKS[block[KEY]].build(config, width, n_classes, embedding, generator)


def _nearest(name: str, known: Any) -> str:
    near = get_close_matches(name, sorted(known), n=1, cutoff=0.4)
    return f"did you mean {near[0]!r}?" if near else f"known are {', '.join(sorted(known))}"


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


def weights_to_bytes(network: torch.nn.Module, half: bool = False) -> bytes:
    """The network's weights as safetensors, without the vectors, whose owner saves them.

    :param network: the network.
    :param half: store floating point numbers in half precision.
    """
    from safetensors.torch import save

    state = {k: v.detach().cpu() for k, v in network.state_dict().items() if not k.startswith("embedding.")}
    if half:
        state = {k: v.half() if v.is_floating_point() else v for k, v in state.items()}
    return bytes(save({k: v.contiguous() for k, v in state.items()}))


def weights_from_bytes(
    network: torch.nn.Module, data: bytes, device: "torch.device | str" = "cpu"
) -> torch.nn.Module:
    """Give a network the weights of :func:`weights_to_bytes`.

    :raises ModelError: where they are damaged or of another network.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load

    try:
        state = current_names(load(data))
    except (SafetensorError, ValueError, KeyError) as error:
        raise ModelError(f"the weights are damaged ({error}): copy or train the model again") from error
    own = {k: v for k, v in network.state_dict().items() if not k.startswith("embedding.")}
    for name in own.keys() ^ state.keys():
        raise ModelError(f"the weights are of another network: {name!r} is in one only. Check [model]")
    for name, weight in own.items():
        if weight.shape != state[name].shape:
            raise ModelError(
                f"the weight {name!r} has shape {tuple(state[name].shape)} in the file and "
                f"{tuple(weight.shape)} in the network: check [model] and the width of the vectors"
            )
    network.load_state_dict(state, strict=False)
    return network.to(device)


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

    signature = inspect.signature(NETWORKS[name].config, eval_str=True)
    make.__signature__ = signature.replace(return_annotation=Model)  # type: ignore[attr-defined]
    make.__doc__ = NETWORKS[name].config.__doc__
    return make


child_sum = _architecture("treesent.ChildSumTreeLSTM.v1")
recursive_net = _architecture("treesent.RecursiveNet.v1")
rntn = _architecture("treesent.RNTN.v1")
tree_gru = _architecture("treesent.TreeGRU.v1")
tree_lstm = _architecture("treesent.TreeLSTM.v1")
rnn = _architecture("treesent.RNN.v1")
leaky_rnn = _architecture("treesent.LeakyRNN.v1")
clockwork_rnn = _architecture("treesent.ClockworkRNN.v1")
lstm = _architecture("treesent.LSTM.v1")
peephole_lstm = _architecture("treesent.PeepholeLSTM.v1")
coupled_lstm = _architecture("treesent.CoupledLSTM.v1")
gru = _architecture("treesent.GRU.v1")
minimal_gated_unit = _architecture("treesent.MinimalGatedUnit.v1")
