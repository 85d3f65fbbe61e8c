"""Sentence boundaries by rule, for Docs that have none.

spaCy's own ``sentencizer`` ends a sentence at every full stop that is a token by itself. This one looks at
what
stands around: abbreviations, initials, numbers, quotes and brackets that close after the full stop, ellipses,
emoji, list markers and line breaks. It works on tokens of any tokeniser that leaves final punctuation
apart, and decides only at the few tokens that could end a sentence.
"""

import re
import unicodedata

import numpy as np

from treesent.text.docs import Tokens
from treesent.text.remembered import Flags
from treesent.types import Bool

STOP, LOUD, DOTS, CLOSER, OPENER = (1 << place for place in range(5))
EMOJI, BREAK, BLANK, UPPER, LOWER = (1 << place for place in range(5, 10))
TITLE, ABBREVIATION, BULLET, NUMBER, STARTER = (1 << place for place in range(10, 15))
_DECIDES = STOP | LOUD | DOTS | EMOJI | BREAK | BLANK | TITLE | ABBREVIATION


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Never the end of a sentence: something always follows.
TITLES = _words(
    r"""
    mr. mrs. ms. mx. dr. prof. st. sr. gen. sen. rep. gov. capt. lt. col. sgt. cpl. maj. adm. rev. hon.
    fr. messrs. mme. mlle. pres. supt. vs. v. cf. e.g. i.e. eg. ie. fig. figs. eq. eqs. no. nos. vol.
    vols. pp. p. ch. chap. sec. ed. eds. approx. ca. c. est. dept. feat. ft. mt. viz. al. jan. feb. mar.
    apr. jun. jul. aug. sep. sept. oct. nov. dec. mon. tue. tues. wed. thu. thur. thurs. fri. sat. sun.
    dir. nr. op. art. ep. eps.
    """
)
# The end of a sentence only where a word follows that often begins one.
ABBREVIATIONS = _words(
    r"""
    inc. co. corp. ltd. llc. plc. bros. jr. etc. a.m. p.m. am. pm. u.s. u.k. u.n. e.u. u.s.a. d.c. l.a.
    n.y. b.c. a.d. ph.d. m.d. b.a. m.a. b.s. d.d.s. esq. ave. blvd. rd. hwy. apt. min. mins. hr. hrs.
    sec. secs. ft. lb. lbs. oz. mi. km. kg. cm. mm. tel. ext. misc. max. assn. intl. dist. mass. calif.
    conn. ill. fla. tenn. wash. minn. mich. ariz. penn. okla. kan. colo. mo. ky. ga. va. ala. ore. nev.
    wis. del. md. neb.
    """
)
STARTERS = _words(
    r"""
    i i'm i've i'd i'll he she it its it's they we you this that these those there here the a an my your
    his her our their what when where who why how which while if but and so or yet nor because although
    though however as at by for from in of on to with after before since once then now not no yes all
    every each some most many both one two is are was were do does did has have had can could will would
    should let please maybe perhaps also still just even only never always
    """
)
# Words in their own right, and abbreviations only where a number follows.
BEFORE_NUMBERS = _words(
    r"""
    no nos sec sat sun mon mar jan jun jul aug art al op ed fr dec ft mt am pm min mi co mass wash miss
    ill va ore mo del fig oz misc max ext tel pa me in or hi
    """
)
_CLOSERS = _words(
    r"""
    " ' ” ’ » › ) ] } '' -rrb- -rcb- -rsb- ） 】 」 』
    """
)
_OPENERS = _words(
    r"""
    " ' “ ‘ „ « ‹ ( [ { `` ` -lrb- -lcb- -lsb- （ 【 「 『
    """
)
_BULLETS = _words(
    r"""
    - * • · – — ‣ ◦ ▪ ● ○ ■ □ + > ➢ ✓ ✔
    """
)
_STOP = re.compile(r"^[.。．｡।]$")
_LOUD = re.compile(r"^(?=.*[!?！？‼⁇⁈⁉‽؟])[.!?！？‼⁇⁈⁉‽؟…]+$")
_DOTS = re.compile(r"^(?:\.{2,}|…+)$")
_INITIALS = re.compile(r"^(?:[^\W\d_]\.)+$")
_EMOTICON = re.compile(r"^[<>]?[:;=8xX][\-o*'^]?[)\](\[dDpP/\\|3*]+$|^<3+$|^\^_*\^$")
_ORDINAL = re.compile(r"^(?:\d{1,3}|[a-zA-Z]|[ivxIVX]{1,4})[.)]?$")
_PATTERNS = ((_STOP, STOP), (_LOUD, LOUD), (_DOTS, DOTS), (_EMOTICON, EMOJI), (_ORDINAL, NUMBER))
_LISTS = ((_CLOSERS, CLOSER), (_OPENERS, OPENER), (_BULLETS, BULLET), (STARTERS, STARTER))


def flags_of(text: str) -> int:
    """What a token can be at a sentence's end or beginning, as a sum of the flags of this module."""
    if text.isspace():
        breaks = text.count("\n") or text.count("\r")
        return BLANK if breaks > 1 else BREAK if breaks else 0
    lower = text.lower()
    found = sum(flag for pattern, flag in _PATTERNS if pattern.match(text))
    found |= sum(flag for words, flag in _LISTS if lower in words)
    if text.endswith(".") and len(text) > 1 and text[0].isalnum():
        found |= _abbreviation(lower)
    if text[0].isupper() or text[0].isdigit():
        found |= UPPER
    elif text[0].islower():
        found |= LOWER
    elif not found and _pictorial(text):
        found |= EMOJI
    return found


def _abbreviation(lower: str) -> int:
    """What a word with a full stop of its own is."""
    if lower in ABBREVIATIONS:
        return ABBREVIATION
    if lower in TITLES:
        return TITLE
    if lower == "i.":
        return STOP
    if _INITIALS.match(lower):
        return TITLE if len(lower) == 2 else ABBREVIATION
    return ABBREVIATION if "." in lower[:-1] else STOP


def _pictorial(text: str) -> bool:
    return all(unicodedata.category(character) in _PICTORIAL for character in text) and any(
        unicodedata.category(character) == "So" for character in text
    )


_PICTORIAL = frozenset({"So", "Sk", "Mn", "Me", "Cf"})


class SentenceSplitter:
    """Finds where sentences start; it remembers what each text can be."""

    def __init__(self) -> None:
        self._flags = Flags(flags_of)

    def __call__(self, tokens: Tokens) -> Bool:
        """Find the starts in the Docs that have no boundaries of their own.

        :param tokens: the tokens of many Docs.
        :returns: whether a sentence starts at each token; for other Docs what ``tokens.starts`` says.
            *Shape:* ``(n_tokens,)``.
        """
        flags = self._flags(tokens)
        starts = tokens.starts.copy()
        closed = ~tokens.open[tokens.doc]
        candidates = np.flatnonzero(((flags & _DECIDES) != 0) & ~closed)
        if not len(candidates):
            return starts
        ends = tokens.offsets[1:][tokens.doc[candidates]]
        begins = tokens.offsets[:-1][tokens.doc[candidates]]
        texts = _Texts(flags.tolist(), tokens)
        after = -1
        for place, begin, end in zip(candidates.tolist(), begins.tolist(), ends.tolist(), strict=True):
            if place < after:
                continue
            after = texts.boundary(place, begin, end)
            if 0 <= after < end:
                starts[after] = True
        return starts


class _Texts:
    """The tokens around a place that could end a sentence."""

    def __init__(self, flags: list[int], tokens: Tokens) -> None:
        self.flags, self.tokens = flags, tokens
        self._run = (0, 0, -1, -1)

    def spaced(self, place: int) -> bool:
        """Whether white space follows a token."""
        return bool(self.tokens.spaced[place])

    def boundary(self, place: int, begin: int, end: int) -> int:
        """The token at which a new sentence starts because of the one at ``place``; -1 where none does."""
        flags = self.flags
        here = flags[place]
        if here & BLANK:
            return self._word(place + 1, end)
        if here & BREAK:
            return self._after_break(place, begin, end)
        after, quoted, pictured = self._close(place + 1, end)
        if after >= end:
            return -1
        if flags[after] & (BREAK | BLANK):
            return self._after_space(place, after, begin, end)
        return after if self._ends(place, after, begin, end, quoted, pictured) else -1

    def _word(self, place: int, end: int) -> int:
        while place < end and self.tokens.blank[place]:
            place += 1
        return place if place < end else -1

    def _close(self, after: int, end: int) -> tuple[int, bool, bool]:
        """Skip what the sentence that has ended still has: marks, closing quotes and brackets, emoji."""
        first, stop, quote, picture = self._run
        # A run of marks is looked at once, not once for each of them.
        if not first <= after < stop:
            first, quote, picture = after, -1, -1
            while after < end:
                flag = self.flags[after]
                attached = not self.spaced(after - 1)
                if flag & CLOSER and (attached or not flag & OPENER):
                    quote = after
                elif flag & EMOJI:
                    picture = after
                elif not (flag & (LOUD | DOTS) or (flag & STOP and attached) or self._gap(after)):
                    break
                after += 1
            self._run, stop, after = (first, after, quote, picture), after, first
        return stop, quote >= after, picture >= after

    def _gap(self, place: int) -> bool:
        """Whether a token is white space without a line break."""
        return bool(self.tokens.blank[place]) and not self.flags[place] & (BREAK | BLANK)

    def _after_space(self, place: int, after: int, begin: int, end: int) -> int:
        """A mark, then a line break: only an abbreviation continues the sentence."""
        word = self._word(after, end)
        if word < 0:
            return -1
        if self.flags[place] & TITLE and not self.flags[after] & BLANK:
            return -1
        if self.flags[place] & (STOP | LOUD | EMOJI | DOTS) or self.flags[word] & UPPER:
            return -1 if self._ordinal(place, begin) else word
        return -1

    def _ends(self, place: int, after: int, begin: int, end: int, quoted: bool, pictured: bool) -> bool:
        here, following = self.flags[place], self.flags[after]
        if following & OPENER and after + 1 < end:
            following |= self.flags[after + 1] & (UPPER | LOWER | STARTER)
        lower = bool(following & LOWER)
        if here & EMOJI:
            return bool(following & UPPER) and place > begin and self.spaced(after - 1)
        if not self.spaced(after - 1):
            # "great.Loved it": a missing space, where a capital follows a small letter.
            return bool(following & UPPER and not following & NUMBER and here & STOP and not quoted)
        if here & TITLE:
            return False
        if here & ABBREVIATION:
            return bool(following & STARTER and following & UPPER) or pictured
        if here & DOTS:
            return not lower or pictured
        if here & STOP:
            if (quoted and lower) or self._ordinal(place, begin):
                return False
            return not self._shortened(place) or bool(following & STARTER and following & UPPER)
        return not (quoted and lower)

    def _shortened(self, place: int) -> bool:
        """Whether a full stop that is a token by itself belongs to the word before it, as in "approx."."""
        if len(self.tokens) <= place + 1 or not self.tokens.begin[place] or self.spaced(place - 1):
            return False
        word = self.tokens.strings[int(self.tokens.orth[place - 1])]
        if len(word) == 1:
            return word.isupper() and word != "I"
        lower = word.lower()
        if lower in BEFORE_NUMBERS:
            return bool(self.flags[place + 1] & UPPER) and self._digit(place + 1)
        return f"{lower}." in TITLES or f"{lower}." in ABBREVIATIONS

    def _digit(self, place: int) -> bool:
        return self.tokens.strings[int(self.tokens.orth[place])][0].isdigit()

    def _ordinal(self, place: int, begin: int) -> bool:
        """Whether "1." at the beginning of a line numbers what follows."""
        number = place - 1
        if number < begin or not self.flags[number] & NUMBER or self.spaced(number):
            return False
        return number == begin or bool(self.flags[number - 1] & (BREAK | BLANK))

    def _after_break(self, place: int, begin: int, end: int) -> int:
        """A line break without a mark: one where a list item, or a capital after a short line, follows."""
        word = self._word(place + 1, end)
        if word < 0 or place == begin:
            return -1
        flag = self.flags[word]
        if flag & BULLET and self.spaced(word):
            return word
        if (
            flag & NUMBER
            and word + 1 < end
            and not self.spaced(word)
            and self.flags[word + 1] & (STOP | CLOSER)
        ):
            return word
        if (
            flag & (UPPER | OPENER)
            and not self._continues(place - 1)
            and self._line(place, begin) < SHORT_LINE
        ):
            return word
        return -1

    def _continues(self, place: int) -> bool:
        return self.tokens.strings[int(self.tokens.orth[place])] in {",", "-", "–", "—", "&", "/"}

    def _line(self, place: int, begin: int) -> int:
        """How many characters the line before a break has."""
        first = place
        while first > begin and not self.flags[first - 1] & (BREAK | BLANK):
            first -= 1
        return int(self.tokens.begin[place] - self.tokens.begin[first])


# A line that was broken because it was full is longer.
SHORT_LINE = 50
