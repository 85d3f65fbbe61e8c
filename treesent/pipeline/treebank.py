"""Trees for plain text, from every source there is."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from itertools import islice, pairwise
from typing import TYPE_CHECKING

import numpy as np

from treesent.errors import ModelError
from treesent.pipeline.lookup import PRETRAINED, components_of
from treesent.pipeline.tree_sources import CHAIN_WARNING, Batch, Trees, check_trees, source_of, structure_of
from treesent.text.docs import Sentences
from treesent.text.reading import DocReader
from treesent.trees.structure import Structure
from treesent.trees.tree import Tree
from treesent.vectors.table import Lookup

if TYPE_CHECKING:
    from spacy.language import Language
    from spacy.tokens import Doc

    from treesent.pipeline.component import TreeSentiment


def grow_trees(
    texts: Iterable[str],
    nlp: Language,
    trees: Trees = "auto",
    *,
    whole: bool = False,
    batch_size: int = 256,
) -> Iterator[list[Tree]]:
    """Make the trees of texts, without labels.

    Tokens, parse and constituents are the pipeline's; a component ``treesent`` in it gives its parser and
    nothing else. White space is not a word, so a blank text has no tree.

    :param texts: plain texts.
    :param nlp: a pipeline; ``spacy.blank("en")`` will do for right-branching trees.
    :param trees: where trees come from; ``auto`` takes what there is, as the component does.
    :param whole: every text is one sentence, whatever it looks like.
    :param batch_size: texts done together.
    :returns: for each text the trees of its sentences.
    :raises TreesentError: if the pipeline lacks what ``trees`` asks for.
    """
    check_trees(trees)
    components = components_of(nlp)
    component = next(iter(components.values()), None)
    reader = DocReader()
    texts = iter(texts)
    with nlp.select_pipes(disable=list(components)):
        while batch := list(islice(texts, batch_size)):
            docs = [nlp.make_doc(text) for text in batch]
            if whole:
                for doc in docs:
                    for token in doc:
                        token.is_sent_start = token.i == 0
            yield from _grow(list(nlp.pipe(docs, batch_size=batch_size)), trees, component, reader)


def open_pipeline(name: str | None, trees: Trees = "auto") -> Language:
    """Open the pipeline whose trees are wanted.

    :param name: a pipeline with ``treesent``, packaged or a folder, or a spaCy package; None takes the
        packaged default, and a blank English pipeline for right-branching trees.
    :param trees: where trees are to come from.
    :raises ModelError: if there is none of that name.
    """
    import spacy

    from treesent.text.opening import load_pipeline

    if name is None:
        if trees == "right-branching":
            return spacy.blank("en")
        if trees in ("dependency", "constituency"):
            raise ModelError(
                f"{trees} trees need a pipeline that parses: name one (--model en_core_web_sm, say)"
            )
        return load_pipeline(PRETRAINED)
    return load_pipeline(name)


def _grow(
    docs: list[Doc], trees: Trees, component: TreeSentiment | None, reader: DocReader
) -> Iterator[list[Tree]]:
    """Make the trees of a batch; its Docs may have trees from different sources."""
    model = component.trained if component is not None else None
    parsing = None if model is None else model.parsed
    filled = [doc for doc in docs if len(doc)]
    sources = [source_of(doc, trees, parsing) for doc in filled]
    found: dict[int, list[Tree]] = {}
    for source in dict.fromkeys(sources):
        if source == "right-branching" and trees == "auto":
            warnings.warn(CHAIN_WARNING, stacklevel=2)
        members = [doc for doc, its in zip(filled, sources, strict=True) if its == source]
        if source in ("learned", "seq2seq") and component is not None:
            batch = component.predictor.read(members)
        else:
            batch = _read(members, reader)
        structure = structure_of(batch, source, model)
        for doc, its_trees in zip(members, _by_doc(batch, structure), strict=True):
            found[id(doc)] = its_trees
    for doc in docs:
        yield found.get(id(doc), [])


def _read(docs: list[Doc], reader: DocReader) -> Batch:
    """Read Docs as arrays, with sentences but without vectors, which only a model's parser looks at."""
    tokens, starts = reader(docs)
    none = Lookup(np.zeros(0, np.int64), np.zeros((0, 0), np.float32), np.zeros(0, np.bool_))
    return Batch(docs, tokens, starts, Sentences.of(tokens, starts), none)


def _by_doc(batch: Batch, structure: Structure) -> Iterator[list[Tree]]:
    """Give the trees their words, Doc by Doc."""
    words = iter(batch.sentences.words(batch.tokens, as_written=True))
    lengths = batch.sentences.lengths.tolist()
    for begin, end in pairwise(batch.sentences.offsets.tolist()):
        yield [
            Tree.from_batch(structure, number, list(islice(words, lengths[number])))
            for number in range(begin, end)
        ]
