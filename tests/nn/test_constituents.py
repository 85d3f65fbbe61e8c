"""The constituents of a batch as sequences."""

import numpy as np
import torch
from hypothesis import given

from tests.strategies import structures
from treesent.nn.batch import ForestBatch
from treesent.trees.forest import Forest


@given(structures())
def test_constituents_name_every_word_of_every_node(structure):
    trees = Forest.build(structure, np.arange(structure.n_words) % 11)
    words = np.repeat(np.cumsum(trees.lengths) - trees.lengths, 2 * trees.lengths - 1)
    assert trees.start[trees.order].tolist() == (structure.start + words).tolist()
    assert trees.end[trees.order].tolist() == (structure.end + words).tolist()
    constituents = ForestBatch.from_forest(trees).constituents
    nodes = constituents.node_sequences()
    ahead, behind = constituents.forward_sequences(), constituents.backward_sequences()
    for node, (start, end) in enumerate(zip(trees.start, trees.end, strict=True)):
        step = torch.arange(int(end - start))
        expected = torch.arange(int(start), int(end))
        found = nodes.row(torch.full_like(step, node), step)
        assert torch.equal(nodes.word[found], expected)
        assert torch.equal(ahead.word[ahead.row(torch.full_like(step, int(start)), step)], expected)
        back = behind.row(torch.full_like(step, int(end) - 1), step)
        assert torch.equal(behind.word[back], expected.flip(0))
