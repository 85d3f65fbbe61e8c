"""Sphinx configuration: ``make docs`` builds the pages with warnings as errors and without a network."""

from pathlib import Path

import typer
from typer.cli import get_docs_for_click

import treesent
from treesent.cli import command

project = "treesent"
author = "the treesent developers"
release = version = treesent.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
]
html_theme = "furo"
html_title = f"treesent {release}"
html_static_path: list[str] = []
exclude_patterns = ["reference/commands.md"]

myst_heading_anchors = 3
myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]

autosummary_generate = True
autodoc_typehints = "signature"
autodoc_member_order = "bysource"
# What a package gathers from its modules is described where it is defined.
autodoc_default_options = {"members": True, "show-inheritance": True, "ignore-module-all": True}

# The reference of the commands is what the commands say of themselves.
_help = get_docs_for_click(obj=command, ctx=typer.Context(command, info_name="treesent"), name="treesent")
(Path(__file__).parent / "reference" / "commands.md").write_text(_help.split("\n", 1)[1], encoding="utf-8")
