"""A corpus in the trees of a parser."""

import numpy as np
import pytest
import torch

from tests.toy_pipeline import toy_table
from treesent.data.batches import Corpus, EncodedCorpus
from treesent.errors import RecipeError
from treesent.models.classifier.reparse import reparsed
from treesent.models.parser.chart_parser import ChartParser, ParserConfig
from treesent.models.train import train
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


def test_reparsing_needs_a_parser(tmp_path):
    toy_table().save(tmp_path / "vectors")
    (tmp_path / "trees.txt").write_text("(3 (2 a) (3 good))\n", "utf-8")
    (tmp_path / "recipe.cfg").write_text(
        '[vectors]\n@misc = "treesent.VectorFile.v1"\npath = "vectors"\n'
        '[model]\n@architectures = "treesent.TreeLSTM.v1"\n'
        '[corpora]\ntrain = "trees.txt"\ndev = "trees.txt"\nreparse = true\n',
        "utf-8",
    )
    with pytest.raises(RecipeError, match="reparse is true, but there is no parser for these vectors"):
        train(tmp_path / "recipe.cfg", tmp_path / "m")
