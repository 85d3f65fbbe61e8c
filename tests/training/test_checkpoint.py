"""A checkpoint is whole or refused, and never pickled."""

import json
import struct

import pytest
import torch

from treesent.errors import ModelError
from treesent.training.checkpoint import Checkpoint, read_checkpoint, write_checkpoint
from treesent.training.optimizers import build_optimizers, optimizer_state, restore_optimizer
from treesent.training.sections import OptimizerConfig


def example():
    tensors = {
        "model.weight": torch.arange(6.0).reshape(2, 3).T,  # not contiguous
        "model.half": torch.tensor([1.5, -2], dtype=torch.bfloat16),
        "best.weight": torch.full((3,), float("-inf")),
        "optimizer0.0.step": torch.tensor(7),
        "empty": torch.zeros(0, 4),
    }
    return Checkpoint(tensors, {"progress": {"step": 7, "best": float("-inf"), "history": [{"a": 1.25}]}})


def test_what_is_written_is_read_bit_for_bit(tmp_path):
    file = tmp_path / "deep" / "run.safetensors"
    write_checkpoint(file, example())
    read = read_checkpoint(file)
    assert read.values == example().values
    assert read.tensors.keys() == example().tensors.keys()
    for name, tensor in example().tensors.items():
        assert read.tensors[name].dtype == tensor.dtype
        assert torch.equal(read.tensors[name], tensor)
    assert set(read.part("model.")) == {"weight", "half"}


@pytest.mark.parametrize("place", [4, 0.1, 0.5, -1])
def test_a_flipped_byte_is_found(tmp_path, place):
    file = tmp_path / "run.safetensors"
    write_checkpoint(file, example())
    data = bytearray(file.read_bytes())
    header = struct.unpack("<Q", data[:8])[0]
    # In the header's length, in the header, in the values that it carries, and in the last tensor.
    at = {4: 4, 0.1: 12, 0.5: data.index(b"progress"), -1: len(data) - 1}[place]
    assert at < header + 8 or place == -1
    data[at] ^= 1
    file.write_bytes(data)
    with pytest.raises(ModelError, match="start the training again with --overwrite"):
        read_checkpoint(file)


@pytest.mark.parametrize("share", [0.0, 0.02, 0.5, 0.99])
def test_a_file_cut_short_is_refused(tmp_path, share):
    file = tmp_path / "run.safetensors"
    write_checkpoint(file, example())
    data = file.read_bytes()
    file.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(ModelError, match="start the training again with --overwrite"):
        read_checkpoint(file)


def test_other_files_are_refused(tmp_path):
    from safetensors.torch import save_file

    with pytest.raises(ModelError, match="there is no checkpoint; start the training without --resume"):
        read_checkpoint(tmp_path / "none")
    save_file({"a": torch.zeros(1)}, tmp_path / "weights.safetensors")
    with pytest.raises(ModelError, match="not a checkpoint of this version"):
        read_checkpoint(tmp_path / "weights.safetensors")


def test_a_kill_while_writing_leaves_the_one_before(tmp_path, monkeypatch):
    file = tmp_path / "run.safetensors"
    write_checkpoint(file, example())
    before = file.read_bytes()

    def killed(descriptor):
        raise KeyboardInterrupt

    monkeypatch.setattr("os.fsync", killed)
    with pytest.raises(KeyboardInterrupt):
        write_checkpoint(file, Checkpoint({"other": torch.zeros(9)}, {}))
    assert file.read_bytes() == before
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize("kind", ["adamw", "adagrad", "sgd"])
@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_the_state_of_an_optimiser_survives_json_and_tensors(kind, momentum):
    def network():
        torch.manual_seed(0)
        layer = torch.nn.Linear(3, 2)
        table = torch.nn.Embedding(4, 3, sparse=True)
        table.tune = True
        return torch.nn.ModuleList([table, layer])

    def steps(net, optimizers, rows):
        for row in rows:
            loss = net[1](net[0](torch.tensor([row, 0]))).square().sum()
            loss.backward()
            for optimizer in optimizers:
                optimizer.step()
                optimizer.zero_grad()

    config = OptimizerConfig(kind, 0.05, momentum=momentum, weight_decay=0.1)
    whole, half = network(), network()
    whole_optimizers, half_optimizers = (build_optimizers(net, config) for net in (whole, half))
    assert len(whole_optimizers) == 2
    steps(whole, whole_optimizers, [1, 2, 1, 3])
    steps(half, half_optimizers, [1, 2])
    resumed = network()
    resumed.load_state_dict(half.state_dict())
    optimizers = build_optimizers(resumed, config)
    for old, new in zip(half_optimizers, optimizers, strict=True):
        tensors, values = optimizer_state(old)
        restore_optimizer(new, {k: t.clone() for k, t in tensors.items()}, json.loads(json.dumps(values)))
    steps(resumed, optimizers, [1, 3])
    for name, weight in whole.state_dict().items():
        assert torch.equal(weight, resumed.state_dict()[name]), name
