"""The input of every classifier: vectors of words from a table, the states of a transformer, or both."""

from __future__ import annotations

from typing import Annotated, Literal

import torch
from torch import Tensor, nn

from treesent.config import OneOf, section
from treesent.errors import RecipeError
from treesent.nn.batch import ForestBatch
from treesent.nn.dropout import dropout
from treesent.nn.embedding import VectorEmbedding
from treesent.nn.transformer import Transformer

TRANSFORMER = "transformer"
"""The name of the encoder in a ``[model]`` block."""


@section
class InputConfig:
    """Settings of what a network reads of each word."""

    word_pieces: Literal["first", "mean"] = "first"
    """With a transformer: the state of a word is that of its first piece, or the mean over its pieces."""
    join_vectors: bool = True
    """With a transformer: read the static vector of each word beside its state. The table knows emoji and rare
    words that the transformer's pieces do not."""


class WordInput(nn.Module):
    """A network that reads words.

    Several networks may use one table of vectors or one transformer, so both are passed in.

    :param embedding: vectors of the words; may be set later.
    :param transformer: gives each word a state that depends on its sentence; None for static vectors alone.
    :param join: read both.
    :param rate: dropout rate of the input.
    """

    embedding: VectorEmbedding | None

    def __init__(
        self,
        embedding: VectorEmbedding | None,
        transformer: Transformer | None = None,
        join: bool = True,
        rate: float = 0.0,
    ) -> None:
        super().__init__()
        self.embedding, self.transformer = embedding, transformer
        self.join, self.input_dropout = join, rate

    def read_words(
        self, batch: ForestBatch, generator: torch.Generator | None
    ) -> tuple[Tensor, Tensor | None]:
        """Give the input at the words of a batch.

        :param batch: the trees.
        :param generator: source of the dropout masks in training.
        :returns: a row for each distinct word, *Shape:* ``(n_distinct, width)``, and the row of each word,
            *Shape:* ``(n_words,)``; with a transformer a row for each word, and None.
        :raises RecipeError: if no embedding is set.
        """
        if self.embedding is None:
            raise RecipeError("the classifier has no vectors; set its embedding to a VectorEmbedding")
        if self.transformer is None:
            vectors: Tensor = self.embedding(batch.distinct, batch.extra)
            return dropout(vectors, self.input_dropout, self.training, generator), batch.inverse
        if batch.pieces is None:
            raise RecipeError("the batch has no word pieces; make it with the pieces of its words")
        states: Tensor = self.transformer(batch.pieces, generator)
        if self.join:
            vectors = self.embedding(batch.distinct, batch.extra).index_select(0, batch.inverse)
            states = torch.cat([states, vectors.to(states.dtype)], 1)
        return dropout(states, self.input_dropout, self.training, generator), None


def input_width(config: InputConfig, width: int, transformer: Transformer | None) -> int:
    """Give the width of what a network reads of each word.

    :param config: of the network.
    :param width: of the static vectors.
    :param transformer: that of the network.
    """
    if transformer is None:
        return width
    return transformer.width + (width if config.join_vectors else 0)


def check_encoder(encoder: str, transformer: object | None) -> None:
    """Refuse a transformer that the ``[model]`` block does not ask for, and the other way round.

    :param encoder: the block's.
    :param transformer: what is given, or where it would come from.
    :raises RecipeError: if they disagree.
    """
    if encoder == TRANSFORMER and transformer is None:
        raise RecipeError(
            "model.encoder is 'transformer', but no transformer is given; add the section [transformer] with path, "
            "the folder of a model or its name on the Hugging Face hub"
        )
    if encoder != TRANSFORMER and transformer is not None:
        raise RecipeError(
            f"a transformer is given, but model.encoder is {encoder!r}; set it to 'transformer', or leave the "
            "section [transformer] out"
        )


RecurrentEncoder = Annotated[str, OneOf(("none", TRANSFORMER))]
