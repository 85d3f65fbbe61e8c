"""``treesent vectors``: read, train, judge, join and fetch word vectors."""

import typer

from treesent.cli.vectors.convert import convert, join
from treesent.cli.vectors.download import download
from treesent.cli.vectors.judge import evaluate, info
from treesent.cli.vectors.train import train

app = typer.Typer(no_args_is_help=True, help="Word vectors: train, evaluate, convert, join, download, info.")
for _command in (train, evaluate, convert, join, download, info):
    app.command()(_command)
