"""The networks as spaCy finds them, and the thinc model around them."""

import inspect
from dataclasses import fields

import numpy as np
import pytest
import torch
from spacy.util import registry

from tests.toy_pipeline import BLOCK, toy_model
from treesent.config import KEY
from treesent.errors import ModelError, RecipeError
from treesent.models.classifier.networks import NETWORKS
from treesent.nn.batch import ForestBatch
from treesent.pipeline.architectures import network_model
from treesent.trees.forest import Forest
from treesent.trees.structure import Structure


@pytest.mark.parametrize("name", NETWORKS)
def test_spacys_block_has_the_fields_of_the_config(name):
    make = registry.architectures.get(name)
    known = {field.name for field in fields(NETWORKS[name].config)}
    assert set(inspect.signature(make).parameters) == known
    resolved = registry.resolve({"model": {KEY: name, "hidden": 7}})["model"]
    assert resolved.name == name
    assert resolved.attrs["block"]["hidden"] == 7


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"hidden": 7.5}, "hidden is 7.5; must be an integer of at least 1"),
        ({"hidden": "7"}, "hidden is '7'; must be an integer of at least 1"),
        ({"input_dropout": 1.0}, r"input_dropout is 1.0; must be in \[0, 1\)"),
    ],
)
def test_spacys_block_is_checked_as_strictly_as_a_recipes(setting, message):
    with pytest.raises(RecipeError, match=message):
        registry.resolve({"model": {KEY: "treesent.TreeLSTM.v1", **setting}})


def batch():
    structure = Structure.right_branching([3, 1, 4])
    return ForestBatch.from_forest(Forest.build(structure, np.arange(8)))


def test_thinc_sees_the_networks_numbers():
    network = toy_model().network
    model = network_model(BLOCK, network)
    with torch.inference_mode():
        expected = network(batch()).logits.numpy()
    np.testing.assert_allclose(model.predict(batch()), expected, atol=1e-6, rtol=1e-5)
    assert not network.training


def test_thincs_gradients_are_torchs():
    network = toy_model().network
    model = network_model(BLOCK, network)
    logits, backprop = model.begin_update(batch())
    given = np.random.default_rng(0).normal(size=logits.shape).astype(np.float32)
    backprop(given)
    found = {name: p.grad.clone() for name, p in network.named_parameters()}
    network.zero_grad()
    network(batch()).logits.backward(torch.from_numpy(given))
    for name, parameter in network.named_parameters():
        torch.testing.assert_close(found[name], parameter.grad, atol=1e-6, rtol=1e-5)


def test_a_network_without_weights_says_so():
    with pytest.raises(ModelError, match="no weights yet"):
        network_model(BLOCK).predict(batch())
