"""First weights from a language model: its cells become a classifier's (Dai and Le 2015, section 2)."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from treesent.errors import RecipeError
from treesent.models.classifier.recurrent import RecurrentClassifier
from treesent.nn.cells import Cell


def copy_cells(network: RecurrentClassifier, forth: Sequence[Cell], back: Sequence[Cell] = ()) -> None:
    """Give a network the cells of a language model, or of one for each direction.

    A network may have more layers than the language model; its upper ones are then left as they are.

    :param network: what is to be trained.
    :param forth: cells of the model that reads from left to right, the lowest layer first.
    :param back: cells of one that reads from right to left, for a network of two directions.
    :raises RecipeError: there is no model for a direction, or one for a direction that the network has not;
        layers differ in kind or width, or the model has more of them; or it has several for a network of two
        directions, whose upper layers read what no language model does, both.
    """
    layers = network.stack()
    if bool(back) != network.bidirectional:
        raise RecipeError(
            "init_backward is missing: bidirectional is true, so give a language model for each direction"
            if network.bidirectional
            else "init_backward is given, but the network reads forth alone; leave it out"
        )
    if network.bidirectional and max(len(forth), len(back)) > 1:
        raise RecipeError(
            "bidirectional is true, but a language model has several layers: above the first one the network "
            "reads both directions, which no language model does; train models of one layer"
        )
    ahead = [layer.forth for layer in layers]
    behind = [layer.back for layer in layers if layer.back is not None]
    _check("init", forth, ahead)
    _check("init_backward", back, behind)
    pairs = [*zip(forth, ahead, strict=False), *zip(back, behind, strict=False)]
    for source, target in pairs:
        target.load_state_dict(source.state_dict())


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
    return f"{type(cell).__name__} of {cell.hidden} units that read {cell.width} numbers"


def _same_buffers(source: Cell, target: Cell) -> bool:
    """Whether what is fixed, clocks and rates, is the same in both."""
    one, other = dict(source.named_buffers()), dict(target.named_buffers())
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)
