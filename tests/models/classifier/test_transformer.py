"""A transformer under the classifiers: train, save, load and resume."""

import json
import socket
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import spacy
import torch

from tests.tiny_transformer import tiny_transformer
from tests.toy_pipeline import toy_table
from treesent.errors import ModelError, RecipeError
from treesent.models.classifier.folder import load_model, model_from_bytes, model_to_bytes
from treesent.models.classifier.networks import NETWORKS, build_network
from treesent.models.classifier.transformer_source import transformer_for
from treesent.models.train import train
from treesent.nn.batch import ForestBatch
from treesent.nn.embedding import VectorEmbedding
from treesent.pipeline.evaluation import evaluate_file
from treesent.trees.forest import Forest
from treesent.trees.structure import Structure

TREES = [
    "(3 (2 (2 The) (2 plot)) (3 (2 is) (3 good)))",
    "(1 (2 (2 A) (1 bad)) (2 movie))",
    "(4 (2 acting) (4 (2 was) (4 superb)))",
    "(0 (0 terrible) (2 film))",
]
RECIPE = """
[vectors]
@misc = "treesent.VectorFile.v1"
path = "vectors"

[model]
@architectures = "treesent.TreeGRU.v1"
encoder = "transformer"
hidden = 8

[transformer]
path = "transformer"
freeze_embeddings = false
learn_rate = 1.0

[corpora]
train = "trees.txt"
dev = "trees.txt"

[training]
max_epochs = 3
patience = 0
batch_size = 2

[training.optimizer]
learn_rate = 0.01
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("recipe")
    tiny_transformer(folder / "transformer")
    toy_table().save(folder / "vectors")
    (folder / "trees.txt").write_text("\n".join(TREES * 3) + "\n", "utf-8")
    (folder / "recipe.cfg").write_text(RECIPE, "utf-8")
    return folder


@pytest.fixture(scope="module")
def trained(folder):
    return train(folder / "recipe.cfg", folder / "model").folder


def forest(words, reader):
    structure = Structure.right_branching([len(words)])
    structure = replace(structure, head=np.zeros(structure.n_nodes, np.int8))  # for the Child-Sum Tree-LSTM
    rows = np.zeros(len(words), np.int64)
    return ForestBatch.from_forest(Forest.build(structure, rows), pieces=reader(words))


@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_every_network_reads_a_transformer(folder, name):
    block = {"@architectures": name, "encoder": "transformer", "hidden": 8}
    transformer, reader = transformer_for(block, str(folder / "transformer"))
    table = toy_table()
    network = build_network(
        block, table.width, 5, VectorEmbedding(table.matrix), torch.Generator().manual_seed(0), transformer
    ).eval()
    words = ["the", "plot", "is", "good"]
    one, other = (network(forest(w, reader)).logits for w in (words, [*words[:3], "bad"]))
    change = (one - other).detach().abs()
    assert one.shape == (7, 5)
    # The vectors are the same, so only the transformer tells good from bad; and every word sees it.
    assert float(change[:4].max()) > 1e-5
    assert float(change[0].max()) > 1e-6
    loss = one.logsumexp(1).sum()
    loss.backward()
    assert all(p.grad is not None for p in network.transformer.model.encoder.parameters())


def test_without_join_the_vectors_say_nothing(folder):
    block = {
        "@architectures": "treesent.TreeLSTM.v1",
        "encoder": "transformer",
        "hidden": 8,
        "join_vectors": False,
    }
    transformer, reader = transformer_for(block, str(folder / "transformer"))
    logits = []
    for seed in (0, 1):
        table = toy_table(seed=seed)
        network = build_network(
            block,
            table.width,
            5,
            VectorEmbedding(table.matrix),
            torch.Generator().manual_seed(0),
            transformer,
        )
        logits.append(network.eval()(forest(["a", "good", "film"], reader)).logits)
    assert torch.equal(*logits)


def test_a_recipe_learns_and_the_folder_holds_everything(folder, trained, monkeypatch):
    def blocked(*args, **kwargs):
        raise AssertionError("a connection was tried")

    monkeypatch.setattr(socket.socket, "connect", blocked)
    nlp = spacy.load(trained, config={"components": {"treesent": {"trees": "right-branching"}}})
    names = {
        path.relative_to(trained / "treesent").as_posix() for path in (trained / "treesent").rglob("*.*")
    }
    assert names >= {"transformer/config.json", "transformer/tokenizer.json", "weights.safetensors"}
    result = evaluate_file(nlp, folder / "trees.txt")
    meta = json.loads((trained / "meta.json").read_text())
    assert result.root.accuracy == pytest.approx(meta["performance"]["dev_root_accuracy_5"], abs=0.01)
    docs = list(nlp.pipe(["The plot is good", "terrible film", "The plot is good. A bad movie!"]))
    alone = nlp("The plot is good")
    assert np.allclose(docs[0]._.sentiment.probs, alone._.sentiment.probs, atol=1e-6)
    # The transformer reads the sentence: the same word has another score in another one.
    again = nlp("not good")
    assert not np.allclose(alone[3]._.sentiment.probs, again[1]._.sentiment.probs, atol=1e-6)


def test_bytes_round_trip(trained):
    files = model_to_bytes(load_model(trained / "treesent"))
    model = model_from_bytes(files)
    assert model_to_bytes(model) == files
    with pytest.raises(ModelError, match=r"transformer/config\.json"):
        model_from_bytes({**files, "transformer/config.json": b"{}"})


def test_a_resumed_run_ends_with_the_same_weights(folder, trained, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        train(
            folder / "recipe.cfg",
            tmp_path / "model",
            overrides={"training.checkpoint_every": 2},
            report=lambda line: (_ for _ in ()).throw(KeyboardInterrupt) if line["epoch"] == 2 else None,
        )
    train(folder / "recipe.cfg", tmp_path / "model", overrides={"training.checkpoint_every": 2}, resume=True)
    weights = "treesent/weights.safetensors"
    assert (tmp_path / "model" / weights).read_bytes() == (trained / weights).read_bytes()


@pytest.mark.parametrize("change", [{"transformer.gradient_checkpointing": True}, {"training.accumulate": 2}])
def test_less_memory_gives_the_same_weights(folder, trained, tmp_path, change):
    # Without dropout, whose masks are drawn for each part.
    still = {"transformer.dropout": 0.0, "training.max_epochs": 1}
    one = train(folder / "recipe.cfg", tmp_path / "one", overrides=still).folder
    other = train(folder / "recipe.cfg", tmp_path / "other", overrides={**still, **change}).folder
    first, second = (load_model(path / "treesent").network.state_dict() for path in (one, other))
    for name, weight in first.items():
        torch.testing.assert_close(second[name], weight, rtol=1e-3, atol=1e-4)


def test_frozen_layers_stay_and_rates_fall_from_layer_to_layer(folder, tmp_path):
    changes = {"transformer.freeze_layers": 1, "training.max_epochs": 1}
    made = load_model(train(folder / "recipe.cfg", tmp_path / "m", overrides=changes).folder / "treesent")
    from transformers import AutoModel

    before = AutoModel.from_pretrained(folder / "transformer").state_dict()
    after = made.network.transformer.model.state_dict()
    same = {name for name, weight in after.items() if torch.equal(weight, before[name])}
    assert {name for name in after if "layer.0." in name} <= same
    assert not {name for name in after if "layer.1." in name and "weight" in name} & same


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"transformer.freeze_layers": 3}, "freeze_layers is 3, but the model has 2"),
        ({"model.encoder": "lstm"}, "set it to 'transformer'"),
        ({"model.encoder_hidden": 4}, "encoder_hidden is 4 beside"),
        ({"model.projection": 4}, "projection is 4 beside"),
        ({"transformer.path": "hf:/no/such/model"}, "cannot be opened"),
        ({"transformer.layer_decay": 0.0}, "layer_decay is 0"),
    ],
)
def test_wrong_settings_are_refused(folder, tmp_path, overrides, message):
    with pytest.raises(RecipeError, match=message):
        train(folder / "recipe.cfg", tmp_path / "m", overrides=overrides)


def test_a_missing_section_is_named(folder, tmp_path):
    text = RECIPE.split("[transformer]")[0] + "[corpora]" + RECIPE.split("[corpora]")[1]
    (folder / "without.cfg").write_text(text, "utf-8")
    with pytest.raises(RecipeError, match=r"add the section \[transformer\]"):
        train(folder / "without.cfg", tmp_path / "m")


def test_spacy_trains_it(folder):
    nlp = spacy.blank("en")
    block = {"@architectures": "treesent.TreeLSTM.v1", "encoder": "transformer", "hidden": 8}
    nlp.add_pipe("treesent", config={"model": block, "pretrained": None, "trees": "right-branching"})
    texts = [("a good film", "positive"), ("terrible acting", "negative")]
    examples = [
        spacy.training.Example.from_dict(nlp.make_doc(text), {"cats": {label: 1.0}}) for text, label in texts
    ]
    component = nlp.get_pipe("treesent")
    component.initialize(
        lambda: examples,
        labels=["negative", "positive"],
        vectors=Path(folder / "vectors"),
        transformer=str(folder / "transformer"),
    )
    optimizer = nlp.create_optimizer()
    optimizer.learn_rate = 0.01
    losses = [nlp.update(examples, sgd=optimizer)["treesent"] for _ in range(30)]
    assert losses[-1] < 0.2 * losses[0]
    assert [nlp(text)._.sentiment.label for text, _ in texts] == ["positive", "negative"]
    again = spacy.blank("en")
    again.add_pipe("treesent", config={"model": block, "pretrained": None, "trees": "right-branching"})
    again.from_bytes(nlp.to_bytes())
    assert np.allclose(again("a good film")._.sentiment.probs, nlp("a good film")._.sentiment.probs)
