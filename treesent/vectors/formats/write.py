"""Write a table in the formats that other programs read."""

import bz2
import gzip
import lzma
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

from treesent.errors import VectorsError
from treesent.files import (
    check_output_folder,
    check_outputs,
    replacing,
    replacing_folder,
    replacing_path,
)
from treesent.vectors.formats.libraries import to_gensim
from treesent.vectors.table import FILE, VectorTable

FORMATS = ("glove", "word2vec", "word2vec-binary", "gensim", "npy", "spacy", "treesent")
_BY_SUFFIX = {".txt": "glove", ".vec": "word2vec", ".bin": "word2vec-binary", ".kv": "gensim", ".npy": "npy"}
_PACKERS: dict[str, Callable[..., Any]] = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}
_FOLDERS = {
    "treesent": (FILE,),
    "spacy": ("strings.json", "vectors", "key2row", "lookups.bin", "vectors.cfg"),
}


def write_vectors(table: VectorTable, path: str | Path, format: str | None = None) -> None:
    """Write a table; the file or folder appears under its name only when whole.

    Numbers in text are the shortest that read back as the same float32.

    :param table: its subwords are kept by ``treesent`` only, the other formats have no place for them.
    :param path: ``.txt`` is GloVe's format, ``.vec`` word2vec's text, ``.bin`` its binary, ``.kv`` gensim's
        KeyedVectors, ``.npy`` a matrix with the words in a ``.txt`` beside it; ``.gz``, ``.bz2`` or ``.xz``
        may follow the first three. Without a suffix it is a folder of treesent's own.
    :param format: one of :data:`FORMATS`, if the name does not tell.
    :raises VectorsError: the format is unknown or cannot hold a word.
    :raises OutputError: the file cannot be written, or a folder holds files that treesent did not write.
    """
    path = Path(path)
    chosen = _format_of(path, format)
    path.parent.mkdir(parents=True, exist_ok=True)
    if chosen in _FOLDERS:
        with replacing_folder(path, _FOLDERS[chosen]) as folder:
            table.save(folder) if chosen == "treesent" else _spacy(table).to_disk(folder)
    elif chosen == "gensim":
        with replacing_path(path) as partial:
            to_gensim(table).save(str(partial), sep_limit=1 << 62)
    elif chosen == "npy":
        words = "\n".join(_plain(table, "\n")) + "\n"
        with replacing(path) as matrix, replacing(path.with_suffix(".txt"), "w", encoding="utf-8") as file:
            np.save(matrix, table.dense())
            file.write(words)
    else:
        packer = _PACKERS.get(path.suffix, open)
        with replacing_path(path) as partial, packer(partial, "wb") as file:
            _write_rows(table, file, chosen)


def check_vectors_output(
    path: str | Path,
    format: str | None = None,
    inputs: Iterable[str | Path | None] = (),
    overwrite: bool = False,
) -> None:
    """Refuse an output of :func:`write_vectors` before any work is done for it.

    :param path: the output.
    :param format: as for :func:`write_vectors`.
    :param inputs: all files that the command reads.
    :param overwrite: whether an output that exists may be replaced.
    :raises VectorsError: the format is unknown.
    :raises OutputError: see :func:`treesent.files.check_outputs`.
    """
    path = Path(path)
    chosen = _format_of(path, format)
    if chosen in _FOLDERS:
        check_output_folder(path, _FOLDERS[chosen], inputs, overwrite)
    else:
        check_outputs([path, *([path.with_suffix(".txt")] if chosen == "npy" else [])], inputs, overwrite)


def _format_of(path: Path, format: str | None) -> str:
    packed = path.suffix in _PACKERS
    inner = path.with_suffix("") if packed else path
    chosen = format or _BY_SUFFIX.get(inner.suffix, "treesent" if not inner.suffix else "")
    if chosen not in FORMATS:
        raise VectorsError(f"the name {path.name!r} does not tell a format: give one of {', '.join(FORMATS)}")
    if packed and chosen not in ("glove", "word2vec", "word2vec-binary"):
        raise VectorsError(f"{chosen} is not written as {path.suffix}: leave the suffix out")
    return chosen


def _plain(table: VectorTable, forbidden: str) -> list[str]:
    bad = next((word for word in table.words if any(mark in word for mark in forbidden) or not word), None)
    if bad is not None:
        raise VectorsError(
            f"the word {bad!r} cannot stand in this format: write another, or leave the word out"
        )
    return table.words


def _write_rows(table: VectorTable, file: Any, chosen: str) -> None:
    words = _plain(table, "\n" if chosen == "glove" else "\n ")
    if chosen != "glove":
        file.write(f"{len(table)} {table.width}\n".encode())
    for start in range(0, len(table), 4096):
        rows = table.dense(slice(start, start + 4096))
        block = zip(words[start : start + 4096], rows, strict=True)
        if chosen == "word2vec-binary":
            file.write(
                b"".join(word.encode() + b" " + row.astype("<f4").tobytes() + b"\n" for word, row in block)
            )
        else:
            file.write("".join(f"{word} {' '.join(row.astype(str))}\n" for word, row in block).encode())


def _spacy(table: VectorTable) -> Any:
    from spacy.vectors import Vectors
    from spacy.vocab import Vocab

    vocab = Vocab()
    vocab.vectors = Vectors(
        strings=vocab.strings, data=table.dense(), keys=table.words, name="treesent.vectors"
    )
    for word in table.words:
        vocab.strings.add(word)
    return vocab
