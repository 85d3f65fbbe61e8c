"""The same points for viewers that people have: the TensorBoard projector, and parquet."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from treesent.files import replacing
from treesent.projector.layouts import Layout
from treesent.projector.points import Points

TENSORBOARD = ("vectors.tsv", "metadata.tsv", "projector_config.pbtxt")
"""The files of :func:`write_tensorboard`."""


def write_tensorboard(points: Points, folder: str | Path) -> Path:
    """Write ``vectors.tsv``, ``metadata.tsv`` and ``projector_config.pbtxt``.

    Open them with ``tensorboard --logdir FOLDER``, or load the two tables at projector.tensorflow.org.

    :param points: what to write; a second table's vectors are left out.
    :param folder: it is made if it is missing.
    :returns: the folder.
    """
    out = Path(folder)
    out.mkdir(parents=True, exist_ok=True)
    vectors, metadata, config = (out / name for name in TENSORBOARD)
    with replacing(vectors) as file:
        np.savetxt(file, points.matrix, fmt="%.6g", delimiter="\t")
    with replacing(metadata, "w", encoding="utf-8", newline="\n") as stream:
        if points.columns:  # a table of one column has no header: TensorBoard would count it as a point
            stream.write("\t".join(["name", *(_cell(column.name) for column in points.columns)]) + "\n")
        for i, name in enumerate(points.names):
            cells = [name, *(column.at(i) for column in points.columns)]
            stream.write("\t".join(map(_cell, cells)) + "\n")
    with replacing(config, "w", encoding="utf-8") as stream:
        stream.write(
            "embeddings {\n"
            f'  tensor_name: "{points.kind}"\n'
            f'  tensor_path: "{vectors.name}"\n'
            f'  metadata_path: "{metadata.name}"\n'
            "}\n"
        )
    return out


def write_parquet(points: Points, layouts: Sequence[Layout], path: str | Path) -> Path:
    """Write one row a point: ``name``, ``vector``, every column and every layout's coordinates.

    :param points: what to write.
    :param layouts: their coordinates become ``pca_x``, ``pca_y``, ...
    :param path: the file.
    :returns: the file.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    def rows(matrix: np.ndarray) -> pa.Array:
        flat = pa.array(np.ascontiguousarray(matrix, np.float32).ravel())
        return pa.FixedSizeListArray.from_arrays(flat, matrix.shape[1])

    table = {"name": pa.array(points.names), "vector": rows(points.matrix)}
    if points.after is not None:
        table["vector_after"] = rows(points.after)
    for column in points.columns:
        if column.categories:
            table[column.name] = pa.array([column.at(i) for i in range(len(points.names))])
        else:
            table[column.name] = pa.array(column.values, mask=np.isnan(column.values))
    for layout in layouts:
        for axis, values in zip("xyz", layout.places.T, strict=False):
            table[f"{layout.key}_{axis}"] = pa.array(values)
    out = Path(path)
    out.parent.mkdir(parents=True, exist_ok=True)
    with replacing(out) as file:
        pq.write_table(pa.table(table), file, compression="zstd")
    return out


def _cell(value: object) -> str:
    text = "" if value is None else f"{value:.6g}" if isinstance(value, float) else str(value)
    return text.replace("\t", " ").replace("\r", " ").replace("\n", " ")
