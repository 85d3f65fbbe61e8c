"""Pretrained transformers, opened and made ready to be trained under a network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from treesent.errors import MissingExtraError, RecipeError
from treesent.models.classifier.networks import network_config
from treesent.models.classifier.sections import TransformerSource
from treesent.models.classifier.word_input import check_encoder
from treesent.nn.transformer import Transformer, WordPooling
from treesent.text.pieces import PieceReader
from treesent.types import Int64


def open_transformer(name: str) -> tuple[Any, PieceReader]:
    """Open a pretrained transformer; no code that comes with it is run, and nothing is unpickled.

    :param name: a folder, or ``hf:`` and a name on the Hugging Face hub.
    :returns: the model without a head, and what cuts words into its pieces.
    :raises MissingExtraError: ``transformers`` is not installed.
    :raises RecipeError: there is no such model, it is not complete, or it has no fast tokenizer.
    """
    try:
        from transformers import AutoModel, AutoTokenizer
        from transformers.utils import logging as messages
    except ImportError as error:
        raise MissingExtraError("transformers", "transformers") from error
    place = name.removeprefix("hf:")
    logging: Any = messages
    bars = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        tokenizer = AutoTokenizer.from_pretrained(place, use_fast=True, add_prefix_space=True)
        # The fused attention's backward pass is slow on a CPU for sentences as short as these.
        model = AutoModel.from_pretrained(place, use_safetensors=True, attn_implementation="eager")
    except (OSError, ValueError, KeyError) as error:
        raise RecipeError(
            f"transformer.path is {name!r}, which cannot be opened ({error}); give the folder of a model with "
            "config.json, tokenizer.json and model.safetensors, or hf: and its name on the Hugging Face hub"
        ) from error
    finally:
        if bars:
            logging.enable_progress_bar()
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        raise RecipeError(
            f"transformer.path is {name!r}, whose tokenizer has no fast form; give another model"
        )
    return model.float(), PieceReader(backend)


def prepare_transformer(model: Any, source: TransformerSource, pooling: WordPooling) -> Transformer:
    """Make a pretrained transformer ready to be trained under a network.

    :param model: what :func:`open_transformer` gave.
    :param source: how it is trained.
    :param pooling: of pieces to words.
    :raises RecipeError: there are fewer layers than are to stay as they are.
    """
    transformer = Transformer(model, pooling)
    layers = transformer.layers()
    if source.freeze_layers > len(layers):
        raise RecipeError(
            f"transformer.freeze_layers is {source.freeze_layers}, but the model has {len(layers)} layers"
        )
    if source.freeze_embeddings or source.freeze_layers:
        model.get_input_embeddings().weight.requires_grad_(False)
    for layer in layers[: source.freeze_layers]:
        layer.requires_grad_(False)
    if source.dropout is not None:
        _set_dropout(model, source.dropout)
    if source.gradient_checkpointing:
        if hasattr(model, "activation_checkpointing_enable"):  # its name from transformers 5 on
            model.activation_checkpointing_enable()
        else:
            model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    # What is below the layers learns as the lowest of them.
    transformer.learn_rate = source.learn_rate * source.layer_decay ** len(layers)
    above: list[Any] = layers[::-1]
    for depth, layer in enumerate(above):
        layer.learn_rate = source.learn_rate * source.layer_decay**depth
    return transformer


def _set_dropout(model: Any, rate: float) -> None:
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = rate
        elif hasattr(module, "dropout_prob"):
            module.dropout_prob = rate


def transformer_for(
    block: Mapping[str, Any], name: str | None
) -> tuple[Transformer | None, PieceReader | None]:
    """Open the transformer of a new network, if it has one.

    :param block: the network's ``[model]`` block.
    :param name: as for :func:`open_transformer`; None for no transformer.
    :raises TreesentError: the block asks for one and none is given, or the other way round; or it cannot be opened.
    """
    config = network_config(block)
    check_encoder(config.encoder, name)
    if name is None:
        return None, None
    model, reader = open_transformer(name)
    return prepare_transformer(model, TransformerSource(path=name), config.word_pieces), reader


def number_words(corpora: Sequence[Sequence[str]]) -> tuple[list[str], list[Int64]]:
    """Number the distinct words of corpora.

    :param corpora: the words of each.
    :returns: the words, and the numbers of each corpus's words.
    """
    numbers: dict[str, int] = {}
    found = [
        np.array([numbers.setdefault(word, len(numbers)) for word in words], np.int64) for words in corpora
    ]
    return list(numbers), found
