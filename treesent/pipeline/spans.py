"""Scored constituents as spans, which displaCy draws and other components read."""

from typing import TYPE_CHECKING

from treesent.pipeline.example_labels import SPANS
from treesent.pipeline.extensions import sentences, span_tree

if TYPE_CHECKING:
    from spacy.tokens import Doc


def write_spans(doc: "Doc", key: str = SPANS, neutral: bool = False) -> None:
    """Write every scored constituent of several words to ``doc.spans[key]``, labelled with its class.

    ``displacy.render(doc, style="span", options={"spans_key": key})`` draws them.

    :param doc: a scored Doc.
    :param key: of the group, which is replaced.
    :param neutral: write neutral constituents too.
    """
    from spacy.tokens import Span

    found = []
    for sentence in sentences(doc):
        tree = span_tree(sentence)
        for node in tree or ():
            if node.n_words > 1 and (neutral or not node.neutral):
                span = node.span
                found.append(Span(doc, span.start, span.end, node.label))
    doc.spans[key] = sorted(found, key=lambda span: (span.start, -span.end))
