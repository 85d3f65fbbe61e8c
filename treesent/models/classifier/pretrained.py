"""Begin a classifier with the cells of a language model: ``[model.encoder]`` of a recipe."""

import numpy as np
from torch import nn

from treesent.errors import RecipeError
from treesent.models.classifier.copy_cells import copy_cells
from treesent.models.classifier.recurrent import RecurrentClassifier
from treesent.models.language.model import LanguageModel
from treesent.nn.cells import Cell
from treesent.training.recipe import EncoderSource
from treesent.vectors.table import VectorTable

COMPARED = 200
"""Words whose vectors are compared, the most frequent ones."""


def init_encoder(network: nn.Module, source: EncoderSource, table: VectorTable) -> None:
    """Give a network the cells of language models, which read the same vectors.

    :param network: of a recipe with ``[model.encoder]``.
    :param source: that section.
    :param table: the recipe's vectors.
    :raises RecipeError: the network is not recurrent, or a model does not fit it or its vectors.
    :raises ModelError: a model cannot be read.
    """
    if not isinstance(network, RecurrentClassifier):
        raise RecipeError("[model.encoder] is given, but a tree begins with no language model; leave it out")
    forth = _cells("init", source.init, False, table)
    back = _cells("init_backward", source.init_backward, True, table) if source.init_backward else []
    copy_cells(network, forth, back)
    for layer in network.stack()[: len(forth)]:
        layer.learn_rate = source.learn_rate


def _cells(name: str, folder: str, backward: bool, table: VectorTable) -> list[Cell]:
    """Read the cells of a language model that can begin a classifier."""
    model = LanguageModel.load(folder)
    config = model.config
    if config.unit != "word":
        raise RecipeError(f"{name}: {folder} reads characters; give a model of words (word_lm.cfg)")
    if config.backward != backward:
        wanted, found = ("right to left", "left to right") if backward else ("left to right", "right to left")
        raise RecipeError(
            f"{name}: {folder} reads from {found}; give one that reads from {wanted} "
            f"(model.backward = {str(backward).lower()})"
        )
    if config.residual or config.orders:
        extra = "residual" if config.residual else "orders"
        raise RecipeError(
            f"{name}: {folder} was trained with {extra}, which the network has not; leave it out"
        )
    if model.embedding is None or not _same_vectors(model, table):
        raise RecipeError(
            f"{name}: {folder} reads other vectors than [vectors]; train it on these, with tune_vectors = "
            "false, or give the vectors that it tuned: the folder vectors in its own"
        )
    return [layer for layer in model.layers if isinstance(layer, Cell)]


def _same_vectors(model: LanguageModel, table: VectorTable) -> bool:
    """Whether a model's vectors are those of a table, as far as the words that both know go."""
    assert model.embedding is not None
    own = model.embedding.table.detach().numpy()
    if own.shape[1] != table.width:
        return False
    rows = table.rows(model.vocabulary.symbols)
    known = np.flatnonzero(rows >= 0)[:COMPARED]
    wanted = table.dense(rows[known]).astype(np.float32)
    return bool(len(known)) and np.allclose(own[known], wanted, rtol=1e-3, atol=1e-4 * np.abs(wanted).max())
