"""Checkpoints: everything a run needs to go on, in one safetensors file that is whole or not there."""

import json
import os
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from treesent.errors import ModelError

FORMAT = "treesent.checkpoint.1"


@dataclass(frozen=True, slots=True, eq=False)
class Checkpoint:
    """What a checkpoint holds.

    :param tensors: weights, best weights, averages and the optimisers' tensors, by dotted name.
    :param values: everything else, as JSON holds it.
    """

    tensors: dict[str, Tensor]
    values: dict[str, Any]

    def part(self, prefix: str) -> dict[str, Tensor]:
        """Give the tensors whose name begins so, without the beginning.

        :param prefix: ``model.``, say.
        """
        return {name.removeprefix(prefix): t for name, t in self.tensors.items() if name.startswith(prefix)}


def write_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint; a kill at any moment leaves the one before or the new one, whole.

    :param path: the file.
    :param checkpoint: what to write; nothing in it is pickled.
    """
    from safetensors.torch import save_file

    tensors = {name: t.detach().cpu().contiguous() for name, t in checkpoint.tensors.items()}
    checksums = {name: _checksum(tensor) for name, tensor in tensors.items()}
    values = json.dumps({"values": checkpoint.values, "checksums": checksums})
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    save_file(
        tensors, partial, {"format": FORMAT, "state": values, "crc32": str(zlib.crc32(values.encode()))}
    )
    with partial.open("rb") as stream:
        os.fsync(stream.fileno())
    partial.replace(path)


def read_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint back.

    :param path: the file.
    :raises ModelError: it is missing, cut short or changed.
    """
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        raise ModelError(f"{path}: there is no checkpoint; leave --resume out to begin")
    try:
        with safe_open(path, "pt") as file:
            header = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        state = header.get("state", "")
        if header.get("format") != FORMAT or header.get("crc32") != str(zlib.crc32(state.encode())):
            raise ModelError(f"{path}: not a checkpoint of this version; delete it and begin again")
        state = json.loads(state)
    except (SafetensorError, OSError, ValueError) as error:
        if isinstance(error, ModelError):
            raise
        raise ModelError(f"{path}: cut short or damaged ({error}); delete it and begin again") from error
    if {name: _checksum(tensor) for name, tensor in tensors.items()} != state["checksums"]:
        raise ModelError(f"{path}: damaged, a checksum does not agree; delete it and begin again")
    return Checkpoint(tensors, state["values"])


def prefixed(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Put a beginning before every name.

    :param prefix: ``model.``, say.
    :param tensors: by name.
    """
    return {prefix + name: tensor for name, tensor in tensors.items()}


def _checksum(tensor: Tensor) -> int:
    data: Any = tensor.reshape(-1).view(torch.uint8).numpy()
    return zlib.crc32(data) if tensor.numel() else 0
