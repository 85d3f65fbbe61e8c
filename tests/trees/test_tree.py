import dataclasses
import pickle

import numpy as np
import pytest
from hypothesis import given

from tests.strategies import right_branching, trees
from treesent.errors import TreesentError
from treesent.trees.tree import Tree

# ((not bad) film)
WORDS = ("not", "bad", "film")
LEFT, RIGHT = [-1, -1, 0, -1, 2], [-1, -1, 1, -1, 3]


@given(trees())
def test_every_tree_covers_its_words_once_in_order_and_is_binary(tree):
    leaf = tree.left < 0
    assert tree.n_nodes == 2 * tree.n_words - 1
    assert np.array_equal(tree.start[leaf], np.arange(tree.n_words))
    assert np.array_equal(tree.end[leaf], np.arange(1, tree.n_words + 1))
    assert (tree.start[tree.root], tree.end[tree.root]) == (0, tree.n_words)
    inner = np.flatnonzero(~leaf)
    assert np.array_equal(tree.start[inner], tree.start[tree.left[inner]])
    assert np.array_equal(tree.end[inner], tree.end[tree.right[inner]])
    assert np.array_equal(tree.end[tree.left[inner]], tree.start[tree.right[inner]])
    assert np.array_equal(tree.right[inner], inner - 1)
    children = np.sort(np.concatenate([tree.left[inner], tree.right[inner]]))
    assert np.array_equal(children, np.arange(tree.n_nodes - 1))


@given(trees())
def test_children_alone_give_the_tree(tree):
    assert Tree.from_structure(tree.words, tree.left, tree.right, tree.label) == tree


def test_spans_and_text_of_nodes():
    tree = Tree.from_structure(WORDS, LEFT, RIGHT, [1, 1, 3, 2, 3])
    assert list(tree.spans()) == [(0, 1), (1, 2), (0, 2), (2, 3), (0, 3)]
    assert (tree.text(2), tree.text(tree.root)) == ("not bad", "not bad film")
    assert tree.brackets() == "(3 (3 (1 not) (1 bad)) (2 film))"


def test_right_branching_combines_each_word_with_all_that_follow():
    tree = right_branching(["a", "b", "c", "d"])
    assert [s for s in tree.spans() if s[1] - s[0] > 1] == [(2, 4), (1, 4), (0, 4)]


def test_equality_looks_at_words_shape_and_labels():
    tree = Tree.from_structure(WORDS, LEFT, RIGHT, [1, 1, 3, 2, 3])
    same = Tree.from_structure(list(WORDS), LEFT, RIGHT, [1, 1, 3, 2, 3])
    assert tree == same and hash(tree) == hash(same)
    others = [
        tree.with_labels([1, 1, 3, 2, 4]),
        Tree.from_structure(["not", "bad", "movie"], LEFT, RIGHT, [1, 1, 3, 2, 3]),
        tree.with_labels(None),
    ]
    assert all(tree != other for other in [*others, right_branching(WORDS), "not bad film"])


def test_a_tree_is_a_value():
    tree = right_branching(WORDS)
    with pytest.raises(dataclasses.FrozenInstanceError):
        tree.words = ("other",)
    assert pickle.loads(pickle.dumps(tree)) == tree


@pytest.mark.parametrize(
    ("words", "left", "right", "label", "message"),
    [
        ([], [], [], None, "0 leaves among 0 nodes"),
        (["a", "b"], [-1, -1], [-1, -1], None, "2 leaves among 2 nodes"),
        (["a", "b"], [-1, 0, -1], [-1, 1, -1], None, "each inner node after its two children"),
        (["a", "b"], [-1, -1, 1], [-1, -1, 0], None, "node 2 has children 1 and 0.*must be 0 and 1"),
        (["a", "b"], [-1, -1, 0], [-1, -1, 0], None, "node 2 has children 0 and 0"),
        (["a", "b", "c"], [-1, -1, 0], [-1, -1, 1], None, "3 words for a tree of 2 leaves"),
        (["a", "b"], [-1, -1, 0], [-1, -1, 1], [1, 2], r"labels of shape \(2,\) for a tree of 3 nodes"),
    ],
)
def test_what_is_no_tree_is_refused(words, left, right, label, message):
    with pytest.raises(TreesentError, match=message):
        Tree.from_structure(words, left, right, label)
