"""The characters of a token as they are looked up: one kind of apostrophe, nothing invisible."""

import re
import unicodedata

# Every character that stands for an apostrophe inside a word, in fonts or on keyboards.
_APOSTROPHES = dict.fromkeys(map(ord, "’‘´`ʼʻʹ′＇‛ʽˈ᾽ꞌ"), "'")
_SKIN_TONES = range(0x1F3FB, 0x1F400)
_SELECTORS = range(0xFE00, 0xFE10)
_ODD = re.compile(r"[^\x21-\x7e]")
_WORD = re.compile(r"[^\W\d_]")


def invisible(character: str) -> bool:
    """Say whether a character has no shape of its own: zero-width, a soft hyphen, a joiner, a skin tone.

    :param character: one.
    """
    code = ord(character)
    return code in _SKIN_TONES or code in _SELECTORS or unicodedata.category(character) in {"Cf", "Cc"}


def clean(text: str) -> str:
    """Normalise the characters of a token to NFKC, drop invisible ones and unify apostrophes within words.

    :param text: of one token.
    :returns: what to look up; empty where nothing is visible. ASCII comes back unchanged.
    """
    if not _ODD.search(text):
        return text.replace("`", "'") if "`" in text and _WORD.search(text) else text
    # First of all: NFKC makes a space and a combining accent of an acute accent that stands for an apostrophe.
    text = text.translate(_APOSTROPHES) if _WORD.search(text) else text
    composed = unicodedata.normalize("NFKC", text)
    return "".join(character for character in composed if not invisible(character)).strip()
