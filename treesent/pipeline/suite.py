"""A pipeline on many tables of labelled texts at once, and the word lists that people compare with."""

import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from treesent.data.label_names import side_of
from treesent.data.labelled import read_labelled_rows
from treesent.data.row_rules import RowRules
from treesent.data.tables import read_rows
from treesent.errors import DataError, MissingExtraError
from treesent.metrics.calibration import reliability
from treesent.models.classifier.folder import FIVE
from treesent.types import Float64, Int64

if TYPE_CHECKING:
    from spacy.language import Language

Scorer = Callable[[Sequence[str]], tuple[Float64, Int64, Float64]]
"""From texts to the polarity, the side (-1, 0, 1) and the confidence of each."""


@dataclass(frozen=True, slots=True)
class SuiteScore:
    """How well a scorer does on one table, in percent.

    :param name: the table's.
    :param n: texts.
    :param accuracy: of negative, neutral and positive.
    :param recall: the mean of the recalls of those of the three that the table has.
    :param binary: of the sign of the polarity, where the label is not neutral; None where there is none such.
    :param calibration_error: the expected calibration error (Naeini et al. 2015) with ten bins of equal width.
    :param texts_per_second: on one thread.
    """

    name: str
    n: int
    accuracy: float
    recall: float
    binary: float | None
    calibration_error: float
    texts_per_second: float


def pipeline_scorer(nlp: "Language") -> Scorer:
    """Score texts with a pipeline.

    :param nlp: a pipeline with the component.
    """

    def score(texts: Sequence[str]) -> tuple[Float64, Int64, Float64]:
        found = [doc._.sentiment for doc in nlp.pipe(texts)]
        polarity = np.array([0.0 if s is None or s.polarity is None else s.polarity for s in found])
        side = np.array(
            [0 if s is None else ("positive" in s.label) - ("negative" in s.label) for s in found]
        )
        # The confidence of the side: the label's own is that of one of five classes.
        confidence = np.array(
            [1 / 3 if s is None else _of_side(s.probs, int(d)) for s, d in zip(found, side, strict=True)]
        )
        return polarity, side, confidence

    return score


def _of_side(probs: "np.ndarray[tuple[int], np.dtype[np.float32]]", side: int) -> float:
    values = np.sign(np.linspace(-1, 1, len(probs)).round(6))
    return float(probs[values == side].sum())


def vader_scorer() -> Scorer:
    """Score texts with VADER (Hutto and Gilbert 2014), with the thresholds of its authors.

    :raises MissingExtraError: vaderSentiment is not installed.
    """
    try:
        from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer
    except ImportError as error:
        raise MissingExtraError("vaderSentiment", "test") from error
    analyzer = SentimentIntensityAnalyzer()
    return _of_polarity(lambda text: float(analyzer.polarity_scores(text)["compound"]), 0.05)


def textblob_scorer() -> Scorer:
    """Score texts with TextBlob's word list.

    :raises MissingExtraError: textblob is not installed.
    """
    try:
        from textblob import TextBlob
    except ImportError as error:
        raise MissingExtraError("textblob", "test") from error
    return _of_polarity(lambda text: float(TextBlob(text).sentiment.polarity), 0.05)


def _of_polarity(polarity: Callable[[str], float], neutral: float) -> Scorer:
    def score(texts: Sequence[str]) -> tuple[Float64, Int64, Float64]:
        found = np.array([polarity(text) for text in texts])
        side = np.where(np.abs(found) < neutral, 0, np.sign(found)).astype(np.int64)
        return found, side, np.abs(found)

    return score


def run_suite(folder: str | Path, scorer: Scorer, split: str = "dev", most: int = 0) -> Iterator[SuiteScore]:
    """Measure a scorer on every table of a folder.

    :param folder: tables with the columns text, label and split; rows without a label or with a true ``mixed`` are left
        out.
    :param scorer: what is measured.
    :param split: the part of the tables.
    :param most: texts of one table, drawn with a fixed seed; 0 for all.
    :raises DataError: there is no table, or a label has no side.
    """
    paths = sorted(path for path in Path(folder).iterdir() if ".jsonl" in path.suffixes)
    if not paths:
        raise DataError(
            f"{folder}: no table NAME.jsonl in it; give a folder of tables with text, label and split"
        )
    for path in paths:
        first = next(read_rows(path), None)
        if first is None or not {"text", "label", "split"} <= first.values.keys():
            warnings.warn(
                f"{path}: left out: it lacks one of the columns text, label and split", stacklevel=2
            )
            continue
        rules = RowRules("", "split", split, "mixed", True, most)
        table = read_labelled_rows(path, rules=rules)
        if not table.texts:
            continue
        gold = np.array([_side(path, value) for value in table.values])
        begun = time.perf_counter()
        polarity, side, confidence = scorer(table.texts)
        seconds = time.perf_counter() - begun
        yield _score(path.name.partition(".")[0], gold, polarity, side, confidence, len(gold) / seconds)


def _score(
    name: str, gold: Int64, polarity: Float64, side: Int64, confidence: Float64, rate: float
) -> SuiteScore:
    right = gold == side
    recalls = [right[gold == its].mean() for its in (-1, 0, 1) if (gold == its).any()]
    opinion = gold != 0
    binary = 100 * float(((polarity > 0) == (gold > 0))[opinion].mean()) if opinion.any() else None
    error = reliability(confidence, right).error
    return SuiteScore(
        name, len(gold), 100 * float(right.mean()), 100 * float(np.mean(recalls)), binary, error, rate
    )


def _side(path: Path, value: object) -> int:
    side = side_of(str(value).casefold())
    if side is None:
        raise DataError(f"{path}: the label {value!r} has no side; use one of {', '.join(FIVE)}")
    return side
