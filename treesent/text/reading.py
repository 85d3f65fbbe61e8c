"""Read Docs: the one way from Docs to sentences of words, for training and inference."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from treesent.text.context import ContextReader
from treesent.text.docs import Tokens
from treesent.text.sentences import SentenceSplitter
from treesent.types import Bool

if TYPE_CHECKING:
    from spacy.tokens import Doc


class DocReader:
    """Reads Docs, with sentences by rule where they have no boundaries of their own."""

    def __init__(self) -> None:
        self._context, self._split = ContextReader(), SentenceSplitter()

    def __call__(self, docs: Sequence["Doc"]) -> tuple[Tokens, Bool]:
        """Read Docs without changing them.

        :param docs: at least one.
        :returns: the tokens, each with the word that it is looked up as; whether a sentence starts at each.
            *Shape:* ``(n_tokens,)``.
        """
        tokens = Tokens.of(docs)
        starts = self._split(tokens) if tokens.open.any() else tokens.starts
        tokens, breaks = self._context(docs, tokens)
        if breaks.any():
            starts = starts | (breaks & tokens.open[tokens.doc])
        return tokens, starts
