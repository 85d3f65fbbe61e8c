"""An encoder-decoder from a recipe, a pipeline that gets it, and pictures of its attention."""

import json

import numpy as np
import pytest
import spacy
import torch
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

import treesent
from treesent.cli import app
from treesent.errors import DataError, ModelError, RecipeError
from treesent.files import pipeline_path
from treesent.models.parser.chart_parser import ChartParser
from treesent.models.parser.seq2seq import Seq2SeqParser
from treesent.models.parser.trainer import ENCODER_DECODER_FILE, read_parser
from treesent.models.registry import FAMILIES
from treesent.models.train import train
from treesent.pipeline.attention import attention_map
from treesent.render.attention import LONGEST, AttentionMap, attention_svg, shortened
from treesent.training.recipe import read_recipe
from treesent.vectors.table import VectorTable

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
@architectures = "treesent.EncoderDecoder.v1"
cell = "gru"
encoder_hidden = 12
hidden = 16
embedding = 6
attention = "multiplicative"
feed = false
longest = 8

[model.search]
beam = 2

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
@architectures = "treesent.LSTM.v1"
hidden = 6
pooling = "attention"

[parser]
path = "parser"

[corpora]
train = "trees.txt"
dev = "trees.txt"

[training]
max_epochs = 1
"""
SENTENCE = "The film is not good."
SPANS = {(0, 6), (0, 2), (2, 6), (2, 5), (3, 5)}


def run(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Recipes, trees and vectors, the parser that they give, and a pipeline with it."""
    folder = tmp_path_factory.mktemp("seq2seq")
    (folder / "trees.txt").write_text(TREES)
    (folder / "parser.cfg").write_text(RECIPE)
    (folder / "classifier.cfg").write_text(CLASSIFIER)
    words = ["the", "film", "a", "is", "not", "good", "bad", "."]
    vectors = np.random.default_rng(0).normal(size=(len(words), 8)).astype(np.float32)
    VectorTable(words, vectors).save(folder / "vectors")
    result = run("train", folder / "parser.cfg", "-o", folder / "parser")
    assert result.exit_code == 0, result.output
    assert "bracket_f1 100.00" in result.output
    train(folder / "classifier.cfg", folder / "pipeline")
    return folder


def spans(doc):
    """Start and end of every constituent over two words and more."""
    (tree,) = [sentence._.tree for sentence in doc.sents if sentence._.tree is not None]
    picture = tree.picture()
    first, found, n_words = [], set(), 0
    for node, left in enumerate(picture.left.tolist()):
        first.append(n_words if left < 0 else first[left])
        n_words += left < 0
        if left >= 0:
            found.add((first[node], n_words))
    return found


def test_a_few_trees_are_learnt_by_heart(folder):
    assert json.loads((folder / "parser" / "scores.json").read_text())["bracket_f1"] == 100
    names = sorted(path.name for path in (folder / "parser").iterdir())
    assert names == [ENCODER_DECODER_FILE, "scores.json"]
    assert isinstance(read_parser(folder / "parser", 8), Seq2SeqParser)
    with pytest.raises(ModelError, match=r"width 8, and .* has 9"):
        read_parser(folder / "parser", 9)


def test_a_run_that_was_killed_goes_on_to_the_same_weights(folder):
    class Killed(BaseException):
        pass

    def killed(record):
        if record["epoch"] == 2:
            raise Killed

    overrides = {"training.max_epochs": 4, "model.layer_dropout": 0.2, "training.precision": "bfloat16"}
    train(folder / "parser.cfg", folder / "whole", overrides=overrides)
    with pytest.raises(Killed):
        train(folder / "parser.cfg", folder / "again", overrides=overrides, report=killed)
    train(folder / "parser.cfg", folder / "again", overrides=overrides, resume=True)
    one, other = (
        Seq2SeqParser.load(folder / name / ENCODER_DECODER_FILE).state_dict() for name in ("whole", "again")
    )
    assert all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ({"model.hiden": 3}, "hidden"),
        ({"model.hidden": 0}, "model.hidden is 0"),
        ({"model.attention": "dot"}, "must be 'additive', 'multiplicative' or 'none'"),
        ({"model.search.beam": 0}, "beam is 0"),
        ({"training.metric": "root.accuracy"}, "bracket_f1"),
        ({"training.tune_vectors": True}, "tune_vectors"),
    ],
)
def test_recipes_that_make_no_sense_are_refused(folder, override, message):
    with pytest.raises(RecipeError, match=message):
        train(folder / "parser.cfg", folder / "refused", overrides=override, overwrite=True)


@pytest.mark.parametrize("name", ["seq2seq_parser", "gnmt_parser"])
def test_the_recipes_are_read(name, sst_dir, tmp_path):
    for file in ("silver.txt", "train_spacy.txt"):
        (tmp_path / file).write_text(TREES)
    path = pipeline_path("en_treesent_sm").parent / f"{name}.cfg"
    paths = {"paths.trees": str(sst_dir), "paths.made": str(tmp_path)}
    recipe = read_recipe(path, FAMILIES, {**paths, "model.decoder_layers": 4})
    assert recipe.model["decoder_layers"] == 4


def test_a_pipeline_gets_the_parser_and_uses_it(folder, tmp_path):
    nlp = treesent.load(folder / "pipeline")
    assert spans(nlp(SENTENCE)) == SPANS
    component = nlp.get_pipe("treesent")
    assert isinstance(component.trained.parser, Seq2SeqParser)
    named = spacy.blank("en")
    named.add_pipe("treesent", config={"pretrained": str(folder / "pipeline"), "trees": "seq2seq"})
    assert spans(named(SENTENCE)) == SPANS
    named.to_disk(tmp_path / "saved")
    again = spacy.load(tmp_path / "saved")
    assert again.config["components"]["treesent"]["trees"] == "seq2seq"
    assert spans(again(SENTENCE)) == SPANS
    copied = spacy.blank("en")
    copied.add_pipe("treesent", config={"pretrained": None, "trees": "seq2seq"})
    copied.from_bytes(named.to_bytes())
    assert spans(copied(SENTENCE)) == SPANS


def test_any_text_gets_trees(folder):
    nlp = treesent.load(folder / "pipeline")
    texts = ["", "film", "Unknown words, all of them!", "film " * 30, SENTENCE]
    for doc in nlp.pipe(texts):
        for sentence in doc.sents if len(doc) else []:
            assert len(sentence._.tree.picture().left) == 2 * len(sentence) - 1


def test_trees_that_a_model_does_not_have_are_refused(folder):
    nlp = spacy.blank("en")
    nlp.add_pipe("treesent", config={"pretrained": str(folder / "pipeline"), "trees": "learned"})
    with pytest.raises(ModelError, match="a parser of its own for trees = 'seq2seq'"):
        nlp(SENTENCE)
    shipped = spacy.blank("en")
    shipped.add_pipe("treesent", config={"trees": "seq2seq"})
    assert isinstance(shipped.get_pipe("treesent").trained.parser, ChartParser)
    with pytest.raises(ModelError, match="trees = 'seq2seq', but the model has"):
        shipped(SENTENCE)


def test_attention_of_a_parser(folder):
    found = attention_map(folder / "parser", SENTENCE, vectors=folder / "vectors")
    assert list(found.words) == ["The", "film", "is", "not", "good", "."]
    assert len(found.rows) == 11
    assert ") is not good" in found.rows and ") The film" in found.rows
    np.testing.assert_allclose(found.weights.sum(1), 1, rtol=1e-5)
    same = attention_map(folder / "pipeline", SENTENCE)
    np.testing.assert_allclose(same.weights, found.weights, atol=1e-6)


def test_attention_of_a_classifier(folder):
    found = attention_map(folder / "pipeline", SENTENCE + " The film is bad.", pooling=True)
    assert list(found.words) == ["The", "film", "is", "not", "good", "."]
    assert found.weights.shape == (1, 6)
    np.testing.assert_allclose(found.weights.sum(), 1, rtol=1e-5)
    # Attention depends on a word and what stands before it, so a prefix has the same weights but for the sum.
    shorter = attention_map(folder / "pipeline", "The film is", pooling=True)
    part = found.weights[0, :3]
    np.testing.assert_allclose(shorter.weights[0], part / part.sum(), rtol=1e-4)


@pytest.mark.parametrize("suffix", [".svg", ".png"])
def test_the_command_draws(folder, tmp_path, suffix):
    for name, arguments in (("parser", ["--vectors", folder / "vectors"]), ("pipeline", ["--pooling"])):
        file = tmp_path / "made" / f"{name}{suffix}"
        result = run("attention", folder / name, SENTENCE, "-o", file, *arguments)
        assert result.exit_code == 0, result.output
        assert file.read_bytes().startswith(b"<svg" if suffix == ".svg" else b"\x89PNG")


def test_a_drawing_escapes_its_words():
    svg = attention_svg(
        AttentionMap(["<a>", "&"], ['"b"', "c"], np.array([[0.25, 0.75], [1, 0]], np.float32))
    )
    assert "<a>" not in svg and "&lt;a&gt;" in svg
    assert svg.count("<rect") == 4 + 5  # the cells, the scale
    assert 'fill-opacity="0.750"' in svg
    assert ">75%</text>" in svg
    assert "attention, percent" in svg


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["{folder}/parser", "a film", "-o", "{folder}/x.pdf"], "not that of a picture"),
        (["{folder}/parser", "", "-o", "{folder}/x.svg", "--vectors", "{folder}/vectors"], "no words"),
        (["{folder}/parser", "a film", "-o", "{folder}/x.svg"], "width 8"),
        (["{folder}/nothing", "a film", "-o", "{folder}/x.svg"], "nothing"),
        (["en_treesent_sm", "a film", "-o", "{folder}/x.svg"], "no attention over words"),
        (
            ["{folder}/parser", "film " * 9, "-o", "{folder}/x.svg", "--vectors", "{folder}/vectors"],
            "has 9 words",
        ),
    ],
)
def test_what_cannot_be_drawn_is_told(folder, arguments, message):
    result = run("attention", *(argument.format(folder=folder) for argument in arguments))
    assert result.exit_code == 1
    assert message in result.output
    assert not (folder / "x.svg").exists()


def test_a_parser_without_attention_has_none_to_draw(folder):
    train(
        folder / "parser.cfg",
        folder / "plain",
        overrides={"model.attention": "none", "training.max_epochs": 1},
    )
    with pytest.raises(ModelError, match="has no attention"):
        attention_map(folder / "plain", SENTENCE, vectors=folder / "vectors")


def test_no_words_are_an_error(folder):
    with pytest.raises(DataError, match="no words"):
        attention_map(folder / "pipeline", "  ")


@given(st.text(st.sampled_from("ab "), max_size=90).map(lambda text: " ".join(text.split())))
def test_long_names_of_rows_lose_whole_words_in_the_middle(name):
    found = shortened(name)
    assert len(found) <= LONGEST
    if len(name) <= LONGEST:
        assert found == name
        return
    begin, end = found.split(" … ")
    assert begin and end and name.startswith(begin) and name.endswith(end)
    words, first, last = name.split(), begin.split(), end.split()
    # A word is cut only where there is no other.
    assert first == words[: len(first)] or len(first) == 1
    assert last == words[-len(last) :] or len(last) == 1
