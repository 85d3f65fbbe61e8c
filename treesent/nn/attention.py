r"""Attention of a decoder over the words of a sentence.

Of each word there is a value :math:`h_j`, the encoder's state. A query :math:`q`, the decoder's state, gives
it a score; the softmax of the scores over the words of the sentence are the weights :math:`a_j`, and the
context is :math:`\sum_j a_j h_j`. What of a score depends on the word alone, its key, is computed once for a
sentence. Classifiers pool with one learned query instead, see :class:`~treesent.nn.pooling.AttentionPool`.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from treesent.nn.levels import weight_block


class Memory(NamedTuple):
    """What a decoder may attend to.

    :param keys: *Shape:* (batch, n_words, hidden)
    :param values: *Shape:* (batch, n_words, width)
    :param present: whether there is a word, not padding. *Shape:* (batch, n_words)
    """

    keys: Tensor
    values: Tensor
    present: Tensor

    def first(self, n: int) -> Memory:
        """Keep the first sentences.

        :param n: how many.
        """
        return Memory(self.keys[:n], self.values[:n], self.present[:n])

    def select(self, sentences: Tensor) -> Memory:
        """Take sentences, in the order given.

        :param sentences: *Shape:* (n,)
        """
        return Memory(*(part.index_select(0, sentences) for part in self))


class Attention(nn.Module):
    """Weights and contexts from scores; a subclass says what a score is."""

    def keys(self, values: Tensor) -> Tensor:
        """Give what the scores of words depend on.

        :param values: *Shape:* (..., width)
        :return: *Shape:* (..., hidden)
        """
        raise NotImplementedError

    def scores(self, query: Tensor, keys: Tensor) -> Tensor:
        """Score every word for every query.

        :param query: *Shape:* (batch, n_queries, query)
        :param keys: *Shape:* (batch, n_words, hidden)
        :return: *Shape:* (batch, n_queries, n_words)
        """
        raise NotImplementedError

    def memory(self, values: Tensor, present: Tensor) -> Memory:
        """Prepare sentences; each needs at least one word.

        :param values: *Shape:* (batch, n_words, width)
        :param present: whether there is a word, not padding. *Shape:* (batch, n_words)
        """
        return Memory(self.keys(values), values, present)

    def forward(self, query: Tensor, memory: Memory) -> tuple[Tensor, Tensor]:
        """Attend.

        :param query: *Shape:* (batch, n_queries, query)
        :param memory: what :meth:`memory` gives.
        :return: the contexts, *Shape:* (batch, n_queries, width); the weights, which sum to one over the
            words of a sentence and are zero on padding, *Shape:* (batch, n_queries, n_words)
        """
        scores = self.scores(query, memory.keys).float()
        weights = torch.softmax(scores.masked_fill(~memory.present[:, None], -torch.inf), 2)
        return torch.bmm(weights.to(memory.values.dtype), memory.values), weights


class AdditiveAttention(Attention):
    r"""Additive attention (Bahdanau et al. 2015, arXiv:1409.0473, appendix A.1.2).

    .. math:: e_j = v^\top \tanh(W q + U h_j)

    :param query: width of the queries.
    :param width: of the values.
    :param hidden: of the layer that compares them.
    :param generator: where the first weights come from.
    """

    def __init__(self, query: int, width: int, hidden: int, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.query = nn.Parameter(weight_block(hidden, [query], generator))
        self.key = nn.Parameter(weight_block(hidden, [width], generator))
        self.vector = nn.Parameter(weight_block(1, [hidden], generator)[0])

    def keys(self, values: Tensor) -> Tensor:
        """See :meth:`Attention.keys`."""
        return functional.linear(values, self.key)

    def scores(self, query: Tensor, keys: Tensor) -> Tensor:
        """See :meth:`Attention.scores`."""
        asked = functional.linear(query, self.query)
        return torch.tanh(asked[:, :, None] + keys[:, None]) @ self.vector


class MultiplicativeAttention(Attention):
    r"""Multiplicative attention, "general" (Luong et al. 2015, arXiv:1508.04025, eq. 8).

    .. math:: e_j = q^\top W h_j

    :param query: width of the queries, and of the keys.
    :param width: of the values.
    :param generator: where the first weights come from.
    """

    def __init__(self, query: int, width: int, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.key = nn.Parameter(weight_block(query, [width], generator))

    def keys(self, values: Tensor) -> Tensor:
        """See :meth:`Attention.keys`."""
        return functional.linear(values, self.key)

    def scores(self, query: Tensor, keys: Tensor) -> Tensor:
        """See :meth:`Attention.scores`."""
        return torch.bmm(query, keys.transpose(1, 2))
