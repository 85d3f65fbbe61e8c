"""Constituency parsers: a chart parser and a sequence-to-sequence parser."""
