"""The vectors a run needs: those of the words in its corpora, in float32, ready to be tuned."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from treesent.data.batches import Corpus, EncodedCorpus
from treesent.text.rows import lookup
from treesent.types import Float32, Int64
from treesent.vectors.table import VectorTable


@dataclass(frozen=True, slots=True, eq=False)
class WorkingVectors:
    """The rows of a table that corpora use, and vectors of the words it lacks.

    :param table: the table they are from.
    :param used: their rows in the table. *Shape:* ``(n_known,)``.
    :param matrix: the table's rows, then those of unknown words. *Shape:* ``(n_known + n_extra, width)``.
    :param new_words: the unknown words of the first corpus, in the order of their vectors.
    """

    table: VectorTable
    used: Int64
    matrix: Float32
    new_words: list[str]

    def tuned(self, matrix: Float32) -> VectorTable:
        """Give the table with vectors that were trained, the unknown words of the first corpus added.

        The table keeps its precision.

        :param matrix: *Shape:* as ``matrix``.
        """
        n_known, n_new = len(self.used), len(self.new_words)
        rows = self.table.dense().copy()
        rows[self.used] = matrix[:n_known]
        rows = np.concatenate([rows, matrix[n_known : n_known + n_new]])
        table = VectorTable([*self.table.words, *self.new_words], rows, subwords=self.table.subwords)
        if self.table.matrix.dtype == np.float16:
            return table.half()
        return table.quantise() if self.table.matrix.dtype == np.int8 else table


def working_vectors(
    table: VectorTable, corpora: Sequence[Corpus]
) -> tuple[WorkingVectors, list[EncodedCorpus]]:
    """Collect the vectors of corpora, and express their words as rows among them.

    :param table: all vectors.
    :param corpora: the one to train on first.
    """
    words = [word for corpus in corpora for word in corpus.words]
    found = lookup(table, words)
    distinct, rows = np.unique(found.rows, return_inverse=True)
    used = distinct[distinct < len(table)]
    matrix = np.concatenate([table.dense(used), found.extra]).astype(np.float32)
    unknown = np.flatnonzero(found.unknown[: len(corpora[0].words)]).tolist()
    new_words = list(dict.fromkeys(table.normalise(words[place]) for place in unknown))
    ends = np.cumsum([len(corpus.words) for corpus in corpora])
    parts = np.split(rows, ends[:-1])
    encoded = [
        EncodedCorpus(c.structure, r, c.label, c.documents) for c, r in zip(corpora, parts, strict=True)
    ]
    return WorkingVectors(table, used, matrix, new_words), encoded
