"""A corpus in the trees that users will get: those of the pipeline's own parser, with the corpus's labels."""

from typing import TYPE_CHECKING

import numpy as np

from treesent.data.batches import EncodedCorpus
from treesent.errors import DataError
from treesent.trees.structure import Structure
from treesent.types import Float32, Int64

if TYPE_CHECKING:
    from treesent.models.parser.kinds import Parser


def reparsed(corpus: EncodedCorpus, matrix: Float32, parser: "Parser") -> EncodedCorpus:
    """Parse a corpus's sentences; a constituent that its own trees have too keeps its label.

    :param corpus: any.
    :param matrix: the vectors that its rows are rows of. *Shape:* ``(n_rows, width)``.
    :param parser: reads these vectors.
    :returns: the same sentences in the parser's trees; other constituents have no label.
    """
    import torch

    distinct, inverse = np.unique(corpus.rows, return_inverse=True)
    vectors = torch.from_numpy(matrix[distinct])
    structure = parser.parse(vectors, torch.from_numpy(inverse), corpus.structure.lengths)
    return EncodedCorpus(structure, corpus.rows, carry_labels(corpus.structure, corpus.label, structure))


def carry_labels(source: Structure, label: Int64, target: Structure) -> Int64:
    """Lay the labels of trees on other trees over the same words.

    :param source: the trees with labels.
    :param label: -1 where there is none. *Shape:* ``(n_nodes,)``.
    :param target: other trees.
    :returns: the label of the node with the same span, -1 where there is none. *Shape:* ``(n_nodes,)``.
    :raises DataError: the trees are over different words.
    """
    if not np.array_equal(source.lengths, target.lengths):
        raise DataError("labels can be laid on trees over the same sentences only; keep their order")
    width = int(source.lengths.max(initial=0)) + 1
    here, there = _spans(source, width), _spans(target, width)
    order = np.argsort(here)
    place = np.searchsorted(here[order], there).clip(max=len(here) - 1)
    found = order[place]
    return np.where(here[found] == there, label[found], -1)


def _spans(trees: Structure, width: int) -> Int64:
    """A number for each node that names its tree and its span; every span of a tree is there once."""
    tree = np.repeat(np.arange(trees.n_trees, dtype=np.int64), np.diff(trees.offsets))
    return (tree * width + trees.start) * width + trees.end
