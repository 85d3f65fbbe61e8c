"""Settings of encoder-decoders."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from treesent.errors import RecipeError
from treesent.nn.cells import check_cell
from treesent.nn.checks import at_least, shares


@dataclass(frozen=True, slots=True, kw_only=True)
class EncoderDecoderConfig:
    """Settings of an encoder-decoder.

    :param cell: of every layer, one of :data:`~treesent.nn.cells.CELLS`.
    :param encoder_hidden: width of the states of one direction of an encoder layer.
    :param encoder_layers: how many lie above each other.
    :param bidirectional: which encoder layers read from both ends: ``all``, the ``first`` (Wu et al.) or
        ``none``.
    :param reverse: without a layer that reads from both ends, read from the last word to the first
        (Sutskever et al. 2014, section 3.3).
    :param hidden: width of the states of a decoder layer.
    :param decoder_layers: how many lie above each other.
    :param residual: the first layer, counted from 1, whose input is added to its output, of encoder and
        decoder alike; 0 for none. Wu et al. have 3.
    :param attention: ``additive``, ``multiplicative`` or ``none``.
    :param attention_hidden: width of the layer that additive attention compares in.
    :param feed: the first decoder layer reads the context of the step before (Bahdanau et al. 2015, eq. 4;
        Wu et al., eq. 4; "input feeding" of Luong et al.).
    :param embedding: width of the symbols' vectors.
    :param copy: a symbol that stands for the next word of the sentence has that word's vector, so that the
        decoder reads what it wrote; False to give it one vector for all words, as Vinyals et al. (2015,
        arXiv:1412.7449) do.
    :param input_dropout: share of the vectors that is dropped.
    :param layer_dropout: share of the states between layers that is dropped.
    :param output_dropout: share of what the softmax layer sees that is dropped.
    :raises RecipeError: a width, a rate or a name makes no sense, or widths do not allow residuals.
    """

    cell: str = "lstm"
    encoder_hidden: int = 128
    encoder_layers: int = 1
    bidirectional: Literal["all", "first", "none"] = "all"
    reverse: bool = False
    hidden: int = 256
    decoder_layers: int = 1
    residual: int = 0
    attention: Literal["additive", "multiplicative", "none"] = "additive"
    attention_hidden: int = 128
    feed: bool = True
    embedding: int = 64
    copy: bool = True
    input_dropout: float = 0.0
    layer_dropout: float = 0.0
    output_dropout: float = 0.0

    def __post_init__(self) -> None:
        at_least(self, 1, "encoder_hidden", "encoder_layers", "hidden", "decoder_layers")
        at_least(self, 1, "attention_hidden", "embedding")
        at_least(self, 0, "residual")
        check_cell(self.cell)
        least = 3 if self.bidirectional == "first" else 2
        if 0 < self.residual < least:
            raise RecipeError(
                f"residual is {self.residual}, but the layer below the second is of another width; give 0 "
                f"or at least {least}"
            )
        if self.reverse and self.bidirectional != "none":
            raise RecipeError('reverse is true; set bidirectional = "none", or read in both directions')
        shares(self, "input_dropout", "layer_dropout", "output_dropout")

    @property
    def directions(self) -> tuple[int, ...]:
        """Of each encoder layer."""
        every, first = (2 if self.bidirectional == name else 1 for name in ("all", "first"))
        return (max(every, first), *[every] * (self.encoder_layers - 1))
