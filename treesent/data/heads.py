"""Dependency heads of a treebank's sentences, and the treebank's labels on the trees that they make.

A file of heads has a line for each tree: the head of every word, counted from 1, and 0 at the root, as in
CoNLL files. ``treesent heads`` writes it, and a recipe names it in ``[corpora]``.
"""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from treesent.data.batches import Corpus
from treesent.errors import DataError, TreesentError
from treesent.files import replacing
from treesent.text.opening import load_pipeline
from treesent.trees.arrays import run_offsets
from treesent.trees.brackets import read_trees
from treesent.trees.dependency import Dependencies
from treesent.trees.labels import carry_labels
from treesent.trees.notation import unescape
from treesent.types import Int64


def parse_heads(sentences: Iterable[Sequence[str]], pipeline: str) -> Iterator[Int64]:
    """Parse sentences that are already tokenised with a spaCy pipeline.

    :param sentences: the words of each.
    :param pipeline: its name or folder; it must have a dependency parser.
    :returns: for each sentence, the head of each word, counted from 1, and 0 at the root.
        *Shape:* ``(n_words,)``
    :raises TreesentError: there is no such pipeline, or it has no dependency parser.
    """
    from spacy.tokens import Doc

    nlp = load_pipeline(pipeline, exclude=["ner", "lemmatizer"])
    docs = (
        Doc(nlp.vocab, words=list(words), sent_starts=[place == 0 for place in range(len(words))])
        for words in sentences
    )
    for doc in nlp.pipe(docs):
        if not doc.has_annotation("DEP"):
            raise TreesentError(f"{pipeline} has no dependency parser; name a pipeline with one")
        parsed = Dependencies.from_heads([token.head.i for token in doc])
        yield parsed.parent + 1


def write_heads(trees: str | Path, output: str | Path, pipeline: str) -> int:
    """Parse the sentences of bracketed trees and write their dependency heads.

    :param trees: the file of trees.
    :param output: the file to write; it is replaced only when all sentences are parsed.
    :param pipeline: a spaCy pipeline with a dependency parser.
    :returns: the number of sentences.
    :raises TreesentError: the trees or the pipeline cannot be read, or the file cannot be written.
    """
    sentences = ([unescape(word) for word in tree.words] for tree in read_trees(trees))
    n_sentences = 0
    with replacing(output, "w", encoding="utf-8", newline="\n") as file:
        for heads in parse_heads(sentences, pipeline):
            file.write(" ".join(map(str, heads.tolist())) + "\n")
            n_sentences += 1
    return n_sentences


def read_heads(paths: Iterable[str | Path]) -> Dependencies:
    """Read files of dependency heads as one batch of trees.

    :param paths: the files, in order.
    :returns: the trees of all files, one for each line.
    :raises DataError: a file cannot be read, or a line is not a tree; file and line are named.
    """
    parts: list[Int64] = []
    for path in paths:
        try:
            lines = Path(path).read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise DataError(f"{path}: the heads cannot be read: {error}") from error
        for number, line in enumerate(lines, start=1):
            try:
                heads = np.array(line.split(), np.int64) - 1
                if (heads < 0).sum() != 1:
                    raise ValueError(f"{int((heads < 0).sum())} roots, numbered 0; expected one")
                own = np.where(heads < 0, np.arange(len(heads)), heads)
                parts.append(Dependencies.from_heads(own).parent)
            except (ValueError, OverflowError) as error:
                raise DataError(f"{path}: line {number}: {error}") from error
    lengths = np.array([len(part) for part in parts], np.int64)
    parent = np.concatenate([np.zeros(0, np.int64), *parts])
    shift = np.repeat(run_offsets(lengths)[:-1], lengths)
    return Dependencies(np.where(parent < 0, -1, parent + shift), lengths)


def on_dependencies(corpus: Corpus, dependencies: Dependencies) -> Corpus:
    """Carry a corpus's labels to dependency trees: a node gets the label of the constituent with its span.

    Tai et al. 2015 (section 5.1) label the subtrees of words in this way. Here the nodes that a binarised
    parse adds, such as a verb phrase without its subject, can have a label too.

    :param corpus: sentences with labelled constituents.
    :param dependencies: parses of the same sentences.
    :returns: the same sentences in the dependency trees, binarised.
    :raises DataError: the sentences differ.
    """
    if not np.array_equal(corpus.structure.lengths, dependencies.lengths):
        raise DataError(
            f"the heads are those of {len(dependencies.lengths)} sentences with {dependencies.lengths.sum()} "
            f"words, the trees those of {len(corpus)} with {corpus.structure.n_words}, or their order "
            "differs; make the heads again from these trees (treesent heads)"
        )
    structure = dependencies.binarise()
    return Corpus(corpus.words, structure, carry_labels(corpus.structure, corpus.label, structure))
