"""Cells of a language model in a classifier: the same numbers, or a clear word why not."""

import json

import numpy as np
import pytest
import torch

from treesent.errors import RecipeError
from treesent.models.classifier.gru import GRUConfig
from treesent.models.classifier.leaky_rnn import LeakyConfig
from treesent.models.classifier.lstm import LSTMConfig
from treesent.models.classifier.peephole_lstm import PeepholeLSTMConfig
from treesent.models.classifier.pretrained import copy_cells
from treesent.models.classifier.recurrent_config import build
from treesent.models.classifier.rnn import RNNConfig
from treesent.models.language.model import LanguageModel
from treesent.models.train import train
from treesent.nn.batch import ForestBatch
from treesent.nn.embedding import VectorEmbedding
from treesent.nn.sequences import Steps
from treesent.training.optimizers import build_optimizers, set_rate
from treesent.training.sections import OptimizerConfig
from treesent.trees.forest import Forest
from treesent.trees.structure import Structure
from treesent.vectors.table import VectorTable

WIDTH, HIDDEN = 4, 3
TABLE = np.random.default_rng(0).normal(size=(11, WIDTH)).astype(np.float32)


def generator(seed):
    return torch.Generator().manual_seed(seed)


def network(config=LSTMConfig, **options):
    return build(config(hidden=HIDDEN, **options), WIDTH, 5, VectorEmbedding(TABLE), generator(0)).eval()


def cells(config=LSTMConfig, seed=1, widths=(WIDTH,), hidden=HIDDEN, **options):
    return [config(hidden=hidden, **options).cell(width, generator(seed)) for width in widths]


def read(cell, vectors):
    """The states of a cell along one sequence."""
    return cell(vectors, Steps.of(np.ones(len(vectors), np.int64)))


@pytest.mark.parametrize(
    "config",
    [
        RNNConfig,
        LeakyConfig,
        LSTMConfig,
        PeepholeLSTMConfig,
        GRUConfig,
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
    made, forward, backward = network(bidirectional=True), cells(seed=1), cells(seed=2)
    copy_cells(made, forward, backward)
    rows = np.array([3, 1, 4])
    batch = ForestBatch.from_forest(Forest.build(Structure.right_branching(np.array([3])), rows))
    with torch.no_grad():
        left = read(forward[0], torch.from_numpy(TABLE[rows]))[-1]
        right = read(backward[0], torch.from_numpy(TABLE[rows[::-1].copy()]))[-1]
        root = made(batch).hidden[batch.roots]
    torch.testing.assert_close(root[0], torch.cat([left, right]), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("both", [False, True])
def test_layers_above_those_of_the_model_are_left_as_they_are(both):
    made, source = network(layers=2, bidirectional=both), cells()
    above = {name: weight.clone() for name, weight in made.stack()[1].state_dict().items()}
    copy_cells(made, source, cells() if both else ())
    for name, weight in made.stack()[0].forward_cell.state_dict().items():
        assert torch.equal(weight, source[0].state_dict()[name])
    for name, weight in made.stack()[1].state_dict().items():
        assert torch.equal(weight, above[name])


def test_weights_are_copied_and_not_shared():
    made, source = network(), cells()
    copy_cells(made, source)
    own = made.stack()[0].forward_cell.state_dict()
    for name, weight in source[0].state_dict().items():
        assert torch.equal(own[name], weight)
        assert own[name].data_ptr() != weight.data_ptr()


@pytest.mark.parametrize(
    ("made", "forward", "backward", "message"),
    [
        (
            network(),
            cells(GRUConfig),
            (),
            "is GRU of 3 units with inputs of width 4, and of the network LSTM",
        ),
        (network(), cells(hidden=5), (), "LSTM of 5 units"),
        (network(), cells(widths=(7,)), (), "inputs of width 7"),
        (network(), cells(widths=(WIDTH, HIDDEN)), (), "has 2 layers, the network 1;"),
        (network(), cells(), cells(), "init_backward is given"),
        (network(bidirectional=True), cells(), (), "init_backward is missing"),
        (
            network(bidirectional=True, layers=2),
            cells(widths=(WIDTH, HIDDEN)),
            cells(widths=(WIDTH, HIDDEN)),
            "models of one layer",
        ),
        (network(bidirectional=True), cells(), cells(RNNConfig), "init_backward: layer 1"),
        (
            network(LeakyConfig),
            cells(LeakyConfig, slowest=0.5),
            (),
            "rates or modules differ",
        ),
    ],
)
def test_what_does_not_fit_is_named(made, forward, backward, message):
    before = {name: weight.clone() for name, weight in made.state_dict().items()}
    with pytest.raises(RecipeError, match=message):
        copy_cells(made, forward, backward)
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


MODEL = """
[vectors]
@misc = "treesent.VectorFile.v1"
path = "vectors"

[model]
@architectures = "treesent.LanguageModel.v1"
unit = "word"
lowercase = true
hidden = 3

[corpora]
train = "texts.jsonl"
dev_last = 2

[training]
max_epochs = 1
patience = 0
metric = "perplexity"
batch_size = 2
window = 5
"""
CLASSIFIER = """
[vectors]
@misc = "treesent.VectorFile.v1"
path = "vectors"

[model]
@architectures = "treesent.LSTM.v1"
hidden = 3

[model.encoder]
init = "forward"
learn_rate = 1e-9

[corpora]
train = "trees.txt"
dev = "trees.txt"

[training]
max_epochs = 1
patience = 0

[training.optimizer]
weight_decay = 0.0
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Recipes, vectors, and language models of both directions."""
    folder = tmp_path_factory.mktemp("pretrained")
    (folder / "trees.txt").write_text("(3 (2 a) (3 (3 good) (2 film)))\n(1 (2 a) (1 (1 bad) (2 film)))\n")
    texts = ["A good film.", "a bad film, bad", "good good", "the film is a film", "bad"]
    (folder / "texts.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    words = ["a", "film", "good", "bad", "the", "is", ".", "superb"]
    for name, seed in (("vectors", 0), ("others", 1)):
        matrix = np.random.default_rng(seed).normal(size=(len(words), WIDTH)).astype(np.float32)
        VectorTable(words, matrix).save(folder / name)
    (folder / "model.cfg").write_text(MODEL)
    (folder / "classifier.cfg").write_text(CLASSIFIER)
    made = {
        "forward": {},
        "backward": {"model.backward": True},
        "stranger": {"vectors.path": "others"},
        "grown": {"model.layers": 2, "model.residual": True},
        "tuned": {"training.tune_vectors": True},
    }
    for name, overrides in made.items():
        train(folder / "model.cfg", folder / name, overrides=overrides, device="cpu")
    without_vectors = MODEL[MODEL.index("[model]") :].replace('"word"', '"character"')
    (folder / "characters.cfg").write_text(without_vectors)
    train(folder / "characters.cfg", folder / "characters", device="cpu")
    return folder


def test_a_recipe_begins_with_the_cells_of_language_models(folder, tmp_path):
    from treesent.models.classifier.folder import load_model

    overrides = {"model.bidirectional": True, "model.encoder.init_backward": "backward"}
    train(folder / "classifier.cfg", tmp_path / "out", overrides=overrides, device="cpu")
    layer = load_model(tmp_path / "out" / "treesent").network.stack()[0]
    for name, cell in (("forward", layer.forward_cell), ("backward", layer.backward_cell)):
        wanted = LanguageModel.load(folder / name).recurrence.layers[0].state_dict()
        for key, weight in cell.state_dict().items():
            torch.testing.assert_close(weight, wanted[key], rtol=0, atol=1e-6)


def test_a_classifier_begins_with_the_vectors_that_a_language_model_has_tuned(folder, tmp_path):
    before, after = VectorTable.load(folder / "vectors"), VectorTable.load(folder / "tuned" / "vectors")
    model = LanguageModel.load(folder / "tuned")
    own = dict(zip(model.vocabulary.symbols, model.embedding.table.detach().numpy(), strict=True))
    assert list(after.words) == [*before.words, ","]
    for word in after.words:
        expected = own[word] if word in own else before.vector(word)
        np.testing.assert_array_equal(after.vector(word), expected)
    assert not np.allclose(after.vector("film"), before.vector("film"), atol=1e-6)
    np.testing.assert_array_equal(after.vector("superb"), before.vector("superb"))

    overrides = {"model.encoder.init": "tuned", "vectors.path": "tuned/vectors"}
    train(folder / "classifier.cfg", tmp_path / "out", overrides=overrides, device="cpu")
    with pytest.raises(RecipeError, match="give the vectors that it tuned"):
        train(
            folder / "classifier.cfg", tmp_path / "x", overrides={"model.encoder.init": "tuned"}, device="cpu"
        )


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"model.hidden": 4}, "LSTM of 3 units with inputs of width 4, and of the network LSTM of 4 units"),
        ({"model.@architectures": "treesent.GRU.v1"}, "of the network GRU"),
        ({"model.encoder.init": "backward"}, "reads from right to left; give one that reads from left"),
        ({"model.encoder.init": "characters"}, "reads characters"),
        ({"model.encoder.init": "stranger"}, "reads other vectors than"),
        ({"model.encoder.init": "grown", "model.layers": 2}, "was trained with residual"),
        (
            {"model.@architectures": "treesent.TreeGRU.v1"},
            "tree networks cannot be initialised from a language model",
        ),
        ({"model.@architectures": "treesent.DistanceParser.v1"}, "model.encoder is unknown"),
    ],
)
def test_a_model_that_does_not_fit_is_refused(folder, tmp_path, overrides, message):
    with pytest.raises(RecipeError, match=message):
        train(folder / "classifier.cfg", tmp_path / "out", overrides=overrides, device="cpu")
    assert not (tmp_path / "out").exists()
