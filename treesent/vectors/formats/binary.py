"""The binary format of word2vec: a header line, then each word, a blank and its float32 numbers."""

from pathlib import Path
from typing import BinaryIO

import numpy as np

from treesent.errors import VectorsError
from treesent.vectors.formats.opening import open_bytes
from treesent.vectors.formats.select import Selection
from treesent.vectors.formats.text import header_of
from treesent.vectors.table import VectorTable

BLOCK = 1 << 22
_LONGEST_WORD = 4096
_WIDEST = 1 << 16


def read_binary(path: Path, selection: Selection, member: str | None = None) -> VectorTable:
    """Read word2vec's binary format.

    :raises VectorsError: naming the file and the word's number, where the file is cut short, has more in it
        than its header says, or holds a number that is not finite.
    """
    with open_bytes(path, member) as file:
        line = file.readline(256)
        header = header_of(line)
        if header is None:
            raise VectorsError(
                f"{path}:1: {line[:40]!r} is not a header: expected the number of words and the width"
            )
        if header[1] > _WIDEST:
            raise VectorsError(f"{path}:1: the width is {header[1]:,}; the most is {_WIDEST:,}")
        return _read(path, file, selection, *header)


def _read(path: Path, file: BinaryIO, selection: Selection, n_words: int, width: int) -> VectorTable:
    size = 4 * width
    limit = selection.limit(n_words)
    words: list[str] = []
    # The header is only believed as far as the file is long.
    matrix = np.empty((min(limit, (1 << 24) // (size + 1) + 1), width), selection.dtype)
    buffer, place = b"", 0
    for number in range(limit):
        if len(buffer) - place < size + _LONGEST_WORD:
            buffer, place = buffer[place:] + file.read(BLOCK), 0
        blank = buffer.find(b" ", place, place + _LONGEST_WORD)
        end = blank + 1 + size
        if blank < 0 or end > len(buffer):
            raise VectorsError(
                f"{path}: the file ends in word {number + 1} of {n_words}: it is cut short, fetch it again"
            )
        raw = _decode(path, selection, buffer[place:blank].lstrip(b"\n"), number)
        word = None if raw is None else selection.word(raw)
        if word is not None:
            if len(words) == len(matrix):
                matrix.resize((min(limit, len(matrix) * 5 // 4 + 1), width), refcheck=False)
            matrix[len(words)] = np.frombuffer(buffer, "<f4", width, blank + 1)
            words.append(word)
        place = end
    if limit == n_words and (buffer[place:] + file.read(1)).strip(b"\n"):
        raise VectorsError(f"{path}: more follows after the {n_words} words of the header: correct it")
    if not words:
        raise VectorsError(f"{path} has none of the vocabulary's words: are both lower-cased?")
    matrix.resize((len(words), width), refcheck=False)
    try:
        return VectorTable(words, matrix)
    except VectorsError as error:
        raise VectorsError(f"{path}: {error}") from error


def _decode(path: Path, selection: Selection, word: bytes, number: int) -> str | None:
    try:
        return selection.decode(word)
    except UnicodeDecodeError as error:
        raise VectorsError(
            f"{path}: word {number + 1} ({word[:40]!r}) is not UTF-8: the file is damaged, or of another format, or "
            "was cut inside a word by its maker; give --on-bad-word skip or replace"
        ) from error
