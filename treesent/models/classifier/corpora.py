"""What a recipe's ``[corpora]`` names: bracketed trees as they are, texts as sentences with trees."""

import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import numpy.typing as npt

from treesent.data.batches import Corpus, Documents, EncodedCorpus
from treesent.data.heads import on_dependencies, read_heads
from treesent.data.labelled import LabelledRows, name_classes, read_labelled_rows
from treesent.data.row_rules import sampled
from treesent.data.sst import read_trees_of
from treesent.data.templates import read_templates
from treesent.data.texts import is_labelled, read_texts
from treesent.errors import DataError, RecipeError
from treesent.models.classifier.parsers import CURE
from treesent.text.docs import Sentences
from treesent.text.reading import DocReader
from treesent.training.recipe import Recipe
from treesent.training.sections import CorporaConfig, LabelsConfig
from treesent.trees.structure import Structure
from treesent.trees.tree import Tree
from treesent.types import Float32, Int64

if TYPE_CHECKING:
    from treesent.models.parser.kinds import Parser

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """What is learned from, or what is judged by.

    :param corpus: the trees of a treebank, then the sentences of texts, these right-branching at first.
    :param n_gold: how many of its trees are a treebank's.
    """

    corpus: Corpus
    n_gold: int


@dataclass(frozen=True, slots=True, eq=False)
class Corpora:
    """All that a recipe trains with.

    :param labels: the classes, named by the recipe or by the data.
    :param train: what to learn from.
    :param dev: what to be judged by.
    """

    labels: LabelsConfig
    train: Part
    dev: Part


def read_corpora(recipe: Recipe) -> Corpora:
    """Read what a recipe's ``[corpora]`` names.

    :param recipe: the recipe.
    :raises TreesentError: a corpus, a tree, a row or a label cannot be used; the message names it.
    """
    config = recipe.corpora
    if config.dev_last:
        raise RecipeError("corpora.dev_last is of language models; give dev_share, or dev")
    rows = {
        name: [
            read_labelled_rows(
                corpus,
                config.text_column,
                config.label_column,
                dialect=config.dialect,
                rules=config.row_rules(name),
            )
            for corpus in config.files(name)
            if is_labelled(corpus)
        ]
        for name in ("train", "dev")
    }
    labels = recipe.labels or LabelsConfig(name_classes(rows["train"]), None)
    for source in [*rows["train"], *rows["dev"]]:
        if source.n_empty:
            warnings.warn(f"{source.name}: {source.n_empty} rows without text left out", stacklevel=2)
    texts = {name: _texts(sources, labels.names) for name, sources in rows.items()}
    texts["train"] += _unlabelled(config) + _texts(
        map(read_templates, config.files("templates")), labels.names
    )
    trees = {name: _trees(config, name, len(labels.names)) for name in rows}
    if config.dev_share:
        trees["train"], trees["dev"] = _split(trees["train"], config.dev_share)
        texts["train"], texts["dev"] = _split(texts["train"], config.dev_share)
    parts = [_part(trees[name], texts[name], name, config) for name in ("train", "dev")]
    return Corpora(labels, *parts)


def held_out(n: int, fraction: float) -> npt.NDArray[np.bool_]:
    """Choose what ``corpora.dev_share`` holds out: equal numbers give equal choices, whatever the seed.

    The trees and the texts of ``train`` are numbered apart, each in their order, rows without text left out;
    of each, the first ``round(fraction * n)`` of ``numpy.random.default_rng(0).permutation(n)`` are for dev.

    :param n: how many there are.
    :param fraction: of them, from 0 to 1.
    :returns: whether each is for dev. *Shape:* ``(n,)``.
    """
    chosen = np.zeros(n, np.bool_)
    chosen[np.random.default_rng(0).permutation(n)[: round(fraction * n)]] = True
    return chosen


def with_parser(encoded: EncodedCorpus, part: Part, matrix: Float32, parser: "Parser") -> EncodedCorpus:
    """Give the sentences of texts the trees of a parser; a treebank's own trees stay.

    :param encoded: the part's, its words as rows.
    :param part: where it comes from.
    :param matrix: the vectors that its rows are rows of. *Shape:* ``(n_rows, width)``.
    :param parser: reads these vectors.
    """
    import torch

    n_gold = part.n_gold
    if n_gold == len(encoded):
        return encoded
    offsets = encoded.structure.offsets
    gold = encoded.structure.take(np.arange(n_gold))
    distinct, inverse = np.unique(encoded.rows[gold.n_words :], return_inverse=True)
    lengths = encoded.structure.lengths[n_gold:]
    parsed = parser.parse(torch.from_numpy(matrix[distinct]), torch.from_numpy(inverse), lengths)
    # A label of a text's sentence stands on its root, the last node whatever the tree is.
    assert np.array_equal(parsed.offsets, offsets[n_gold:] - offsets[n_gold])
    return replace(encoded, structure=Structure.concatenate([gold, parsed]))


def warn_of_chains(part: Part) -> None:
    """Warn that texts get right-branching trees where there is no parser.

    :param part: the training data.
    """
    if part.n_gold < len(part.corpus):
        warnings.warn(
            "there is no parser for these vectors, so every sentence of the texts gets a right-branching tree, "
            f"which costs accuracy: {CURE}",
            stacklevel=2,
        )


def text_corpus(texts: Sequence[str], labels: Sequence[int], lang: str = "en") -> Corpus:
    """Cut texts into sentences and words, as the pipeline that is trained will; trees are right-branching.

    :param texts: plain texts.
    :param labels: the class of each.
    :param lang: the language, for its tokeniser.
    :raises DataError: no text has a word.
    """
    import spacy

    nlp = spacy.blank(lang)
    reader = DocReader()
    words: list[str] = []
    lengths: list[Int64] = []
    counts: list[Int64] = []
    for batch in _batches(texts, 256):
        tokens, starts = reader([nlp.make_doc(text) for text in batch])
        sentences = Sentences.of(tokens, starts)
        words += sentences.words(tokens)
        lengths.append(sentences.lengths)
        counts.append(np.diff(sentences.offsets))
    structure = Structure.right_branching(np.concatenate(lengths))
    n_sentences = np.concatenate(counts)
    filled = n_sentences > 0
    target = np.asarray(labels, np.int64)[filled]
    offsets = np.concatenate([[0], np.cumsum(n_sentences[filled])])
    alone = np.diff(offsets) == 1
    label = np.full(structure.n_nodes, -1, np.int64)
    label[structure.offsets[offsets[1:][alone]] - 1] = target[alone]
    return Corpus(words, structure, label, Documents(offsets, np.where(alone, -1, target)))


def _batches(items: Sequence[Item], size: int) -> Iterator[list[Item]]:
    items_left = iter(items)
    while batch := list(islice(items_left, size)):
        yield batch


def _unlabelled(config: CorporaConfig) -> list[tuple[str, int]]:
    """The texts without labels."""
    found: list[tuple[str, int]] = []
    for name in config.files("unlabelled"):
        texts = [
            (text, -1)
            for text in read_texts([name], config.text_column, dialect=config.dialect)
            if text.strip()
        ]
        found += sampled(texts, config.max_unlabelled)
    return found


def _texts(sources: Iterable[LabelledRows], names: Sequence[str]) -> list[tuple[str, int]]:
    """The texts of all sources with their classes."""
    return [pair for source in sources for pair in zip(source.texts, source.numbers(names), strict=True)]


def _trees(config: CorporaConfig, name: str, n_classes: int) -> list[Tree]:
    """The trees of all treebanks."""
    paths = [path for path in config.files(name) if not is_labelled(path)]
    return read_trees_of(paths, n_classes) if paths else []


def _split(items: list[Item], fraction: float) -> tuple[list[Item], list[Item]]:
    chosen = held_out(len(items), fraction).tolist()
    kept = [item for item, out in zip(items, chosen, strict=True) if not out]
    return kept, [item for item, out in zip(items, chosen, strict=True) if out]


def _part(trees: list[Tree], texts: list[tuple[str, int]], name: str, config: CorporaConfig) -> Part:
    if not trees and not texts:
        where = ", ".join(config.files(name) or config.files("train"))
        raise DataError(f"{where}: nothing for corpora.{name}: no tree, and no row with text and label")
    corpus = Corpus.from_trees(trees)
    if heads := config.files(f"{name}_heads"):
        corpus = on_dependencies(corpus, read_heads(heads))
    if texts:
        corpus += text_corpus([text for text, _ in texts], [label for _, label in texts])
    return Part(corpus, len(trees))
