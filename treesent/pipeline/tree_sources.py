"""Where the trees of a Doc's sentences come from."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from treesent.errors import ModelError, TreesentError
from treesent.files import english_parser
from treesent.text import benepar
from treesent.text.docs import Sentences, Tokens
from treesent.text.pieces import Pieces
from treesent.trees import dependency
from treesent.trees.structure import Structure
from treesent.types import Bool
from treesent.vectors.table import Lookup

if TYPE_CHECKING:
    from spacy.tokens import Doc, Span

    from treesent.models.classifier.folder import SentimentModel

Source = Literal["constituency", "dependency", "learned", "seq2seq", "right-branching"]
Trees = Literal["auto", "constituency", "dependency", "learned", "seq2seq", "right-branching"]

CHAIN_WARNING = (
    "treesent has neither a parse nor a parser of its own here, so every sentence gets a right-branching "
    "tree, which costs accuracy. If you trained this pipeline, train it again with --parser.path PARSER, where "
    "PARSER is what `treesent train parser` wrote for the same vectors; or put a parser before treesent "
    "(spacy.load('en_core_web_sm')), or take a pipeline that has one (pretrained = 'en_treesent_sm'); or say "
    "trees = 'right-branching' if you mean it"
)


def check_trees(name: str) -> "Trees":
    """The name of a source of trees, unchanged.

    :raises TreesentError: there is none of that name.
    """
    if name not in get_args(Trees):
        raise TreesentError(f"trees = {name!r} is none of {', '.join(get_args(Trees))}: give one of these")
    return name  # type: ignore[return-value]


def source_of(doc: "Doc", trees: "Trees", parser: "Source | None") -> "Source":
    """Which source the trees of a Doc come from.

    :param trees: the source that the config names, or ``auto``: benepar's constituents, else a dependency
        parse, else the model's own parser, else right-branching trees.
    :param parser: what the trees of the model's own parser are called, ``learned`` or ``seq2seq``; None where
        it has none.
    :raises TreesentError: where the Doc lacks what the config asks for.
    """
    if trees == "auto":
        if benepar.has_constituents(doc):
            return "constituency"
        if doc.has_annotation("DEP"):
            return "dependency"
        return parser or "right-branching"
    if trees == "constituency" and len(doc) and not benepar.has_constituents(doc):
        raise TreesentError("trees = 'constituency' needs benepar before treesent; or say trees = 'auto'")
    if trees == "dependency" and len(doc) and not doc.has_annotation("DEP"):
        raise TreesentError(
            "trees = 'dependency' needs a dependency parser before treesent, and this pipeline has none "
            f"(or it is disabled): load one (spacy.load({english_parser()!r})), or say trees = 'auto'"
        )
    if trees in ("learned", "seq2seq") and trees != parser:
        own = "no parser of its own" if parser is None else f"a parser of its own for trees = {parser!r}"
        raise ModelError(f"trees = {trees!r}, but the model has {own}: say trees = 'auto'")
    return trees


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Docs of one source as arrays.

    :param docs: the Docs.
    :param tokens: their tokens.
    :param starts: whether a sentence starts at each token. *Shape:* ``(n_tokens,)``.
    :param sentences: their words by sentence.
    :param lookup: the words' rows in the table of vectors.
    :param pieces: the words' pieces, where the model has a transformer.
    """

    docs: Sequence["Doc"]
    tokens: Tokens
    starts: Bool
    sentences: Sentences
    lookup: Lookup
    pieces: Pieces | None = None


def structure_of(batch: Batch, source: "Source", model: "SentimentModel | None") -> Structure:
    """The trees of a batch's sentences.

    :param source: where from.
    :param model: whose parser makes them, for ``learned`` and ``seq2seq``; other sources need none.
    """
    sentences = batch.sentences
    if source == "right-branching" or not len(sentences.lengths):
        return Structure.right_branching(sentences.lengths)
    if source == "dependency":
        words = ~batch.tokens.blank
        return dependency.from_heads(batch.tokens.head, sentences.begin, sentences.end, words)
    if source == "constituency":
        return benepar.from_spans(*_spans(batch))
    assert model is not None
    return _parsed(batch, model)


def _parsed(batch: Batch, model: "SentimentModel") -> Structure:
    """Trees from the model's own parser, which reads the classifier's vectors."""
    import torch

    assert model.parser is not None
    distinct, inverse = np.unique(batch.lookup.rows, return_inverse=True)
    embedding: Any = model.network.embedding
    device = next(model.parser.parameters()).device
    with torch.inference_mode():
        extra = torch.from_numpy(batch.lookup.extra).to(device) if len(batch.lookup.extra) else None
        vectors = embedding(torch.from_numpy(distinct).to(device), extra)
        words = torch.from_numpy(inverse).to(device)
        return model.parser.parse(vectors, words, batch.sentences.lengths)


def _spans(batch: Batch) -> "tuple[list[Span], list[Bool]]":
    """The sentences that have words, as spans of their Docs, and which of their tokens are blank."""
    sentences, offsets = batch.sentences, batch.tokens.offsets
    doc = np.searchsorted(offsets, sentences.begin, "right") - 1
    bounds = np.stack([doc, sentences.begin - offsets[doc], sentences.end - offsets[doc]], axis=1)
    spans = [batch.docs[place][begin:end] for place, begin, end in bounds.tolist()]
    places = zip(sentences.begin.tolist(), sentences.end.tolist(), strict=True)
    return spans, [batch.tokens.blank[begin:end] for begin, end in places]
