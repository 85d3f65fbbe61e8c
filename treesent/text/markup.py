"""HTML in texts: tags are not words, some of them end a sentence, and entities stand for characters."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from html import unescape

_BLOCKS = "br|p|div|li|ul|ol|dl|dd|dt|h[1-6]|hr|table|tr|td|th|blockquote|pre|section|article|header|footer"
_INLINE = "a|abbr|b|big|center|cite|code|del|em|font|i|img|ins|kbd|mark|q|s|small|span|strike|strong|sub|sup|tbody|thead|tt|u"
_MARKUP = re.compile(
    rf"<!--(?:(?!<!--|-->).){{0,10000}}-->|</?(?:(?P<block>{_BLOCKS})|(?:{_INLINE}))(?:\s[^<>]{{0,2000}})?\s*/?>"
    r"|(?P<entity>&(?:#\d{1,7}|#x[0-9a-f]{1,6}|[a-z][a-z0-9]{1,31});)",
    re.I | re.S,
)


@dataclass(frozen=True, slots=True)
class Markup:
    """A tag or an entity.

    :param begin: its first character.
    :param end: the character after its last.
    :param text: what a reader sees in its place; empty for a tag.
    :param ends: whether it ends a sentence.
    """

    begin: int
    end: int
    text: str
    ends: bool


def find_markup(text: str) -> Iterator[Markup]:
    """Find the tags of HTML and the entities of a text; "<3" and "a < b" are neither.

    :param text: as people write it.
    """
    for found in _MARKUP.finditer(text):
        entity = found["entity"]
        shown = unescape(entity) if entity else ""
        if shown != entity or not entity:
            yield Markup(found.start(), found.end(), shown, found["block"] is not None)
