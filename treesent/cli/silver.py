"""``treesent silver``: silver trees for a parser to learn from."""

import time
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from treesent.cli.options import Overwrite
from treesent.files import check_outputs, replacing

if TYPE_CHECKING:
    from treesent.metrics.brackets import BracketScores

app = typer.Typer(
    help="Make silver trees: plain text, parsed by a large teacher, for a small parser to learn from.",
    no_args_is_help=True,
)

Output = Annotated[Path, typer.Option("--output", "-o", metavar="OUT", help="The file to write.")]
Folder = Annotated[Path, typer.Option(help="The folder of a transformers model, such as MiniLM.")]
Hints = Annotated[str, typer.Option(help="A spaCy pipeline with a tagger and a dependency parser.")]


@app.command("sentences")
def sentences(
    files: Annotated[list[Path], typer.Argument(help="Texts: .txt, .csv, .tsv, .jsonl, .parquet.")],
    output: Output,
    column: Annotated[str, typer.Option(help="The column of the texts.")] = "text",
    limit: Annotated[int, typer.Option(min=1, help="The largest number of sentences.")] = 120_000,
    overwrite: Overwrite = False,
) -> None:
    """Write tokenised sentences, one per line, with spaces between words."""
    from treesent.data.texts import read_texts
    from treesent.models.parser.silver.sentences import split_texts

    check_outputs([output], files, overwrite, make_folders=True)
    found = islice(split_texts(read_texts(map(str, files), column)), limit)
    with replacing(output, "w", encoding="utf-8", newline="\n") as file:
        file.writelines(" ".join(words) + "\n" for words in found)


@app.command("teach")
def teach(
    trees: Annotated[list[Path], typer.Argument(help="Bracketed trees to learn from.")],
    dev: Annotated[Path, typer.Option(help="Bracketed trees that choose the best epoch.")],
    transformer: Folder,
    hints: Hints,
    output: Output,
    epochs: Annotated[int, typer.Option(min=1, help="Number of passes over the trees.")] = 2,
    seed: Annotated[int, typer.Option(min=0, help="Fixes order, initial weights and dropout.")] = 0,
    overwrite: Overwrite = False,
) -> None:
    """Train the teacher: about 15 minutes on one core with bfloat16 instructions."""
    from treesent.models.parser.silver.teach import train_teacher

    def report(epoch: int, scores: "BracketScores") -> None:
        typer.echo(f"epoch {epoch}: bracket F1 {scores.f1:.2f} on dev", err=True)

    check_outputs([output], [*trees, dev, transformer], overwrite, make_folders=True)
    teacher, scores = train_teacher(trees, dev, transformer, hints, epochs=epochs, seed=seed, report=report)
    teacher.save(output)
    typer.echo(f"{output}: bracket F1 {scores.f1:.2f} on dev", err=True)


@app.command("parse")
def parse(
    sentences: Annotated[Path, typer.Argument(help="Tokenised sentences, one per line.")],
    teacher: Annotated[Path, typer.Option(help="The file that `teach` wrote.")],
    transformer: Folder,
    hints: Hints,
    output: Output,
    overwrite: Overwrite = False,
) -> None:
    """Write the trees that the teacher gives sentences: 200 to 300 sentences a second on one core."""
    from treesent.data.texts import read_texts
    from treesent.models.parser.silver.teacher import Teacher
    from treesent.models.parser.silver.trees import silver_trees
    from treesent.trees.brackets import write_trees

    check_outputs([output], [sentences, teacher, transformer], overwrite, make_folders=True)
    start = time.perf_counter()
    lines = (line.split() for line in read_texts([str(sentences)]) if not line.isspace() and line)
    n_trees = write_trees(silver_trees(Teacher.load(teacher, transformer), hints, lines), output)
    typer.echo(f"{output}: {n_trees:,} trees in {time.perf_counter() - start:.0f} s", err=True)
