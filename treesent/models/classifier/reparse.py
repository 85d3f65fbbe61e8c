"""A corpus in the trees that users will get: those of the pipeline's own parser, with the corpus's labels."""

from typing import TYPE_CHECKING

import numpy as np

from treesent.data.batches import EncodedCorpus
from treesent.trees.labels import carry_labels
from treesent.types import Float32

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
    label = carry_labels(corpus.structure, corpus.label, structure)
    return EncodedCorpus(structure, corpus.rows, label, words=corpus.words)
