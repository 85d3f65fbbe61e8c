"""From a scored Doc to the columns of its row."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from treesent.errors import DataError
from treesent.metrics.classes import confidences, predicted_classes
from treesent.pipeline import record as store
from treesent.pipeline.lookup import component_of
from treesent.pipeline.record import Record
from treesent.scoring.options import Nodes

if TYPE_CHECKING:
    from spacy.language import Language
    from spacy.tokens import Doc

DIGITS = 6
"""Digits written behind the point: float32 has seven, and what lies behind them is noise."""


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns that scoring adds.

    They are ``label``, ``polarity``, ``confidence``, ``p_CLASS`` for each class, ``unknown`` (the fraction of
    words that the vectors lack) and, where nodes are wanted, ``sentences`` or ``opinions``.
    """

    classes: tuple[str, ...]
    nodes: Nodes = "none"
    prefix: str = ""

    @property
    def names(self) -> list[str]:
        """The columns in order."""
        names = ["label", "polarity", "confidence", *(f"p_{name.replace(' ', '_')}" for name in self.classes)]
        return [self.prefix + name for name in [*names, "unknown", *self._nested]]

    @property
    def nested(self) -> str | None:
        """The column that holds sentences, or None."""
        return self.prefix + self._nested[0] if self._nested else None

    @property
    def _nested(self) -> list[str]:
        return {"none": [], "opinions": ["opinions"]}.get(self.nodes, ["sentences"])

    def refuse_clash(self, columns: "list[str] | dict[str, Any]", place: str) -> None:
        """Make sure that nothing of the user's would be overwritten.

        :raises DataError: a column of the input has the name of one to add.
        """
        both = [name for name in self.names if name in columns]
        if both:
            raise DataError(
                f"{place}: the input has {', '.join(map(repr, both))} already, which scoring would add; "
                "rename there, or set the added ones apart with --prefix sentiment_"
            )

    def row(self, doc: "Doc | None") -> dict[str, Any]:
        """The values of the columns; all None if the text has no words."""
        found = None if doc is None else doc._.sentiment
        if doc is None or found is None:
            return dict.fromkeys(self.names)
        probs = [round(value, DIGITS) for value in found.probs.tolist()]
        polarity, confidence = round(float(found.polarity), DIGITS), round(float(found.confidence), DIGITS)
        values = [found.label, polarity, confidence, *probs, round(float(found.unknown), DIGITS)]
        if self.nodes == "opinions":
            values.append([opinion.to_dict() for opinion in doc._.opinions])
        elif self.nodes != "none":
            values.append(sentences(doc, phrases=self.nodes == "all"))
        return dict(zip(self.names, values, strict=True))


@contextmanager
def only_needed(nlp: "Language", columns: Columns) -> Iterator[None]:
    """Leave the search for opinions out while no column needs them.

    :param nlp: the pipeline.
    :param columns: the columns wanted.
    """
    predictor = component_of(nlp).predictor
    before, predictor.opinions = predictor.opinions, predictor.opinions and columns.nodes == "opinions"
    try:
        yield
    finally:
        predictor.opinions = before


def fault_of(text: Any, longest: int) -> str | None:
    """Say why a text cannot be scored, or None.

    :param text: what stands where a text should.
    :param longest: characters of the longest text.
    """
    if not isinstance(text, str):
        return f"is {str(text)[:40]!r}, a {type(text).__name__}; a text was expected"
    if "\0" in text:
        return "holds a NUL character"
    if len(text) > longest:
        return f"has {len(text)} characters, {longest} is the most; split it"
    return None


def class_names(nlp: "Language") -> tuple[str, ...]:
    """The classes of the pipeline's sentiment component.

    :raises ModelError: the pipeline has none.
    """
    return component_of(nlp).labels


def sentences(doc: "Doc", *, phrases: bool) -> list[dict[str, Any]]:
    """The sentences of a scored Doc as plain values.

    Each has ``text``, ``start`` and ``end`` (characters of the text), ``start_token`` and ``end_token``,
    ``label``, ``polarity``, ``confidence``, ``probs`` and ``unknown``. With ``phrases`` each has also
    ``phrases``: its constituents, children before parents, the sentence itself last; ``left`` and ``right``
    are the places of the children in that list, None at a word. The list is flat, since a reader of JSON
    gives up on values nested as deep as a tree can be.
    """
    starts = doc.to_array("IDX").astype(np.int64)
    return [
        _sentence(doc.text, record, tree, offset, starts, phrases)
        for offset, record in store.read(doc)
        for tree in range(record.n_trees)
    ]


def _sentence(
    text: str, record: Record, tree: int, offset: int, starts: "np.ndarray[Any, Any]", phrases: bool
) -> dict[str, Any]:
    nodes = record.nodes(tree)
    chosen = nodes if phrases else slice(nodes.stop - 1, nodes.stop)
    first, last = int(record.words[tree]), int(record.words[tree + 1])
    begin = record.chars[first + record.start[chosen], 0] + offset
    end = record.chars[first + record.end[chosen] - 1, 1] + offset
    probs = record.probs[chosen]
    classes = predicted_classes(probs, record.polarity)
    n_unknown = np.concatenate([[0], np.cumsum(record.unknown[first:last])])
    start, stop = record.start[chosen], record.end[chosen]
    unknown = (n_unknown[stop] - n_unknown[start]) / (stop - start)
    left = record.left[chosen].tolist()
    columns = {
        "start": begin.tolist(),
        "end": end.tolist(),
        "start_token": (np.searchsorted(starts, begin, "right") - 1).tolist(),
        "end_token": np.searchsorted(starts, end, "left").tolist(),
        "label": [str(record.labels[best]) for best in classes.tolist()],
        "polarity": _rounded(probs @ record.polarity),
        "confidence": _rounded(confidences(probs, classes, unknown)),
        "probs": _rounded(probs),
    }
    found = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
    root: dict[str, Any] = {"text": text[found[-1]["start"] : found[-1]["end"]], **found[-1]}
    root["unknown"] = round(float(record.unknown[first:last].mean()), DIGITS)
    if phrases:
        for node, (phrase, child) in enumerate(zip(found, left, strict=True)):
            phrase["left"], phrase["right"] = (child, node - 1) if child >= 0 else (None, None)
        root["phrases"] = found
    return root


def _rounded(values: "np.ndarray[Any, Any]") -> list[Any]:
    rounded: list[Any] = np.round(values.astype(np.float64), DIGITS).tolist()
    return rounded
