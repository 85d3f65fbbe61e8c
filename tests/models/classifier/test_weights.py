"""Weights as bytes."""

import numpy as np
import pytest
import torch

from tests.toy_pipeline import toy_model
from treesent.errors import ModelError
from treesent.models.classifier.weights import weights_from_bytes, weights_to_bytes
from treesent.nn.batch import ForestBatch
from treesent.trees.forest import Forest
from treesent.trees.structure import Structure


def batch():
    structure = Structure.right_branching([3, 1, 4])
    return ForestBatch.from_forest(Forest.build(structure, np.arange(8)))


def test_weights_travel_without_the_vectors():
    network, other = toy_model(seed=0).network, toy_model(seed=1).network
    data = weights_to_bytes(network)
    weights_from_bytes(other, data)
    assert torch.equal(other(batch()).logits, network(batch()).logits)
    assert b"embedding" not in data[:2000]


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda data: data[:-20], "weights are damaged"),
        (lambda data: b"", "weights are damaged"),
        (lambda data: weights_to_bytes(torch.nn.Linear(2, 2)), "weights are of another network"),
        (lambda data: weights_to_bytes(toy_model(3).network), "shape .* in the file and"),
    ],
)
def test_wrong_weights_are_refused(spoil, message):
    network = toy_model().network
    with pytest.raises(ModelError, match=message):
        weights_from_bytes(network, spoil(weights_to_bytes(network)))
