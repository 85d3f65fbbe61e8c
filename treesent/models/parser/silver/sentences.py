"""Tokenised sentences of plain texts, for the teacher to parse."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

SHORTEST, LONGEST = 5, 48
"""Words of a sentence that is worth parsing: shorter ones teach little, longer ones take long."""
_BREAK = re.compile(r"<br\s*/?>|\s+")


def split_texts(texts: Iterable[str]) -> Iterator[list[str]]:
    """Tokenise texts and split them into sentences with spaCy's English tokeniser and sentencizer.

    :param texts: plain, or with ``<br />`` for line breaks.
    :returns: the words of each sentence of :data:`SHORTEST` to :data:`LONGEST` words, each once.
    """
    import spacy

    nlp = spacy.blank("en")
    nlp.add_pipe("sentencizer")
    seen: set[str] = set()
    for doc in nlp.pipe(_BREAK.sub(" ", text).strip() for text in texts):
        for sentence in doc.sents:
            words = [token.text for token in sentence if not token.is_space]
            line = " ".join(words)
            if SHORTEST <= len(words) <= LONGEST and line not in seen and any(map(str.isalpha, words)):
                seen.add(line)
                yield words
