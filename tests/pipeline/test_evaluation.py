"""Evaluation of a pipeline: the source of trees is an argument, and the pipeline stays as it is."""

import json

import numpy as np
import pytest
import spacy

from tests.toy_pipeline import toy_nlp
from treesent.errors import ModelError, TreesentError
from treesent.pipeline.evaluation import evaluate_file
from treesent.pipeline.lookup import component_of, components_of

TREES = "(3 (2 the) (3 (2 plot) (1 superb)))\n(0 (1 (2 a) (0 bad)) (2 movie))\n"


@pytest.fixture
def trees(tmp_path):
    path = tmp_path / "trees.txt"
    path.write_text(TREES)
    return path


@pytest.mark.parametrize("source", ["right-branching", "learned"])
def test_another_source_of_trees_scores_as_a_pipeline_with_that_source(trees, source):
    nlp = toy_nlp()
    predictor = component_of(nlp).predictor
    seen = []
    predict = predictor.predict

    def spy(docs, trees=None):
        seen.append((predictor.trees, trees))
        return predict(docs, trees)

    predictor.predict = spy
    found = evaluate_file(nlp, trees, trees=source)
    assert seen == [("auto", source)] and predictor.trees == "auto"
    probs = [toy_nlp(trees=source)(text)._.sentiment.probs for text in ("the plot superb", "a bad movie")]
    expected = np.zeros((5, 5), int)
    for gold, own in zip((3, 0), probs, strict=True):
        expected[gold, own.argmax()] += 1
    assert found.root.confusion.tolist() == expected.tolist()
    assert found.nodes is None


def test_gold_trees_score_every_labelled_node(trees):
    found = evaluate_file(toy_nlp(), trees)
    assert (found.root.n, found.nodes.n) == (2, 10)
    assert found.nodes.confusion.sum(1).tolist() == [2, 2, 4, 2, 0]


def test_an_unknown_source_and_a_pipeline_without_the_component_are_refused(trees):
    with pytest.raises(TreesentError, match="trees = 'guessed'"):
        evaluate_file(toy_nlp(), trees, trees="guessed")
    with pytest.raises(ModelError, match=r"no component 'treesent' \(it has \['sentencizer'\]\)"):
        nlp = spacy.blank("en")
        nlp.add_pipe("sentencizer")
        evaluate_file(nlp, trees)


def test_components_are_found_under_any_name_and_disabled_ones_are_not():
    nlp = spacy.blank("en")
    for name in ("first", "second"):
        nlp.add_pipe("treesent", name=name, config={"pretrained": None})
    assert list(components_of(nlp)) == ["first", "second"]
    assert component_of(nlp) is nlp.get_pipe("first")
    with nlp.select_pipes(disable=["first"]):
        assert component_of(nlp) is nlp.get_pipe("second")


@pytest.mark.parametrize(
    ("labels", "names"),
    [
        ([0, 1, 1, 0], ("negative", "positive")),
        (["NEG", "POS", "pos", "neg"], ("negative", "positive")),
        (["negative", "neutral", "positive", "negative"], ("negative", "neutral", "positive")),
    ],
)
def test_labels_that_state_the_side_alone_are_compared_by_side(tmp_path, labels, names):
    nlp = toy_nlp()
    texts = ["A great movie.", "A bad movie. Very bad!", "A movie", "Great"]
    rows = [{"text": text, "label": label} for text, label in zip(texts, labels, strict=True)]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    with pytest.warns(UserWarning, match="labels are"):
        found = evaluate_file(nlp, tmp_path / "a.jsonl")
    probs = np.stack([nlp(text)._.sentiment.probs for text in texts])
    parts = [probs[:, :2].sum(1), probs[:, 2], probs[:, 3:].sum(1)]
    summed = np.stack(parts if len(names) == 3 else parts[::2], 1)
    meaning = {0: "negative", 1: "positive", "neg": "negative", "pos": "positive"}
    plain = [label.lower() if isinstance(label, str) else label for label in labels]
    gold = [names.index(meaning.get(label, label)) for label in plain]
    assert found.labels == names
    assert found.root.n == 4
    assert found.root.accuracy == pytest.approx(100 * np.mean(summed.argmax(1) == gold))
