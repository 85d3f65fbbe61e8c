"""Sentence splitting on a table of cases, beside spaCy's own sentencizer."""

import pytest
import spacy
from hypothesis import given
from hypothesis import strategies as st

from treesent.text.docs import Tokens
from treesent.text.sentences import SentenceSplitter

# A bar stands where a sentence starts.
CASES = [
    "It works.|She left.",
    "Is it good?|Yes!|Very.",
    "Mr. Smith met Mrs. Jones.|They talked.",
    "Dr. Strange is back.|I loved it.",
    "We saw Prof. Lee and Gen. Grant in St. Louis.|It rained.",
    "He moved to the U.S. in 1990.|He stayed.",
    "He moved to the U.S. Army base.|It was cold.",
    "He grew up in the U.S. It was a good time.".replace("U.S. It", "U.S.|It"),
    "J. K. Rowling wrote it.|J.R.R. Tolkien did not.",
    "It starts at 5 p.m. on Friday.|Come early.",
    "It starts at 5 p.m.|The doors open at four.",
    "Apples, pears, etc. are fruit.|So are plums.",
    "It costs $3.50 or 4.75 euros.|That is cheap.",
    "I rate it 7.5/10.|Would watch again.",
    "Version 2.0 is out.|Get it.",
    "Pi is 3.14.|It goes on.",
    "Go to http://www.example.com/a.b?c=d.|It is fun.",
    "See www.example.com for more.|Thanks.",
    "Write to me.you@example.org.|I answer.",
    "“It works.”|She left.",
    '"It works."|She left.',
    'He said "Stop." and left.|Nobody minded.',
    '"Why?" he asked.|"Because."',
    "'I hate it!' she cried.|He laughed.",
    '"Is it over?"|"Not yet."',
    "(It was great!)|He agreed.",
    "He agreed (it was great!) and left.|Fine.",
    "I thought... maybe not.|Then I saw it.",
    "I waited...|Nothing happened.",
    "Well… it is long.|Too long.",
    "Wow!!!|That was good.",
    "What?!|No way.",
    "Really?...|Yes.",
    "Great movie! 😀|Loved it.",
    "Great movie 😀😀|Loved every minute.",
    "I 😍 this film so much.|Go see it.",
    "Nice one :)|Will come again.",
    "It was good. :(|The end was not.",
    "i loved it.|it was great.|will see it again.",
    "wow!|it was so good",
    "First line\n\nSecond line".replace("\n\n", "\n\n|"),
    "This is a sentence that somebody has wrapped by hand after\nseventy characters or so.|It is one.",
    "Pros:\n|- great acting\n|- fine music",
    "Things to do:\n|1. Eat well.\n|2. Sleep.",
    "* one\n|* two\n|* three",
    "• Acting is fine.\n|• Music is not.",
    "Great acting\n|Terrible script",
    "He came 1st.|She came 2nd.",
    "See Fig. 3 and Sec. 4 of vol. 2.|It is all there.",
    "The ratio is approx. five to one.|That is a lot.",
    "Batman vs. Superman is long.|Too long.",
    "Give it No. 1.|It deserves it.",
    "She works at Apple Inc. in Cupertino.|He does too.",
    "Sammy Davis Jr. sings.|I like that.",
    "It was great.Loved it.".replace("great.L", "great.|L"),
    "I said no.|He said yes.",
    "So did I.|We left.",
    "The film, i.e. the second one, is bad.|The first is not.",
    "Bring food, e.g. bread.|And water.",
    "Terrible.|Just terrible.|Avoid.",
    "Best film of 2019.|Worst of 2020.",
    "He has a Ph.D. from M.I.T. and it shows.|Very smart.",
    "",
    "   ",
    "no mark at the end",
    "!!!",
]


@pytest.fixture(scope="module")
def tokenizer():
    return spacy.blank("en").tokenizer


def cut(text, starts, doc):
    marks = {token.idx for token, start in zip(doc, starts, strict=True) if start and token.i}
    return "".join(("|" if place in marks else "") + character for place, character in enumerate(text))


def by_rule(text, tokenizer):
    doc = tokenizer(text)
    return cut(text, SentenceSplitter()(Tokens.of([doc])), doc) if len(doc) else text


def plain(case):
    """The text: a bar after a letter or mark stands for a space, but where it shows that one is missing."""
    if "great.|Loved" in case:
        return case.replace("|", "")
    out = []
    for character in case:
        if character == "|":
            if out and not out[-1].isspace():
                out.append(" ")
            continue
        out.append(character)
    return "".join(out)


def expected(case):
    if "great.|Loved" in case:
        return case
    before = zip(" " + case, case, strict=False)
    return "".join(
        (" |" if last.strip() else "|") if character == "|" else character for last, character in before
    )


@pytest.mark.parametrize("case", CASES)
def test_boundaries(case, tokenizer):
    assert by_rule(plain(case), tokenizer) == expected(case)


def test_the_rules_do_better_than_spacys_sentencizer(tokenizer):
    sentencizer = spacy.blank("en").add_pipe("sentencizer")
    right = 0
    for case in CASES:
        doc = tokenizer(plain(case))
        starts = [token.is_sent_start for token in sentencizer(doc)] if len(doc) else []
        right += cut(plain(case), starts, doc) == expected(case)
    assert right == 44
    assert len(CASES) == 66


def test_a_batch_equals_one_by_one_and_leaves_other_docs_alone(tokenizer):
    docs = [tokenizer(plain(case)) for case in CASES]
    for token in docs[0]:
        token.is_sent_start = token.i == 1
    starts = SentenceSplitter()(Tokens.of(docs))
    alone = [SentenceSplitter()(Tokens.of([doc])).tolist() for doc in docs if len(doc)]
    assert starts.tolist() == [flag for flags in alone for flag in flags]
    assert [place for place, flag in enumerate(alone[0]) if flag] == [0, 1]


@given(st.text(alphabet="aA1.!?…\"'()-* \n😀", max_size=30))
def test_any_text_is_cut_somewhere_sensible(text):
    doc = TOKENIZER(text)
    if len(doc):
        starts = SentenceSplitter()(Tokens.of([doc]))
        assert starts[0]
        assert not any(token.is_space for token, start in zip(doc, starts, strict=True) if start and token.i)


TOKENIZER = spacy.blank("en").tokenizer
