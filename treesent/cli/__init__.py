"""The command line, ``python -m treesent COMMAND``.

Exit codes: 0 done; 1 an error, told on standard error; 2 a command line that makes no sense; 3 done, but some
rows are among the rejects (``score``); 129, 130 or 143 ended by SIGHUP, Ctrl-C or SIGTERM.
"""

from importlib import import_module
from importlib.util import find_spec
from typing import Any

import typer
from typer.core import TyperGroup

from treesent.cli.signals import ended_by_signals
from treesent.errors import TreesentError

COMMANDS = (
    "show",
    "score",
    "opinions",
    "serve",
    "train",
    "aspects",
    "curves",
    "attention",
    "evaluate",
    "trees",
    "heads",
    "silver",
    "vectors",
    "project",
    "sample",
    "rank",
)


class _Group(TyperGroup):
    """Turns the errors that a user can put right into a message; any other keeps its traceback."""

    def invoke(self, ctx: Any) -> Any:
        try:
            with ended_by_signals():
                return super().invoke(ctx)
        except TreesentError as error:
            typer.echo(f"treesent: error: {error}", err=True)
            raise typer.Exit(1) from None
        except KeyboardInterrupt:
            typer.echo("treesent: interrupted", err=True)
            raise typer.Exit(130) from None

    def list_commands(self, ctx: Any) -> list[str]:
        """In the order in which one meets them."""
        return list(self.commands)


def _treesent() -> None:
    """Sentiment of every phrase.

    Exit codes: 0 done; 1 error; 2 wrong command line; 3 done, but some rows were rejected; 130 interrupted.
    """


def _make() -> typer.Typer:
    app = typer.Typer(
        cls=_Group,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        add_completion=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_treesent)
    for name in COMMANDS:
        if find_spec(f"treesent.cli.{name}") is None:
            continue
        module = import_module(f"treesent.cli.{name}")
        command = getattr(module, "app", None)
        if isinstance(command, typer.Typer):
            app.add_typer(command, name=name)
        else:
            app.command(name, context_settings=getattr(module, "CONTEXT", None))(getattr(module, name))
    return app


app = _make()
command = typer.main.get_command(app)
"""The same as a click command: the reference in the docs is made from it."""
