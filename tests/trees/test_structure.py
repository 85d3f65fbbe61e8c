import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.strategies import forests, gaps, lengths, structures
from treesent.errors import TreesentError
from treesent.trees.structure import Structure


def heights_one_by_one(left, right):
    heights = []
    for first, second in zip(left, right, strict=True):
        heights.append(0 if first < 0 else 1 + max(heights[first], heights[second]))
    return heights


def split_one_by_one(distances, start, end):
    """Shen et al. 2018, algorithm 2, as written: the spans in post-order."""
    if end - start == 1:
        return [(start, end)]
    middle = start + int(np.argmax(distances[start : end - 1])) + 1
    return [
        *split_one_by_one(distances, start, middle),
        *split_one_by_one(distances, middle, end),
        (start, end),
    ]


@given(structures())
def test_heights_are_those_of_the_recursion(structure):
    height = structure.height()
    for tree in range(structure.n_trees):
        left, right, _, _ = structure.arrays(tree)
        nodes = slice(structure.offsets[tree], structure.offsets[tree + 1])
        assert height[nodes].tolist() == heights_one_by_one(left, right)


@given(lengths(), st.data(), st.booleans())
def test_a_batch_splits_as_one_sentence_after_the_other(sizes, data, ties):
    distances = data.draw(gaps(sizes, ties))
    structure = Structure.from_distances(distances, sizes)
    assert np.array_equal(structure.lengths, sizes)
    for tree, part in enumerate(np.split(distances, np.cumsum(sizes - 1)[:-1])):
        _, _, start, end = structure.arrays(tree)
        spans = list(zip(start.tolist(), end.tolist(), strict=True))
        assert spans == split_one_by_one(part, 0, int(sizes[tree]))


@given(structures())
def test_trees_to_distances_to_trees_is_the_identity(structure):
    assert Structure.from_distances(structure.distances(), structure.lengths) == structure


@given(lengths(), st.data())
def test_distances_to_tree_to_distances_keeps_order(sizes, data):
    """Where one gap splits above another, it was and is the larger of the two."""
    distances = data.draw(gaps(sizes, ties=False))
    again = Structure.from_distances(distances, sizes).distances()
    for before, after in zip(
        np.split(distances, np.cumsum(sizes - 1)[:-1]),
        np.split(again, np.cumsum(sizes - 1)[:-1]),
        strict=True,
    ):
        for first in range(len(before)):
            for last in range(first + 1, len(before)):
                top = first + int(np.argmax(before[first : last + 1]))
                others = np.delete(after[first : last + 1], top - first)
                assert (after[top] > others).all()


@given(forests())
def test_trees_joined_come_apart_again(trees):
    structure = Structure.from_trees(trees)
    assert structure.n_words == sum(tree.n_words for tree in trees)
    for index, tree in enumerate(trees):
        for ours, theirs in zip(
            structure.arrays(index), (tree.left, tree.right, tree.start, tree.end), strict=True
        ):
            assert np.array_equal(ours, theirs)


@given(structures(), structures(), st.data())
def test_take_undoes_concatenate(first, second, data):
    both = Structure.concatenate([first, second])
    assert both.take(range(first.n_trees)) == first
    assert both.take(range(first.n_trees, both.n_trees)) == second
    order = data.draw(st.permutations(range(both.n_trees)))
    assert both.take(order).take(np.argsort(order)) == both


@given(lengths())
def test_right_branching_is_what_falling_distances_give(sizes):
    falling = np.concatenate([-np.arange(n - 1.0) for n in sizes])
    assert Structure.right_branching(sizes) == Structure.from_distances(falling, sizes)


def test_no_sentences_are_no_trees():
    none = Structure.concatenate([])
    assert (none.n_trees, none.n_nodes, none.n_words) == (0, 0, 0)
    assert none == Structure.from_trees([]) == Structure.from_distances([], []) == none.take([])
    assert none.height().shape == none.distances().shape == (0,)


@pytest.mark.parametrize(
    ("distances", "sizes", "message"),
    [
        ([1.0, 2.0], [2], r"distances of shape \(2,\) for 2 words in 1 sentences.*\(1,\)"),
        ([], [2, 1], r"there must be one less than the words in every sentence, \(1,\)"),
        ([], [0], "at least one word"),
        ([1.0, np.nan], [3], "distance 1 is nan"),
        ([np.inf], [2], "distance 0 is inf"),
    ],
)
def test_bad_distances_are_refused(distances, sizes, message):
    with pytest.raises(TreesentError, match=message):
        Structure.from_distances(distances, sizes)


@pytest.mark.parametrize("shape", ["left", "right", "zigzag", "equal"])
def test_a_chain_of_ten_thousand_words(shape):
    n_words = 10_000
    rising = np.arange(n_words - 1.0)
    zigzag = np.minimum(rising, rising[::-1]) * -1
    distances = {"left": rising, "right": -rising, "zigzag": zigzag, "equal": 0 * rising}[shape]
    structure = Structure.from_distances(distances, [n_words])
    left, right, start, end = structure.arrays(0)
    assert structure.height().tolist() == heights_one_by_one(left, right)
    word = np.arange(1, n_words)
    first, last = {
        "left": (0 * word, word + 1),
        "right": (word - 1, 0 * word + n_words),
        "equal": (word - 1, 0 * word + n_words),
        "zigzag": zigzag_spans(n_words),
    }[shape]
    inner = end - start > 1
    assert sorted(zip(start[inner], end[inner], strict=True)) == sorted(zip(first, last, strict=True))


def zigzag_spans(n_words):
    """The spans when the outermost gaps split first, the left one of two that are equal."""
    low, high, spans = 0, n_words, []
    while high - low > 1:
        spans.append((low, high))
        low, high = (low + 1, high) if len(spans) % 2 else (low, high - 1)
    return zip(*spans, strict=True)
