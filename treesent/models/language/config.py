"""Settings of language models."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from treesent.errors import RecipeError
from treesent.nn.cells import check_cell
from treesent.nn.checks import at_least, shares

Length = Literal["end", "go_on", "count"]
LENGTHS: tuple[Length, ...] = ("end", "go_on", "count")
"""How a text ends, see :mod:`treesent.models.language.end_of_text`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LanguageModelConfig:
    """A language model's settings.

    :param unit: what it reads, ``character`` or ``word``, see :class:`~treesent.text.vocabulary.Vocabulary`.
    :param lowercase: read texts in small letters.
    :param least: how often a symbol of the vocabulary occurs in the texts to learn from.
    :param most: symbols of the vocabulary at most, the most frequent ones; 0 for all.
    :param backward: read and predict each text from its end.
    :param cell: one of :data:`~treesent.nn.cells.CELLS`.
    :param hidden: width of the states.
    :param layers: how many lie above each other.
    :param residual: add the input of each layer but the first to its output.
    :param embedding_width: of the symbols' vectors; where the recipe has ``[vectors]``, theirs counts.
    :param tied: the vectors are the weights of the output layer too (Press and Wolf 2017; Inan et al. 2017);
        where the states are of another width, a linear layer stands between.
    :param cutoffs: where an adaptive softmax (Grave et al. 2017) cuts the vocabulary, from the most frequent
        symbol on: the first number is the size of its head. Empty for a plain softmax.
    :param orders: of n-grams whose hashed vectors are added to the input, see
        :class:`~treesent.models.language.ngrams.NgramEmbedding`, and go to the output layer beside the states, as in the
        hash-based maximum entropy model of Mikolov et al. 2011. Empty for none.
    :param ngram_bits: rows of their tables, a power of two.
    :param ngram_width: of their vectors.
    :param length: how a text ends, see :mod:`treesent.models.language.end_of_text`: ``end``, ``go_on`` or ``count``.
    :param output_recurrence: how many last outputs the state comes from in place of the last state, see
        :mod:`treesent.models.language.output_recurrence`; needs the cell ``rnn``. 0 for the recurrence of the cell.
    :param input_dropout: share of the symbols' vectors that is dropped.
    :param recurrent_dropout: share of the states before that is dropped, one mask a lane, layer and window.
    :param layer_dropout: share of the states between layers that is dropped.
    :param output_dropout: share of the states that is dropped before the output layer.
    :raises RecipeError: a number or a name makes no sense.
    """

    unit: Literal["character", "word"] = "character"
    lowercase: bool = False
    least: int = 1
    most: int = 0
    backward: bool = False
    cell: str = "lstm"
    hidden: int = 512
    layers: int = 1
    residual: bool = False
    embedding_width: int = 128
    tied: bool = False
    cutoffs: tuple[int, ...] = ()
    orders: tuple[int, ...] = ()
    ngram_bits: int = 16
    ngram_width: int = 128
    length: Length = "end"
    output_recurrence: int = 0
    input_dropout: float = 0.0
    recurrent_dropout: float = 0.0
    layer_dropout: float = 0.0
    output_dropout: float = 0.0

    def __post_init__(self) -> None:
        at_least(self, 1, "least", "hidden", "layers", "embedding_width", "ngram_bits", "ngram_width")
        at_least(self, 0, "most", "output_recurrence")
        shares(self, "input_dropout", "recurrent_dropout", "layer_dropout", "output_dropout")
        check_cell(self.cell)
        if self.length not in LENGTHS:
            raise RecipeError(f"length is {self.length!r}; give one of {', '.join(map(repr, LENGTHS))}")
        self._check_recurrence()
        for name in ("cutoffs", "orders"):
            numbers = getattr(self, name)
            if min(numbers, default=1) < 1 or any(one >= other for one, other in pairwise(numbers)):
                raise RecipeError(f"{name} is {list(numbers)}; give numbers from 1 on, each above the last")
        if self.tied and (self.cutoffs or self.orders):
            other = "cutoffs" if self.cutoffs else "orders"
            raise RecipeError(f"tied is true, but {other} is given too; keep one of them")
        if self.ngram_bits > 24:
            raise RecipeError(f"ngram_bits is {self.ngram_bits}; give 24 or less")

    def _check_recurrence(self) -> None:
        """Refuse a recurrence from two places."""
        if not self.output_recurrence:
            return
        given = f"output_recurrence is {self.output_recurrence}"
        if self.cell != "rnn":
            raise RecipeError(f"{given}, which has no {self.cell!r}; set cell = 'rnn'")
        if self.orders:
            raise RecipeError(f"{given}, which sees the last outputs itself; leave orders out")
        if self.recurrent_dropout:
            raise RecipeError(f"{given}, which hands no state on to drop; leave recurrent_dropout out")
