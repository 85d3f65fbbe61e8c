"""What happens once when a component is made: a warning of the wrong language, and one thread for forked processes."""

import json
import os
import warnings
from functools import cache
from pathlib import Path

import torch


def warn_of_language(source: Path, lang: str) -> None:
    """Say that a pipeline's language is not the model's: it would score, and mean nothing.

    :param source: the model's pipeline.
    :param lang: the pipeline's language.
    """
    try:
        own = json.loads((source / "meta.json").read_text("utf-8")).get("lang")
    except (OSError, ValueError, AttributeError):
        return
    if own and lang not in (own, "xx", "mul", ""):
        warnings.warn(
            f"the weights of {source.name} are for the language {own!r}, and the pipeline's is {lang!r}: what it "
            "says will mean little; train a model on texts of that language (treesent train imdb)",
            stacklevel=4,
        )


@cache
def calm_children() -> None:
    """Give forked processes one thread: the parent's pool of threads does not exist in them."""
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_one_thread)


def _one_thread() -> None:
    torch.set_num_threads(1)
