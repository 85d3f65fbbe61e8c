"""The transformer's part of a component's folder: its settings and its tokenizer; its weights are the network's."""

from __future__ import annotations

import json
from collections.abc import Container
from pathlib import Path
from typing import Any

from treesent.errors import ModelError
from treesent.files import replacing
from treesent.text.pieces import PieceReader

SETTINGS, TOKENIZER = "transformer/config.json", "transformer/tokenizer.json"


def write_transformer(folder: Path, network: Any, reader: PieceReader) -> tuple[str, ...]:
    """Write the settings of a network's transformer, and the tokenizer.

    :param folder: the component's.
    :param network: the classifier.
    :param reader: whose tokenizer.
    :returns: the names of the files.
    """
    settings = json.dumps(network.transformer.config, indent=1, sort_keys=True) + "\n"
    (folder / SETTINGS).parent.mkdir(exist_ok=True)
    for name, text in ((SETTINGS, settings), (TOKENIZER, reader.to_json())):
        with replacing(folder / name, "w", encoding="utf-8") as file:
            file.write(text)
    return SETTINGS, TOKENIZER


def read_transformer(folder: Path, files: Container[str]) -> tuple[dict[str, Any], PieceReader | None]:
    """Read what :func:`write_transformer` wrote.

    :param folder: the component's.
    :param files: the names of its files.
    :returns: the settings, and what cuts words; empty and None where there is no transformer.
    :raises MissingExtraError: ``transformers`` is not installed.
    :raises ModelError: a file is damaged.
    """
    if SETTINGS not in files:
        return {}, None
    try:
        settings = json.loads((folder / SETTINGS).read_bytes())
        if not isinstance(settings, dict):
            raise ValueError("not an object")
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(
            f"{folder / SETTINGS} is damaged ({error}); copy or train the model again"
        ) from error
    return settings, PieceReader.load(folder / TOKENIZER)
