"""Word vectors as a torch layer: frozen in any precision, or tuned with row-wise gradients."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from treesent.errors import VectorsError


class VectorEmbedding(nn.Module):
    """A table of word vectors, which several networks may use.

    A frozen table is a buffer outside the state dict (its owner saves it once); half-precision and int8 rows
    are converted only when they are gathered. A tuned table is a parameter with a sparse gradient, so that
    the cost of a step grows with the words of the batch and not with the rows of the table.
    """

    scale: Tensor | None
    unit: Tensor

    def __init__(
        self,
        table: NDArray[Any] | Tensor,
        scale: NDArray[Any] | Tensor | None = None,
        tune: bool = False,
    ) -> None:
        """Take the table.

        :param table: a row for each word, float32, float16 or int8. *Shape:* ``(n_rows, width)``
        :param scale: the value of one int8 step in each row. *Shape:* ``(n_rows,)``
        :param tune: train the vectors.
        :raises VectorsError: if the table is not a matrix, or int8 without a scale.
        """
        super().__init__()
        rows = _tensor(table)
        if rows.ndim != 2 or 0 in rows.shape:
            raise VectorsError(
                f"vectors have the shape {tuple(rows.shape)}; give (n_rows, width), both at least 1"
            )
        if rows.dtype == torch.int8 and scale is None:
            raise VectorsError("int8 vectors without their scale; give the value of one step for each row")
        steps = None if scale is None else _tensor(scale).float().reshape(-1)
        if steps is not None and len(steps) != len(rows):
            raise VectorsError(f"{len(steps)} scales for {len(rows)} rows of vectors; give one for each row")
        self.tune = tune
        if tune:
            rows = rows.float() if steps is None else rows.float() * steps[:, None]
            self.table: Tensor = nn.Parameter(rows.clone())
            steps = None
        else:
            self.register_buffer("table", rows, persistent=False)
        self.register_buffer("scale", steps, persistent=False)
        # Follows the module through .to(dtype): its type is that of the gathered rows.
        self.register_buffer("unit", torch.ones((), device=rows.device), persistent=False)

    @property
    def width(self) -> int:
        """Length of a vector."""
        return self.table.shape[1]

    def forward(self, rows: Tensor, extra: Tensor | None = None) -> Tensor:
        """Gather vectors.

        :param rows: indices; those past the end of the table point into ``extra``. *Shape:* ``(n,)``
        :param extra: vectors of words that the table lacks. *Shape:* ``(n_extra, width)``
        :returns: the vectors. *Shape:* ``(n, width)``
        """
        n_rows = len(self.table)
        known = rows if extra is None else rows.clamp(max=n_rows - 1)
        if self.tune:
            vectors = functional.embedding(known, self.table, sparse=True)
        else:
            vectors = self.table.index_select(0, known).to(self.unit.dtype)
            if self.scale is not None:
                vectors = vectors * self.scale.index_select(0, known)[:, None]
        if extra is None or not len(extra):
            return vectors
        other = extra.to(vectors.dtype).index_select(0, (rows - n_rows).clamp(min=0))
        return torch.where((rows < n_rows)[:, None], vectors, other)


def _tensor(array: NDArray[Any] | Tensor) -> Tensor:
    """Return a tensor over an array; a copy if the array is read-only, such as a mapped file."""
    if isinstance(array, Tensor):
        return array.detach()
    return torch.from_numpy(array if array.flags.writeable else np.array(array))
