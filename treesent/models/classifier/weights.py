"""The weights of a network as safetensors, which are read without unpickling."""

import torch

from treesent.errors import ModelError
from treesent.nn.recurrent_layer import current_names

EMBEDDING = "embedding."
"""How the names of the vectors' own weights begin: their owner saves them."""


def weights_to_bytes(network: torch.nn.Module, half: bool = False) -> bytes:
    """The network's weights as safetensors, without the vectors, whose owner saves them.

    :param network: the network.
    :param half: store floating point numbers in half precision.
    """
    from safetensors.torch import save

    state = {k: v.detach().cpu() for k, v in network.state_dict().items() if not k.startswith(EMBEDDING)}
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
    own = {k: v for k, v in network.state_dict().items() if not k.startswith(EMBEDDING)}
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
