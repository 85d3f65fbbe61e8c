"""Figures against an example worked by hand."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from treesent.errors import TreesentError
from treesent.metrics.accuracy import score, score_trees

POLARITY = [-1, -0.5, 0, 0.5, 1]
PROBS = np.array(
    [
        [0.6, 0.1, 0.1, 0.1, 0.1],  # label 0: right, and negative
        [0.1, 0.1, 0.6, 0.1, 0.1],  # label 2: right, left out of binary
        [0.0, 0.1, 0.5, 0.3, 0.1],  # label 3: says neutral, wrong; positive mass 0.4 > 0.1: right in binary
        [0.3, 0.3, 0.0, 0.0, 0.4],  # label 4: right; negative mass 0.6 > 0.4: wrong in binary
        [0.0, 0.2, 0.2, 0.5, 0.1],  # label 1: says 3, wrong in both
        [0.9, 0.1, 0.0, 0.0, 0.0],  # unlabelled
    ],
    np.float32,
)
LABELS = np.array([0, 2, 3, 4, 1, -1])


def test_the_example_worked_by_hand():
    scores = score(PROBS, LABELS, POLARITY)
    assert scores.n == 5
    assert scores.accuracy == pytest.approx(60.0)
    assert scores.accuracy_2 == pytest.approx(50.0)
    # F1: class 0 2*1/2 = 1; class 1 0; class 2 2*1/3; class 3 0; class 4 1. The mean of five: 8/15.
    assert scores.macro_f1 == pytest.approx(100 * 8 / 15)
    assert scores.confusion.tolist() == [
        [1, 0, 0, 0, 0],
        [0, 0, 0, 1, 0],
        [0, 0, 1, 0, 0],
        [0, 0, 1, 0, 0],
        [0, 0, 0, 0, 1],
    ]


def test_roots_and_nodes_and_names():
    scores = score_trees(PROBS, LABELS, np.array([2, 4]), POLARITY)
    assert scores.root.n == 2
    assert scores.root.accuracy == 0
    assert scores.metric("root.accuracy_2") == 50
    assert scores.metric("nodes.accuracy_5") == scores.metric("nodes.accuracy") == pytest.approx(60)
    assert scores.metric("root.accuracy_2+nodes.accuracy_5") == pytest.approx((50 + 60) / 2)
    record = json.loads(json.dumps(scores.to_dict()))
    assert set(record) == {"root", "nodes"}
    assert {"accuracy_5", "accuracy_2", "macro_f1", "n"} <= set(record["root"])


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("accuracy", "root.METRIC or nodes.METRIC"),
        ("root.accuracy_3", "accuracy_5"),
        ("nodes.n", "macro_f1"),
        ("root.accuracy+", "root.METRIC"),
    ],
)
def test_an_unknown_metric_names_the_known(name, message):
    with pytest.raises(TreesentError, match=message):
        score_trees(PROBS, LABELS, np.array([2]), POLARITY).metric(name)


def test_classes_without_polarity_and_empty_sets():
    scores = score(PROBS[:, :3], np.array([0, 2, -1, -1, -1, -1]), None)
    assert scores.accuracy_2 is None
    assert set(scores.to_dict()) == {"accuracy_3", "macro_f1", "n", "confusion"}
    assert score(PROBS, np.full(6, -1), POLARITY).to_dict()["accuracy_5"] == 0
    with pytest.raises(TreesentError, match="label 5 is none of the model's 5 classes"):
        score(PROBS, np.array([5, 0, 0, 0, 0, 0]), POLARITY)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1))
def test_macro_f1_is_the_mean_of_f1_by_definition(pairs):
    gold, predicted = np.array(pairs).T
    f1 = []
    for c in set(gold.tolist()) | set(predicted.tolist()):
        hits = ((gold == c) & (predicted == c)).sum()
        precision = hits / max((predicted == c).sum(), 1)
        recall = hits / max((gold == c).sum(), 1)
        f1.append(2 * precision * recall / (precision + recall) if hits else 0.0)
    scores = score(np.eye(4, dtype=np.float32)[predicted], gold, None)
    assert scores.macro_f1 == pytest.approx(100 * np.mean(f1))
    assert scores.accuracy == pytest.approx(100 * (gold == predicted).mean())
