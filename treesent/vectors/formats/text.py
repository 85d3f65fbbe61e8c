"""Text files of vectors: GloVe (no header), word2vec and fastText ``.vec`` (a header of two numbers).

The file is read in blocks of whole lines. A line is cut at its first blank, and the numbers of a block are
parsed by one call; only where a block does not come out even is each of its lines looked at, to take the
words that hold blanks (GloVe 840B has some) or to name the fault.
"""

import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

import numpy as np
import numpy.typing as npt

from treesent.errors import VectorsError
from treesent.vectors.formats.opening import open_bytes
from treesent.vectors.formats.select import Selection
from treesent.vectors.table import VectorTable

BLOCK = 1 << 18
_LONGEST_LINE = 1 << 24
_HEADER = re.compile(rb"^\s*(\d{1,18})[ \t]+(\d{1,18})\s*$")
_ENDS = b" \t\r"


def read_text(path: Path, selection: Selection, member: str | None = None) -> VectorTable:
    """Read a text file of vectors, with or without a header.

    :raises VectorsError: naming file, line, column and value, where a row is not like the others, a number is
        none or not finite, a word occurs twice, or the header's counts are wrong.
    """
    with open_bytes(path, member) as file:
        return _TextReader(path, file, selection).read()


def header_of(start: bytes) -> tuple[int, int] | None:
    """The counts of words and numbers in a header line, if the file's start has one.

    Two whole numbers could also be a word and its vector of one number; the next line decides.
    """
    first, _, rest = start.partition(b"\n")
    match = _HEADER.match(first)
    if match is None:
        return None
    n_words, width = int(match[1]), int(match[2])
    second = _fields(rest.partition(b"\n")[0])
    return None if width != 1 and len(second) == 2 else (n_words, width)


class _TextReader:
    def __init__(self, path: Path, file: BinaryIO, selection: Selection) -> None:
        self.path, self.file, self.selection = path, file, selection
        self.line = 1
        self.words: list[str] = []
        self.n_rows = 0
        self.width = 0
        self.matrix = np.empty((0, 0), selection.dtype)

    def read(self) -> VectorTable:
        start = self.file.read(BLOCK)
        if not start.strip():
            raise VectorsError(
                f"{self.path} is empty: a text file of vectors has a word and its numbers a line"
            )
        header = header_of(start)
        if header is not None:
            start = start.partition(b"\n")[2]
            self.line = 2
        self.width = _usual_width(start)
        if header is not None and header[1] != self.width:
            fault = f"the header promises {header[1]} numbers a word, the first rows have {self.width}"
            self._fail(1, 1, fault, "correct the header")
        if self.width < 1:
            self._fail(self.line, 1, "this line has no numbers", "a line is a word, a blank and its numbers")
        n_rows = header[0] if header is not None else 1000
        # The header is only believed as far as the file is long.
        most = min(n_rows, 1 << 20, (1 << 29) // (4 * self.width) + 1)
        self.matrix = np.empty((self.selection.limit(most), self.width), self.selection.dtype)
        first = self.line
        for lines in self._blocks(start):
            self._block(lines)
            self.line += len(lines)
            if self._full(first):
                break
        else:
            if header is not None and self.n_rows != header[0]:
                fault = f"the header promises {header[0]} words, the file has {self.n_rows}"
                self._fail(1, 1, fault, "fetch the file again, it may be cut short, or correct the header")
        if not self.words:
            raise VectorsError(f"{self.path} has none of the vocabulary's words: are both lower-cased?")
        self.matrix.resize((len(self.words), self.width), refcheck=False)
        return self._table(first)

    def _full(self, first: int) -> bool:
        limit = self.selection.most_frequent
        return limit is not None and self.line - first >= limit

    def _blocks(self, block: bytes) -> Iterator[list[bytes]]:
        first, tail = self.line, b""
        while block:
            head, newline, rest = block.rpartition(b"\n")
            if newline:
                yield from self._limited((tail + head).split(b"\n"), first)
                tail = rest
            else:
                tail += block
                if len(tail) > _LONGEST_LINE:
                    fault = f"this line is longer than {_LONGEST_LINE:,} bytes"
                    self._fail(self.line, 1, fault, "a line is a word, a blank and its numbers")
            block = self.file.read(BLOCK)
        if tail:
            yield from self._limited([tail], first)

    def _limited(self, lines: list[bytes], first: int) -> Iterator[list[bytes]]:
        limit = self.selection.most_frequent
        yield lines if limit is None else lines[: limit - (self.line - first)]

    def _block(self, lines: list[bytes]) -> None:
        lines = [line.rstrip(_ENDS) for line in lines]
        while lines and not lines[-1]:
            lines.pop()
        if not lines:
            return
        self.n_rows += len(lines)
        rows = [line.partition(b" ") for line in lines] if b" " in lines[0] else self._tabs(lines)
        blanks = self.width - 1
        if any(row[2].count(b" ") != blanks for row in rows):
            rows = [self._odd_row(line, self.line + i) for i, line in enumerate(lines)]
        try:
            kept = [(row[0].decode("utf-8"), row[2]) for row in rows]
        except UnicodeDecodeError:
            found = [(self._decode(row[0], self.line + i), row[2]) for i, row in enumerate(rows)]
            kept = [(word, numbers) for word, numbers in found if word is not None]
        if self.selection.vocabulary is not None or self.selection.skips_duplicates:
            named = [(self.selection.word(word), numbers) for word, numbers in kept]
            kept = [(word, numbers) for word, numbers in named if word is not None]
        numbers = _parse([text for _, text in kept])
        largest = np.finfo(self.selection.dtype).max
        if numbers is None or numbers.size != len(kept) * self.width or not (abs(numbers) <= largest).all():
            self._find_fault(rows)
        assert numbers is not None
        self._grow(len(self.words) + len(kept))
        self.matrix[len(self.words) : len(self.words) + len(kept)] = numbers.reshape(len(kept), self.width)
        self.words += [word for word, _ in kept]

    def _tabs(self, lines: list[bytes]) -> list[tuple[bytes, bytes, bytes]]:
        return [line.replace(b"\t", b" ").partition(b" ") for line in lines]

    def _odd_row(self, line: bytes, number: int) -> tuple[bytes, bytes, bytes]:
        """A row whose word holds blanks, or whose numbers stand more than one blank apart."""
        fields = _fields(line)
        if len(fields) <= self.width:
            self._fail(number, 1, f"{max(len(fields) - 1, 0)} numbers, not {self.width}", "mend the row")
        extra = fields[1 : -self.width]
        if extra and all(_is_number(field) for field in extra):
            found = self.width + len(extra)
            self._fail(number, 1, f"{found} numbers, not {self.width}", "mend or remove the row")
        return b" ".join(fields[: -self.width]), b" ", b" ".join(fields[-self.width :])

    def _decode(self, word: bytes, number: int) -> str | None:
        try:
            return self.selection.decode(word)
        except UnicodeDecodeError as error:
            fix = "save the file as UTF-8, or give --on-bad-word skip or replace"
            self._fail(number, error.start + 1, f"the word {word!r} is not UTF-8", fix)

    def _grow(self, n_rows: int) -> None:
        if n_rows > len(self.matrix):
            # In place: the system moves the pages instead of copying them, so the peak stays near the table.
            self.matrix.resize((max(n_rows, len(self.matrix) * 5 // 4), self.width), refcheck=False)

    def _find_fault(self, rows: list[tuple[bytes, bytes, bytes]]) -> NoReturn:
        for index, (word, _, text) in enumerate(rows):
            column = len(word.decode("utf-8", "replace")) + 2
            for field in text.split(b" "):
                shown = field.decode("utf-8", "replace")
                if not _is_number(field):
                    self._fail(
                        self.line + index, column, f"{shown!r} is not a number", "mend or remove the row"
                    )
                if not np.isfinite(float(field)):
                    self._fail(self.line + index, column, f"{shown} is not finite", "mend or remove the row")
                if abs(float(field)) > float(np.finfo(self.selection.dtype).max):
                    fix = "leave --half out" if self.selection.half else "mend or remove the row"
                    self._fail(self.line + index, column, f"{shown} is too large", fix)
                column += len(shown) + 1
        raise VectorsError(f"{self.path}: lines {self.line} to {self.line + len(rows)} cannot be read")

    def _fail(self, line: int, column: int, fault: str, fix: str) -> NoReturn:
        raise VectorsError(f"{self.path}:{line}:{column}: {fault}: {fix}")

    def _table(self, first: int) -> VectorTable:
        try:
            return VectorTable(self.words, self.matrix)
        except VectorsError as error:
            if len(set(self.words)) == len(self.words):
                raise
            seen: dict[str, int] = {}
            for row, word in enumerate(self.words):
                if word in seen:
                    both = (
                        f" (lines {seen[word] + first} and {row + first})" if self.selection.takes_all else ""
                    )
                    fault = f"the word {word!r} occurs twice{both}"
                    raise VectorsError(f"{self.path}: {fault}: keep the first: --duplicates first") from error
                seen[word] = row
            raise


def _parse(texts: list[bytes]) -> npt.NDArray[Any] | None:
    """All numbers of a block in one pass; None if something is not a number."""
    if not texts:
        return np.empty(0, np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("error", DeprecationWarning)
        try:
            return np.fromstring(b" ".join(texts), np.float32, sep=" ")
        except (DeprecationWarning, ValueError):
            return None


def _is_number(field: bytes) -> bool:
    try:
        float(field)
    except ValueError:
        return False
    return b"_" not in field


def _fields(line: bytes) -> list[bytes]:
    """What stands between blanks and tabs: a word may hold other kinds of space."""
    return [field for field in line.strip(_ENDS).replace(b"\t", b" ").split(b" ") if field]


def _usual_width(start: bytes) -> int:
    """The most common number of numbers in the first lines: a word with blanks must not decide."""
    lines = start.split(b"\n")
    whole = lines[:-1] if len(lines) > 1 else lines
    counts = np.array([len(_fields(line)) for line in whole[:1000] if line.strip(_ENDS)])
    return int(np.bincount(counts).argmax()) - 1 if len(counts) else 0
