"""Open a pipeline's folder, and name the file that is damaged if it cannot be opened."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import spacy
import srsly
from confection import Config
from spacy.language import Language
from spacy.tokenizer import Tokenizer
from spacy.vocab import Vocab

from treesent.errors import ModelError, TreesentError
from treesent.files import pipeline_path
from treesent.text.runs import keep_long_runs

LONGEST_TEXT = 10_000_000
"""Characters of the longest text of a pipeline that has no component but treesent's."""


def load_pipeline(name: str | Path, **options: Any) -> Language:
    """Open a pipeline.

    :param name: a packaged pipeline's name, or a folder.
    :param options: as ``spacy.load`` takes them.
    :raises ModelError: there is no such pipeline, or a file of it is damaged; the message names the file.
    """
    folder = pipeline_path(name)
    try:
        nlp = spacy.load(folder, **options)
    except TreesentError:
        raise
    except Exception as error:  # spaCy's readers do not check what they read
        raise _diagnosis(folder, error) from error
    keep_long_runs(nlp)
    if all(nlp.get_pipe_meta(pipe).factory == "treesent" for pipe in nlp.pipe_names):
        # spaCy's own limit is for its parser and its recogniser of names.
        nlp.max_length = max(nlp.max_length, LONGEST_TEXT)
    return nlp


def _diagnosis(folder: Path, error: Exception) -> ModelError:
    """Read the parts of the folder one by one: the first that fails is the one to mend."""
    readers: dict[str, Callable[[Path], Any]] = {
        "config.cfg": lambda path: Config().from_disk(path),
        "meta.json": lambda path: dict(srsly.read_json(path)),
        "vocab": lambda path: Vocab().from_disk(path),
        "tokenizer": lambda path: Tokenizer(Vocab()).from_disk(path),
    }
    for name, read in readers.items():
        path = folder / name
        if not path.exists():
            return ModelError(f"{path} is missing: copy the whole pipeline again")
        try:
            read(path)
        except Exception as fault:
            return ModelError(f"{path} is damaged ({_brief(fault)}): copy the pipeline again")
    return ModelError(
        f"{folder} cannot be opened ({_brief(error)}): its config.cfg does not fit its other files, or needs a "
        "package that is not installed. Copy the pipeline again, or install the package"
    )


def _brief(error: Exception) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 300 else f"{text[:300]}..."
