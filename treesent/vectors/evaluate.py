"""Evaluate a table: analogies, word similarity, and coverage of a corpus."""

import math
import warnings
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from treesent.errors import VectorsError
from treesent.vectors.formats.libraries import to_gensim
from treesent.vectors.table import VectorTable, normalise

SIMILARITY_SETS = ("wordsim353.tsv", "simlex999.txt")
ANALOGIES = "questions-words.txt"


@dataclass(frozen=True, slots=True)
class Analogies:
    """Accuracy on questions "a is to b as c is to ?" (Mikolov et al. 2013), in percent.

    :param accuracy: on the questions whose four words the table has.
    :param n: number of these questions.
    :param n_questions: number of all questions.
    :param sections: accuracy in each section with such questions.
    """

    accuracy: float
    n: int
    n_questions: int
    sections: dict[str, float]


@dataclass(frozen=True, slots=True)
class Similarity:
    """Agreement with human judgements of word similarity.

    :param name: the set.
    :param spearman: rank correlation, in percent.
    :param n: number of pairs whose words the table has.
    :param n_pairs: number of all pairs.
    """

    name: str
    spearman: float
    n: int
    n_pairs: int


@dataclass(frozen=True, slots=True)
class Coverage:
    """How much of a corpus a table covers.

    :param words: percentage of the tokens that the table has.
    :param types: percentage of the distinct words that the table has.
    :param n_words: number of tokens.
    :param n_types: number of distinct words.
    :param missing: the most frequent words that the table lacks, with their counts.
    """

    words: float
    types: float
    n_words: int
    n_types: int
    missing: tuple[tuple[str, int], ...]


def analogies(table: VectorTable, path: str | Path | None = None, most_frequent: int = 30_000) -> Analogies:
    """Answer analogy questions by the nearest word to ``b - a + c`` (3CosAdd).

    :param path: questions in the format of ``questions-words.txt``; by default that file, which gensim ships.
    :param most_frequent: words that may be answers, as is usual.
    """
    vectors = to_gensim(table.most_frequent(most_frequent))
    questions = _file(path, ANALOGIES)
    # gensim counts the questions it leaves out only in its log.
    total = sum(1 for line in questions.read_text("utf-8").splitlines() if line and line[0] != ":")
    _, sections = vectors.evaluate_word_analogies(
        str(questions), restrict_vocab=len(vectors), dummy4unknown=False
    )
    counts = {part["section"]: (len(part["correct"]), len(part["incorrect"])) for part in sections}
    right, wrong = counts.pop("Total accuracy", (0, 0))
    by_section = {name: 100 * r / (r + w) for name, (r, w) in counts.items() if r + w}
    return Analogies(100 * right / max(right + wrong, 1), right + wrong, total, by_section)


def similarity(table: VectorTable, path: str | Path | None = None) -> list[Similarity]:
    """Spearman's rank correlation with judgements of similarity.

    :param path: pairs in the format of ``wordsim353.tsv``; by default that set and SimLex-999, which gensim
        ships.
    """
    results = []
    for source in [Path(path)] if path else [_file(None, name) for name in SIMILARITY_SETS]:
        pairs = [
            line.split("\t") for line in source.read_text("utf-8").splitlines() if line and line[0] != "#"
        ]
        words = {normalise(word) for pair in pairs for word in pair[:2]}
        known = [word for word in words if word in table]
        if sum(all(normalise(word) in table for word in pair[:2]) for pair in pairs) < 2:
            results.append(Similarity(source.stem, 0.0, 0, len(pairs)))
            continue
        small = VectorTable(known, table.dense(table.rows(known)))
        with warnings.catch_warnings():
            # Where all pairs are equally similar there is no correlation: SciPy warns and gives NaN.
            warnings.simplefilter("ignore")
            _, rank, unknown = to_gensim(small).evaluate_word_pairs(str(source), restrict_vocab=len(known))
        n = round(len(pairs) * (1 - unknown / 100))
        spearman = float(rank.statistic) if math.isfinite(rank.statistic) else 0.0
        results.append(Similarity(source.stem, 100 * spearman, n, len(pairs)))
    return results


def coverage(table: VectorTable, texts: Iterable[Sequence[str]], most_missing: int = 20) -> Coverage:
    """Measure how many words of texts the table has.

    :param texts: the words of each text.
    :param most_missing: number of missing words to name.
    :returns: the coverage.
    :raises VectorsError: the texts have no words.
    """
    counts: Counter[str] = Counter()
    for words in texts:
        counts.update(map(normalise, words))
    if not counts:
        raise VectorsError("the corpus has no words: is it the right file or column?")
    found = table.rows(list(counts)) >= 0
    missing = Counter({word: n for (word, n), known in zip(counts.items(), found, strict=True) if not known})
    total = counts.total()
    return Coverage(
        words=100 * (1 - missing.total() / total),
        types=100 * float(found.mean()),
        n_words=total,
        n_types=len(counts),
        missing=tuple(missing.most_common(most_missing)),
    )


def _file(path: str | Path | None, name: str) -> Path:
    from gensim.test.utils import datapath

    chosen: Any = path if path is not None else datapath(name)
    if not Path(chosen).is_file():
        raise VectorsError(f"{chosen} does not exist: give the file, or install gensim with its test data")
    return Path(chosen)
