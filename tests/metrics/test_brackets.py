"""Unlabelled brackets, counted by hand."""

import numpy as np
import pytest

from treesent.errors import TreesentError
from treesent.metrics.brackets import brackets, score_brackets
from treesent.trees.structure import Structure

# Post-order, True at a word: ((a b) (c d)), then (a (b c)).
GOLD = Structure.from_leaves(np.array([1, 1, 0, 1, 1, 0, 0, 1, 1, 1, 0, 0], bool), [4, 3])
# ((a b) c) d shares (a b) with the first; (a b) c shares nothing with the second.
FOUND = Structure.from_leaves(np.array([1, 1, 0, 1, 0, 1, 0, 1, 1, 0, 1, 0], bool), [4, 3])


def test_brackets_without_words_and_whole_sentences():
    _, tree = brackets(GOLD)
    assert tree.tolist() == [0, 0, 1]
    numbers, _ = brackets(GOLD)
    assert len(set(numbers.tolist())) == 3
    assert set(brackets(FOUND)[0].tolist()) & set(numbers.tolist()) == {numbers[0]}


def test_f1_and_exact_match_by_hand():
    scores = score_brackets(GOLD, FOUND)
    assert scores.to_dict() == {"bracket_f1": pytest.approx(100 / 3), "exact_match": 0.0, "n": 3}
    half = score_brackets(
        GOLD,
        Structure.from_leaves(np.array([1, 1, 0, 1, 1, 0, 0, 1, 1, 0, 1, 0], bool), [4, 3]),
    )
    assert (half.f1, half.exact_match) == (pytest.approx(200 / 3), 50.0)
    same = score_brackets(GOLD, GOLD)
    assert (same.f1, same.exact_match, same.n) == (100.0, 100.0, 3)


def test_sentences_of_two_words_have_no_brackets_that_count():
    pair = Structure.right_branching([2, 1])
    assert score_brackets(pair, pair).to_dict() == {"bracket_f1": 100.0, "exact_match": 100.0, "n": 0}


def test_other_sentences_and_other_metrics_are_refused():
    with pytest.raises(TreesentError, match="different sentences"):
        score_brackets(GOLD, Structure.right_branching([3, 4]))
    scores = score_brackets(GOLD, GOLD)
    assert scores.metric("bracket_f1") == scores.metric("exact_match") == 100.0
    for name in ("n", "accuracy"):
        with pytest.raises(TreesentError, match="bracket_f1 and exact_match"):
            scores.metric(name)
