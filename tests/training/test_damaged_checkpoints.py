"""A checkpoint that was damaged in any way is refused, or continues as if it were whole: never to other weights."""

import dataclasses
import struct

import numpy as np
import pytest
import torch

from tests.training.test_loop import FAST, setting
from treesent.errors import ModelError
from treesent.training.checkpoint import read_checkpoint
from treesent.training.folder import CHECKPOINT, RunFolder
from treesent.training.loop import fit


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The checkpoint of a real run, as bytes and as what it says."""
    folder = RunFolder(tmp_path_factory.mktemp("run") / "out")
    model, task, _ = setting(dataclasses.replace(FAST, average=0.9, max_epochs=1))
    fit(model, task, FAST, checkpoint=folder.checkpoint)
    return folder.checkpoint.read_bytes(), read_checkpoint(folder.checkpoint)


def mutate(data, kind, rng):
    """Damage a file; None deletes it."""
    header = 8 + struct.unpack("<Q", data[:8])[0]
    # The header is a small part of a large file, but has most ways to go wrong.
    limit = header if rng.random() < 0.5 else len(data)
    one, other = sorted(rng.integers(0, limit, 2).tolist())
    data = bytearray(data)
    if kind == "flip":
        data[one] ^= 1 << int(rng.integers(8))
    elif kind == "cut":
        del data[one:]
    elif kind == "remove":
        del data[one : other + 1]
    elif kind == "swap":
        size = int(rng.integers(1, 64))
        data[one : one + size], data[other : other + size] = (
            data[other : other + size],
            data[one : one + size],
        )
    elif kind == "fill":
        data[one : other + 1] = bytes(other + 1 - one)
    elif kind == "append":
        data += rng.bytes(other - one)
    elif kind == "empty":
        data.clear()
    else:
        return None
    return bytes(data)


KINDS = ("flip", "cut", "remove", "swap", "fill", "append", "empty", "delete")


@pytest.mark.parametrize("n", [64, pytest.param(1000, marks=pytest.mark.slow)])
def test_no_damage_goes_unnoticed(tmp_path, whole, n):
    data, expected = whole
    rng, refused = np.random.default_rng(11), 0
    folder = RunFolder(tmp_path / "out")
    for i in range(n):
        kind = KINDS[i % len(KINDS)]
        folder.path.mkdir(exist_ok=True)
        folder.checkpoint.unlink(missing_ok=True)
        if (damaged := mutate(data, kind, rng)) is not None:
            folder.checkpoint.write_bytes(damaged)
        try:
            with folder.locked(resume=True, overwrite=False):
                found = read_checkpoint(folder.checkpoint)
        except ModelError as error:
            assert str(folder.path) in str(error)
            assert "start the training again" in str(error)
            refused += 1
        else:
            assert found.values == expected.values, (i, kind)
            assert found.tensors.keys() == expected.tensors.keys(), (i, kind)
            for name, tensor in expected.tensors.items():
                assert found.tensors[name].dtype == tensor.dtype
                assert torch.equal(found.tensors[name], tensor), (i, kind, name)
    assert refused >= 0.9 * n


def test_a_tensor_of_another_shape_is_refused(tmp_path, whole):
    """The same bytes, so that a checksum over bytes alone agrees."""
    data, expected = whole
    name, shape = next(
        (n, t.shape) for n, t in expected.tensors.items() if t.ndim == 2 and t.shape[0] != t.shape[1]
    )
    old, new = (str(list(pair)).replace(" ", "").encode() for pair in (shape, shape[::-1]))
    place = data.index(f'"{name}"'.encode())
    at = data.index(old, place)
    file = tmp_path / CHECKPOINT
    file.write_bytes(data[:at] + new + data[at + len(old) :])
    with pytest.raises(ModelError, match="a checksum does not agree"):
        read_checkpoint(file)
