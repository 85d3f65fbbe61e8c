"""Make a trained network small without training it again."""

from typing import TYPE_CHECKING, Any, Literal

from treesent.vectors.combine import project
from treesent.vectors.table import VectorTable

if TYPE_CHECKING:
    import torch

Precision = Literal["float32", "float16", "int8"]


def fold_projection(network: Any, table: VectorTable) -> VectorTable:
    """Move a network's projection into its vectors: the same logits, from a narrower table.

    The projection is linear and stands right above the vectors, so nothing is lost.

    :param network: a :class:`~treesent.models.classifier.recursive.RecursiveClassifier`; its projection is taken out.
    :param table: its vectors.
    :returns: the vectors as the rest of the network takes them; the same table where there is no projection.
    """
    layer = getattr(network, "projection", None)
    if layer is None:
        return table
    network.projection = None
    return project(table, layer.weight.detach().cpu().float().numpy().T)


def round_table(table: VectorTable, precision: Precision) -> VectorTable:
    """The table in fewer bits.

    :param table: any.
    :param precision: of its rows.
    """
    if precision == "float32":
        return table
    return table.half() if precision == "float16" else table.quantise()


def round_weights(network: "torch.nn.Module") -> None:
    """Round weights to half precision.

    :func:`treesent.models.classifier.folder.save_model` stores them so beside a
    table in fewer bits: what is evaluated is then what is saved.

    :param network: changed in place; its vectors stay as they are.
    """
    for name, weight in network.named_parameters():
        if not name.startswith("embedding."):
            weight.data = weight.data.half().float()
