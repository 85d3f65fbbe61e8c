"""Initial weights from a given generator, so that a seed fixes them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


def glorot_blocks(rows: int, columns: Sequence[int], generator: torch.Generator | None) -> Tensor:
    """Draw a matrix of blocks side by side, each initialised on its own as by Glorot and Bengio (2010).

    :param rows: of every block.
    :param columns: of each block.
    :param generator: source of randomness; None for torch's own.
    :returns: *Shape:* ``(rows, sum(columns))``
    """
    blocks = [torch.empty(rows, width) for width in columns]
    return joined([nn.init.xavier_uniform_(block, generator=generator) for block in blocks], 1)


def joined(blocks: Sequence[Tensor], dim: int = 0) -> Tensor:
    """Join weights; those without memory, of a network made for its shapes alone, without importing torch's compiler.

    :param blocks: at least one.
    :param dim: along which.
    """
    if not blocks[0].is_meta:
        return torch.cat(list(blocks), dim)
    shape = list(blocks[0].shape)
    shape[dim] = sum(block.shape[dim] for block in blocks)
    return torch.empty(shape, device="meta")


def glorot_linear(width: int, hidden: int, generator: torch.Generator | None, bias: bool = True) -> nn.Linear:
    """Make a linear layer with the weights of :func:`glorot_blocks` and a bias of zero.

    :param width: of the inputs.
    :param hidden: of the outputs.
    :param generator: source of randomness; None for torch's own.
    :param bias: give the layer a bias.
    """
    # Made empty first, because torch's own initialisation would advance its global generator.
    layer = nn.Linear(width, hidden, bias, device="meta").to_empty(device=torch.get_default_device())
    with torch.no_grad():
        nn.init.xavier_uniform_(layer.weight, generator=generator)
        if bias:
            layer.bias.zero_()
    return layer
