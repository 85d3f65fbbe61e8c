"""What tokens are looked up as, and where markup ends sentences."""

import numpy as np
import pytest
import spacy
from hypothesis import given
from hypothesis import strategies as st
from spacy.tokens import Doc

from treesent.text.docs import Sentences
from treesent.text.markup import find_markup
from treesent.text.reading import DocReader

NLP = spacy.blank("en")


def read(text):
    """The sentences of a text, each as the words that are looked up."""
    tokens, starts = DocReader()([NLP.make_doc(text)])
    sentences = Sentences.of(tokens, starts)
    words = iter(sentences.words(tokens))
    return [[next(words) for _ in range(n)] for n in sentences.lengths.tolist()]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("I cant recommend it", "I ca n't recommend it"),
        ("It isnt bad, dont worry", "It is n't bad , do n't worry"),
        ("Im sure theyve seen it", "I 'm sure they 've seen it"),
        ("a nt and re of it", "a nt and re of it"),
        ("#worstmovieever of all", "#worstmovieever of all"),
        ("we are # 1", "we are # 1"),
        ("C# is fine", "C # is fine"),
        ("👍🏽 👩\u200d💻 ❤️", "👍 👩 💻 ❤"),
        ("★☆☆☆☆", "terrible"),
        ("★★★★☆ nice", "good nice"),
        ("★★★★★", "excellent"),
        ("⭐⭐", "bad"),
        ("☆☆☆☆☆", "terrible"),
        ("a ⭐ here", "a ⭐ here"),
        ("2 stars", "bad stars"),
        ("one-star", "terrible - star"),
        ("4 out of 5 stars", "good out of 5 stars"),
        ("10 out of 10.", "excellent out of 10 ."),
        ("3 out of 5 people", "3 out of 5 people"),
        ("7 stars", "7 stars"),
        ("Tom &amp; Jerry", "Tom & Jerry"),
        ("I <3 you", "I <3 you"),
        ("a < b and b > c", "a < b and b > c"),
        ("R&D; is", "R&D ; is"),
        ("so <b>very</b> good", "so very good"),
    ],
)  # fmt: skip
def test_what_is_looked_up(text, expected):
    words = [word for sentence in read(text) for word in sentence]
    assert [word.strip("\ufe0f\U0001f3fd") for word in words] == expected.split()


def test_markup_is_no_word_and_ends_sentences():
    found = read("Good movie.<br /><br />I liked it<br>a lot &amp; more <p class='x'>Bad</p>end")
    assert found == [["Good", "movie."], ["I", "liked", "it"], ["a", "lot", "&", "more"], ["Bad"], ["end"]]


def test_a_doc_keeps_its_own_sentences():
    doc = Doc(NLP.vocab, ["Good", "<br>", "bad"], sent_starts=[True, False, False])
    tokens, starts = DocReader()([doc])
    assert Sentences.of(tokens, starts).lengths.tolist() == [2]


@pytest.mark.parametrize(
    ("text", "silent"),
    [
        ("Great! https://example.com/terrible", [False, True]),
        ("@bob 12 %", [True]),
        ("Bad.\n\n:(", [False, False]),
        ("10/10", [True]),
        ("Good phone.\n\nSent from my iPhone", [False, True]),
        ("It was sent from Berlin.", [False]),
    ],
)
def test_sentences_without_an_opinion(text, silent):
    tokens, starts = DocReader()([NLP.make_doc(text)])
    assert Sentences.of(tokens, starts).silent.tolist() == silent


PIECES = ["good", " ", "<br>", "</p>", "&amp;", "&#39;", "<", ">", "&", "★", "☆", "#tag", "nt", "ca", "2", "stars",
          "out", "of", "5", "\u200d", "😡", "🏽", ".", "\n", "@x", "<!--", "-->", "-"]  # fmt: skip


@given(st.lists(st.lists(st.sampled_from(PIECES), max_size=12).map("".join), min_size=1, max_size=4))
def test_docs_read_together_are_read_as_alone(texts):
    docs = [NLP.make_doc(text) for text in texts]
    before = [doc.to_bytes() for doc in docs]
    tokens, starts = DocReader()(docs)
    sentences = Sentences.of(tokens, starts)
    words = iter(sentences.words(tokens))
    together = [[next(words) for _ in range(n)] for n in sentences.lengths.tolist()]
    assert together == [sentence for text in texts for sentence in read(text)]
    assert all(word.strip() for sentence in together for word in sentence)
    assert [doc.to_bytes() for doc in docs] == before
    assert not np.any(tokens.blank[sentences.token])


@given(st.lists(st.sampled_from([*PIECES, "<a href='x'>", "<b", "<script>"]), max_size=30).map("".join))
def test_markup_lies_in_order_inside_the_text(text):
    found = list(find_markup(text))
    places = [place for mark in found for place in (mark.begin, mark.end)]
    assert places == sorted(places)
    assert all(text[mark.begin] in "<&" and text[mark.end - 1] in ">;" for mark in found)


@pytest.mark.parametrize("text", ["<", "<!--", "<a ", "&", "<a <", "&amp", "★", "#a"])
def test_a_megabyte_of_it_takes_little_time(text):
    assert not list(find_markup(text * (2**20 // len(text))))


@pytest.mark.parametrize("text", ["! ", ":) ", "★ ", '" ', "<br>", "&amp;", "#good ", "2 stars "])
def test_a_run_of_marks_is_read_in_linear_time(text):
    tokens, starts = DocReader()([NLP.make_doc(text * 20_000)])
    assert len(starts) == len(tokens)
