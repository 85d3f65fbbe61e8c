"""How a table is written: its encoding, what separates its cells, and what stands for no text."""

import codecs
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import IO, Any, cast

from treesent.errors import DataError

SEPARATORS = (",", ";", "\t", "|")
_BOMS = (
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_CHUNK = 1 << 16


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a table is written.

    :param quoted_tsv: read ``"`` in tsv as csv does.
    :param separator: stands between the cells of csv and tsv; None to tell it by the header.
    :param encoding: of text tables; None for UTF-8, or what a byte order mark says.
    :param null: texts that stand for no text, such as ``NULL``.
    """

    quoted_tsv: bool = False
    separator: str | None = None
    encoding: str | None = None
    null: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what cannot separate cells, and unknown encodings."""
        if self.separator is not None and (len(self.separator) != 1 or self.separator in '"\r\n'):
            raise DataError(
                f"the separator {self.separator!r} must be one character, and no quote or line end"
            )
        try:
            codecs.lookup(self.encoding or "utf-8")
        except LookupError:
            raise DataError(
                f"{self.encoding!r} is not a known encoding; use utf-8, cp1252 or utf-16, say"
            ) from None

    def text(self, value: Any) -> Any:
        """Give a cell's text: an empty one for null, NaN and what stands for no text.

        :param value: of the cell.
        """
        if value is None or (isinstance(value, float) and value != value) or value in self.null:
            return ""
        return value


PLAIN = Dialect()
"""Of a table that tells for itself how it is written."""


def separator_of(header: str, kind: str, need: Sequence[str]) -> str:
    """Tell what separates the cells of a table by its header.

    :param header: the first line.
    :param kind: ``csv`` or ``tsv``, whose own separator is tried first.
    :param need: columns that must be there.
    """
    own = "," if kind == "csv" else "\t"

    def columns(separator: str) -> list[str]:
        return [name.strip().strip('"') for name in header.rstrip("\r\n").split(separator)]

    fitting = [mark for mark in SEPARATORS if set(need) <= set(columns(mark))]
    candidates = fitting or SEPARATORS
    if own in candidates and (len(columns(own)) > 1 or (need and fitting)):
        return own
    best = max(candidates, key=lambda mark: len(columns(mark)))
    return best if len(columns(best)) > 1 else own


def told_separator(line: str) -> str | None:
    """Read the line ``sep=;`` with which Excel begins some files; None for any other line.

    :param line: the first of the file.
    """
    told = line.rstrip("\r\n")
    return told[4] if len(told) == 5 and told.lower().startswith("sep=") else None


def as_utf8(stream: IO[bytes], name: str, encoding: str | None) -> IO[bytes]:
    """Give a stream in UTF-8 whose lines end in a line feed.

    :param stream: of a text in any encoding.
    :param name: the file's, for messages.
    :param encoding: of the text; None for what a byte order mark says, else UTF-8.
    :returns: the stream itself where it is UTF-8 already.
    """
    buffered: Any = stream if hasattr(stream, "peek") else io.BufferedReader(cast(Any, stream))
    start = bytes(buffered.peek(_CHUNK))
    told = next((its for mark, its in _BOMS if start.startswith(mark)), None)
    if encoding is not None and codecs.lookup(encoding).name == "utf-8":
        encoding = None
    encoding = told or encoding
    # The line ends of the first Macintosh.
    old = b"\r" in start.rstrip(b"\r") and b"\n" not in start
    if encoding is None and not old:
        return cast(IO[bytes], buffered)
    return io.BufferedReader(_Recoded(buffered, name, encoding or "utf-8"), _CHUNK)


class _Recoded(io.RawIOBase):
    """A stream in UTF-8 of one in another encoding."""

    def __init__(self, stream: IO[bytes], name: str, encoding: str) -> None:
        self._stream, self._name, self._encoding = stream, name, encoding
        # Bytes of UTF-8 that make no sense are the fault of their row, further on.
        errors = "surrogateescape" if encoding == "utf-8" else "strict"
        self._decoder = io.IncrementalNewlineDecoder(
            codecs.getincrementaldecoder(encoding)(errors), translate=True
        )
        self._left, self._read, self._first = b"", 0, True

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer."""
        while not self._left:
            chunk = self._stream.read(_CHUNK)
            try:
                text = self._decoder.decode(chunk, final=not chunk)
            except UnicodeDecodeError as error:
                raise DataError(
                    f"{self._name}: not {self._encoding}: {error.reason} near byte {self._read + error.start:,}; "
                    "give its encoding with --encoding"
                ) from error
            self._read += len(chunk)
            if self._first and text:
                text, self._first = text.removeprefix("\ufeff"), False
            self._left = text.encode("utf-8", "surrogateescape")
            if not chunk:
                break
        n = min(len(buffer), len(self._left))
        buffer[:n], self._left = self._left[:n], self._left[n:]
        return n
