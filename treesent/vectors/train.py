"""Train word vectors with gensim on any stream of texts, tokenised as the component does."""

import re
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import NonNegativeFloat, NonNegativeInt, PositiveInt

from treesent.config import section
from treesent.errors import RecipeError, VectorsError
from treesent.vectors.formats.libraries import from_gensim
from treesent.vectors.table import VectorTable, normalise

BREAKS = r"(?:<br\s*/?>)+|\n+"


@section
class TrainSettings:
    """How vectors are trained; the section ``[vectors_training]`` of a recipe in ``embeddings/``."""

    algorithm: Literal["word2vec", "fasttext"] = "word2vec"
    """word2vec (Mikolov et al. 2013), or fastText (Bojanowski et al. 2017), which knows a word's n-grams."""
    architecture: Literal["skip-gram", "cbow"] = "skip-gram"
    width: PositiveInt = 200
    window: PositiveInt = 6
    """Words on each side that a word is to predict, or to be predicted from."""
    negative: PositiveInt = 8
    """Random words told apart from each true one."""
    epochs: PositiveInt = 8
    min_count: PositiveInt = 4
    """Words that occur less often are left out."""
    sample: NonNegativeFloat = 1e-4
    """Words with a higher relative frequency than this are randomly subsampled."""
    seed: NonNegativeInt = 1
    workers: PositiveInt = 1
    """Threads; with one, the same seed gives the same vectors."""
    phrases: bool = False
    """Join pairs of words that go together into one, ``new_york`` (Mikolov et al. 2013, section 4)."""
    phrase_threshold: float = 10.0
    split_at: str = BREAKS
    """A regular expression; words on its two sides do not predict each other."""
    shortest: PositiveInt = 3
    """fastText: characters of the shortest n-gram."""
    longest: PositiveInt = 6
    buckets: PositiveInt = 50_000
    """fastText: rows into which the n-grams are hashed."""

    def __post_init__(self) -> None:
        """Refuse an empty range of n-grams, and a pattern that is not a regular expression."""
        if self.longest < self.shortest:
            raise RecipeError(f"longest is {self.longest}; must be at least shortest, {self.shortest}")
        try:
            re.compile(self.split_at)
        except re.error as error:
            raise RecipeError(
                f"split_at is {self.split_at!r}; must be a regular expression ({error})"
            ) from error


@dataclass(frozen=True, slots=True)
class Progress:
    """What :func:`train_vectors` reports.

    :param stage: ``"tokenise"``, ``"phrases"`` or ``"train"``.
    :param done: texts, or epochs.
    :param total: epochs; None for texts, whose number nobody knows.
    :param loss: mean loss a word of the epoch; None for fastText, whose loss gensim does not report.
    """

    stage: str
    done: int
    total: int | None = None
    loss: float | None = None


Report = Callable[[Progress], None]


def train_vectors(
    texts: Iterable[str], settings: TrainSettings | None = None, report: Report | None = None
) -> VectorTable:
    """Train vectors on texts.

    The texts are read once, tokenised, and kept as tokens in a temporary file, which the epochs read: a
    corpus larger than memory works.

    :param texts: any stream.
    :param report: told of each 1,000 texts and each epoch.
    :returns: the table.
    :raises VectorsError: no word is frequent enough, or training diverged.
    """
    settings, report = settings or TrainSettings(), report or (lambda progress: None)
    with tempfile.TemporaryDirectory(prefix="treesent-") as folder:
        corpus = Path(folder) / "tokens.txt"
        _write_tokens(texts, corpus, settings, report)
        if settings.phrases:
            corpus = _join_phrases(corpus, settings, report)
        model = _model(settings)
        model.build_vocab(corpus_file=str(corpus))
        if not len(model.wv):
            rare = f"no word stands {settings.min_count} times in the corpus"
            raise VectorsError(f"{rare}: give more text, or a lower min_count")
        model.train(
            corpus_file=str(corpus),
            total_words=model.corpus_total_words,
            total_examples=model.corpus_count,
            epochs=settings.epochs,
            compute_loss=settings.algorithm == "word2vec",
            callbacks=[_callback(report, settings.epochs, model.corpus_total_words)],
        )
    table = from_gensim(model.wv)
    if not np.isfinite(table.matrix).all():
        raise VectorsError("training diverged: more text, fewer workers or a smaller width")
    return table


def tokenise(texts: Iterable[str], split_at: str = BREAKS) -> Iterator[list[str]]:
    """The normalised words of each text, or of each part of it, by the tokenizer of ``spacy.blank("en")``.

    :param split_at: where to part a text, a regular expression.
    """
    import spacy

    tokenizer = spacy.blank("en").tokenizer
    parts = re.compile(split_at)
    for text in texts:
        for part in parts.split(text):
            words = [normalise(token.text) for token in tokenizer(part) if not token.is_space]
            if words:
                yield words


def _write_tokens(texts: Iterable[str], path: Path, settings: TrainSettings, report: Report) -> None:
    def counted() -> Iterator[str]:
        number = 0
        for number, text in enumerate(texts, 1):
            if number % 1000 == 0:
                report(Progress("tokenise", number))
            yield text
        report(Progress("tokenise", number))

    with path.open("w", encoding="utf-8", errors="replace") as file:
        for words in tokenise(counted(), settings.split_at):
            file.write(" ".join(words) + "\n")


def _join_phrases(corpus: Path, settings: TrainSettings, report: Report) -> Path:
    from gensim.models.phrases import Phrases
    from gensim.models.word2vec import LineSentence

    lines = LineSentence(str(corpus))
    found = Phrases(lines, min_count=settings.min_count, threshold=settings.phrase_threshold).freeze()
    joined = corpus.with_name("phrases.txt")
    with joined.open("w", encoding="utf-8") as file:
        for words in lines:
            file.write(" ".join(found[words]) + "\n")
    report(Progress("phrases", len(found.phrasegrams)))
    return joined


def _model(settings: TrainSettings) -> Any:
    from gensim.models import FastText, Word2Vec

    shared: dict[str, Any] = {
        "vector_size": settings.width,
        "window": settings.window,
        "sg": int(settings.architecture == "skip-gram"),
        "negative": settings.negative,
        "min_count": settings.min_count,
        "sample": settings.sample,
        "seed": settings.seed,
        "workers": settings.workers,
        "epochs": settings.epochs,
    }
    if settings.algorithm == "word2vec":
        return Word2Vec(**shared)
    return FastText(**shared, min_n=settings.shortest, max_n=settings.longest, bucket=settings.buckets)


def _callback(report: Report, epochs: int, n_words: int) -> Any:
    from gensim.models.callbacks import CallbackAny2Vec

    class Told(CallbackAny2Vec):  # type: ignore[misc]
        """Reports the loss of each epoch: gensim adds them up in float32, which stops growing soon."""

        def __init__(self) -> None:
            self.epoch = 0

        def on_epoch_begin(self, model: Any) -> None:
            model.running_training_loss = 0.0

        def on_epoch_end(self, model: Any) -> None:
            self.epoch += 1
            loss = float(getattr(model, "running_training_loss", 0.0)) / max(n_words, 1)
            report(Progress("train", self.epoch, epochs, loss or None))

    return Told()
