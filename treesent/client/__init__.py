"""Ask a server of treesent's for scores: needs neither spaCy nor torch."""

from treesent.client.client import Client
from treesent.client.results import Phrase, Score, Sentence

__all__ = ["Client", "Phrase", "Score", "Sentence"]
