r"""Attention of a decoder over the words of a sentence.

Each word has a value :math:`h_j`, the encoder's state. A query :math:`q`, the decoder's state, gives each word
a score :math:`e_j`. The softmax of the scores over the words of the sentence gives the weights :math:`a_j`, and
the context is :math:`\sum_j a_j h_j`. The key of a word, which is the part of a score that depends on the word
alone, is computed once per sentence. Classifiers pool with one learned query instead, see
:class:`~treesent.nn.pooling.AttentionPool`.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from treesent.nn.initial import glorot_blocks
from treesent.nn.precision import at_least_float32


class Memory(NamedTuple):
    """The words that a decoder attends to.

    :param keys: *Shape:* ``(batch, n_words, hidden)``
    :param values: *Shape:* ``(batch, n_words, width)``
    :param present: False at padding. *Shape:* ``(batch, n_words)``
    """

    keys: Tensor
    values: Tensor
    present: Tensor

    def first(self, n: int) -> Memory:
        """Keep the first sentences.

        :param n: number of sentences.
        """
        return Memory(self.keys[:n], self.values[:n], self.present[:n])

    def select(self, sentences: Tensor) -> Memory:
        """Select sentences, in the given order.

        :param sentences: *Shape:* ``(n,)``
        """
        return Memory(*(part.index_select(0, sentences) for part in self))


class Attention(nn.Module):
    """Weights and contexts from scores; a subclass defines the score."""

    def keys(self, values: Tensor) -> Tensor:
        """Compute the keys of words.

        :param values: *Shape:* ``(..., width)``
        :returns: *Shape:* ``(..., hidden)``
        """
        raise NotImplementedError

    def scores(self, query: Tensor, keys: Tensor) -> Tensor:
        """Score every word for every query.

        :param query: *Shape:* ``(batch, n_queries, query)``
        :param keys: *Shape:* ``(batch, n_words, hidden)``
        :returns: *Shape:* ``(batch, n_queries, n_words)``
        """
        raise NotImplementedError

    def memory(self, values: Tensor, present: Tensor) -> Memory:
        """Prepare sentences; each needs at least one word.

        :param values: *Shape:* ``(batch, n_words, width)``
        :param present: False at padding. *Shape:* ``(batch, n_words)``
        """
        return Memory(self.keys(values), values, present)

    def forward(self, query: Tensor, memory: Memory) -> tuple[Tensor, Tensor]:
        """Attend.

        :param query: *Shape:* ``(batch, n_queries, query)``
        :param memory: the result of :meth:`memory`.
        :returns: the contexts, *Shape:* ``(batch, n_queries, width)``; and the weights, at least in float32, which
            sum to one over the words of a sentence and are zero at padding, *Shape:* ``(batch, n_queries, n_words)``
        """
        scores = at_least_float32(self.scores(query, memory.keys))
        weights = torch.softmax(scores.masked_fill(~memory.present[:, None], -torch.inf), 2)
        return torch.bmm(weights.to(memory.values.dtype), memory.values), weights


class AdditiveAttention(Attention):
    r"""Additive attention (Bahdanau et al. 2015, arXiv:1409.0473, appendix A.1.2).

    .. math:: e_j = v^\top \tanh(W q + U h_j)

    :param query: width of the queries.
    :param width: of the values.
    :param hidden: of the scoring layer.
    :param generator: source of the initial weights.
    """

    def __init__(self, query: int, width: int, hidden: int, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.query = nn.Parameter(glorot_blocks(hidden, [query], generator))
        self.key = nn.Parameter(glorot_blocks(hidden, [width], generator))
        self.vector = nn.Parameter(glorot_blocks(1, [hidden], generator)[0])

    def keys(self, values: Tensor) -> Tensor:
        """See :meth:`Attention.keys`."""
        return functional.linear(values, self.key)

    def scores(self, query: Tensor, keys: Tensor) -> Tensor:
        """See :meth:`Attention.scores`."""
        projected = functional.linear(query, self.query)
        return torch.tanh(projected[:, :, None] + keys[:, None]) @ self.vector


class MultiplicativeAttention(Attention):
    r"""Multiplicative attention, "general" (Luong et al. 2015, arXiv:1508.04025, eq. 8).

    .. math:: e_j = q^\top W h_j

    :param query: width of the queries, and of the keys.
    :param width: of the values.
    :param generator: source of the initial weights.
    """

    def __init__(self, query: int, width: int, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.key = nn.Parameter(glorot_blocks(query, [width], generator))

    def keys(self, values: Tensor) -> Tensor:
        """See :meth:`Attention.keys`."""
        return functional.linear(values, self.key)

    def scores(self, query: Tensor, keys: Tensor) -> Tensor:
        """See :meth:`Attention.scores`."""
        return torch.bmm(query, keys.transpose(1, 2))
