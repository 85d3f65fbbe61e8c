"""What a batch derives from a forest."""

from dataclasses import fields

import numpy as np
import pytest
import torch
from hypothesis import given

from tests.strategies import structures
from treesent.nn.batch import ForestBatch
from treesent.nn.layout import BLOCK
from treesent.nn.packed import packing
from treesent.trees.forest import Forest
from treesent.trees.structure import Structure


@given(structures())
def test_blocks_cover_the_inner_nodes_after_their_children(structure):
    forest = Forest.build(structure, np.arange(structure.n_words) % 4)
    place = 0
    for begin, end in ForestBatch.from_forest(forest).blocks:
        assert begin == place and end > begin
        assert (forest.children[begin:end] < forest.n_words + begin).all()
        place = end
    assert place == len(forest.children)


def test_blocks_hold_at_most_512_rows():
    forest = Forest.build(Structure.right_branching([2] * (2 * BLOCK + 1)), np.zeros(4 * BLOCK + 2))
    batch = ForestBatch.from_forest(forest)
    assert batch.blocks == ((0, BLOCK), (BLOCK, 2 * BLOCK), (2 * BLOCK, 2 * BLOCK + 1))


@given(structures())
@pytest.mark.parametrize("deduplicate", [True, False])
def test_layouts_name_the_same_children(deduplicate, structure):
    forest = Forest.build(structure, np.arange(structure.n_words) % 3)
    batch = ForestBatch.from_forest(forest)
    layout = batch.layout(deduplicate)
    state = layout.state if deduplicate else torch.arange(forest.n_nodes)
    assert torch.equal(layout.children, state[batch.children])
    slots = torch.cat([layout.children.view(-1), torch.tensor([-1])])
    expected = torch.arange(layout.n_inner) + layout.n_leaves
    expected[batch.roots[batch.roots >= forest.n_words] - forest.n_words] = -1
    assert torch.equal(slots[layout.parent], expected)


@given(structures())
def test_packing_is_that_of_torch(structure):
    lengths = structure.lengths
    packed, unpacked, sizes = packing(lengths)
    words = torch.arange(int(lengths.sum())).split(lengths.tolist())
    # Of equally long sentences torch may take either first.
    expected = torch.nn.utils.rnn.pack_sequence(
        [words[i] for i in np.argsort(-lengths, kind="stable")], enforce_sorted=True
    )
    assert packed.tolist() == expected.data.tolist()
    assert sizes.tolist() == expected.batch_sizes.tolist()
    assert packed[unpacked].tolist() == list(range(len(packed)))


def tensors(batch):
    """The tensors of a batch by name, those of its constituents included."""
    parts = {**{f.name: getattr(batch, f.name) for f in fields(batch)}}
    parts |= {f.name: getattr(batch.constituents, f.name) for f in fields(batch.constituents)}
    return {name: part for name, part in parts.items() if isinstance(part, torch.Tensor)}


def test_one_transfer_gives_the_same_tensors(monkeypatch):
    """What travels as one buffer to another device; here the transfer itself is left out."""
    forest = Forest.build(Structure.right_branching([3, 1, 4]), np.array([5, 5, 2, 0, 2, 5, 1, 1]))
    host, transfers = tensors(ForestBatch.from_forest(forest)), []
    monkeypatch.setattr(torch.Tensor, "to", lambda self, *_, **__: transfers.append(self) or self)
    other = tensors(ForestBatch.from_forest(forest, "meta"))
    assert len(transfers) == 1 and other.keys() == host.keys()
    for name, tensor in other.items():
        assert torch.equal(tensor, host[name]), name


def test_every_tensor_is_on_the_device_but_the_batch_sizes():
    forest = Forest.build(Structure.right_branching([3, 1]), np.array([5, 5, 2, 0]))
    found = tensors(ForestBatch.from_forest(forest, "meta"))
    assert {name for name, tensor in found.items() if tensor.device.type == "cpu"} == {"batch_sizes"}


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_a_gpu_gets_the_same_numbers():
    forest = Forest.build(Structure.right_branching([3, 1, 4]), np.array([5, 5, 2, 0, 2, 5, 1, 1]))
    host, there = ForestBatch.from_forest(forest), ForestBatch.from_forest(forest, "cuda", non_blocking=True)
    for name, tensor in tensors(there).items():
        assert torch.equal(tensor.cpu(), tensors(host)[name])
