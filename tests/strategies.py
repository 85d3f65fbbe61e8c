"""Hypothesis strategies for trees, shared by all tests."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from treesent.trees.structure import Structure
from treesent.trees.tree import Tree

WORDS = st.text(
    st.characters(exclude_categories=["Cs", "Cc", "Zs", "Zl", "Zp"], exclude_characters="()"),
    min_size=1,
    max_size=8,
)
"""Words as they may stand in brackets."""


def right_branching(words):
    """The tree in which every word is combined with all that follow."""
    return Tree.from_batch(Structure.right_branching([len(words)]), 0, words)


@st.composite
def lengths(draw, max_trees=6, max_words=20):
    """Words per sentence of a batch."""
    return np.array(draw(st.lists(st.integers(1, max_words), min_size=1, max_size=max_trees)), np.int64)


@st.composite
def gaps(draw, sizes, ties=True):
    """Distances for a batch; few different values where ties are wanted, so that they are common."""
    n_gaps = int(sizes.sum()) - len(sizes)
    if ties:
        return np.array(draw(st.lists(st.integers(0, 5), min_size=n_gaps, max_size=n_gaps)), np.float32)
    return np.array(draw(st.permutations(range(n_gaps))), np.float32)


@st.composite
def structures(draw, max_trees=6, max_words=20):
    """Batches of trees of every shape."""
    sizes = draw(lengths(max_trees, max_words))
    return Structure.from_distances(draw(gaps(sizes)), sizes)


@st.composite
def trees(draw, max_words=20, n_classes=5, words=WORDS, unlabelled=True):
    """Trees of every shape, with any words and labels."""
    n_words = draw(st.integers(1, max_words))
    structure = Structure.from_distances(draw(gaps(np.array([n_words]))), [n_words])
    text = draw(st.lists(words, min_size=n_words, max_size=n_words))
    classes = st.integers(-1 if unlabelled else 0, n_classes - 1)
    size = structure.n_nodes
    return Tree.from_batch(structure, 0, text, draw(st.lists(classes, min_size=size, max_size=size)))


@st.composite
def forests(draw, max_trees=6, max_words=20, n_classes=5, words=WORDS, unlabelled=True):
    """Lists of trees."""
    one = trees(max_words, n_classes, words, unlabelled)
    return draw(st.lists(one, min_size=1, max_size=max_trees))


@st.composite
def heads(draw, max_words=15):
    """The heads of one sentence, arcs crossing or not: one root, its own head, and no cycle."""
    n_words = draw(st.integers(1, max_words))
    order = draw(st.permutations(range(n_words)))
    head = np.zeros(n_words, np.int64)
    head[order[0]] = order[0]
    for position in range(1, n_words):
        head[order[position]] = order[draw(st.integers(0, position - 1))]
    return head


@st.composite
def projective_heads(draw, max_words=15):
    """The heads of one sentence whose arcs do not cross: the heads of a random binary tree's nodes."""
    n_words = draw(st.integers(1, max_words))
    structure = Structure.from_distances(draw(gaps(np.array([n_words]))), [n_words])
    takes_left = draw(st.lists(st.booleans(), min_size=structure.n_nodes, max_size=structure.n_nodes))
    lexical = np.zeros(structure.n_nodes, np.int64)
    head = np.arange(n_words)
    for node in range(structure.n_nodes):
        left, right = structure.left[node], structure.right[node]
        if left < 0:
            lexical[node] = structure.start[node]
        else:
            winner, loser = (left, right) if takes_left[node] else (right, left)
            lexical[node] = lexical[winner]
            head[lexical[loser]] = lexical[winner]
    return head
