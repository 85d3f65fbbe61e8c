"""Write a table in the formats that other programs read."""

import bz2
import gzip
import lzma
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from treesent.errors import VectorsError
from treesent.vectors.formats.libraries import to_gensim
from treesent.vectors.table import VectorTable

FORMATS = ("glove", "word2vec", "word2vec-binary", "gensim", "npy", "spacy", "treesent")
_BY_SUFFIX = {".txt": "glove", ".vec": "word2vec", ".bin": "word2vec-binary", ".kv": "gensim", ".npy": "npy"}
_PACKERS: dict[str, Callable[..., Any]] = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}


def write_vectors(table: VectorTable, path: str | Path, format: str | None = None) -> None:
    """Write a table; the file or folder appears under its name only when whole.

    Numbers in text are the shortest that read back as the same float32.

    :param table: its subwords are kept by ``treesent`` only, the other formats have no place for them.
    :param path: ``.txt`` is GloVe's format, ``.vec`` word2vec's text, ``.bin`` its binary, ``.kv`` gensim's
        KeyedVectors, ``.npy`` a matrix with the words in a ``.txt`` beside it; ``.gz``, ``.bz2`` or ``.xz``
        may follow the first three. Without a suffix it is a folder of treesent's own.
    :param format: one of :data:`FORMATS`, where the name does not tell.
    :raises VectorsError: where the format is unknown or cannot hold a word.
    """
    path = Path(path)
    packer = _PACKERS.get(path.suffix)
    inner = path.with_suffix("") if packer else path
    chosen = format or _BY_SUFFIX.get(inner.suffix, "treesent" if not inner.suffix else "")
    if chosen not in FORMATS:
        raise VectorsError(f"the name {path.name!r} tells no format: give one of {', '.join(FORMATS)}")
    if packer and chosen not in ("glove", "word2vec", "word2vec-binary"):
        raise VectorsError(f"{chosen} is not written as {path.suffix}: leave the suffix out")
    if chosen == "treesent":
        table.save(path)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    try:
        if chosen == "spacy":
            _spacy(table).to_disk(partial)
            shutil.rmtree(path, ignore_errors=True)
        elif chosen == "gensim":
            to_gensim(table).save(str(partial), sep_limit=1 << 62)
        elif chosen == "npy":
            with partial.open("wb") as file:
                np.save(file, table.dense())
            path.with_suffix(".txt").write_text("\n".join(_plain(table, "\n")) + "\n", encoding="utf-8")
        else:
            with packer(partial, "wb") if packer else partial.open("wb") as file:
                _write_rows(table, file, chosen)
        partial.replace(path)
    finally:
        if partial.is_dir():
            shutil.rmtree(partial)
        partial.unlink(missing_ok=True)


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
