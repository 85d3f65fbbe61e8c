"""What a batch derives from a forest."""

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
@pytest.mark.parametrize("share", [True, False])
def test_layouts_name_the_same_children(share, structure):
    forest = Forest.build(structure, np.arange(structure.n_words) % 3)
    batch = ForestBatch.from_forest(forest)
    layout = batch.layout(share)
    state = layout.state if share else torch.arange(forest.n_nodes)
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


def test_one_transfer_gives_the_same_tensors():
    forest = Forest.build(Structure.right_branching([3, 1, 4]), np.array([5, 5, 2, 0, 2, 5, 1, 1]))
    host, other = ForestBatch.from_forest(forest), ForestBatch.from_forest(forest, "meta")
    for name in (
        "distinct",
        "inverse",
        "children",
        "deduplicated",
        "state",
        "roots",
        "order",
        "label",
        "tree",
    ):
        assert getattr(other, name).shape == getattr(host, name).shape
        assert getattr(other, name).device.type == "meta"
    assert other.batch_sizes.device.type == "cpu"


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_a_gpu_gets_the_same_numbers():
    forest = Forest.build(Structure.right_branching([3, 1, 4]), np.array([5, 5, 2, 0, 2, 5, 1, 1]))
    host, there = ForestBatch.from_forest(forest), ForestBatch.from_forest(forest, "cuda", non_blocking=True)
    for name in (
        "distinct",
        "inverse",
        "children",
        "deduplicated",
        "state",
        "roots",
        "order",
        "label",
        "tree",
    ):
        assert torch.equal(getattr(there, name).cpu(), getattr(host, name))
