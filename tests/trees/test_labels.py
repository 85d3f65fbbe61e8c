"""Labels carried from trees to other trees over the same words."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.strategies import trees
from treesent.errors import DataError
from treesent.trees.labels import carry_labels
from treesent.trees.structure import Structure


def spans(structure, label):
    """Label of every span of every tree, the slow way."""
    found = {}
    for tree in range(structure.n_trees):
        for node in range(structure.offsets[tree], structure.offsets[tree + 1]):
            found[tree, int(structure.start[node]), int(structure.end[node])] = int(label[node])
    return found


def joined(members):
    return Structure.from_trees(members), np.concatenate([tree.label for tree in members])


@given(st.lists(trees(max_words=12), min_size=1, max_size=6), st.randoms(use_true_random=False))
def test_a_span_that_both_trees_have_keeps_its_label_and_no_other_has_one(members, random):
    source, label = joined(members)
    lengths = source.lengths
    distances = np.array([random.random() for _ in range(int((lengths - 1).sum()))])
    target = Structure.from_distances(distances, lengths)
    carried = carry_labels(source, label, target)
    before = spans(source, label)
    assert spans(target, carried) == {key: before.get(key, -1) for key in spans(target, carried)}
    roots = target.offsets[1:] - 1
    np.testing.assert_array_equal(carried[roots], label[source.offsets[1:] - 1])


@given(st.lists(trees(max_words=12), min_size=1, max_size=6))
def test_the_same_trees_keep_every_label(members):
    source, label = joined(members)
    np.testing.assert_array_equal(carry_labels(source, label, source), label)


def test_other_sentences_are_refused():
    one, two = (Structure.right_branching([n]) for n in (2, 3))
    with pytest.raises(DataError, match="same sentences"):
        carry_labels(one, np.zeros(3, np.int64), two)
