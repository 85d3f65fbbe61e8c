"""Checkpoints: everything a run needs to continue, in one safetensors file that is whole or not there."""

import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from treesent.errors import ModelError, OutputError
from treesent.files import replacing_path

FORMAT = "treesent.checkpoint.2"


@dataclass(frozen=True, slots=True, eq=False)
class Checkpoint:
    """What a checkpoint holds.

    :param tensors: weights, best weights, averages and the optimisers' tensors, by dotted name.
    :param values: everything else, as JSON holds it.
    """

    tensors: dict[str, Tensor]
    values: dict[str, Any]

    def part(self, prefix: str) -> dict[str, Tensor]:
        """Return the tensors whose names have a prefix, by their names without it.

        :param prefix: such as ``model.``.
        """
        return {name.removeprefix(prefix): t for name, t in self.tensors.items() if name.startswith(prefix)}


def write_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint; if the process is killed at any moment, the previous one or the new one is there, whole.

    :param path: the file.
    :param checkpoint: what to write; nothing in it is pickled.
    :raises OutputError: it cannot be written, because the disk is full for example; the previous one stays.
    """
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    tensors = {name: t.detach().cpu().contiguous() for name, t in checkpoint.tensors.items()}
    checksums = {name: _checksum(tensor) for name, tensor in tensors.items()}
    values = json.dumps({"values": checkpoint.values, "checksums": checksums})
    metadata = {"format": FORMAT, "state": values, "crc32": str(zlib.crc32(values.encode()))}
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing_path(path) as partial:
        try:
            save_file(tensors, partial, metadata)
        except SafetensorError as error:
            raise OutputError(f"{path}: the checkpoint cannot be written: {error}") from error


def read_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint back.

    :param path: the file.
    :raises ModelError: it is missing, cut short or changed.
    """
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        raise ModelError(f"{path}: there is no checkpoint; start the training without --resume")
    start_again = "start the training again with --overwrite instead of --resume"
    try:
        with safe_open(path, "pt") as file:
            header = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        state = header.get("state", "")
        if header.get("format") != FORMAT or header.get("crc32") != str(zlib.crc32(state.encode())):
            raise ModelError(f"{path}: not a checkpoint of this version; {start_again}")
        state = json.loads(state)
        checksums, values = state["checksums"], state["values"]
    except (SafetensorError, OSError, ValueError, LookupError, TypeError) as error:
        if isinstance(error, ModelError):
            raise
        raise ModelError(f"{path}: cut short or damaged ({error}); {start_again}") from error
    if {name: _checksum(tensor) for name, tensor in tensors.items()} != checksums:
        raise ModelError(f"{path}: damaged, a checksum does not agree; {start_again}")
    return Checkpoint(tensors, values)


def prefixed(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Put a prefix before every name.

    :param prefix: such as ``model.``.
    :param tensors: by name.
    """
    return {prefix + name: tensor for name, tensor in tensors.items()}


def _checksum(tensor: Tensor) -> int:
    """Of the type, the shape and the bytes: the same bytes in another shape are another tensor."""
    kind = zlib.crc32(f"{tensor.dtype} {tuple(tensor.shape)}".encode())
    data: Any = tensor.reshape(-1).view(torch.uint8).numpy()
    return zlib.crc32(data, kind) if tensor.numel() else kind
