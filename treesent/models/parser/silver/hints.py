"""Features from a dependency parse, for the parser that makes silver trees."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from treesent.errors import DataError
from treesent.text.opening import load_pipeline

if TYPE_CHECKING:
    from spacy.language import Language


@dataclass(frozen=True, slots=True)
class Hints:
    """Hints on one sentence.

    :param tags: fine part of speech of each word. *Shape:* (n_words,)
    :param deps: the label of each word's arc. *Shape:* (n_words,)
    :param spans: first word, end, and what the span is: ``subtree``, ``subtree:LABEL``, or a node of the
        binarised parse, ``right`` or ``left`` dependents first.
    """

    tags: tuple[str, ...]
    deps: tuple[str, ...]
    spans: tuple[tuple[int, int, str], ...]


def read_hints(nlp: Language, sentences: Iterable[Sequence[str]], batch_size: int = 256) -> Iterator[Hints]:
    """Parse tokenised sentences.

    :param nlp: a pipeline with a tagger and a dependency parser.
    :param sentences: words of each sentence.
    :param batch_size: sentences parsed together.
    """
    from spacy.tokens import Doc

    docs = (Doc(nlp.vocab, words=list(words)) for words in sentences)
    for doc in nlp.pipe(docs, batch_size=batch_size):
        yield Hints(
            tuple(token.tag_ for token in doc), tuple(token.dep_ for token in doc), tuple(sorted(_spans(doc)))
        )


def hints_of(pipeline: str, sentences: Iterable[Sequence[str]]) -> Iterator[Hints]:
    """Parse tokenised sentences with a pipeline named by the user.

    :param pipeline: the name or folder of a spaCy pipeline with a tagger and a dependency parser.
    :param sentences: words of each sentence.
    :raises TreesentError: there is no such pipeline, or it lacks a tagger or a parser.
    """
    nlp = load_pipeline(pipeline, exclude=["ner", "lemmatizer", "attribute_ruler", "treesent"])
    if "parser" not in nlp.pipe_names or "tagger" not in nlp.pipe_names:
        raise DataError(
            f"{pipeline} has {', '.join(nlp.pipe_names)}; give a pipeline with a tagger and a parser"
        )
    return read_hints(nlp, sentences)


def _spans(doc: Any) -> set[tuple[int, int, str]]:
    """Spans of two words and more that the parse makes likely."""
    found: set[tuple[int, int, str]] = set()
    for head in doc:
        left = [(token.left_edge.i, token.right_edge.i + 1) for token in reversed(list(head.lefts))]
        right = [(token.left_edge.i, token.right_edge.i + 1) for token in head.rights]
        start, end = head.left_edge.i, head.right_edge.i + 1
        if end - start > 1:
            found |= {(start, end, "subtree"), (start, end, f"subtree:{head.dep_}")}
        for kind, order in (("right", right + left), ("left", left + right)):
            start, end = head.i, head.i + 1
            for other_start, other_end in order:
                start, end = min(start, other_start), max(end, other_end)
                found.add((start, end, kind))
    return found
