"""Score the texts of the templates, and count what a reader would agree with."""

from dataclasses import dataclass

import numpy as np

from tests.behaviour.templates import CASES, INVARIANT, texts_of

MOST = 0.1
"""A word that says nothing may move the polarity by so much."""


@dataclass(frozen=True)
class Figure:
    """How a pipeline does on one phenomenon."""

    name: str
    n: int
    right: float
    """Percent of the texts on the right side; of invariances, those that stay within MOST of their mean."""
    shift: float | None = None
    """Of invariances: the largest distance of two texts' polarities, on average over the other words."""


def side(sentiment):
    """The side of the label: 1, 0 or -1."""
    return ("positive" in sentiment.label) - ("negative" in sentiment.label)


def phenomena(nlp):
    """A figure for each phenomenon."""
    for name, templates in CASES.items():
        pairs = [(text, wanted) for template, wanted in templates for text in texts_of(template)]
        found = [side(doc._.sentiment) for doc in nlp.pipe([text for text, _ in pairs])]
        right = [got == wanted for got, (_, wanted) in zip(found, pairs, strict=True)]
        yield Figure(name, len(pairs), 100 * float(np.mean(right)))


def invariances(nlp):
    """A figure for each kind of word that must not matter."""
    for name, (template, words) in INVARIANT.items():
        frames = texts_of(template)
        texts = [frame.format(Name=word) for frame in frames for word in words]
        found = np.array([doc._.sentiment.polarity for doc in nlp.pipe(texts)]).reshape(
            len(frames), len(words)
        )
        still = np.abs(found - found.mean(axis=1, keepdims=True)) <= MOST
        yield Figure(name, len(texts), 100 * float(still.mean()), float(np.ptp(found, axis=1).mean()))
