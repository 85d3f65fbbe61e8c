"""Folding and rounding change what is stored, not what is said."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.strategies import trees
from treesent.models.classifier.compact import fold_projection, round_table, round_weights
from treesent.models.classifier.recursive_config import build
from treesent.models.classifier.tree_lstm import TreeLSTMConfig
from treesent.nn.batch import ForestBatch
from treesent.nn.embedding import VectorEmbedding
from treesent.trees.forest import Forest
from treesent.trees.structure import Structure
from treesent.vectors.fit import SubwordSettings, with_fitted_subwords
from treesent.vectors.table import VectorTable

WORDS = [f"{a}{b}" for a in ("good", "bad", "dull", "fine") for b in ("", "ly", "er", "est", "ness")]
TABLE = VectorTable(WORDS, np.random.default_rng(0).normal(size=(len(WORDS), 12)).astype(np.float32))


def network(encoder_hidden=0):
    config = TreeLSTMConfig(hidden=7, projection=5, encoder="sru", encoder_hidden=encoder_hidden)
    made = build(config, 12, 5, VectorEmbedding(TABLE.matrix), torch.Generator().manual_seed(1))
    return made.eval()


def logits(made, batch):
    with torch.inference_mode():
        return made(batch).logits.numpy()


@given(st.lists(trees(max_words=9), min_size=1, max_size=5), st.sampled_from([0, 3]))
def test_a_folded_projection_gives_the_same_logits(forest_trees, encoder_hidden):
    structure = Structure.from_trees(forest_trees)
    rows = np.arange(structure.lengths.sum()) % len(WORDS)
    batch = ForestBatch.from_forest(Forest.build(structure, rows))
    made = network(encoder_hidden)
    before = logits(made, batch)
    table = fold_projection(made, TABLE)
    made.embedding = VectorEmbedding(table.matrix, table.scale)
    assert table.width == 5
    np.testing.assert_allclose(logits(made, batch), before, atol=1e-5)


def test_unknown_words_are_projected_too():
    table = with_fitted_subwords(TABLE, SubwordSettings(pieces=40))
    made = network()
    axes = made.projection.weight.detach().numpy().T
    narrow = fold_projection(made, table)
    assert table.lookup(["goodish"]).unknown.all()
    np.testing.assert_allclose(
        narrow.lookup(["goodish"]).extra, table.lookup(["goodish"]).extra @ axes, atol=1e-4
    )


def test_a_network_without_a_projection_keeps_its_table():
    made = build(TreeLSTMConfig(hidden=3), 12, 5, VectorEmbedding(TABLE.matrix))
    assert fold_projection(made, TABLE) is TABLE


@pytest.mark.parametrize(
    ("precision", "kind", "error"), [("float16", np.float16, 2e-3), ("int8", np.int8, 2e-2)]
)
def test_a_table_in_fewer_bits_is_near(precision, kind, error):
    rounded = round_table(TABLE, precision)
    assert rounded.matrix.dtype == kind
    np.testing.assert_allclose(rounded.dense(), TABLE.dense(), atol=error)
    assert round_table(TABLE, "float32") is TABLE


def test_rounded_weights_survive_half_precision_unchanged():
    made = network()
    round_weights(made)
    for weight in made.parameters():
        assert torch.equal(weight, weight.half().float())
