"""Read a network's weights from a file that may be damaged: types, values and shapes are checked first."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from treesent.errors import ModelError

Network = TypeVar("Network", bound=nn.Module)

FLOATS = (torch.float16, torch.float32, torch.float64)
"""The types that treesent writes."""


def read_weights(path: Path) -> tuple[dict[str, str], dict[str, Tensor]]:
    """Read a safetensors file.

    :param path: the file.
    :returns: its metadata, and its tensors in float32.
    :raises ModelError: it is cut short or damaged, or a tensor has another type or values that are not finite.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    # The library raises errors of several kinds for types that torch lacks.
    except (SafetensorError, OSError, LookupError, TypeError, ValueError, RuntimeError) as error:
        raise ModelError(f"{path}: cut short or damaged ({error}); copy or train it again") from error
    for name, tensor in tensors.items():
        if tensor.dtype not in FLOATS:
            kind = str(tensor.dtype).removeprefix("torch.")
            raise ModelError(
                f"{path}: {name!r} is of type {kind}; expected float16 or float32; copy or train it again"
            )
        if not bool(tensor.isfinite().all()):
            raise ModelError(
                f"{path}: {name!r} has values that are not finite, so the file is damaged; copy or train it "
                "again"
            )
    return metadata, {name: tensor.float() for name, tensor in tensors.items()}


def write_weights(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    """Write a safetensors file, whose bytes depend on its content alone.

    The library writes the metadata in another order each time.

    :param path: the file.
    :param tensors: by name.
    :param metadata: by name.
    """
    from safetensors.torch import save

    data = save(dict(tensors), dict(metadata))
    end = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:end])
    header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    ordered = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    ordered += b" " * (-len(ordered) % 8)
    with path.open("wb") as file:
        file.write(len(ordered).to_bytes(8, "little") + ordered)
        file.write(memoryview(data)[end:])


def build(
    make: Callable[[], Network],
    tensors: Mapping[str, Tensor],
    path: Path,
    settings: Any = None,
    rename: Callable[[Network], Mapping[str, str]] | None = None,
    without: str = "\0",
) -> Network:
    """Make a network for weights that were read, ready to predict.

    Its shapes are compared first, without memory for them, so that huge numbers in damaged settings are
    refused.

    :param make: makes the network of its settings.
    :param tensors: the weights, by the names in the file.
    :param path: the file, for messages.
    :param settings: the settings; numbers of layers there must not exceed the number of tensors.
    :param rename: gives the name in the file of each weight of a network that has another one there.
    :param without: how the names of weights begin that the network has and the file has not.
    :raises ModelError: settings and weights do not go together.
    """
    try:
        for name, value in (settings or {}).items():
            if "layers" in name and isinstance(value, int) and value > len(tensors):
                raise ModelError(f"{name} is {value}, but there are {len(tensors)} tensors")
        with torch.device("meta"):
            empty = make()
        names = rename(empty) if rename is not None else {}
        wanted = {
            names.get(name, name): weight.shape
            for name, weight in empty.state_dict().items()
            if not name.startswith(without)
        }
        for name in sorted(wanted.keys() | tensors.keys()):
            found = tuple(tensors[name].shape) if name in tensors else "missing"
            expected = tuple(wanted[name]) if name in wanted else "nothing"
            if found != expected:
                raise ModelError(f"{name!r} is {found}; the settings ask for {expected}")
        network = make()
        own = {name: weight for name, weight in network.state_dict().items() if name.startswith(without)}
        theirs = {name: tensors[names.get(name, name)] for name in network.state_dict() if name not in own}
        network.load_state_dict(own | theirs)
    # Settings of wrong types or sizes fail in many places.
    except (
        ArithmeticError,
        AttributeError,
        LookupError,
        MemoryError,
        TypeError,
        ValueError,
        RuntimeError,
    ) as error:
        raise ModelError(f"{path}: cut short or damaged ({error}); copy or train it again") from error
    return network.eval()
