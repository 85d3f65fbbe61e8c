"""The transformer's part of a component's folder: its settings and its tokenizer; its weights are the network's."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from treesent.errors import ModelError
from treesent.files import replacing
from treesent.nn.transformer import Transformer
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


def read_transformer(
    folder: Path, config: Mapping[str, Any]
) -> tuple[Callable[[], Transformer | None], PieceReader | None]:
    """Read what :func:`write_transformer` wrote.

    :param folder: the component's.
    :param config: that of the component, whose ``files`` name those of a transformer if it has one.
    :returns: what makes the transformer, without its weights, and what cuts words for it; both give None where
        there is none.
    :raises MissingExtraError: ``transformers`` is not installed.
    :raises ModelError: a file is damaged.
    """
    if SETTINGS not in config["files"]:
        return lambda: None, None
    try:
        settings = json.loads((folder / SETTINGS).read_bytes())
        if not isinstance(settings, dict):
            raise ValueError("not an object")
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(
            f"{folder / SETTINGS} is damaged ({error}); copy or train the model again"
        ) from error
    pooling = config["model"].get("word_pieces", "first")
    return lambda: Transformer.of_config(settings, pooling), PieceReader.load(folder / TOKENIZER)
