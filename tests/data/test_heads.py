"""Dependency trees as training data, and the Child-Sum network that reads them, in the component."""

import numpy as np
import pytest
import spacy
import torch
from spacy.tokens import Doc
from typer.testing import CliRunner

from tests.toy_pipeline import toy_table
from treesent.cli import app
from treesent.config import KEY
from treesent.data.batches import Corpus
from treesent.data.heads import on_dependencies, parse_heads, read_heads, write_heads
from treesent.errors import DataError, ModelError, TreesentError
from treesent.models.classifier.folder import SentimentModel, default_labels, default_polarity
from treesent.models.classifier.networks import build_network
from treesent.models.train import train
from treesent.nn.batch import ForestBatch
from treesent.nn.embedding import VectorEmbedding
from treesent.pipeline.record import read
from treesent.projector.phrases import hidden_states
from treesent.trees.brackets import parse_tree
from treesent.trees.dependency import Dependencies
from treesent.trees.forest import Forest
from treesent.vectors.table import VectorTable

TREES = [
    "(3 (2 (2 The) (2 film)) (3 (2 is) (4 (2 very) (3 good))))",
    "(1 dull)",
    "(0 (1 awful) (2 !))",
]
HEADS = "2 3 0 5 3\n0\n0 1\n"


@pytest.fixture
def corpus():
    return Corpus.from_trees([parse_tree(tree) for tree in TREES])


@pytest.fixture
def heads(tmp_path):
    path = tmp_path / "train.heads"
    path.write_text(HEADS, encoding="utf-8")
    return path


def test_labels_lie_on_the_spans_that_both_trees_have(corpus, heads):
    trees = on_dependencies(corpus, read_heads([heads]))
    assert trees.words == corpus.words
    tree = {
        (int(s), int(e)): int(label)
        for s, e, label in zip(*trees.structure.arrays(0)[2:], trees.label, strict=False)
    }
    # "is" takes "very good", then "The film".
    words = {(0, 1): 2, (1, 2): 2, (2, 3): 2, (3, 4): 2, (4, 5): 3}
    assert tree == {**words, (0, 2): 2, (3, 5): 4, (2, 5): 3, (0, 5): 3}
    assert trees.label[trees.roots].tolist() == [3, 1, 0]


def test_heads_of_other_sentences_are_refused(corpus, tmp_path):
    other = tmp_path / "other.heads"
    other.write_text("0\n2 3 0 5 3\n0 1\n", encoding="utf-8")
    with pytest.raises(
        DataError, match=r"3 sentences with 8 words, the trees those of 3 with 8, or their order"
    ):
        on_dependencies(corpus, read_heads([other]))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("2 1", "0 roots, numbered 0; expected one"),
        ("0 0", "2 roots"),
        ("0 x", "invalid literal"),
        ("0 7", "head"),
        ("0 3 2", "form a cycle"),
        ("", "0 roots"),
        ("99999999999999999999", "too large|too big|out of bounds"),
    ],
)
def test_a_broken_line_is_named(tmp_path, line, message):
    path = tmp_path / "broken.heads"
    path.write_text(f"0\n{line}\n0\n", encoding="utf-8")
    with pytest.raises(DataError, match=rf"broken\.heads: line 2: .*{message}"):
        read_heads([path])


def test_a_parser_writes_what_is_read(tmp_path, parser_nlp):
    parser_nlp.to_disk(tmp_path / "parser")
    trees = tmp_path / "trees.txt"
    trees.write_text("\n".join(TREES) + "\n", encoding="utf-8")
    assert write_heads(trees, tmp_path / "out" / "train.heads", str(tmp_path / "parser")) == 3
    found = read_heads([tmp_path / "out" / "train.heads"])
    assert found.lengths.tolist() == [5, 1, 2]
    assert found.parent[:5].tolist() == [1, 2, -1, 4, 2]


def test_the_command_writes_what_is_read_and_overwrites_only_when_told(tmp_path, parser_nlp):
    parser_nlp.to_disk(tmp_path / "parser")
    trees, output = tmp_path / "trees.txt", tmp_path / "train.heads"
    trees.write_text("\n".join(TREES) + "\n", encoding="utf-8")
    output.write_text("0\n", encoding="utf-8")
    command = ["heads", str(trees), "--pipeline", str(tmp_path / "parser"), "-o"]
    refused = CliRunner().invoke(app, [*command, str(output)])
    assert refused.exit_code == 1 and "--overwrite" in refused.stderr
    assert output.read_text("utf-8") == "0\n"
    assert CliRunner().invoke(app, [*command, str(output), "--overwrite"]).exit_code == 0
    assert output.read_text("utf-8").splitlines()[1] == "0"
    assert read_heads([output]).lengths.tolist() == [5, 1, 2]
    assert CliRunner().invoke(app, [*command, str(trees), "--overwrite"]).exit_code == 1
    assert trees.read_text("utf-8") == "\n".join(TREES) + "\n"


def test_a_pipeline_that_parses_nothing_is_refused(tmp_path):
    spacy.blank("en").to_disk(tmp_path / "blank")
    with pytest.raises(TreesentError, match="no dependency parser"):
        next(parse_heads([["a"]], str(tmp_path / "blank")))
    with pytest.raises(TreesentError, match="there is no pipeline"):
        next(parse_heads([["a"]], str(tmp_path / "nothing")))


def child_sum_nlp():
    table, block = toy_table(), {KEY: "treesent.ChildSumTreeLSTM.v1", "hidden": 12}
    embedding = VectorEmbedding(table.matrix, table.scale)
    network = build_network(block, table.width, 5, embedding, torch.Generator().manual_seed(0)).eval()
    nlp = spacy.blank("en")
    nlp.add_pipe("treesent", config={"pretrained": None})
    model = SentimentModel(network, block, table, default_labels(5), default_polarity(5), None)
    nlp.get_pipe("treesent").trained = model
    return nlp, network, table


def test_the_component_scores_the_subtree_of_every_token():
    nlp, network, table = child_sum_nlp()
    words, parents = ["the", "plot", "is", "not", "thin"], [1, 2, 2, 4, 2]
    doc = Doc(nlp.vocab, words=words, heads=parents, deps=["dep"] * 5)
    ((_, record),) = read(nlp.get_pipe("treesent")(doc))
    node = {(int(s), int(e)): i for i, (s, e) in enumerate(zip(record.start, record.end, strict=True))}
    found = {}
    for token in doc:
        # The subtree of a token by itself is a sentence.
        span = (token.left_edge.i, token.right_edge.i + 1)
        own = Dependencies.from_heads(parents, [span[0]], [span[1]]).binarise()
        forest = Forest.build(own, table.rows(words[slice(*span)]))
        with torch.inference_mode():
            logits = network(ForestBatch.from_forest(forest)).logits
        found[span] = torch.softmax(logits, 1)[forest.roots[0]].numpy()
    for span, probs in found.items():
        np.testing.assert_allclose(record.probs[node[span]], probs, atol=1e-5)


def test_the_component_needs_a_parse_for_it():
    nlp, *_ = child_sum_nlp()
    with pytest.warns(UserWarning, match="right-branching"), pytest.raises(ModelError, match="dependency"):
        nlp("the plot is thin")


def test_phrases_without_heads_are_not_drawn():
    nlp, *_ = child_sum_nlp()
    component = nlp.get_pipe("treesent")
    doc = component(Doc(nlp.vocab, words=["the", "plot"], heads=[1, 1], deps=["dep"] * 2))
    with pytest.raises(ModelError, match="the phrases of the project command"):
        hidden_states(component.predictor, [doc])


RECIPE = """
[vectors]
@misc = "treesent.VectorFile.v1"
path = "vectors"
[model]
@architectures = "treesent.ChildSumTreeLSTM.v1"
hidden = 12
[corpora]
train = "trees.txt"
dev = "trees.txt"
train_heads = "train.heads"
dev_heads = "train.heads"
[training]
max_epochs = 40
patience = 0
metric = "nodes.accuracy_5"
[training.optimizer]
learn_rate = 0.02
"""


def test_a_recipe_with_heads_trains_and_a_treebanks_trees_are_refused(tmp_path, heads):
    (tmp_path / "trees.txt").write_text("\n".join(TREES) + "\n", encoding="utf-8")
    (tmp_path / "recipe.cfg").write_text(RECIPE, encoding="utf-8")
    words = sorted({word for tree in TREES for word in parse_tree(tree).words})
    vectors = np.random.default_rng(0).normal(size=(len(words), 8)).astype(np.float32)
    VectorTable(words, vectors).save(tmp_path / "vectors")
    trained = train(tmp_path / "recipe.cfg", tmp_path / "out")
    assert trained.dev.nodes.to_dict()["accuracy_5"] == 100
    result = CliRunner().invoke(app, ["evaluate", str(tmp_path / "out"), str(tmp_path / "trees.txt")])
    assert result.exit_code == 1
    assert "needs dependency trees, and these trees have no heads" in result.stderr
