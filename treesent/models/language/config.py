"""Settings of language models."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, NonNegativeInt, PositiveInt

from treesent.config import Dropout, OneOf, section
from treesent.errors import RecipeError
from treesent.nn.cells import CELLS

Length = Annotated[
    Literal["end", "go_on", "count"],
    BeforeValidator(lambda value: value.replace("-", "_") if isinstance(value, str) else value),
]
LENGTHS: tuple[Length, ...] = ("end", "go_on", "count")
"""How a text ends, see :mod:`treesent.models.language.end_of_text`."""


@section
class LanguageModelConfig:
    """A language model's settings."""

    unit: Literal["character", "word"] = "character"
    """What it reads, ``character`` or ``word``, see :class:`~treesent.text.vocabulary.Vocabulary`."""
    lowercase: bool = False
    """Read texts in small letters."""
    least: PositiveInt = 1
    """How often a symbol of the vocabulary occurs in the texts to learn from."""
    most: NonNegativeInt = 0
    """Symbols of the vocabulary at most, the most frequent ones; 0 for all."""
    backward: bool = False
    """Read and predict each text from its end."""
    cell: Annotated[str, OneOf(CELLS)] = "lstm"
    """One of :data:`~treesent.nn.cells.CELLS`."""
    hidden: PositiveInt = 512
    """Width of the states."""
    layers: PositiveInt = 1
    """How many lie above each other."""
    residual: bool = False
    """Add the input of each layer but the first to its output."""
    embedding_width: PositiveInt = 128
    """Of the symbols' vectors; where the recipe has ``[vectors]``, theirs counts."""
    tied: bool = False
    """The vectors are the weights of the output layer too (Press and Wolf 2017; Inan et al. 2017); where
    the states are of another width, a linear layer stands between."""
    cutoffs: tuple[PositiveInt, ...] = ()
    """Where an adaptive softmax (Grave et al. 2017) cuts the vocabulary, from the most frequent symbol on:
    the first number is the size of its head, and numbers that the vocabulary does not reach are left out. Empty
    for a plain softmax."""
    orders: tuple[Annotated[int, Field(ge=1, le=1000)], ...] = ()
    """Of n-grams whose hashed vectors are added to the input, see
    :class:`~treesent.models.language.ngrams.NgramEmbedding`, and go to the output layer beside the states,
    as in the hash-based maximum entropy model of Mikolov et al. 2011. Empty for none."""
    ngram_bits: Annotated[int, Field(ge=1, le=24)] = 16
    """Rows of their tables, a power of two."""
    ngram_width: PositiveInt = 128
    """Of their vectors."""
    length: Length = "end"
    """How a text ends, see :mod:`treesent.models.language.end_of_text`: ``end``, ``go_on`` or ``count``."""
    output_recurrence: Annotated[int, Field(ge=0, le=1000)] = 0
    """How many last outputs the state comes from in place of the last state, see
    :mod:`treesent.models.language.output_recurrence`; needs the cell ``rnn``. 0 for the recurrence of the
    cell."""
    input_dropout: Dropout = 0.0
    """Dropout rate of the vectors of symbols."""
    recurrent_dropout: Dropout = 0.0
    """Dropout rate of the recurrent states: one mask for each lane, layer and window."""
    layer_dropout: Dropout = 0.0
    """Dropout rate of the states between layers."""
    output_dropout: Dropout = 0.0
    """Dropout rate of the states before the output layer."""

    def __post_init__(self) -> None:
        self._check_recurrence()
        for name in ("cutoffs", "orders"):
            numbers = getattr(self, name)
            if any(one >= other for one, other in pairwise(numbers)):
                raise RecipeError(f"{name} is {list(numbers)}; must be in ascending order")
        if self.tied and (self.cutoffs or self.orders):
            other = "cutoffs" if self.cutoffs else "orders"
            raise RecipeError(f"tied is true, and {other} is set too; remove one of them")

    def _check_recurrence(self) -> None:
        """Refuse settings that output recurrence cannot be combined with."""
        if not self.output_recurrence:
            return
        given = f"output_recurrence is {self.output_recurrence}"
        if self.cell != "rnn":
            raise RecipeError(f"{given}, but cell is {self.cell!r}; set cell = 'rnn'")
        if self.orders:
            raise RecipeError(f"{given}, which already reads the last outputs; remove orders")
        if self.recurrent_dropout:
            raise RecipeError(f"{given}, which has no recurrent state to drop; remove recurrent_dropout")
