"""A forest is the same trees in another order."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.strategies import structures
from treesent.errors import DataError
from treesent.trees.forest import Forest
from treesent.trees.structure import Structure


@st.composite
def built(draw):
    structure = draw(structures())
    rows = np.array(draw(st.lists(st.integers(0, 9), min_size=structure.n_words, max_size=structure.n_words)))
    label = np.arange(structure.n_nodes) % 6 - 1
    return structure, rows, label, Forest.build(structure, rows, label)


@given(built())
def test_children_labels_roots_and_order_are_those_of_the_trees(made):
    structure, rows, label, forest = made
    offsets = structure.offsets
    for tree in range(structure.n_trees):
        left, right, _, _ = structure.arrays(tree)
        for node in range(len(left)):
            place = forest.order[offsets[tree] + node]
            assert forest.label[place] == label[offsets[tree] + node]
            assert forest.tree[place] == tree
            if left[node] < 0:
                assert place < forest.n_words
            else:
                children = forest.order[offsets[tree] + np.array([left[node], right[node]])]
                assert forest.children[place - forest.n_words].tolist() == children.tolist()
        assert forest.roots[tree] == forest.order[offsets[tree + 1] - 1]
    assert forest.rows.tolist() == rows.tolist()
    assert sorted(forest.order) == list(range(structure.n_nodes))


@given(built())
def test_levels_are_slices_of_one_height(made):
    structure, _, _, forest = made
    height = np.empty(structure.n_nodes, int)
    height[forest.order] = structure.height()
    assert (
        forest.levels[0] == 0 and forest.levels[1] == forest.n_words and forest.levels[-1] == forest.n_nodes
    )
    for level, (begin, end) in enumerate(zip(forest.levels, forest.levels[1:], strict=False)):
        assert set(height[begin:end]) == {level}


@given(built())
def test_leaves_stand_in_text_order_and_distinct_rows_give_them_back(made):
    structure, _, _, forest = made
    leaves = np.flatnonzero(structure.left < 0)
    assert forest.order[leaves].tolist() == list(range(forest.n_words))
    assert forest.distinct[forest.inverse].tolist() == forest.rows.tolist()
    assert len(set(forest.distinct.tolist())) == len(forest.distinct)
    assert forest.lengths.tolist() == structure.lengths.tolist()


@given(built())
def test_parent_is_the_place_among_all_children(made):
    _, _, _, forest = made
    flat = [*forest.children.ravel().tolist(), -1]
    for node, place in enumerate(forest.parent):
        assert flat[place] == (-1 if node in set(forest.roots.tolist()) else node)


def test_a_chain_of_ten_thousand_words():
    forest = Forest.build(Structure.right_branching([10_000]), np.zeros(10_000))
    assert len(forest.levels) == 10_001 and forest.roots.tolist() == [19_998]


def test_no_trees():
    forest = Forest.build(Structure.right_branching([]), np.zeros(0))
    assert (forest.n_trees, forest.n_words, forest.n_nodes, forest.levels) == (0, 0, 0, (0, 0))


def test_rows_and_labels_must_be_as_many_as_words_and_nodes():
    structure = Structure.right_branching([3])
    with pytest.raises(DataError, match="2 word rows for trees of 3 words"):
        Forest.build(structure, np.zeros(2))
    with pytest.raises(DataError, match="4 labels for trees of 5 nodes"):
        Forest.build(structure, np.zeros(3), np.zeros(4))
