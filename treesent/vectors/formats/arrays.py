"""Vectors as an array file with the words beside it: ``.npy`` or safetensors, and ``.txt`` or parquet."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from treesent.errors import VectorsError
from treesent.vectors.formats.select import Selection
from treesent.vectors.storage import read_arrays
from treesent.vectors.table import VectorTable


def read_npy(path: Path, selection: Selection, words: Path | None) -> VectorTable:
    """Read a matrix from ``.npy``, memory-mapped, and its words.

    :param words: the file of words, one a row; by default the ``.txt`` or ``.parquet`` of the same name.
    """
    try:
        matrix = np.load(path, mmap_mode="r", allow_pickle=False)
    except Exception as error:  # numpy evaluates the header as Python's literals, which fail in many ways
        raise VectorsError(f"{path} is cut short or not an .npy array ({error}): copy it again") from error
    return _together(path, matrix, selection, words)


def read_safetensors(path: Path, selection: Selection, words: Path | None) -> VectorTable:
    """Read a table that :meth:`VectorTable.save` wrote, or the only matrix of another safetensors file."""
    arrays = read_arrays(path)
    if "digest" in arrays:
        table = VectorTable.from_arrays(arrays, str(path))
        return table if selection.takes_all and not selection.half else selection.choose(table)
    matrices = {name: array for name, array in arrays.items() if array.ndim == 2}
    if len(matrices) != 1:
        found = ", ".join(f"{name} {array.shape}" for name, array in arrays.items())
        raise VectorsError(f"{path} should hold one matrix (n_words, width), it holds: {found or 'nothing'}")
    return _together(path, next(iter(matrices.values())), selection, words)


def _together(path: Path, matrix: npt.NDArray[Any], selection: Selection, words: Path | None) -> VectorTable:
    if matrix.ndim != 2 or matrix.dtype.kind != "f":
        raise VectorsError(f"{path} holds {matrix.dtype} of shape {matrix.shape}, not float rows")
    source = words or _beside(path)
    names = read_words(source)
    if len(names) != len(matrix):
        raise VectorsError(f"{source} has {len(names)} words, {path} has {len(matrix)} rows: one a row")
    if matrix.dtype not in (np.float32, np.float16):
        matrix = matrix.astype(np.float32)
    try:
        return selection.table(names, matrix)
    except VectorsError as error:
        raise VectorsError(f"{path}: {error}") from error


def read_words(path: Path) -> list[str]:
    """The words of a ``.txt`` file, one a line, or of the first text column of a parquet file."""
    if not path.is_file():
        raise VectorsError(f"{path} does not exist: give the file of words with --words")
    if path.suffix == ".parquet":
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            file = pq.ParquetFile(path)
            texts = [f.name for f in file.schema_arrow if str(f.type) in ("string", "large_string")]
            if not texts:
                raise VectorsError(f"{path} has no column of text: {file.schema_arrow.names}")
            words: list[str] = file.read([texts[0]])[texts[0]].to_pylist()
        except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
            raise VectorsError(f"{path} is cut short or not parquet ({error}): copy it again") from error
        if None in words:
            raise VectorsError(f"{path}: row {words.index(None)} of column {texts[0]!r} is null: fill it")  # type: ignore[arg-type]
        return words
    try:
        text = path.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        line = path.read_bytes()[: error.start].count(b"\n") + 1
        raise VectorsError(f"{path}:{line}: not UTF-8: save the file as UTF-8") from error
    return text.removesuffix("\n").split("\n")


def files_of(path: str | Path, words: str | Path | None = None) -> list[Path]:
    """All files that reading a table of vectors may open.

    :param path: the table.
    :param words: the file of its words, if it is named.
    """
    return [Path(path), *([Path(words)] if words else _candidates(Path(path)))]


def _candidates(path: Path) -> list[Path]:
    return [path.with_suffix(suffix) for suffix in (".txt", ".words", ".parquet")] if path.suffix else []


def _beside(path: Path) -> Path:
    candidates = _candidates(path)
    found = next((candidate for candidate in candidates if candidate.is_file()), None)
    if found is None:
        tried = ", ".join(candidate.name for candidate in candidates)
        raise VectorsError(f"{path} has no words beside it ({tried}): give the file of words with --words")
    return found
