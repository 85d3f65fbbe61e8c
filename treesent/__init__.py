"""Sentiment of every phrase, inside spaCy."""

from pathlib import Path
from typing import TYPE_CHECKING

from treesent.registration import register_when_spacy_is_there
from treesent.version import __version__

if TYPE_CHECKING:
    from spacy.language import Language

__all__ = ["__version__", "load"]


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


register_when_spacy_is_there()
