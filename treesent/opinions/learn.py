"""Train a head for opinions on a finished network, whose states are computed once."""

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from pydantic import NonNegativeInt, PositiveFloat, PositiveInt
from torch import Tensor
from torch.nn import functional

from treesent.config import section
from treesent.errors import DataError
from treesent.models.classifier.opinion_head import (
    BEGIN,
    INSIDE,
    OUTSIDE,
    OpinionHead,
    OpinionHeadConfig,
    state_width,
)
from treesent.opinions.aspects import AspectText
from treesent.pipeline.tree_sources import source_of, structure_of
from treesent.trees.structure import Structure
from treesent.types import Int64

if TYPE_CHECKING:
    from spacy.language import Language

    from treesent.pipeline.predict import Predictor

TOGETHER = 256
"""Texts whose states are computed at once."""


@section
class LearnConfig:
    """How a head is trained."""

    seed: NonNegativeInt = 0
    """Fixes the initial weights, the order of the texts and dropout."""
    epochs: PositiveInt = 10
    """How often every text is seen."""
    batch_size: PositiveInt = 32
    """Texts of a step."""
    learn_rate: PositiveFloat = 0.002
    """The largest learning rate; it falls to a twentieth."""
    max_texts: PositiveInt = 5000
    """Texts of a table, at most; drawn at random."""


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """A text as the head reads it.

    :param structure: its trees.
    :param hidden: the states of their nodes, in half precision. *Shape:* ``(n_nodes, hidden)``.
    :param probs: the classes of their nodes. *Shape:* ``(n_nodes, n_classes)``.
    :param vectors: of its words. *Shape:* ``(n_words, width)``.
    :param spans: the words of each aspect whose sign is known, and the place of the sign. *Shape:* ``(n_spans, 3)``.
    :param tags: of its words. *Shape:* ``(n_words,)``.
    :param complete: whether every target of the text is tagged.
    """

    structure: Structure
    hidden: Tensor
    probs: Tensor
    vectors: Tensor
    spans: Int64
    tags: Int64
    complete: bool


def train_head(
    nlp: "Language",
    tables: Mapping[str, Sequence[AspectText]],
    config: LearnConfig | None = None,
    head: OpinionHeadConfig | None = None,
    *,
    untagged: Sequence[str] = (),
    tell: Callable[[str], Any] = lambda line: None,
) -> OpinionHead:
    """Train a head on the network of a pipeline, which stays as it is.

    :param nlp: the pipeline.
    :param tables: texts by the name of their table.
    :param config: how.
    :param head: the head's settings but the widths, which are the network's.
    :param untagged: tables that name some of the targets of a text alone, so that the head learns no tags from them.
    :param tell: told of each epoch.
    :returns: the head, ready to use.
    :raises DataError: no text has an aspect, or an untagged table is none of the tables.
    """
    from treesent.pipeline.lookup import component_of

    config, predictor = config or LearnConfig(), component_of(nlp).predictor
    rng = random.Random(config.seed)
    if unknown := sorted(set(untagged) - set(tables)):
        raise DataError(
            f"there is no table {unknown[0]!r} among {', '.join(tables)}; name one of them as untagged"
        )
    texts: list[Prepared] = []
    for name, rows in tables.items():
        chosen = list(rows)
        rng.shuffle(chosen)
        texts += prepare(nlp, predictor, chosen[: config.max_texts], complete=name not in untagged)
        tell(f"{name}: {min(len(chosen), config.max_texts):,} texts")
    if not any(len(text.spans) for text in texts):
        raise DataError("no text has an aspect with a sentiment towards it; give tables that have some")
    settings = {name: getattr(head, name) for name in head.__dataclass_fields__} if head is not None else {}
    settings |= {"classes": predictor.model.n_classes, "vectors": texts[0].vectors.shape[1]}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        made = OpinionHead(OpinionHeadConfig(**settings), state_width(predictor.model.network))
        _fit(made, texts, config, rng, tell)
    return made.eval()


def prepare(
    nlp: "Language", predictor: "Predictor", texts: Sequence[AspectText], complete: bool = True
) -> Iterator[Prepared]:
    """Compute the states of texts.

    :param nlp: the pipeline.
    :param predictor: of its component.
    :param texts: the texts; those without words are left out.
    :param complete: whether their aspects are all that they speak of.
    """
    for begin in range(0, len(texts), TOGETHER):
        some = texts[begin : begin + TOGETHER]
        docs = [nlp.make_doc(text.text) for text in some]
        batch = predictor.read(docs)
        structure = structure_of(
            batch, source_of(docs[0], predictor.trees, predictor.model.parsed), predictor.model
        )
        parts = list(predictor.states(structure, batch, vectors=True))
        hidden = torch.cat([part.hidden for part in parts]).cpu().half()
        probs, vectors = (
            torch.cat([p.probs for p in parts]).cpu(),
            torch.cat([_own(p) for p in parts]).cpu().half(),
        )
        words = np.concatenate([[0], np.cumsum(structure.lengths)])
        chars = np.stack([batch.tokens.begin, batch.tokens.end], 1)[batch.sentences.token]
        for place, text in enumerate(some):
            first, last = batch.sentences.offsets[place : place + 2]
            if first == last:
                continue
            own, nodes = (
                slice(words[first], words[last]),
                slice(structure.offsets[first], structure.offsets[last]),
            )
            spans, tags = _labels(text, chars[own])
            yield Prepared(
                structure.part(first, last), hidden[nodes], probs[nodes], vectors[own], spans, tags, complete
            )


def _own(part: Any) -> Tensor:
    vectors: Tensor = part.vectors
    return vectors


def _labels(text: AspectText, chars: Int64) -> tuple[Int64, Int64]:
    """The words of each aspect with its sign, and the tags of all words."""
    tags = np.full(len(chars), OUTSIDE, np.int64)
    spans = []
    for aspect in text.aspects:
        words = np.flatnonzero((chars[:, 0] < aspect.end) & (chars[:, 1] > aspect.start))
        if not len(words):
            continue
        tags[words], tags[words[0]] = INSIDE, BEGIN
        if aspect.sign is not None:
            spans.append((words[0], words[-1] + 1, aspect.sign + 1))
    return np.array(spans, np.int64).reshape(-1, 3), tags


def _fit(
    head: OpinionHead,
    texts: list[Prepared],
    config: LearnConfig,
    rng: random.Random,
    tell: Callable[[str], Any],
) -> None:
    optimizer = torch.optim.AdamW(head.parameters(), config.learn_rate, weight_decay=0.01)
    steps = config.epochs * -(-len(texts) // config.batch_size)
    warmup = min(100, steps // 10 + 1)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min(1.0, (step + 1) / warmup) * (1 - 0.95 * step / steps)
    )
    head.train()
    for epoch in range(config.epochs):
        rng.shuffle(texts)
        total = 0.0
        for begin in range(0, len(texts), config.batch_size):
            loss = _loss(head, texts[begin : begin + config.batch_size])
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(head.parameters(), 5.0)
            optimizer.step()
            schedule.step()
            total += float(loss.detach())
        tell(f"epoch {epoch + 1} of {config.epochs}: loss {total * config.epochs / steps:.3f}")


def _loss(head: OpinionHead, texts: Sequence[Prepared]) -> Tensor:
    sizes = [len(text.tags) for text in texts]
    spans = np.concatenate([text.spans for text in texts])
    spans[:, :2] += np.repeat(np.cumsum(sizes) - sizes, [len(text.spans) for text in texts])[:, None]
    lengths = spans[:, 1] - spans[:, 0]
    words = np.arange(lengths.sum()) + np.repeat(spans[:, 0] - np.cumsum(lengths) + lengths, lengths)
    asked, place = np.unique(words, return_inverse=True)
    output = head(
        torch.cat([text.hidden for text in texts]).float(),
        torch.cat([text.probs for text in texts]),
        torch.cat([text.vectors for text in texts]).float(),
        Structure.concatenate([text.structure for text in texts]),
        asked,
    )
    loss: Tensor = output.tags.sum() * 0
    if len(spans):
        span = torch.from_numpy(np.repeat(np.arange(len(spans)), lengths))
        total = output.towards.new_zeros(len(spans), 3)
        total = total.index_add(0, span, output.towards.index_select(0, torch.from_numpy(place)))
        logits = total / torch.from_numpy(lengths)[:, None]
        loss = loss + functional.cross_entropy(logits, torch.from_numpy(spans[:, 2]))
    tagged = torch.from_numpy(np.repeat([text.complete for text in texts], sizes))
    if tagged.any():
        tags = torch.from_numpy(np.concatenate([text.tags for text in texts]))
        loss = loss + functional.cross_entropy(output.tags[tagged], tags[tagged])
    return loss
