"""A corpus in the trees of a parser."""

import numpy as np
import pytest
import torch

from treesent.data.batches import Corpus, EncodedCorpus
from treesent.errors import RecipeError
from treesent.models.classifier.reparse import reparsed
from treesent.models.classifier.trainer import CLASSIFIERS
from treesent.models.parser.chart_parser import ChartParser, ParserConfig
from treesent.models.registry import FAMILIES
from treesent.training.recipe import parse_recipe
from treesent.trees.brackets import parse_tree


def test_a_reparsed_corpus_has_the_parsers_trees():
    corpus = Corpus.from_trees([parse_tree("(3 (2 (2 a) (3 fine)) (2 film))"), parse_tree("(1 dull)")])
    encoded = EncodedCorpus(corpus.structure, np.array([0, 1, 2, 3]), corpus.label)
    matrix = np.random.default_rng(0).normal(size=(4, 6)).astype(np.float32)
    parser = ChartParser(ParserConfig(hidden=4, layers=1), 6, torch.Generator().manual_seed(0))
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
