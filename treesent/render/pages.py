"""What treesent's pages share: their style, the first of their scripts, and how a template is filled."""

import re
from collections.abc import Iterable, Mapping
from importlib.resources import files

_SHARED = "treesent.render"


def style_of(package: str) -> str:
    """The style of a page: what all pages share, then its own ``assets/page.css``.

    :param package: whose page it is, such as ``treesent.projector``.
    """
    return asset(_SHARED, "base.css") + asset(package, "page.css")


def script_of(package: str, names: Iterable[str]) -> str:
    """The scripts of a page as one: what all pages share, then its own.

    :param package: whose page it is.
    :param names: its own scripts in the order they are read; a later one uses the earlier ones.
    """
    return "\n".join([asset(_SHARED, "dom.js"), *(asset(package, name) for name in names)])


def asset(package: str, name: str) -> str:
    """A file of a package's folder ``assets``.

    :param package: the package.
    :param name: of the file.
    """
    return (files(package) / "assets" / name).read_text(encoding="utf-8")


def fill(template: str, parts: Mapping[str, str]) -> str:
    """Fill the places ``{{NAME}}`` of a template.

    In one pass: whatever a part holds is never taken for a place in the template.

    :param template: the template.
    :param parts: what to put into each place, escaped where it must be.
    """
    return re.sub(r"\{\{([A-Z]+)\}\}", lambda place: parts[place[1]], template)
