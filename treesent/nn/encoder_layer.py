"""A layer of an encoder: cells over packed sentences, in one direction or both."""

from __future__ import annotations

import torch
from torch import Tensor

from treesent.models.classifier.recurrent import Layer
from treesent.nn.packed import Packed


class EncoderLayer(Layer):
    """A layer whose two directions stand side by side at each word."""

    def forward(self, below: Tensor, source: Packed, words: Tensor | None) -> Tensor:
        """Run over sentences.

        :param below: of every row, or vectors that rows share. *Shape:* (n_rows or n_vectors, width)
        :param source: the sentences.
        :param words: the vector that each row reads, None where each has its own. *Shape:* (n_rows,)
        :return: *Shape:* (n_rows, hidden, or twice as much)
        """
        states: Tensor = self.forth(below, source.steps, words)
        if self.back is None:
            return states
        if words is None:
            turned = self.back(below.index_select(0, source.mirror), source.steps)
        else:
            turned = self.back(below, source.steps, words.index_select(0, source.mirror))
        return torch.cat([states, turned.index_select(0, source.mirror)], 1)
