"""Initialise a recurrent classifier from language models (Dai and Le 2015, arXiv:1511.01432, section 2).

``[model.encoder]`` of a recipe names the language models. Their cells, one model per direction, become those
of the classifier; both must read the same vectors.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

from treesent.errors import RecipeError
from treesent.models.classifier.recurrent import RecurrentClassifier
from treesent.models.classifier.sections import EncoderSource
from treesent.models.language.model import LanguageModel
from treesent.nn.cells import Cell
from treesent.vectors.table import VectorTable

N_COMPARED = 200
"""How many words, the most frequent ones, must have equal vectors."""


def init_encoder(network: nn.Module, source: EncoderSource, table: VectorTable) -> None:
    """Give a network the cells of language models that read the same vectors.

    :param network: of a recipe with ``[model.encoder]``.
    :param source: that section.
    :param table: the recipe's vectors.
    :raises RecipeError: if the network is not recurrent, or a model does not fit it or its vectors.
    :raises ModelError: if a model cannot be read.
    """
    if not isinstance(network, RecurrentClassifier):
        raise RecipeError(
            "[model.encoder] is given, but tree networks cannot be initialised from a language model; leave "
            "it out"
        )
    forward = _read_cells("init", source.init, False, table)
    backward = []
    if source.init_backward:
        backward = _read_cells("init_backward", source.init_backward, True, table)
    copy_cells(network, forward, backward)
    for layer in network.stack()[: len(forward)]:
        layer.learn_rate = source.learn_rate


def copy_cells(network: RecurrentClassifier, forward: Sequence[Cell], backward: Sequence[Cell] = ()) -> None:
    """Give a network the cells of one language model per direction.

    If the network has more layers than the language model, its upper layers keep their weights.

    :param network: the network to initialise.
    :param forward: cells of the model that reads from left to right, the lowest layer first.
    :param backward: cells of the model that reads from right to left, for a bidirectional network.
    :raises RecipeError: if the model of a direction is missing, or given for a direction that the network
        lacks; if layers differ in kind or width, or the model has more layers than the network; or if it has
        several and the network is bidirectional: upper layers then read both directions, which no language
        model does.
    """
    layers = network.stack()
    if bool(backward) != network.bidirectional:
        raise RecipeError(
            "init_backward is missing: bidirectional is true, so give a language model for each direction"
            if network.bidirectional
            else "init_backward is given, but the network only reads forward; leave it out"
        )
    if network.bidirectional and max(len(forward), len(backward)) > 1:
        raise RecipeError(
            "bidirectional is true, but a language model has several layers: above the first one the network "
            "reads both directions, which no language model does; train models of one layer"
        )
    forward_cells = [layer.forward_cell for layer in layers]
    backward_cells = [layer.backward_cell for layer in layers if layer.backward_cell is not None]
    _check("init", forward, forward_cells)
    _check("init_backward", backward, backward_cells)
    pairs = [*zip(forward, forward_cells, strict=False), *zip(backward, backward_cells, strict=False)]
    for source, target in pairs:
        target.load_state_dict(source.state_dict())


def _read_cells(name: str, folder: str, backward: bool, table: VectorTable) -> list[Cell]:
    """Read the cells of a language model that fits the recipe."""
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
        raise RecipeError(f"{name}: {folder} was trained with {extra}, which the network lacks; leave it out")
    if not model.embedding.rowwise or not _same_vectors(model, table):
        raise RecipeError(
            f"{name}: {folder} reads other vectors than [vectors]; train it on these with tune_vectors = "
            "false, or give the vectors that it tuned, which are in its folder under vectors"
        )
    return [layer for layer in model.recurrence.layers if isinstance(layer, Cell)]


def _same_vectors(model: LanguageModel, table: VectorTable) -> bool:
    """Whether a model's vectors are those of a table, compared over the words that both know."""
    own = model.embedding.table.detach().numpy()
    if own.shape[1] != table.width:
        return False
    rows = table.rows(model.vocabulary.symbols)
    known = np.flatnonzero(rows >= 0)[:N_COMPARED]
    wanted = table.dense(rows[known]).astype(np.float32)
    return bool(len(known)) and np.allclose(own[known], wanted, rtol=1e-3, atol=1e-4 * np.abs(wanted).max())


def _check(name: str, sources: Sequence[Cell], targets: Sequence[Cell]) -> None:
    """Refuse cells that differ in more than their weights."""
    if len(sources) > len(targets):
        raise RecipeError(
            f"{name}: the language model has {len(sources)} layers, the network {len(targets)}; train it "
            "with as many or fewer"
        )
    for number, (source, target) in enumerate(zip(sources, targets, strict=False), 1):
        if (found := _described(source)) != (wanted := _described(target)):
            raise RecipeError(
                f"{name}: layer {number} of the language model is {found}, and of the network {wanted}; "
                "train one of them with the other's [model]"
            )
        if not _same_buffers(source, target):
            raise RecipeError(
                f"{name}: layer {number} is {found} in both, but its rates or modules differ; "
                "train one of them with the other's [model]"
            )


def _described(cell: Cell) -> str:
    return f"{type(cell).__name__} of {cell.hidden} units with inputs of width {cell.width}"


def _same_buffers(source: Cell, target: Cell) -> bool:
    """Whether the constants, clocks and rates, are the same in both."""
    one, other = dict(source.named_buffers()), dict(target.named_buffers())
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)
