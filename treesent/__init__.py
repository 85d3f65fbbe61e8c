"""Sentiment of every phrase, inside spaCy."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from treesent.registration import register_when_spacy_is_there
from treesent.version import __version__

if TYPE_CHECKING:
    from spacy.language import Language

    from treesent.client import Client as Client
    from treesent.scoring.batches import BatchScorer

__all__ = ["Client", "__version__", "batch_scorer", "find_opinions", "load", "score"]


def __getattr__(name: str) -> Any:
    # httpx takes a moment to import, and is an extra.
    if name == "Client":
        from treesent.client import Client

        return Client
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def load(name: "str | Path" = "en_treesent_sm") -> "Language":
    """Open a pipeline that scores sentiment.

    :param name: a packaged pipeline's name, or the folder that ``treesent train`` or ``nlp.to_disk`` wrote.
    :returns: a spaCy pipeline with the component ``treesent``.
    :raises treesent.errors.ModelError: there is no such pipeline, and the message lists what was tried; or a
        file of it is damaged, and the message names the file.
    """
    # spaCy takes a second to import, which `treesent --help` should not wait for.
    from treesent.text.opening import load_pipeline

    return load_pipeline(name)


def score(texts: Any, model: Any = "en_treesent_sm", **options: Any) -> Any:
    """Score a column of texts: ``df = df.join(treesent.score(df["review"]))``.

    :param texts: a column of pandas or polars, an Arrow array, or any iterable of texts.
    :param model: a packaged pipeline's name, a folder, or an open pipeline.
    :param options: see :func:`treesent.scoring.frames.score_texts`.
    :returns: a table of the same library with a row for each text.
    """
    from treesent.scoring.frames import score_texts

    return score_texts(texts, model, **options)


def find_opinions(texts: Any, model: Any = "en_treesent_sm", **options: Any) -> Any:
    """Find what texts talk about, and what they think of it: ``treesent.find_opinions(df["review"])``.

    :param texts: a column of pandas or polars, an Arrow array, or any iterable of texts.
    :param model: a pipeline with a head for opinions: a packaged one's name, a folder, or an open pipeline.
    :param options: see :func:`treesent.opinions.frames.opinions_of_texts`.
    :returns: a table of the same library with a row for each opinion.
    """
    from treesent.opinions.frames import opinions_of_texts

    return opinions_of_texts(texts, model, **options)


def batch_scorer(model: "str | Path" = "en_treesent_sm", **options: Any) -> "BatchScorer":
    """Make a function for ``datasets``: ``ds.map(treesent.batch_scorer(), batched=True, num_proc=2)``.

    :param model: a packaged pipeline's name, or a folder.
    :param options: see :class:`treesent.scoring.batches.BatchScorer`.
    :returns: a function that adds the columns of ``treesent score`` to a batch.
    :raises treesent.errors.ModelError: there is no such pipeline.
    """
    from treesent.scoring.batches import BatchScorer

    return BatchScorer(model, **options)


register_when_spacy_is_there()
