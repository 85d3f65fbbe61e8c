"""A parser from a recipe, and a pipeline that gets it."""

import json

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

import treesent
from treesent.cli import app
from treesent.errors import ModelError, OutputError, RecipeError
from treesent.models.parser.chart_parser import ChartParser
from treesent.models.parser.trainer import PARSER_FILE, read_parser
from treesent.models.train import train
from treesent.vectors.table import VectorTable

# Labels are no use to a parser, so it takes trees without.
TREES = """\
(- (- (- a) (- (- good) (- film))) (- .))
(- (- (- the) (- film)) (- (- (- is) (- (- not) (- good))) (- .)))
(- (- the) (- film))
(- (- bad) (- .))
(3 (2 (2 the) (2 (1 bad) (2 film))) (3 (2 is) (3 good)))
"""
RECIPE = """
[vectors]
@misc = "treesent.VectorFile.v1"
path = "vectors"

[model]
@architectures = "treesent.DistanceParser.v1"
hidden = 8
layers = 2
gap = 8
span = 6

[corpora]
train = "trees.txt"
dev = "trees.txt"

[training]
max_epochs = 40
patience = 0
metric = "bracket_f1"
batch_size = 2

[training.optimizer]
learn_rate = 0.02
"""
CLASSIFIER = """
[vectors]
@misc = "treesent.VectorFile.v1"
path = "vectors"

[model]
@architectures = "treesent.TreeLSTM.v1"
hidden = 6

[parser]
path = "parser"

[corpora]
train = "trees.txt"
dev = "trees.txt"

[training]
max_epochs = 1
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Recipes, trees and vectors, and the parser that they give."""
    folder = tmp_path_factory.mktemp("parser")
    (folder / "trees.txt").write_text(TREES)
    (folder / "parser.cfg").write_text(RECIPE)
    (folder / "classifier.cfg").write_text(CLASSIFIER)
    words = ["the", "film", "a", "is", "not", "good", "bad", "."]
    vectors = np.random.default_rng(0).normal(size=(len(words), 8)).astype(np.float32)
    VectorTable(words, vectors).save(folder / "vectors")
    result = CliRunner().invoke(app, ["train", str(folder / "parser.cfg"), "-o", str(folder / "parser")])
    assert result.exit_code == 0, result.output
    assert "bracket_f1 100.00" in result.output
    return folder


def test_a_few_trees_are_learnt_by_heart(folder):
    assert json.loads((folder / "parser" / "scores.json").read_text())["bracket_f1"] == 100
    assert sorted(path.name for path in (folder / "parser").iterdir()) == [PARSER_FILE, "scores.json"]
    assert not (folder / "parser.checkpoint").exists()


def test_a_pipeline_gets_the_parser_and_uses_it(folder):
    train(folder / "classifier.cfg", folder / "pipeline")
    nlp = treesent.load(folder / "pipeline")
    doc = nlp("The film is not good.")
    (sentence,) = doc.sents if doc.has_annotation("SENT_START") else [doc[:]]
    assert [tuple(words) for words in _spans(sentence._.tree.to_dict())] == [
        ("the", "film", "is", "not", "good", "."),
        ("the", "film"),
        ("is", "not", "good", "."),
        ("is", "not", "good"),
        ("not", "good"),
    ]


def _spans(node):
    """Words of every node over two and more, parents first."""
    if "children" not in node or not node["children"]:
        return []
    return [node["text"].lower().replace(".", " .").split()] + [
        s for c in node["children"] for s in _spans(c)
    ]


def test_a_run_that_was_killed_goes_on_to_the_same_weights(folder, monkeypatch):
    class Killed(BaseException):
        pass

    def killed(record):
        if record["epoch"] == 2:
            raise Killed

    overrides = {"training.max_epochs": 4, "model.dropout": 0.2, "training.precision": "bfloat16"}
    train(folder / "parser.cfg", folder / "whole", overrides=overrides)
    with pytest.raises(Killed):
        train(folder / "parser.cfg", folder / "again", overrides=overrides, report=killed)
    train(folder / "parser.cfg", folder / "again", overrides=overrides, resume=True)
    one, other = (ChartParser.load(folder / name / PARSER_FILE).state_dict() for name in ("whole", "again"))
    assert all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ({"model.hiden": 3}, "hidden"),
        ({"model.hidden": 0}, "model.hidden is 0"),
        ({"training.metric": "root.accuracy"}, "bracket_f1"),
        ({"training.tune_vectors": True}, "tune_vectors"),
    ],
)
def test_recipes_that_make_no_sense_are_refused(folder, override, message):
    with pytest.raises(RecipeError, match=message):
        train(folder / "parser.cfg", folder / "refused", overrides=override, overwrite=True)


def test_a_parser_of_other_vectors_is_refused(folder):
    assert (
        read_parser(folder / "parser", 8).width == read_parser(folder / "parser" / PARSER_FILE, 8).width == 8
    )
    with pytest.raises(ModelError, match=r"width 8, and .* has 9"):
        read_parser(folder / "parser", 9)


def test_what_is_no_parser_is_not_overwritten(folder, tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(OutputError, match=r"holds thesis\.txt, which treesent did not write"):
        train(folder / "parser.cfg", tmp_path)


def test_a_pipeline_gets_the_parser_of_its_vectors_unless_told_otherwise(folder):
    train(folder / "classifier.cfg", folder / "first")
    text = CLASSIFIER.replace('[parser]\npath = "parser"\n', "").replace(
        '"vectors"', '"first/treesent/vectors"'
    )
    (folder / "next.cfg").write_text(text)
    cases = [
        ({}, "learned"),
        ({"vectors.path": "first"}, "learned"),
        ({"parser.use": False}, None),
        ({"training.tune_vectors": True}, "learned"),
        ({"model.projection": 4}, None),
        ({"vectors.limit": 7}, None),
        ({"vectors.path": "vectors"}, None),
    ]
    for overrides, parsed in cases:
        train(folder / "next.cfg", folder / "next", overrides=overrides, overwrite=True)
        assert treesent.load(folder / "next").get_pipe("treesent").trained.parsed == parsed, overrides


def test_training_says_that_a_pipeline_has_no_parser(folder):
    text = CLASSIFIER.replace('path = "parser"', "")
    (folder / "without.cfg").write_text(text)
    command = ["train", str(folder / "without.cfg"), "-o", str(folder / "without")]
    result = CliRunner().invoke(app, command)
    assert "without has no parser, so raw texts get right-branching trees: train a parser" in result.stderr
    result = CliRunner().invoke(app, ["train", str(folder / "classifier.cfg"), "-o", str(folder / "with")])
    assert "has no parser" not in result.stderr
    with pytest.raises(RecipeError, match="use is false, but path is set too"):
        train(folder / "classifier.cfg", folder / "refused", overrides={"parser.use": False})
