"""Whatever is broken, the user is told where it stands, what was found and what to do."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from tests.bad_input import COMMANDS, MODELS, RECIPES, TABLES, TREES, VECTORS
from tests.fakes import FakePipeline
from treesent.errors import DataError, ModelError, RecipeError, TreeFormatError, VectorsError
from treesent.scoring import ScoreOptions, score
from treesent.trees.brackets import read_trees


def holds(message, pieces):
    missing = [piece for piece in pieces if piece not in message]
    assert not missing, f"{missing} not in: {message}"


def test_there_are_enough_of_them():
    assert sum(map(len, (TREES, TABLES, VECTORS, RECIPES, MODELS, COMMANDS))) >= 100


@pytest.mark.parametrize("case", TREES)
def test_trees(tmp_path, case):
    content, pieces = TREES[case]
    (tmp_path / "t.txt").write_bytes(content)
    with pytest.raises(TreeFormatError) as caught:
        list(read_trees(tmp_path / "t.txt"))
    holds(str(caught.value), pieces)


@pytest.mark.parametrize("case", TABLES)
def test_tables(tmp_path, case):
    name, content, options, pieces = TABLES[case]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError) as caught:
        score(tmp_path / name, tmp_path / "out.jsonl", FakePipeline(), ScoreOptions(**options))
    holds(str(caught.value), pieces)
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("case", VECTORS)
def test_vectors(tmp_path, case):
    from treesent.vectors.formats import read_vectors

    name, content, pieces = VECTORS[case]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(VectorsError) as caught:
        read_vectors(tmp_path / name)
    holds(str(caught.value), pieces)


RECIPE = """
[vectors]
@misc = "treesent.VectorFile.v1"
path = "v.txt"

[model]
@architectures = "treesent.TreeLSTM.v1"

[corpora]
train = "t.txt"
dev = "t.txt"

[training]
seed = 1

[training.optimizer]
kind = "sgd"

[labels]
names = ["bad", "good"]
polarity = [-1.0, 1.0]
"""


@pytest.mark.parametrize("case", RECIPES)
def test_recipes(tmp_path, case):
    from treesent.models.registry import FAMILIES
    from treesent.training.recipe import read_recipe

    for name in ("t.txt", "v.txt"):
        (tmp_path / name).write_text("")
    path = tmp_path / "r.cfg"
    path.write_text(RECIPE)
    read_recipe(path, FAMILIES)
    old, new, pieces = RECIPES[case]
    assert old in RECIPE
    path.write_text(RECIPE.replace(old, new))
    with pytest.raises(RecipeError) as caught:
        read_recipe(path, FAMILIES)
    holds(str(caught.value), ["r.cfg", *pieces])


@pytest.fixture(scope="module")
def model():
    from treesent.models.classifier.folder import SentimentModel, default_labels, default_polarity
    from treesent.models.classifier.networks import build_network
    from treesent.nn.embedding import VectorEmbedding
    from treesent.vectors.table import VectorTable

    rows = np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32)
    table = VectorTable(["good", "bad", "film"], rows)
    block = {"@architectures": "treesent.TreeLSTM.v1", "hidden": 4}
    network = build_network(block, 4, 5, VectorEmbedding(table.matrix, None))
    return SentimentModel(network, block, table, default_labels(5), default_polarity(5))


@pytest.mark.parametrize("case", MODELS)
def test_models(tmp_path, model, case):
    from treesent.models.classifier.folder import load_model, save_model

    save_model(tmp_path, model)
    assert load_model(tmp_path).labels == model.labels
    pattern, change, pieces = MODELS[case]
    (path,) = tmp_path.glob(pattern)
    content = path.read_bytes()
    if change is None:
        path.unlink()
    elif change == "cut":
        path.write_bytes(content[: len(content) // 2])
    elif change == "flip":
        middle = len(content) // 2
        path.write_bytes(content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :])
    else:
        path.write_bytes(change)
    with pytest.raises(ModelError) as caught:
        load_model(tmp_path)
    holds(str(caught.value), pieces)


def test_every_flipped_byte_of_a_small_model_is_found(tmp_path, model):
    from treesent.models.classifier.folder import load_model, save_model

    save_model(tmp_path, model)
    generator = np.random.default_rng(1)
    for path in sorted(path for path in tmp_path.rglob("*") if path.is_file()):
        content = path.read_bytes()
        for place in generator.integers(len(content), size=20).tolist():
            path.write_bytes(content[:place] + bytes([content[place] ^ 2]) + content[place + 1 :])
            with pytest.raises(ModelError) as caught:
                load_model(tmp_path)
            assert path.name in str(caught.value)
        path.write_bytes(content)


@pytest.mark.parametrize("case", COMMANDS)
def test_command_lines(tmp_path, monkeypatch, case):
    from treesent.cli import app

    arguments, code, pieces = COMMANDS[case]
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.csv").write_text("text\nfine\n")
    (tmp_path / "folder.csv").mkdir()
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == code, result.output
    holds(result.stderr, pieces)
    assert "Traceback" not in result.stderr and result.stdout == ""
    assert json.dumps(sorted(path.name for path in tmp_path.iterdir())) == '["a.csv", "folder.csv"]'
