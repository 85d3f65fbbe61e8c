"""Silver trees: plain text parsed by a teacher that is too large to ship, for the small parser to learn.

.. code-block:: console

    python -m treesent.models.parser.silver.trees sentences reviews.jsonl.xz -o out/sentences.txt --limit 120000
    python -m treesent.models.parser.silver.trees teach train.txt train_spacy.txt --dev dev.txt --transformer FOLDER \
        --hints en_core_web_sm -o out/teacher.safetensors
    python -m treesent.models.parser.silver.trees parse out/sentences.txt --teacher out/teacher.safetensors \
        --transformer FOLDER --hints en_core_web_sm -o out/silver.txt

``train_spacy.txt`` is ``python -m treesent trees train.txt --align train_raw.tsv -o train_spacy.txt``.
"""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Any

import numpy as np
import typer

from treesent.errors import DataError, TreesentError
from treesent.trees.brackets import read_trees, unescape, write_trees
from treesent.trees.structure import Structure
from treesent.trees.tree import Tree

if TYPE_CHECKING:
    from treesent.metrics.brackets import BracketScores
    from treesent.models.parser.silver.teacher import Sentence, Teacher

app = typer.Typer(
    help="Make silver trees for the parser.", no_args_is_help=True, pretty_exceptions_enable=False
)
SHORTEST, LONGEST = 5, 48
"""Words of a sentence that is worth parsing: shorter ones teach little, longer ones take long."""
_BREAK = re.compile(r"<br\s*/?>|\s+")

Output = Annotated[Path, typer.Option("--output", "-o", metavar="OUT", help="The file to write.")]
Folder = Annotated[Path, typer.Option(help="A model folder of transformers, MiniLM say.")]
HintsName = Annotated[str, typer.Option(help="A spaCy pipeline with a tagger and a dependency parser.")]


def split_texts(texts: Iterable[str]) -> Iterator[list[str]]:
    """Tokenise texts and split them into sentences with spaCy's English tokeniser and sentencizer.

    :param texts: plain, or with ``<br />`` for line breaks.
    :returns: the words of each sentence of :data:`SHORTEST` to :data:`LONGEST` words, each once.
    """
    import spacy

    nlp = spacy.blank("en")
    nlp.add_pipe("sentencizer")
    seen: set[str] = set()
    for doc in nlp.pipe(_BREAK.sub(" ", text).strip() for text in texts):
        for sentence in doc.sents:
            words = [token.text for token in sentence if not token.is_space]
            line = " ".join(words)
            if SHORTEST <= len(words) <= LONGEST and line not in seen and any(map(str.isalpha, words)):
                seen.add(line)
                yield words


def train_teacher(
    trees: Iterable[str | Path],
    dev: str | Path,
    transformer: str | Path,
    hints: str,
    *,
    epochs: int = 2,
    learn_rate: float = 1.5e-4,
    n_words: int = 1000,
    seed: int = 0,
) -> tuple[Teacher, BracketScores]:
    """Train a teacher on bracketed trees, and keep the weights that do best on dev.

    :param trees: the files to learn from.
    :param dev: the file to choose by.
    :param transformer: a model folder.
    :param hints: the name of a spaCy pipeline.
    :param epochs: passes over the trees.
    :param learn_rate: of the transformer; the layers on top learn seven times as fast.
    :param n_words: words in a batch, about.
    :param seed: fixes order, first weights and dropout.
    :returns: the teacher, and its figures on dev.
    """
    import torch

    from treesent.metrics.brackets import score_brackets
    from treesent.models.parser.silver.teacher import Names, Teacher, batches

    torch.manual_seed(seed)
    generator = np.random.default_rng(seed)
    gold = [tree for path in trees for tree in read_trees(path)]
    train_words, dev_trees = [_words(tree) for tree in gold], list(read_trees(dev))
    train_hints = list(_hints(hints, train_words))
    teacher = Teacher(transformer, Names.of(train_hints))
    train = [teacher.encode(*pair) for pair in zip(train_words, train_hints, strict=True)]
    dev_words = [_words(tree) for tree in dev_trees]
    held_out = [teacher.encode(*pair) for pair in zip(dev_words, _hints(hints, dev_words), strict=True)]
    structure, expected = Structure.from_trees(gold), Structure.from_trees(dev_trees)
    encoder = [p for p in teacher.encoder.parameters() if p.requires_grad]
    known = set(map(id, teacher.encoder.parameters()))
    top = [p for p in teacher.parameters() if id(p) not in known]
    optimizer = torch.optim.AdamW(
        [{"params": encoder, "lr": learn_rate}, {"params": top, "lr": 7 * learn_rate}], betas=(0.9, 0.98)
    )
    plan = [list(batches(structure.lengths, n_words, generator)) for _ in range(epochs)]
    total, step = sum(map(len, plan)), 0
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min(1.0, (step + 1) / (0.08 * total)) * max(0.02, 1 - step / total)
    )
    best: tuple[float, dict[str, Any], BracketScores] | None = None
    for epoch, runs in enumerate(plan, start=1):
        teacher.train()
        for run in runs:
            with torch.autocast("cpu", torch.bfloat16):
                loss = teacher.loss([train[tree] for tree in run.tolist()], structure.take(run))
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(teacher.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            step += 1
        scores = score_brackets(expected, teacher.parse(held_out))
        typer.echo(f"epoch {epoch}: bracket F1 {scores.f1:.2f} on dev", err=True)
        if best is None or scores.f1 > best[0]:
            best = scores.f1, {k: v.clone() for k, v in teacher.state_dict().items()}, scores
    assert best is not None
    teacher.load_state_dict(best[1])
    return teacher, best[2]


def silver_trees(
    teacher: Teacher, hints: str, sentences: Iterable[list[str]], batch_size: int = 5000
) -> Iterator[Tree]:
    """Parse sentences.

    :param teacher: the parser.
    :param hints: the name of a spaCy pipeline.
    :param sentences: their words.
    :param batch_size: sentences sorted by length and parsed together.
    """
    sentences = iter(sentences)
    while batch := list(islice(sentences, batch_size)):
        encoded: list[Sentence] = [
            teacher.encode(*pair) for pair in zip(batch, _hints(hints, batch), strict=True)
        ]
        structure = teacher.parse(encoded)
        for number, words in enumerate(batch):
            label = np.full(2 * len(words) - 1, -1, np.int32)
            yield Tree.from_batch(structure, number, words, label)


def _words(tree: Tree) -> list[str]:
    return [unescape(word) for word in tree.words]


def _hints(name: str, sentences: list[list[str]]) -> Iterator[Any]:
    from treesent.models.parser.silver.hints import read_hints
    from treesent.text.opening import load_pipeline

    nlp = load_pipeline(name, exclude=["ner", "lemmatizer", "attribute_ruler", "treesent"])
    if "parser" not in nlp.pipe_names or "tagger" not in nlp.pipe_names:
        raise DataError(f"{name} has {', '.join(nlp.pipe_names)}; give a pipeline with a tagger and a parser")
    return read_hints(nlp, sentences)


@app.command("sentences")
def sentences_command(
    files: Annotated[list[Path], typer.Argument(help="Texts: .txt, .csv, .tsv, .jsonl, .parquet.")],
    output: Output,
    column: Annotated[str, typer.Option(help="The column of the texts.")] = "text",
    limit: Annotated[int, typer.Option(help="Sentences at most.")] = 120_000,
) -> None:
    """Write tokenised sentences, words with blanks between, one sentence a line."""
    found = islice(split_texts(_texts(files, column)), limit)
    with output.open("w", encoding="utf-8") as file:
        file.writelines(" ".join(words) + "\n" for words in found)


@app.command("teach")
def teach_command(
    trees: Annotated[list[Path], typer.Argument(help="Bracketed trees to learn from.")],
    dev: Annotated[Path, typer.Option(help="Bracketed trees to choose the weights by.")],
    transformer: Folder,
    hints: HintsName,
    output: Output,
    epochs: int = 2,
    seed: int = 0,
) -> None:
    """Train the teacher: a quarter of an hour on one core that knows bfloat16."""
    teacher, scores = train_teacher(trees, dev, transformer, hints, epochs=epochs, seed=seed)
    teacher.save(output)
    typer.echo(f"{output}: bracket F1 {scores.f1:.2f} on dev", err=True)


@app.command("parse")
def parse_command(
    sentences: Annotated[Path, typer.Argument(help="Tokenised sentences, one a line.")],
    teacher: Annotated[Path, typer.Option(help="What `teach` wrote.")],
    transformer: Folder,
    hints: HintsName,
    output: Output,
) -> None:
    """Write the teacher's trees of sentences: 200 to 300 sentences a second on one core."""
    from treesent.models.parser.silver.teacher import Teacher

    began = time.perf_counter()
    with sentences.open(encoding="utf-8") as file:
        lines = (line.split() for line in file if not line.isspace())
        n = write_trees(silver_trees(Teacher.load(teacher, transformer), hints, lines), output)
    typer.echo(f"{output}: {n:,} trees in {time.perf_counter() - began:.0f} s", err=True)


def _texts(files: list[Path], column: str) -> Iterator[str]:
    import json
    import lzma

    for path in files:
        opener: Callable[..., IO[str]] = lzma.open if path.suffix == ".xz" else open
        with opener(path, "rt", encoding="utf-8") as file:
            lines = "jsonl" in path.name
            yield from (json.loads(line)[column] if lines else line for line in file)


if __name__ == "__main__":
    try:
        app()
    except TreesentError as error:
        sys.exit(f"treesent: error: {error}")
