"""Settings of encoder-decoders."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import NonNegativeInt, PositiveInt

from treesent.config import Dropout, OneOf, section
from treesent.errors import RecipeError
from treesent.nn.cells import CELLS


@section
class EncoderDecoderConfig:
    """Settings of an encoder-decoder."""

    cell: Annotated[str, OneOf(CELLS)] = "lstm"
    """Of every layer, one of :data:`~treesent.nn.cells.CELLS`."""
    encoder_hidden: PositiveInt = 128
    """Width of the states of one direction of an encoder layer."""
    encoder_layers: PositiveInt = 1
    """How many lie above each other."""
    bidirectional: Literal["all", "first", "none"] = "all"
    """Which encoder layers read from both ends: ``all``, the ``first`` (Wu et al.) or ``none``."""
    reverse: bool = False
    """Without a layer that reads from both ends, read from the last word to the first (Sutskever et al.
    2014, section 3.3)."""
    hidden: PositiveInt = 256
    """Width of the states of a decoder layer."""
    decoder_layers: PositiveInt = 1
    """How many lie above each other."""
    residual: NonNegativeInt = 0
    """The first layer, counted from 1, whose input is added to its output, of encoder and decoder alike; 0
    for none. Wu et al. have 3."""
    attention: Literal["additive", "multiplicative", "none"] = "additive"
    """``additive``, ``multiplicative`` or ``none``."""
    attention_hidden: PositiveInt = 128
    """Width of the layer that additive attention compares in."""
    feed: bool = True
    """The first decoder layer reads the context of the step before (Bahdanau et al. 2015, eq. 4; Wu et al.,
    eq. 4; "input feeding" of Luong et al.)."""
    embedding: PositiveInt = 64
    """Width of the symbols' vectors."""
    copy: bool = True
    """A symbol that stands for the next word of the sentence has that word's vector, so that the decoder
    reads what it wrote; False to give it one vector for all words, as Vinyals et al. (2015,
    arXiv:1412.7449) do."""
    input_dropout: Dropout = 0.0
    """Dropout rate of the vectors."""
    layer_dropout: Dropout = 0.0
    """Dropout rate of the states between layers."""
    output_dropout: Dropout = 0.0
    """Dropout rate of the input of the softmax layer."""

    def __post_init__(self) -> None:
        least = 3 if self.bidirectional == "first" else 2
        if 0 < self.residual < least:
            raise RecipeError(
                f"residual is {self.residual}; must be 0 or at least {least}, because the layers below have "
                "other widths"
            )
        if self.reverse and self.bidirectional != "none":
            raise RecipeError(
                f"reverse is true, but bidirectional is {self.bidirectional!r}; set bidirectional = 'none' or "
                "remove reverse"
            )

    @property
    def directions(self) -> tuple[int, ...]:
        """Of each encoder layer."""
        every, first = (2 if self.bidirectional == name else 1 for name in ("all", "first"))
        return (max(every, first), *[every] * (self.encoder_layers - 1))
