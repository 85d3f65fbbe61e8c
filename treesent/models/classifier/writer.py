"""Write a classifier as a spaCy pipeline."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import spacy

from treesent.models.classifier.folder import SentimentModel


def write_pipeline(
    folder: str | Path,
    model: SentimentModel,
    *,
    lang: str = "en",
    aggregate: str = "mean",
    meta: Mapping[str, Any] | None = None,
) -> None:
    """Write a pipeline of a tokenizer and the component ``treesent``, which ``spacy.load`` opens.

    spaCy finds the component by its entry point, so this module does not depend on it.

    :param folder: the output folder.
    :param model: the model of the component.
    :param lang: the language of the tokenizer.
    :param aggregate: the aggregation of sentences into documents.
    :param meta: entries for ``meta.json``: ``name``, ``version``, ``description``, ``license``.
    """
    nlp = spacy.blank(lang, meta=dict(meta or {}))
    component: Any = nlp.add_pipe("treesent", config={"pretrained": None, "aggregate": aggregate})
    component.trained = model
    nlp.to_disk(folder)
