"""A table of vectors as named arrays in a safetensors file, with a checksum."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from treesent.errors import VectorsError
from treesent.files import replacing_path
from treesent.types import Float32
from treesent.vectors.buckets import BucketVectors
from treesent.vectors.subwords import Subwords, SubwordVectors

FILE = "vectors.safetensors"
Arrays = Mapping[str, npt.NDArray[Any]]


def to_arrays(
    words: Sequence[str], matrix: npt.NDArray[Any], scale: Float32 | None, subwords: Subwords | None
) -> dict[str, npt.NDArray[Any]]:
    """Give the parts of a table as named arrays: the words in UTF-8, one a line, and a checksum of all.

    :param words: the words.
    :param matrix: float32, float16 or int8. *Shape:* ``(n_words, width)``
    :param scale: the factor of each int8 row; None for floats. *Shape:* ``(n_words,)``
    :param subwords: makes the vector of an unknown word from its pieces; None if nothing does.
    :returns: the arrays by name.
    :raises VectorsError: a word contains a line break, or characters that UTF-8 cannot encode.
    """
    for row, word in enumerate(words):
        if "\n" in word:
            raise VectorsError(
                f"row {row}: the word {word!r} has a line break and cannot be saved; leave it out"
            )
    try:
        text = "\n".join(words).encode("utf-8")
    except UnicodeEncodeError as error:
        raise VectorsError(f"a word cannot be saved ({error}); leave it out") from error
    arrays: dict[str, npt.NDArray[Any]] = {"words": np.frombuffer(text, np.uint8)}
    arrays["matrix"] = np.ascontiguousarray(matrix)
    if scale is not None:
        arrays["scale"] = np.ascontiguousarray(scale)
    if subwords is not None:
        arrays |= {f"subwords.{name}": array for name, array in subwords.tensors().items()}
    return arrays | {"digest": _digest(arrays)}


def parts_of(
    arrays: Arrays, source: str
) -> tuple[list[str], npt.NDArray[Any], Float32 | None, Subwords | None]:
    """Give the parts of a table from the arrays of :func:`to_arrays`.

    :param arrays: the arrays by name.
    :param source: what to call them in an error.
    :returns: words, matrix, scale and subwords, as ``to_arrays`` takes them.
    :raises VectorsError: an array is missing, or a byte has changed.
    """
    for name in ("words", "matrix", "digest"):
        if name not in arrays:
            raise VectorsError(f"{source} has no {name!r}: it is not a table that treesent saved")
    content = {name: array for name, array in arrays.items() if name != "digest"}
    if not np.array_equal(_digest(content), arrays["digest"]):
        raise VectorsError(f"{source} is damaged (its checksum differs): copy or build it again")
    pieces = {
        name.removeprefix("subwords."): a for name, a in content.items() if name.startswith("subwords.")
    }
    kind = BucketVectors if "buckets" in pieces else SubwordVectors
    subwords: Subwords | None = kind.from_tensors(pieces) if pieces else None
    words = content["words"].tobytes().decode("utf-8").split("\n")
    return words, content["matrix"], content.get("scale"), subwords


def write_arrays(path: Path, arrays: Arrays) -> None:
    """Write arrays as safetensors; a file that is there is replaced only when all is written.

    :param path: the file; its folder is made if it is missing.
    :param arrays: the arrays by name.
    """
    from safetensors.numpy import save_file

    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing_path(path) as partial:
        save_file(dict(arrays), partial, {"format": "treesent.vectors.1"})


def read_arrays(path: Path) -> dict[str, npt.NDArray[Any]]:
    """Read arrays from safetensors; nothing is unpickled.

    :param path: the file.
    :returns: the arrays by name.
    :raises VectorsError: the file is missing, cut short or damaged, or has numbers that numpy lacks.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    if not path.is_file():
        raise VectorsError(f"{path} does not exist: give the folder that VectorTable.save wrote")
    try:
        return dict(load_file(path))
    except (SafetensorError, ValueError, KeyError, OverflowError) as error:
        raise VectorsError(f"{path} is cut short or not safetensors ({error}): copy it again") from error
    except (TypeError, AttributeError) as error:  # bfloat16 and the 8-bit types
        raise VectorsError(
            f"{path} has numbers of a type that numpy lacks ({error}): save it as float16"
        ) from error


def _digest(arrays: Arrays) -> npt.NDArray[np.uint8]:
    digest = hashlib.sha256()
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        digest.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
        digest.update(array.data.cast("B") if array.size else b"")
    return np.frombuffer(digest.digest(), np.uint8)
