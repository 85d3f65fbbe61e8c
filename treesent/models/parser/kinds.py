"""Parsers of every kind, read from the one file that a pipeline has."""

from __future__ import annotations

from pathlib import Path

from treesent.models.parser import seq2seq as seq2seq_parser
from treesent.models.parser.chart_parser import DistanceParser
from treesent.models.parser.seq2seq import Seq2SeqParser

Parser = DistanceParser | Seq2SeqParser


def load_parser(path: str | Path) -> Parser:
    """Read a parser, of whichever kind it is.

    :param path: the file.
    :raises ModelError: it is missing, damaged or no parser of this version.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "pt") as file:
            form = (file.metadata() or {}).get("format")
    except (SafetensorError, OSError):
        form = None  # the one that follows tells what is wrong
    return Seq2SeqParser.load(path) if form == seq2seq_parser.FORMAT else DistanceParser.load(path)
