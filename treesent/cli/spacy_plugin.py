"""The same commands as ``python -m spacy treesent COMMAND``: spaCy finds this by its entry point."""

from spacy.cli._util import app as spacy_app

from treesent.cli import app

spacy_app.add_typer(app, name="treesent", help="Sentiment of every phrase.")
