"""Short texts of the kinds that sentiment tools often get wrong, each with what a person would say."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

from treesent.data.tables import read_rows
from treesent.errors import DataError
from treesent.pipeline.sentiment import Sentiment

if TYPE_CHECKING:
    from spacy.language import Language

Expected = Literal["pos", "neg", "neu", "notpos", "notneg", "mixed"]
WEAK, MIXED = 0.05, 0.3
"""The least polarity of an opinion, and the greatest of a text of both signs."""


@dataclass(frozen=True, slots=True)
class Case:
    """A text and what is expected of it.

    :param kind: what makes it hard.
    :param text: the text.
    :param expected: ``pos`` or ``neg`` (a polarity of at least 0.05 on that side, and no label of the other), ``neu``
        (the label neutral), ``notpos``, ``notneg`` (no label of that side), or ``mixed`` (the label neutral, or a
        polarity of at most 0.3 either way).
    """

    kind: str
    text: str
    expected: Expected

    def holds(self, found: Sentiment | None) -> bool:
        """Say whether a sentiment is what is expected.

        :param found: the text's; None counts as neutral.
        """
        polarity = 0.0 if found is None or found.polarity is None else found.polarity
        label = "neutral" if found is None else found.label
        side = ("positive" in label) - ("negative" in label)
        match self.expected:
            case "pos":
                return polarity >= WEAK and side >= 0
            case "neg":
                return polarity <= -WEAK and side <= 0
            case "neu":
                return side == 0
            case "notpos":
                return side <= 0
            case "notneg":
                return side >= 0
            case "mixed":
                return side == 0 or abs(polarity) <= MIXED


def read_cases(path: str | Path) -> list[Case]:
    """Read cases from a table with the columns ``kind``, ``text`` and ``expected``.

    :param path: csv, tsv, jsonl or parquet.
    :raises DataError: a column is missing, or an expectation is unknown.
    """
    cases = []
    for number, row in enumerate(read_rows(path), 1):
        if row.fault is not None:
            raise DataError(f"{path}: row {number}: {row.fault}")
        values = row.values
        if missing := {"kind", "text", "expected"} - values.keys():
            raise DataError(f"{path}: row {number} has no {', '.join(sorted(missing))}; add it")
        if values["expected"] not in get_args(Expected):
            known = ", ".join(get_args(Expected))
            raise DataError(f"{path}: row {number}: expected is {values['expected']!r}; use one of {known}")
        cases.append(Case(str(values["kind"]), str(values["text"]), values["expected"]))
    return cases


def try_cases(nlp: "Language", cases: Iterable[Case]) -> list[tuple[Case, Sentiment | None, bool]]:
    """Score cases.

    :param nlp: a pipeline with the component.
    :param cases: the cases.
    :returns: each with its sentiment, and whether that is what is expected.
    """
    cases = list(cases)
    found = [doc._.sentiment for doc in nlp.pipe([case.text for case in cases])]
    return [(case, its, case.holds(its)) for case, its in zip(cases, found, strict=True)]
