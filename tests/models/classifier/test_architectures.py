"""Networks by name, and the thinc model around them."""

import inspect
from dataclasses import fields

import numpy as np
import pytest
import torch
from confection import Config
from spacy.util import registry

from tests.toy_pipeline import BLOCK, toy_model
from treesent.errors import ModelError, RecipeError
from treesent.models.classifier.architectures import (
    KEY,
    NETWORKS,
    build_network,
    network_config,
    network_model,
    weights_from_bytes,
    weights_to_bytes,
)
from treesent.nn.batch import ForestBatch
from treesent.trees.forest import Forest
from treesent.trees.structure import Structure


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_is_made_from_a_recipes_block(name):
    block = Config().from_str(f'[model]\n@architectures = "{name}"\nhidden = 10')["model"]
    generator = torch.Generator().manual_seed(0)
    network = build_network(block, 6, 3, generator=generator)
    assert isinstance(network, torch.nn.Module)
    again = build_network(block, 6, 3, generator=torch.Generator().manual_seed(0))
    for a, b in zip(network.parameters(), again.parameters(), strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize("name", NETWORKS)
def test_spacys_block_has_the_fields_of_the_config(name):
    make = registry.architectures.get(name)
    known = {field.name for field in fields(NETWORKS[name].config)}
    assert set(inspect.signature(make).parameters) == known
    resolved = registry.resolve({"model": {KEY: name, "hidden": 7}})["model"]
    assert resolved.name == name
    assert resolved.attrs["block"]["hidden"] == 7


@pytest.mark.parametrize(
    ("block", "message"),
    [
        ({KEY: "treesent.TreeLSTN.v1"}, "is no network: did you mean 'treesent.TreeLSTM.v1'"),
        ({}, "'None' is no network"),
        ({**BLOCK, "hiden": 3}, "unknown key 'hiden': did you mean 'hidden'"),
        ({**BLOCK, "zzz": 3}, "unknown key 'zzz': known are"),
        ({**BLOCK, "hidden": 0}, "hidden is 0"),
    ],
)
def test_a_wrong_block_is_refused(block, message):
    with pytest.raises(RecipeError, match=message):
        network_config(block)


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
