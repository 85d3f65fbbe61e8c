"""Texts by how probable a language model finds them, or endings by how well they follow a beginning."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from treesent.errors import DataError

if TYPE_CHECKING:
    from treesent.models.language.model import LanguageModel

By = Literal["log_prob", "perplexity"]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A text to rank.

    :param line: where it stands, counted from 1.
    :param text: as it stands there.
    """

    line: int
    text: str


@dataclass(frozen=True, slots=True)
class Ranked:
    """A text in its place.

    :param rank: from 1, the most probable first.
    :param line: where the text stands, counted from 1.
    :param log_prob: natural logarithm of its probability, its end included; given the beginning where there
        is one.
    :param perplexity: per symbol, the end counted as one.
    :param symbols: characters or words, without the end.
    :param unknown: how many of them the model does not know.
    :param text: as it stands there.
    """

    rank: int
    line: int
    log_prob: float
    perplexity: float
    symbols: int
    unknown: int
    text: str


def rank(
    model: LanguageModel,
    texts: Iterable[str | Candidate],
    *,
    prefix: str | None = None,
    by: By = "log_prob",
    batch_size: int = 64,
) -> list[Ranked]:
    """Rank texts. None is left out, an empty one neither; equal ones keep their order.

    :param model: a language model, in evaluation mode, on the device to use.
    :param texts: them; a plain text's line is its number.
    :param prefix: what stands before each of them and is given. Characters follow it as they are, so that a
        space must be part of the one or the other; words are separate.
    :param by: the logarithm of the whole probability, which falls with every symbol, or the perplexity, which
        is per symbol.
    :param batch_size: texts scored together.
    :raises DataError: there is no text, or the prefix has a symbol that the model does not know.
    """
    from treesent.models.language.inference import encode_known
    from treesent.models.language.text_losses import ending_log_probs
    from treesent.text.vocabulary import UNK

    candidates = [Candidate(i, each) if isinstance(each, str) else each for i, each in enumerate(texts, 1)]
    if not candidates:
        raise DataError("there is no text to rank; give one a line")
    if prefix and model.config.backward:
        raise DataError(
            "the model reads from right to left, and so knows no text by its prefix; take one that reads "
            "forward (model.backward = false)"
        )
    encoded = [model.vocabulary.encode(candidate.text) for candidate in candidates]
    given = None if not prefix else encode_known(model, prefix, "the prefix")
    read = [symbols[::-1] for symbols in encoded] if model.config.backward else encoded
    log_probs = ending_log_probs(model, read, given, batch_size).tolist()
    rows = [
        Ranked(
            0,
            candidate.line,
            log_prob,
            math.exp(min(-log_prob / (len(symbols) + 1), 700.0)),
            len(symbols),
            int((symbols == UNK).sum()),
            candidate.text,
        )
        for candidate, symbols, log_prob in zip(candidates, encoded, log_probs, strict=True)
    ]
    rows.sort(key=lambda row: -row.log_prob if by == "log_prob" else row.perplexity)
    return [
        Ranked(place, row.line, row.log_prob, row.perplexity, row.symbols, row.unknown, row.text)
        for place, row in enumerate(rows, 1)
    ]
