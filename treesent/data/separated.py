"""Records of csv and tsv, with a way back into the file after a broken one."""

import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

_INSIDE = re.compile(r'[^"]*+(?:""[^"]*+)*+')


@dataclass(frozen=True, slots=True)
class Record:
    """The fields of one record, or why there are none."""

    line: int
    """One-based line where the record begins."""
    raw: str
    """The record as it stands in the file, without its last line end."""
    fields: list[str] = field(default_factory=list)
    fault: str | None = None


def read_records(
    lines: "Iterator[str] | Lines", delimiter: str, *, quoted: bool, longest: int
) -> Iterator[Record]:
    r"""Split lines into records, RFC 4180.

    A quote opens a field only at its very start; inside, ``""`` is a quote, and the field may hold line ends
    and be of any length (which is why the standard library's reader does not serve). A record that cannot be
    read costs one line: reading continues at the next, so that a quote that is never closed loses no row.

    :param lines: the file's lines with their ends.
    :param delimiter: one character.
    :param quoted: False if ``"`` is a character like any other.
    :param longest: characters after which a quote counts as never closed, so that one slip does not swallow a
        whole file.
    """
    source = lines if isinstance(lines, Lines) else Lines(lines)
    for line in source:
        number = source.number
        if not quoted or '"' not in line:
            raw = line.rstrip("\r\n")
            yield Record(number, raw, raw.split(delimiter))
            continue
        taken = [line]
        try:
            fields = _fields(line, source, taken, delimiter, longest)
        except _BrokenRecordError as error:
            source.give_back(taken[1:])
            yield Record(number, line.rstrip("\r\n"), fault=str(error))
        else:
            yield Record(number, "".join(taken).rstrip("\r\n"), fields)


class _BrokenRecordError(Exception):
    """Quotes that do not match; the message is the fault a user sees."""


class Lines:
    """Lines, counted, of which some can be given back."""

    def __init__(self, lines: Iterator[str]) -> None:
        self._lines, self._returned, self.number = lines, deque[str](), 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._returned.popleft() if self._returned else next(self._lines)
        self.number += 1
        return line

    def pending(self) -> bool:
        """Whether lines were given back that were not read again."""
        return bool(self._returned)

    def give_back(self, lines: list[str]) -> None:
        """Have lines read again.

        :param lines: in their order.
        """
        self._returned.extendleft(reversed(lines))
        self.number -= len(lines)


def _fields(line: str, source: Lines, taken: list[str], delimiter: str, longest: int) -> list[str]:
    fields: list[str] = []
    at = 0
    while True:
        if line.startswith('"', at):
            text, line, at = _quoted_field(line, at + 1, source, taken, len(fields) + 1, longest)
            fields.append(text)
            if at == len(line) or line[at] in "\r\n":
                return fields
            if line[at] != delimiter:
                raise _BrokenRecordError(
                    f"field {len(fields)}: {line[at]!r} after the closing quote; "
                    'write a quote inside a quoted field twice ("")'
                )
            at += 1
        else:
            end = line.find(delimiter, at)
            if end < 0:
                return [*fields, line[at:].rstrip("\r\n")]
            fields.append(line[at:end])
            at = end + 1


def _quoted_field(
    line: str, at: int, source: Lines, taken: list[str], number: int, longest: int
) -> tuple[str, str, int]:
    pieces: list[str] = []
    length = 0
    while True:
        match = _INSIDE.match(line, at)
        end = match.end() if match else at
        pieces.append(line[at:end])
        if end < len(line):
            return "".join(pieces).replace('""', '"'), line, end + 1
        length += end - at
        following = next(source, None) if length < longest else None
        if following is None:
            raise _BrokenRecordError(f'field {number}: a quote opens and is never closed; add the closing "')
        line, at = following, 0
        taken.append(line)
