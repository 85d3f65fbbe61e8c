"""Cells of a language model in a classifier: the same numbers, or a clear word why not."""

import numpy as np
import pytest
import torch

from treesent.errors import RecipeError
from treesent.nn import recurrent_configs as configs
from treesent.nn.batch import ForestBatch
from treesent.nn.embedding import VectorEmbedding
from treesent.nn.pretrained import copy_cells
from treesent.nn.spans import Steps
from treesent.training.optimizers import build_optimizers, set_rate
from treesent.training.recipe import OptimizerConfig
from treesent.trees.forest import Forest
from treesent.trees.structure import Structure

WIDTH, HIDDEN = 4, 3
TABLE = np.random.default_rng(0).normal(size=(11, WIDTH)).astype(np.float32)


def generator(seed):
    return torch.Generator().manual_seed(seed)


def network(config=configs.LSTMConfig, **options):
    return configs.build(
        config(hidden=HIDDEN, **options), WIDTH, 5, VectorEmbedding(TABLE), generator(0)
    ).eval()


def cells(config=configs.LSTMConfig, seed=1, widths=(WIDTH,), hidden=HIDDEN, **options):
    return [config(hidden=hidden, **options).cell(width, generator(seed)) for width in widths]


def read(cell, vectors):
    """The states of a cell along one sequence."""
    return cell(vectors, Steps.of(np.ones(len(vectors), np.int64)))


@pytest.mark.parametrize(
    "config",
    [
        configs.RNNConfig,
        configs.LeakyConfig,
        configs.LSTMConfig,
        configs.PeepholeLSTMConfig,
        configs.GRUConfig,
    ],
)
def test_the_network_reads_a_sentence_as_the_language_model_does(config):
    made, source = network(config, layers=2), cells(config, widths=(WIDTH, HIDDEN))
    copy_cells(made, source)
    rows = np.array([3, 1, 4, 1, 5])
    batch = ForestBatch.from_forest(Forest.build(Structure.right_branching(np.array([5])), rows))
    with torch.no_grad():
        states = torch.from_numpy(TABLE[rows])
        for cell in source:
            states = read(cell, states)
        root = made(batch).hidden[batch.roots]
    torch.testing.assert_close(root[0], states[-1], rtol=1e-5, atol=1e-6)


def test_each_direction_has_its_own_model():
    made, forth, back = network(bidirectional=True), cells(seed=1), cells(seed=2)
    copy_cells(made, forth, back)
    rows = np.array([3, 1, 4])
    batch = ForestBatch.from_forest(Forest.build(Structure.right_branching(np.array([3])), rows))
    with torch.no_grad():
        ahead = read(forth[0], torch.from_numpy(TABLE[rows]))[-1]
        behind = read(back[0], torch.from_numpy(TABLE[rows[::-1].copy()]))[-1]
        root = made(batch).hidden[batch.roots]
    torch.testing.assert_close(root[0], torch.cat([ahead, behind]), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("both", [False, True])
def test_layers_above_those_of_the_model_are_left_as_they_are(both):
    made, source = network(layers=2, bidirectional=both), cells()
    above = {name: weight.clone() for name, weight in made.stack()[1].state_dict().items()}
    copy_cells(made, source, cells() if both else ())
    for name, weight in made.stack()[0].forth.state_dict().items():
        assert torch.equal(weight, source[0].state_dict()[name])
    for name, weight in made.stack()[1].state_dict().items():
        assert torch.equal(weight, above[name])


def test_weights_are_copied_and_not_shared():
    made, source = network(), cells()
    copy_cells(made, source)
    own = made.stack()[0].forth.state_dict()
    for name, weight in source[0].state_dict().items():
        assert torch.equal(own[name], weight)
        assert own[name].data_ptr() != weight.data_ptr()


@pytest.mark.parametrize(
    ("made", "forth", "back", "message"),
    [
        (
            network(),
            cells(configs.GRUConfig),
            (),
            "is GRU of 3 units that read 4 numbers, and of the network LSTM",
        ),
        (network(), cells(hidden=5), (), "LSTM of 5 units"),
        (network(), cells(widths=(7,)), (), "that read 7 numbers"),
        (network(), cells(widths=(WIDTH, HIDDEN)), (), "has 2 layers, the network 1;"),
        (network(), cells(), cells(), "init_backward is given"),
        (network(bidirectional=True), cells(), (), "init_backward is missing"),
        (
            network(bidirectional=True, layers=2),
            cells(widths=(WIDTH, HIDDEN)),
            cells(widths=(WIDTH, HIDDEN)),
            "models of one layer",
        ),
        (network(bidirectional=True), cells(), cells(configs.RNNConfig), "init_backward: layer 1"),
        (
            network(configs.LeakyConfig),
            cells(configs.LeakyConfig, slowest=0.5),
            (),
            "rates or modules differ",
        ),
    ],
)
def test_what_does_not_fit_is_named(made, forth, back, message):
    before = {name: weight.clone() for name, weight in made.state_dict().items()}
    with pytest.raises(RecipeError, match=message):
        copy_cells(made, forth, back)
    for name, weight in made.state_dict().items():
        assert torch.equal(weight, before[name])


@pytest.mark.parametrize("kind", ["sgd", "adamw", "adagrad"])
def test_pretrained_layers_learn_at_their_share_of_the_rate(kind):
    def learned(share):
        made = network()
        made.stack()[0].learn_rate = share
        before = {name: weight.clone() for name, weight in made.named_parameters()}
        (optimizer,) = build_optimizers(made, OptimizerConfig(kind, 0.01))
        set_rate([optimizer], 0.5)
        for weight in made.parameters():
            weight.grad = torch.ones_like(weight)
        optimizer.step()
        return {name: weight.detach() - before[name] for name, weight in made.named_parameters()}

    whole, quarter = learned(1.0), learned(0.25)
    for name, step in whole.items():
        share = 0.25 if name.startswith("layers") else 1.0
        torch.testing.assert_close(quarter[name], share * step, rtol=1e-3, atol=1e-6)
