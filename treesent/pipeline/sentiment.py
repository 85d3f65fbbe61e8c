"""The sentiment of a stretch of text as the user reads it."""

from dataclasses import dataclass
from math import isnan
from typing import Any, Self
from xml.sax.saxutils import escape

import numpy as np

from treesent.errors import TreesentError
from treesent.metrics.classes import confidences, predicted_classes
from treesent.pipeline.record import Record
from treesent.render.svg import colour_of, visible
from treesent.types import Float32


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Sentiment(dict[str, Any]):
    """What the network says of a stretch of text.

    It is a dictionary of plain values too (those of :meth:`to_dict`), so that any writer of JSON takes it, and
    spaCy's ``Doc.to_json``.

    Polarity and confidence are two things: a text can be surely neutral (polarity 0, confidence 0.9) or torn
    between very good and very bad (polarity 0, confidence 0.4).

    :param label: the most probable of the classes that agree with the polarity: never of the opposite sign, nor
        far from it (:func:`treesent.metrics.classes.predicted_classes`).
    :param probs: the probability of each class, from the most negative to the most positive.
        *Shape:* ``(n_classes,)``.
    :param polarity: the expected value of the classes, from -1 (very negative) to 1 (very positive); None
        if the classes have no values.
    :param confidence: the probability of the label; where more than half of the words are unknown, the less the
        more of them are, down to that of a guess.
    :param unknown: the fraction of out-of-vocabulary words, which have no row in the table of vectors.
    :param text: the stretch of text.
    :param mixed: whether some sentence of it is clearly positive and another clearly negative.
    """

    label: str
    probs: Float32
    polarity: float | None
    confidence: float
    unknown: float
    text: str
    mixed: bool = False

    def __post_init__(self) -> None:
        """Hold the plain values too."""
        self.update(self.to_dict())

    @classmethod
    def from_dict(cls, values: Any) -> Self:
        """Make a sentiment of the plain values that :meth:`to_dict` gives.

        :param values: the values.
        :raises TreesentError: one is missing or of another type.
        """
        try:
            probs = np.array(values["probs"], np.float32)
            polarity = None if values["polarity"] is None else float(values["polarity"])
            probs.flags.writeable = False
            return cls(
                str(values["label"]),
                probs,
                polarity,
                float(values["confidence"]),
                float(values["unknown"]),
                str(values["text"]),
                bool(values.get("mixed", False)),
            )
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            raise TreesentError(
                f"{values!r:.80} is not a sentiment ({error}); give what doc._.sentiment.to_dict() gave"
            ) from error

    def _repr_html_(self) -> str:
        """Draw it for a notebook: the label on the colour of its polarity, the numbers and the text."""
        value = 0.0 if self.polarity is None else self.polarity
        chip = (
            f'<span style="background:{colour_of(value)};color:#fff;border-radius:4px;padding:1px 7px">'
            f"{escape(visible(self.label))}</span>"
        )
        numbers = f"{_number(self.polarity)}, confidence {self.confidence:.2f}"
        return f"{chip} <small>{numbers}</small> {escape(visible(self.text))}"

    def __eq__(self, other: object) -> bool:
        """Two sentiments are equal where text, label and all numbers are; a dictionary, where its values are."""
        if not isinstance(other, Sentiment):
            return dict.__eq__(self, other)
        same = (self.text, self.label, self.unknown) == (other.text, other.label, other.unknown)
        return same and np.array_equal(self.probs, other.probs)

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:  # type: ignore[override]
        return hash((self.text, self.label, self.probs.tobytes()))

    def __repr__(self) -> str:
        return (
            f"Sentiment({self.label!r}, polarity={_number(self.polarity)}, confidence={self.confidence:.2f}, "
            f"text={self.text!r})"
        )

    def to_dict(self) -> dict[str, Any]:
        """The same as plain values, ready for JSON."""
        return {
            "text": self.text,
            "label": self.label,
            "probs": [round(float(value), 6) for value in self.probs],
            "polarity": None if self.polarity is None else round(self.polarity, 6),
            "confidence": round(self.confidence, 6),
            "unknown": round(self.unknown, 6),
            "mixed": self.mixed,
        }


CLEAR = 0.25
"""From this polarity on, a sentence is clearly positive; from its negative down, clearly negative."""


def sentiment_of(
    record: Record, probs: Float32, unknown: float, text: str, sentences: Float32 | None = None
) -> Sentiment:
    """A sentiment from probabilities.

    :param record: names the classes and their values.
    :param probs: *Shape:* ``(n_classes,)``.
    :param unknown: the fraction of unknown words.
    :param text: the stretch of text.
    :param sentences: the probabilities of its sentences. *Shape:* ``(n_sentences, n_classes)``.
    """
    chosen = predicted_classes(probs[None], record.polarity)
    confidence = float(confidences(probs[None], chosen, np.array([unknown]))[0])
    probs = probs.astype(np.float32)
    probs.flags.writeable = False
    value = float(probs @ record.polarity)
    values = np.zeros(1) if sentences is None else sentences @ record.polarity
    mixed = bool(values.max() >= CLEAR and values.min() <= -CLEAR)
    polarity = None if isnan(value) else value
    return Sentiment(str(record.labels[chosen[0]]), probs, polarity, confidence, unknown, text, mixed)


def _number(polarity: float | None) -> str:
    return "None" if polarity is None else f"{polarity:+.2f}"
