"""First weights from a language model: its cells become a classifier's (Dai and Le 2015, section 2)."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from treesent.errors import RecipeError
from treesent.nn.cells import Cell
from treesent.nn.recurrent import RecurrentClassifier


def copy_cells(network: RecurrentClassifier, forth: Sequence[Cell], back: Sequence[Cell] = ()) -> None:
    """Give a network the cells of a language model, or of one for each direction.

    :param network: what is to be trained.
    :param forth: cells of the model that reads from left to right, the lowest layer first.
    :param back: cells of one that reads from right to left, for a network of two directions.
    :raises RecipeError: there is no model for a direction, or one for a direction that the network has not;
        layers differ in number, kind or width; or the network's upper layers read both directions, as no
        language model can.
    """
    layers = network.stack()
    if bool(back) != network.bidirectional:
        raise RecipeError(
            "init_backward is missing: bidirectional is true, so give a language model for each direction"
            if network.bidirectional
            else "init_backward is given, but the network reads forth alone; leave it out"
        )
    if network.bidirectional and len(layers) > 1:
        raise RecipeError(
            f"bidirectional is true and layers is {len(layers)}: the upper ones read both directions, "
            "which no language model does; set layers = 1, or leave [model.encoder] out"
        )
    ahead = [layer.forth for layer in layers]
    behind = [layer.back for layer in layers if layer.back is not None]
    _check("init", forth, ahead)
    _check("init_backward", back, behind)
    for source, target in zip([*forth, *back], [*ahead, *behind], strict=True):
        target.load_state_dict(source.state_dict())


def _check(name: str, sources: Sequence[Cell], targets: Sequence[Cell]) -> None:
    """Refuse cells that differ in more than their weights."""
    if len(sources) != len(targets):
        raise RecipeError(
            f"{name}: the language model has {_layers(sources)}, the network {_layers(targets)}"
        )
    for number, (source, target) in enumerate(zip(sources, targets, strict=True), 1):
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


def _layers(cells: Sequence[Cell]) -> str:
    return "1 layer" if len(cells) == 1 else f"{len(cells)} layers"


def _described(cell: Cell) -> str:
    return f"{type(cell).__name__} of {cell.hidden} units that read {cell.width} numbers"


def _same_buffers(source: Cell, target: Cell) -> bool:
    """Whether what is fixed, clocks and rates, is the same in both."""
    one, other = dict(source.named_buffers()), dict(target.named_buffers())
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)
