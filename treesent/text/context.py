"""What a token is looked up as where its neighbours decide: contractions, hashtags, ratings, markup."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from treesent.text.characters import clean
from treesent.text.docs import Tokens
from treesent.text.forms import RATINGS, placeholder, rating
from treesent.text.markup import find_markup
from treesent.text.pictures import picture_words
from treesent.text.remembered import Flags
from treesent.types import Bool, Int64

if TYPE_CHECKING:
    from spacy.tokens import Doc

_INVISIBLE, _CLITIC, _HASH, _STAR, _STARS, _OUT, _MARKUP, _SENT, _SAYS = (1 << place for place in range(9))
_DECIDES = _INVISIBLE | _CLITIC | _HASH | _STAR | _STARS | _OUT | _MARKUP | _SENT
_CLITICS = {"nt": "n't", "n’t": "n't", "ve": "'ve", "re": "'re", "ll": "'ll", "m": "'m", "d": "'d"}
_FULL, _EMPTY = frozenset("★⭐🌟✭✪"), frozenset("☆✩✰")
_NUMBERS = {"one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "zero": 0}


def _flags(text: str) -> int:
    """What a token can be, as a sum of the flags of this module."""
    lower = text.lower()
    if not clean(text):
        return _INVISIBLE if not text.isspace() else 0
    found = _CLITIC if lower in _CLITICS else 0
    found |= _HASH if text == "#" else 0
    found |= _STAR if set(text) <= _FULL | _EMPTY else 0
    found |= _STARS if lower in {"star", "stars"} else _OUT if lower == "out" else 0
    found |= _SENT if lower == "sent" else 0
    found |= _MARKUP if "<" in text or ">" in text or "&" in text else 0
    return found | (_SAYS if says_something(text) else 0)


def says_something(text: str) -> bool:
    """Say whether a token can hold an opinion: a word or a picture, and no link, name, number or mark.

    :param text: of one token.
    """
    if placeholder(text):
        return False
    return any(character.isalpha() for character in text) or bool(picture_words(clean(text)))


class ContextReader:
    """Reads tokens by their neighbours; it remembers what each text can be."""

    def __init__(self) -> None:
        self._flags = Flags(_flags)

    def __call__(self, docs: Sequence["Doc"], tokens: Tokens) -> tuple[Tokens, Bool]:
        """Read tokens as what they are looked up as.

        :param docs: the Docs.
        :param tokens: theirs.
        :returns: the tokens, with other words and blanks and what can hold an opinion; whether markup starts a
            sentence at each. *Shape:* ``(n_tokens,)``.
        """
        flags = self._flags(tokens)
        places = np.flatnonzero(flags & _DECIDES)
        tokens = replace(tokens, says=(flags & _SAYS) != 0)
        if not len(places):
            return tokens, np.zeros(len(tokens), bool)
        edit = _Edit(docs, tokens, flags)
        for place in places.tolist():
            edit.read(place)
        return edit.done(), edit.breaks


class _Edit:
    """Other words and blanks for some tokens."""

    def __init__(self, docs: Sequence["Doc"], tokens: Tokens, flags: Int64) -> None:
        self.docs, self.tokens, self.flags = docs, tokens, flags
        self.words: dict[int, str] = {}
        self.breaks = np.zeros(len(tokens), bool)
        self.marked = -1

    def done(self) -> Tokens:
        """The tokens with the edits."""
        if not self.words:
            return self.tokens
        word, lower, blank = self.tokens.word.copy(), self.tokens.lower.copy(), self.tokens.blank.copy()
        says, add = self.tokens.says, self.tokens.strings.add
        for place, text in self.words.items():
            blank[place], says[place] = not text, says_something(text)
            if text:
                word[place], lower[place] = add(text), add(text.lower())
        return replace(self.tokens, word=word, lower=lower, blank=blank)

    def read(self, place: int) -> None:
        """Read one token that could be something else."""
        flag = int(self.flags[place])
        if flag & _MARKUP:
            self._markup(int(self.tokens.doc[place]))
        elif place in self.words:
            return
        elif flag & _INVISIBLE:
            self.words[place] = ""
        elif flag & _CLITIC and self._attached(place) and self._text(place - 1)[-1:].isalpha():
            self.words[place] = _CLITICS[self._text(place).lower()]
        elif flag & _HASH and self._attached(place + 1) and not self._attached(place):
            if self._text(place + 1)[:1].isalpha():
                self.words[place], self.words[place + 1] = "", f"#{self._text(place + 1)}"
        elif flag & _STAR:
            self._stars(place)
        elif flag & _SENT:
            self._signature(place)
        elif flag & (_STARS | _OUT):
            self._points(place, bool(flag & _STARS))

    def _text(self, place: int) -> str:
        return self.tokens.strings[int(self.tokens.orth[place])]

    def _attached(self, place: int) -> bool:
        """Whether a token follows another of its Doc without a space."""
        tokens = self.tokens
        inside = 0 < place < len(tokens) and tokens.doc[place] == tokens.doc[place - 1]
        return bool(inside and not tokens.spaced[place - 1] and not tokens.blank[place - 1])

    def _stars(self, place: int) -> None:
        """A run of stars is one rating."""
        end = place + 1
        while (
            end < len(self.tokens)
            and self.flags[end] & _STAR
            and self.tokens.doc[end] == self.tokens.doc[place]
        ):
            end += 1
        run = "".join(map(self._text, range(place, end)))
        full = sum(character in _FULL for character in run)
        if len(run) == 1 and full:
            return
        self.words |= dict.fromkeys(range(place, end), "")
        self.words[place] = (
            RATINGS[0] if not full else rating(min(full, 5), max(len(run) if full < len(run) else 5, full))
        )

    def _signature(self, place: int) -> None:
        """Take "Sent from my phone" for a line without an opinion."""
        tokens = self.tokens
        end = int(tokens.offsets[tokens.doc[place] + 1])
        if [self._text(at).lower() for at in range(place + 1, min(place + 3, end))] != ["from", "my"]:
            return
        while place < end and "\n" not in self._text(place):
            tokens.says[place] = False
            place += 1

    def _points(self, place: int, stars: bool) -> None:
        """Read the number of "2 stars", "one-star" or "4 out of 5 stars" as a rating."""
        before = place - 1
        if stars and before >= 0 and self._text(before) in {"-", "‑"}:
            before -= 1
        if before < 0 or self.tokens.doc[before] != self.tokens.doc[place]:
            return
        if stars:
            given, best = self._number(before), 5.0
            if (
                before >= 2
                and self._text(before - 1).lower() == "of"
                and self._text(before - 2).lower() == "out"
            ):
                return
        else:
            if place + 2 >= len(self.tokens) or self._text(place + 1).lower() != "of":
                return
            given, best = self._number(before), self._number(place + 2)
            after = self._text(place + 3).lower() if place + 3 < len(self.tokens) else "."
            if best not in (5, 10) or (
                after[0].isalpha() and after not in {"star", "stars", "for", "because"}
            ):
                return
        if 0 <= given <= best:
            self.words[before] = rating(given, best)

    def _number(self, place: int) -> float:
        text = self._text(place).lower().replace(",", ".")
        if text in _NUMBERS:
            return _NUMBERS[text]
        return (
            float(text) if text.replace(".", "", 1).isdecimal() and text.isascii() and len(text) < 5 else -1.0
        )

    def _markup(self, number: int) -> None:
        """Read the tags and entities of a Doc, once."""
        if number <= self.marked:
            return
        self.marked = number
        tokens = self.tokens
        first, last = int(tokens.offsets[number]), int(tokens.offsets[number + 1])
        begins, ends = tokens.begin[first:last], tokens.end[first:last]
        left: dict[int, list[str]] = {}
        texts: dict[int, str] = {}
        upto: dict[int, int] = {}
        broken: list[int] = []
        for mark in find_markup(self.docs[number].text):
            low = first + int(np.searchsorted(ends, mark.begin, "right"))
            high = first + int(np.searchsorted(begins, mark.end, "left"))
            shown = mark.text
            for place in range(low, high):
                if place not in texts:
                    texts[place] = self._text(place)
                text, begin = texts[place], int(tokens.begin[place])
                start = upto.setdefault(place, begin)
                pieces = left.setdefault(place, [])
                pieces += [text[start - begin : max(mark.begin, start) - begin], shown]
                upto[place] = min(mark.end, begin + len(text))
                shown = ""
            if mark.ends:
                after = first + int(np.searchsorted(ends, mark.end, "right"))
                broken.append(after)
        for place, pieces in left.items():
            text, begin = texts[place], int(tokens.begin[place])
            self.words[place] = ("".join(pieces) + text[upto[place] - begin :]).strip()
        for place in broken:
            while place < last and (tokens.blank[place] or self.words.get(place) == ""):
                place += 1
            if place < last:
                self.breaks[place] = True
