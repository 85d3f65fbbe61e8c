"""Sentiment of every phrase, inside spaCy."""

__version__ = "0.1.0"
