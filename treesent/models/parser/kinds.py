"""Both kinds of parsers, read from the one file that a pipeline has."""

from __future__ import annotations

from pathlib import Path
from typing import cast

from treesent.models.parser.chart_parser import ChartParser
from treesent.models.parser.file import read_parser_file
from treesent.models.parser.seq2seq import Seq2SeqParser

Parser = ChartParser | Seq2SeqParser


def load_parser(path: str | Path) -> Parser:
    """Read a parser of either kind.

    :param path: the file.
    :raises ModelError: it is missing, damaged, or not a parser of this version.
    """
    return cast(Parser, read_parser_file(path, ChartParser, Seq2SeqParser))
