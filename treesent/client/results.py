"""What a server answers, as typed values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from treesent.errors import ServerError


@dataclass(frozen=True, slots=True)
class Phrase:
    """A constituent of a sentence.

    :param text: its text.
    :param start: the character of the text at which it begins.
    :param end: the character after its last.
    :param start_token: its first token.
    :param end_token: the token after its last.
    :param label: its class.
    :param polarity: from -1 to 1; None if the classes have no values.
    :param confidence: the probability of the label, less where words are unknown.
    :param probs: the probability of each class.
    :param left: the place of its left child among the sentence's phrases; None at a word.
    :param right: the place of its right child.
    """

    text: str
    start: int
    end: int
    start_token: int
    end_token: int
    label: str
    polarity: float | None
    confidence: float
    probs: Mapping[str, float]
    left: int | None = None
    right: int | None = None

    @classmethod
    def of(cls, values: Mapping[str, Any], labels: Sequence[str], text: str) -> Self:
        """Read what the server wrote."""
        numbers = {name: values[name] for name in _NUMBERS}
        return cls(
            text,
            **numbers,
            probs=_named(labels, values["probs"]),
            left=values.get("left"),
            right=values.get("right"),
        )


_NUMBERS = ("start", "end", "start_token", "end_token", "label", "polarity", "confidence")


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence.

    :param whole: the sentence as a phrase.
    :param unknown: the fraction of unknown words.
    :param phrases: its constituents, children before parents, itself last; none unless ``nodes="all"``.
    """

    whole: Phrase
    unknown: float
    phrases: tuple[Phrase, ...] = ()

    @classmethod
    def of(cls, values: Mapping[str, Any], labels: Sequence[str], text: str) -> Self:
        """Read what the server wrote."""
        phrases = tuple(
            Phrase.of(phrase, labels, text[phrase["start"] : phrase["end"]])
            for phrase in values.get("phrases", ())
        )
        return cls(Phrase.of(values, labels, values["text"]), values["unknown"], phrases)


@dataclass(frozen=True, slots=True)
class Score:
    """What the server says of a text; a text without words has None for everything but the text.

    :param text: the text.
    :param label: its class.
    :param polarity: from -1 to 1; None if the classes have no values.
    :param confidence: the probability of the label, less where words are unknown.
    :param probs: the probability of each class, from the most negative to the most positive.
    :param unknown: the fraction of unknown words.
    :param sentences: its sentences; none with ``nodes="none"``.
    """

    text: str
    label: str | None
    polarity: float | None
    confidence: float | None
    probs: Mapping[str, float] | None
    unknown: float | None
    sentences: tuple[Sentence, ...] = ()

    @classmethod
    def of(cls, row: Mapping[str, Any], labels: Sequence[str]) -> Self:
        """Read a row that the server wrote.

        :param row: the row.
        :param labels: the classes.
        :raises ServerError: it is no row of treesent's.
        """
        try:
            text = row["text"]
            columns = [value for name, value in row.items() if name.startswith("p_")]
            sentences = tuple(Sentence.of(one, labels, text) for one in row.get("sentences") or ())
            probs = None if row["label"] is None else _named(labels, columns)
            return cls(
                text, row["label"], row["polarity"], row["confidence"], probs, row["unknown"], sentences
            )
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            raise ServerError(
                f"{row!r:.80} is not a score ({error!r}); is this a server of treesent's?"
            ) from error


def _named(labels: Sequence[str], probs: Sequence[float]) -> dict[str, float]:
    return dict(zip(labels, probs, strict=True))
