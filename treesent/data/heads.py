"""Dependency trees of a treebank's sentences, with its labels where spans agree.

.. code-block:: console

    python -m treesent.data.heads train.txt -o out/train.heads --pipeline en_core_web_sm

The file has a line for each tree: the head of every word, counted from 1, and 0 at the root, as in CoNLL
files. A recipe names it in ``[corpora]``.
"""

import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from treesent.data.batches import Corpus
from treesent.errors import DataError, TreesentError
from treesent.models.classifier.reparse import carry_labels
from treesent.text.opening import load_pipeline
from treesent.trees.brackets import read_trees, unescape
from treesent.trees.dependency import Dependencies
from treesent.trees.structure import run_offsets
from treesent.types import Int64

app = typer.Typer(pretty_exceptions_enable=False)


def parse_heads(sentences: Iterable[Sequence[str]], pipeline: str) -> Iterator[Int64]:
    """Parse sentences on their own words with a spaCy pipeline.

    :param sentences: the words of each.
    :param pipeline: its name or folder; it must have a dependency parser.
    :returns: the head of each word of a sentence, counted from 1, and 0 at its one root.
    :raises TreesentError: there is no such pipeline, or it parses nothing.
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
    """Parse the sentences of bracketed trees and write their heads.

    :param trees: the file of trees.
    :param output: the file to write.
    :param pipeline: a spaCy pipeline with a dependency parser.
    :returns: how many there are.
    """
    sentences = ([unescape(word) for word in tree.words] for tree in read_trees(trees))
    lines = [" ".join(map(str, heads.tolist())) + "\n" for heads in parse_heads(sentences, pipeline)]
    Path(output).parent.mkdir(parents=True, exist_ok=True)
    Path(output).write_text("".join(lines), encoding="utf-8")
    return len(lines)


def read_heads(paths: Iterable[str | Path]) -> Dependencies:
    """Read files of heads as one batch of dependency trees.

    :param paths: the files, in order.
    :raises DataError: a line is no tree; file and line are named.
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
            except ValueError as error:
                raise DataError(f"{path}: line {number}: {error}") from error
    lengths = np.array([len(part) for part in parts], np.int64)
    parent = np.concatenate([np.zeros(0, np.int64), *parts])
    shift = np.repeat(run_offsets(lengths)[:-1], lengths)
    return Dependencies(np.where(parent < 0, -1, parent + shift), lengths)


def on_dependencies(corpus: Corpus, dependencies: Dependencies) -> Corpus:
    """Lay a corpus's labels on dependency trees: a node has the label of the constituent with its span.

    So Tai et al. 2015 (section 5.1) label the subtrees of words; here nodes that lack some of a head's
    dependents may have a label too, as a verb phrase without its subject does.

    :param corpus: labelled constituents.
    :param dependencies: parses of the same sentences.
    :raises DataError: they are not of the same sentences.
    """
    if not np.array_equal(corpus.structure.lengths, dependencies.lengths):
        raise DataError(
            f"the heads are of {len(dependencies.lengths)} sentences with {dependencies.lengths.sum()} "
            f"words, the trees of {len(corpus)} with {corpus.structure.n_words}, or their order differs; "
            "make the heads again from these trees (python -m treesent.data.heads)"
        )
    structure = dependencies.binarise()
    return Corpus(corpus.words, structure, carry_labels(corpus.structure, corpus.label, structure))


@app.command()
def main(
    trees: Annotated[Path, typer.Argument(help="Bracketed trees, one a line.")],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="OUT", help="The file to write.")],
    pipeline: Annotated[str, typer.Option(help="A spaCy pipeline with a parser.")] = "en_core_web_sm",
) -> None:
    """Parse the sentences of a treebank."""
    typer.echo(f"{output}: {write_heads(trees, output, pipeline):,} sentences", err=True)


if __name__ == "__main__":
    try:
        app()
    except TreesentError as error:
        sys.exit(f"treesent: error: {error}")
