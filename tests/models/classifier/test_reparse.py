"""Labels carried from the corpus's trees to a parser's."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.strategies import trees
from treesent.data.batches import Corpus, EncodedCorpus
from treesent.errors import DataError, RecipeError
from treesent.models.classifier.reparse import carry_labels, reparsed
from treesent.models.classifier.trainer import CLASSIFIERS
from treesent.models.parser.chart_parser import DistanceParser, ParserConfig
from treesent.models.registry import FAMILIES
from treesent.training.recipe import parse_recipe
from treesent.trees.brackets import parse_tree
from treesent.trees.structure import Structure
from treesent.trees.tree import Tree


def spans(structure, label):
    """Label of every span of every tree, the slow way."""
    found = {}
    for tree in range(structure.n_trees):
        for node in range(structure.offsets[tree], structure.offsets[tree + 1]):
            found[tree, int(structure.start[node]), int(structure.end[node])] = int(label[node])
    return found


@given(st.lists(trees(max_words=12), min_size=1, max_size=6), st.randoms(use_true_random=False))
def test_a_span_that_both_trees_have_keeps_its_label_and_no_other_has_one(members, random):
    corpus = Corpus.from_trees(members)
    lengths = corpus.structure.lengths
    distances = np.array([random.random() for _ in range(int((lengths - 1).sum()))])
    target = Structure.from_distances(distances, lengths)
    carried = carry_labels(corpus.structure, corpus.label, target)
    before = spans(corpus.structure, corpus.label)
    assert spans(target, carried) == {key: before.get(key, -1) for key in spans(target, carried)}
    roots = target.offsets[1:] - 1
    np.testing.assert_array_equal(carried[roots], corpus.label[corpus.roots])


@given(st.lists(trees(max_words=12), min_size=1, max_size=6))
def test_the_same_trees_keep_every_label(members):
    corpus = Corpus.from_trees(members)
    np.testing.assert_array_equal(
        carry_labels(corpus.structure, corpus.label, corpus.structure), corpus.label
    )


def test_other_sentences_are_refused():
    one, two = (Structure.from_trees([Tree.right_branching(["a"] * n)]) for n in (2, 3))
    with pytest.raises(DataError, match="same sentences"):
        carry_labels(one, np.zeros(3, np.int64), two)


def test_a_reparsed_corpus_has_the_parsers_trees():
    corpus = Corpus.from_trees([parse_tree("(3 (2 (2 a) (3 fine)) (2 film))"), parse_tree("(1 dull)")])
    encoded = EncodedCorpus(corpus.structure, np.array([0, 1, 2, 3]), corpus.label)
    matrix = np.random.default_rng(0).normal(size=(4, 6)).astype(np.float32)
    parser = DistanceParser(ParserConfig(hidden=4, layers=1), 6, torch.Generator().manual_seed(0))
    again = reparsed(encoded, matrix, parser)
    expected = parser.parse(torch.from_numpy(matrix), torch.arange(4), [3, 1])
    np.testing.assert_array_equal(again.structure.left, expected.left)
    np.testing.assert_array_equal(again.label[again.structure.offsets[1:] - 1], [3, 1])
    both = encoded + again
    assert len(both) == 4
    np.testing.assert_array_equal(both.label[:6], encoded.label)


def test_reparsing_needs_a_parser():
    recipe = (
        '[model]\n@architectures = "treesent.TreeLSTM.v1"\n[corpora]\ntrain = "a"\ndev = "b"\nreparse = true'
    )
    read = parse_recipe(recipe, FAMILIES, find=False)
    with pytest.raises(RecipeError, match=r"reparse is true, but the section \[parser\] is missing"):
        CLASSIFIERS.task(read, torch.device("cpu"))
