"""Vectors as a layer: frozen in each precision, tuned, and with words from outside the table."""

import numpy as np
import pytest
import torch

from treesent.errors import VectorsError
from treesent.nn.embedding import VectorEmbedding

TABLE = np.random.default_rng(0).normal(size=(6, 4)).astype(np.float32)
ROWS = torch.tensor([5, 0, 3, 3])


@pytest.mark.parametrize("kind", ["float32", "float16", "int8"])
def test_rows_become_float32_when_gathered(kind):
    if kind == "int8":
        scale = np.abs(TABLE).max(1) / 127
        table = np.round(TABLE / scale[:, None]).astype(np.int8)
        embedding, expected = VectorEmbedding(table, scale), table * scale[:, None]
    else:
        embedding, expected = VectorEmbedding(TABLE.astype(kind)), TABLE.astype(kind).astype(np.float32)
    found = embedding(ROWS)
    assert found.dtype == torch.float32
    np.testing.assert_allclose(found.numpy(), expected[ROWS.numpy()], rtol=1e-6)
    assert not embedding.state_dict() and not list(embedding.parameters())


def test_rows_past_the_table_point_into_the_extra_vectors():
    extra = torch.arange(8.0).view(2, 4)
    found = VectorEmbedding(TABLE)(torch.tensor([6, 2, 7]), extra)
    assert torch.equal(found[[0, 2]], extra)
    assert torch.equal(found[1], torch.from_numpy(TABLE[2]))


def test_a_tuned_table_has_sparse_gradients_of_the_rows_used():
    embedding = VectorEmbedding(TABLE, tune=True)
    embedding(ROWS).sum().backward()
    grad = embedding.table.grad
    assert grad.is_sparse
    assert grad.to_dense().sum(1).tolist() == [4, 0, 0, 8, 0, 4]


def test_tuning_leaves_the_owners_array_alone():
    table = TABLE.copy()
    embedding = VectorEmbedding(table, tune=True)
    with torch.no_grad():
        embedding.table.add_(1)
    assert (table == TABLE).all()


def test_a_read_only_array_is_taken():
    table = TABLE.copy()
    table.flags.writeable = False
    assert torch.equal(VectorEmbedding(table)(ROWS), torch.from_numpy(TABLE)[ROWS])


def test_the_module_follows_to_another_type():
    assert VectorEmbedding(TABLE).to(torch.bfloat16)(ROWS).dtype == torch.bfloat16


@pytest.mark.parametrize(
    ("table", "scale", "message"),
    [
        (TABLE[0], None, "shape"),
        (TABLE[:0], None, "shape"),
        (TABLE.astype(np.int8), None, "scale"),
        (TABLE.astype(np.int8), np.ones(3), "3 scales for 6 rows"),
    ],
)
def test_tables_that_cannot_be_used_are_refused(table, scale, message):
    with pytest.raises(VectorsError, match=message):
        VectorEmbedding(table, scale)
