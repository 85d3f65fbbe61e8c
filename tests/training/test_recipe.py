"""Recipes: what they mean, and what a user sees when one is wrong."""

import re
from pathlib import Path

import numpy as np
import pytest

from treesent.data.vector_sources import load_vectors
from treesent.errors import RecipeError, TreesentError, VectorsError
from treesent.files import recipe_path
from treesent.models.registry import FAMILIES
from treesent.training.recipe import parse_recipe, read_recipe
from treesent.vectors.table import VectorTable

GOOD = """
[paths]
trees = "trees"

[vectors]
@misc = "treesent.VectorFile.v1"
path = "vectors"

[model]
@architectures = "treesent.TreeLSTM.v1"
hidden = 8

[corpora]
train = ${paths.trees}/train.txt
dev = ["trees/dev.txt","trees/train.txt"]

[labels]

[training]
seed = 3

[training.optimizer]
kind = "sgd"
"""


@pytest.fixture
def recipe(tmp_path, monkeypatch):
    """Where a recipe may stand: the folder of its files."""
    folder = tmp_path / "recipes"
    for name in ("trees/train.txt", "trees/dev.txt", "vectors/x"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    monkeypatch.chdir(tmp_path)
    return folder / "r.cfg"


def test_values_defaults_and_paths(recipe):
    read = parse_recipe(GOOD, FAMILIES, {}, recipe)
    assert read.training.seed == 3
    assert read.training.optimizer.kind == "sgd"
    assert read.training.optimizer.learn_rate == 0.001
    assert read.labels.names[0] == "very negative"
    assert read.corpora.train == str(recipe.parent / "trees" / "train.txt")
    assert [Path(file).name for file in read.corpora.dev] == ["dev.txt", "train.txt"]
    assert read.vectors["path"] == str(recipe.parent / "vectors")
    assert read.model == {"@architectures": "treesent.TreeLSTM.v1", "hidden": 8}


def test_a_path_is_looked_for_in_the_recipe_s_folder_then_in_the_working_directory(recipe, tmp_path):
    (tmp_path / "here.txt").touch()
    (tmp_path / "vectors").touch()
    read = parse_recipe(GOOD, FAMILIES, {"corpora.train": "here.txt"}, recipe)
    assert read.corpora.train == str(tmp_path / "here.txt")
    assert read.vectors["path"] == str(recipe.parent / "vectors")


def test_overrides_and_the_environment(recipe, monkeypatch):
    overrides = {"training.seed": 9, "training.schedule.kind": "linear", "training.clip_norm": 1}
    read = parse_recipe(GOOD, FAMILIES, overrides, recipe)
    assert (read.training.seed, read.training.schedule.kind, read.training.clip_norm) == (9, "linear", 1.0)
    text = "# ${env.NOWHERE}\n" + GOOD.replace('trees = "trees"', 'trees = "${env.TREES}"')
    with pytest.raises(RecipeError, match="the environment variable TREES is not set"):
        parse_recipe(text, FAMILIES, {}, recipe)
    monkeypatch.setenv("TREES", "trees")
    assert parse_recipe(text, FAMILIES, {}, recipe).corpora.train == str(recipe.parent / "trees/train.txt")


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"training.sed": 1}, r"training.sed is unknown; did you mean 'seed'\?"),
        ({"trainig.seed": 1}, r"\[trainig\] is unknown; did you mean 'training'\?"),
        ({"training.optimizer.lr": 1}, "training.optimizer.lr is unknown; .*learn_rate"),
        ({"training.seed": "x"}, "training.seed is 'x'; must be an integer"),
        ({"training.seed": 1.5}, "training.seed is 1.5; must be an integer"),
        ({"training.seed": True}, "training.seed is true; must be an integer"),
        ({"training.tune_vectors": 1}, "training.tune_vectors is 1; must be true or false"),
        ({"training.batch_size": 0}, "training.batch_size is 0; must be at least 1"),
        ({"training.average": 1}, r"training.average is 1; must be in \[0, 1\)"),
        ({"training.clip_norm": "5"}, "training.clip_norm is '5'; must be a number"),
        ({"training.metric": "accuracy"}, "training.metric is 'accuracy'; must be bracket_f1"),
        ({"training.metric": "root.loss"}, "training.metric is 'root.loss'; must be"),
        ({"training.metric": "root.accuracy+loss"}, "several joined by \\+"),
        ({"model.encoder.inits": "x"}, "model.encoder.inits is unknown; did you mean 'init'"),
        ({"model.encoder.init": "nowhere"}, "there is no file 'nowhere'"),
        ({"model.encoder.init": "vectors", "model.encoder.learn_rate": 0}, "learn_rate is 0"),
        (
            {"training.optimizer.kind": "adam"},
            "training.optimizer.kind is 'adam'; must be 'adamw', 'adagrad' or 'sgd'",
        ),
        ({"training.optimizer.learn_rate": -1}, "training.optimizer.learn_rate is -1; must be above 0"),
        (
            {"training.optimizer.vectors_learn_rate": "a"},
            "vectors_learn_rate is 'a'; must be a number above 0 or null",
        ),
        ({"training.optimizer": 3}, r"training.optimizer is 3; must be a section, \[training.optimizer\]"),
        ({"training.schedule.warmup": -1}, "training.schedule.warmup is -1; must be at least 0"),
        ({"labels.names": ["a"]}, r"labels.names is \['a'\]; must have two or more"),
        ({"labels.names": ["a", "a"]}, "each name must be different"),
        ({"labels.names": "ab"}, "labels.names is 'ab'; must be a list of texts"),
        ({"labels.names": ["a", 2]}, r"labels.names\[1\] is 2; must be text"),
        (
            {"labels.polarity": [0, 2]},
            r"labels.polarity is \[0, 2\]; must be a list of numbers in \[-1, 1\] or null",
        ),
        ({"corpora.tran": "x"}, "corpora.tran is unknown; did you mean 'train'"),
        (
            {"corpora.train": "nowhere.txt"},
            "there is no file 'nowhere.txt'; tried .*recipes/nowhere.txt, .*pipelines/nowhere.txt",
        ),
        ({"corpora.train": 3}, "corpora.train is 3; must be a path or a list of paths"),
        ({"vectors.path": "nowhere"}, "there is no file 'nowhere'"),
        ({"corpora.train.path": "x"}, "train is a value, not a section"),
    ],
)
def test_an_override_that_makes_no_sense(recipe, overrides, message):
    with pytest.raises(RecipeError, match=message):
        parse_recipe(GOOD, FAMILIES, overrides, recipe)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("[model]", "[modle]", r"\[modle\] is unknown; did you mean 'model'\?"),
        ("[vectors]", "[model]", "is not a valid recipe"),
        ("seed = 3", "seed = 3\nseed = 4", "is not a valid recipe.*seed"),
        ("seed = 3", "seed 3", "is not a valid recipe"),
        ("seed = 3", "seed = three", "training.seed is 'three'; must be an integer"),
        ("${paths.trees}", "${paths.tree}", "is not a valid recipe"),
        ("dev = [", "dev = [[", "there is no file"),
        (
            "[corpora]",
            "[training.corpora]",
            "the section .training. must stand before the sections inside it",
        ),
        ("dev =", "test =", "corpora.test is unknown"),
        ('dev = ["trees/dev.txt","trees/train.txt"]', "", "dev is missing"),
        ("[labels]", "train_heads = x\n[labels]", "train_heads is set without dev_heads"),
        ("[labels]", "train_heads = x\ndev_heads = x\n[labels]", "there is no file"),
        (
            "[labels]",
            "train_heads = x\ndev_heads = x\nreparse = true\n[labels]",
            "reparse is set, but dev_heads is set too",
        ),
    ],
)
def test_a_text_that_makes_no_sense(recipe, old, new, message):
    assert old in GOOD
    with pytest.raises(RecipeError, match=message):
        parse_recipe(GOOD.replace(old, new, 1), FAMILIES, {}, recipe)


def test_a_section_may_imply_those_around_it(recipe):
    text = GOOD.replace("[training]\nseed = 3\n", "") + "[vectors.sources.a]\npath = vectors\n"
    read = parse_recipe(text, FAMILIES, {}, recipe)
    assert read.training.optimizer.kind == "sgd"
    assert read.vectors["sources"] == {"a": {"path": str(recipe.parent / "vectors")}}


def test_a_file_that_cannot_be_read(tmp_path):
    with pytest.raises(RecipeError, match="cannot be read"):
        read_recipe(tmp_path / "none.cfg", FAMILIES)
    (tmp_path / "a.cfg").write_bytes(b"\xff")
    with pytest.raises(RecipeError, match="cannot be read"):
        read_recipe(tmp_path / "a.cfg", FAMILIES)


def test_two_classes_have_no_polarity_unless_it_is_given(recipe):
    read = parse_recipe(GOOD, FAMILIES, {"labels.names": ["spam", "ham"]}, recipe)
    assert read.labels.polarity is None
    read = parse_recipe(GOOD, FAMILIES, {"labels.names": ["bad", "good"], "labels.polarity": [-1, 1]}, recipe)
    assert read.labels.polarity == (-1.0, 1.0)


def test_the_packaged_recipes_are_read(tmp_path):
    (tmp_path / "trees").mkdir()
    for name in ("train.txt", "dev.txt"):
        (tmp_path / "trees" / name).touch()
    paths = {"paths.trees": str(tmp_path / "trees"), "paths.vectors": str(tmp_path)}
    read = read_recipe(recipe_path("tree_lstm"), FAMILIES, paths)
    assert read.training.metric == "root.accuracy_5+root.accuracy_2"
    assert read.model["@architectures"] == "treesent.TreeLSTM.v1"


def test_sources_of_vectors_compose(tmp_path):
    rng = np.random.default_rng(0)
    first = VectorTable(["the", "film", "rare"], rng.normal(size=(3, 4)).astype(np.float32))
    second = VectorTable(["film", "good", "odd"], rng.normal(size=(3, 3)).astype(np.float32))
    first.save(tmp_path / "a")
    second.save(tmp_path / "b")
    (tmp_path / "t.txt").write_text("(3 (2 Odd) (2 unheard))\n")
    file = "treesent.VectorFile.v1"
    block = {
        "@misc": "treesent.JoinVectors.v1",
        "sources": {
            "a": {"@misc": file, "path": str(tmp_path / "a")},
            "b": {"@misc": file, "path": str(tmp_path / "b")},
        },
        "frequent": 3,
        "trees_path": [str(tmp_path / "t.txt")],
    }
    table = load_vectors(block)
    assert table.words == ["the", "film", "good", "odd"]
    assert table.width == 7
    small = load_vectors(block | {"width": 5, "precision": "int8", "subwords": 50})
    assert (small.width, small.matrix.dtype) == (5, np.int8)
    assert small.subwords is not None
    limited = load_vectors({"@misc": file, "path": str(tmp_path / "a"), "limit": 2})
    assert limited.words == ["the", "film"]
    with pytest.raises(VectorsError, match="sources"):
        load_vectors(block | {"sources": {}})


@pytest.mark.parametrize(
    ("block", "message"),
    [
        ({}, r"the section \[vectors\] is missing; add it"),
        ({"path": "x"}, "@misc = NAME; treesent has treesent.VectorFile.v1"),
        ({"@misc": "treesent.Vectors.v1"}, r"\[vectors\]: .*treesent.Vectors.v1"),
        ({"@misc": "treesent.VectorFile.v1", "path": "x", "pth": 1}, "pth"),
        ({"@misc": "treesent.VectorFile.v1"}, "path"),
        ({"@misc": "treesent.VectorFile.v1", "path": "x", "limit": "many"}, "limit"),
    ],
)
def test_a_vectors_block_that_makes_no_sense(block, message):
    with pytest.raises(TreesentError, match=message) as caught:
        load_vectors(block)
    assert "\n" not in str(caught.value)
    assert not re.search(r"\s{2}", str(caught.value))


def test_the_recipe_for_tables_is_read(tmp_path):
    table = tmp_path / "reviews.csv"
    table.touch()
    paths = {"paths.table": str(table), "paths.vectors": str(tmp_path), "paths.parser": str(tmp_path)}
    read = read_recipe(recipe_path("imdb"), FAMILIES, paths)
    assert (read.corpora.train, read.corpora.dev) == (str(table), ())
    assert read.corpora.has_texts
    assert not read.corpora.has_trees
    read = read_recipe(recipe_path("imdb"), FAMILIES, paths | {"paths.table": "hf:stanfordnlp/imdb"})
    assert read.corpora.train == "hf:stanfordnlp/imdb"
