"""Which words carry a score: each word in turn is taken out, and the sentence is scored again (occlusion).

The tree stays as it is; the word's vector becomes zeros, and its pieces become the transformer's mask (Zeiler and
Fergus 2014, arXiv:1311.2901, section 4.2; Li et al. 2016, arXiv:1612.08220). This works for every network.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from treesent.pipeline import record as store
from treesent.pipeline.record import Record
from treesent.trees.arrays import ranges, run_offsets
from treesent.types import Float32, Int64
from treesent.vectors.table import Lookup

if TYPE_CHECKING:
    from spacy.tokens import Doc, Span

    from treesent.pipeline.predict import Predictor
    from treesent.pipeline.tree_sources import Batch

MOST = 256
"""Times that a sentence is scored again at most: longer ones lose several neighbouring words at a time."""
_WORDS = 60_000
"""Words of the copies of sentences that are scored together."""


class Reason(NamedTuple):
    """A word of a scored text and what it adds.

    :param span: the word.
    :param weight: by how much the polarity of its sentence falls without it, from -2 to 2; of classes without
        polarity, by how much the probability of the sentence's class falls.
    """

    span: Span
    weight: float


def explain(predictor: Predictor, docs: Sequence[Doc]) -> None:
    """Leave on scored Docs what each word adds, for ``doc._.sentiment_reasons``.

    :param predictor: of the component that scored them.
    :param docs: Docs with a record each; those without words stay as they are.
    """
    scored = [doc for doc in docs if len(found := store.read(doc)) == 1 and found[0][1].n_trees]
    if not scored:
        return
    records = [store.read(doc)[0][1] for doc in scored]
    weights = word_weights(predictor, predictor.read(scored), records)
    for doc, record, own in zip(
        scored, records, np.split(weights, np.cumsum([len(r.chars) for r in records])[:-1]), strict=True
    ):
        store.write(doc, replace(record, reasons=own))


def doc_reasons(doc: Doc) -> list[Reason] | None:
    """Give what each word of a Doc adds, in text order; None if nothing has explained the Doc."""
    found: list[Reason] = []
    for offset, record in store.read(doc):
        if record.reasons is None:
            return None
        for (begin, end), weight in zip(record.chars.tolist(), record.reasons.tolist(), strict=True):
            span = doc.char_span(begin + offset, end + offset, alignment_mode="expand")
            if span is not None:
                found.append(Reason(span, weight))
    return found or None


def word_weights(predictor: Predictor, read: Batch, records: Sequence[Record]) -> Float32:
    """Compute by how much each sentence's polarity falls without each of its words.

    :param predictor: scores the sentences.
    :param read: the Docs.
    :param records: what is on them.
    :returns: *Shape:* ``(n_words,)``
    """
    structure = store.structure_of(records)
    lengths, first = structure.lengths, run_offsets(structure.lengths)
    full = np.concatenate([record.probs for record in records])[structure.offsets[1:] - 1]
    blanked = _with_blank(predictor, read)
    weights = np.empty(len(read.lookup.rows), np.float32)
    copies = np.minimum(lengths, MOST)
    begin = 0
    while begin < len(lengths):
        sizes = np.cumsum((copies * lengths)[begin:])
        end = begin + max(1, int(np.searchsorted(sizes, _WORDS, "right")))
        trees = np.repeat(np.arange(begin, end), copies[begin:end])
        words = ranges(first[trees], lengths[trees])
        run = _run_of_words(lengths[begin:end], copies[begin:end])
        own = np.repeat(run_offsets(copies[begin:end])[:-1], lengths[begin:end]) + run
        # Copy number `own` of a sentence lacks the word.
        place = run_offsets(lengths[trees])[own] + (
            np.arange(first[begin], first[end]) - np.repeat(first[begin:end], lengths[begin:end])
        )
        words[place] = len(read.lookup.rows)
        probs = predictor.probabilities(structure.take(trees), blanked, words)
        roots = probs[run_offsets(2 * lengths[trees] - 1)[1:] - 1]
        fall = _fall(full[trees], roots, records[0].polarity)
        count = np.bincount(own, minlength=len(trees))
        weights[first[begin] : first[end]] = (fall / count)[own].astype(np.float32)
        begin = end
    return weights


def _run_of_words(lengths: Int64, copies: Int64) -> Int64:
    """Number the runs of words that are taken out together, within each sentence. *Shape:* ``(n_words,)``."""
    place = ranges(np.zeros(len(lengths), np.int64), lengths)
    run: Int64 = place * np.repeat(copies, lengths) // np.repeat(lengths, lengths)
    return run


def _fall(full: Float32, without: Float32, polarity: Float32) -> Float32:
    """By how much the polarity falls, or the probability of the class where classes have no polarity."""
    if not np.isnan(polarity).any():
        return np.asarray((full - without) @ polarity, np.float32)
    rows, best = np.arange(len(full)), full.argmax(axis=1)
    return np.asarray(full[rows, best] - without[rows, best], np.float32)


def _with_blank(predictor: Predictor, read: Batch) -> Batch:
    """Add a word that says nothing: its vector is zeros, its piece the mask."""
    lookup, pieces = read.lookup, read.pieces
    width = predictor.model.table.width
    row = len(predictor.model.table) + len(lookup.extra)
    extra = np.concatenate([lookup.extra.reshape(-1, width), np.zeros((1, width), np.float32)])
    blank = Lookup(np.append(lookup.rows, row), extra, np.append(lookup.unknown, True))
    reader = predictor.model.pieces
    return replace(
        read, lookup=blank, pieces=None if pieces is None or reader is None else pieces.add(reader.mask)
    )
