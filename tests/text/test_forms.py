"""The forms in which a table knows a word."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from treesent.text.characters import clean
from treesent.text.forms import forms, hashtag, rating, shortened
from treesent.text.rows import lookup
from treesent.vectors.table import VectorTable

WORDS = """
    the movie is so good not no yes it someone worst ever excellent terrible bad mediocre angry love star n't
    fine soo coffee happy notable able
""".split()  # noqa: SIM905
TABLE = VectorTable(WORDS, np.random.default_rng(0).standard_normal((len(WORDS), 4)).astype(np.float32))


def first(text):
    return next(forms(text, TABLE.row), ())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("isn´t", ("not",)),
        ("isnʼt", ("not",)),
        ("isn`t", ("not",)),
        ("isn＇t", ("not",)),
        ("go\u200bod", ("good",)),
        ("mov\xadie", ("movie",)),
        ("ﬁne", ("fine",)),
        ("ｇｏｏｄ", ("good",)),
        ("goooood", ("good",)),
        ("sooooo", ("so",)),
        ("noooo", ("no",)),
        ("yesss", ("yes",)),
        ("#worstmovieever", ("worst", "movie", "ever")),
        ("#WorstMovieEver", ("worst", "movie", "ever")),
        ("#worst_movie", ("worst", "movie")),
        ("😡", ("angry",)),
        ("👍🏽", ("excellent",)),
        ("❤️", ("love",)),
        (":)", ("happy",)),
        ("10/10", ("excellent",)),
        ("2/10", ("terrible",)),
        ("4,5/5", ("excellent",)),
        ("https://a.com/awful-terrible-bad", ("it",)),
        ("www.bad.com", ("it",)),
        ("me@bad.com", ("it",)),
        ("@terrible", ("someone",)),
        ("movie.", ("movie",)),
        ("good movie", ("good", "movie")),
        ("11/10", ()),
        ("24/7", ()),
        ("xyzzy", ()),
        ("#qqqq", ()),
    ],
)
def test_a_form_is_found(text, expected):
    assert first(text) == expected


def test_a_lookup_gives_the_row_or_the_mean_of_the_rows():
    words = ["good", "goooood", "#worstmovie", "xyzzy", "sooooo", "soo", "GOOD"]
    found = lookup(TABLE, words)
    vectors = np.concatenate([TABLE.dense(), found.extra])[found.rows]
    expected = [TABLE.vector(word) for word in ("good", "good")]
    expected += [(TABLE.vector("worst") + TABLE.vector("movie")) / 2, TABLE.guess(["xyzzy"])[0]]
    expected += [TABLE.vector(word) for word in ("so", "soo", "good")]
    np.testing.assert_allclose(vectors, expected, rtol=1e-6)
    assert found.unknown.tolist() == [False, False, False, True, False, False, False]


@pytest.mark.parametrize(
    ("given_points", "best", "expected"),
    [
        (0, 10, "terrible"), (1, 5, "terrible"), (2, 5, "bad"), (3, 5, "mediocre"), (4, 5, "good"),
        (5, 5, "excellent"), (3, 10, "bad"), (7, 10, "good"), (4.5, 5, "excellent"), (61, 100, "good"),
    ],
)  # fmt: skip
def test_points_are_fifths_of_the_scale(given_points, best, expected):
    assert rating(given_points, best) == expected


@given(st.text())
def test_clean_text_stays_clean(text):
    assert clean(clean(text)) == clean(text)


@given(
    st.text(st.characters(max_codepoint=126, min_codepoint=33), max_size=20).filter(lambda t: "`" not in t)
)
def test_ascii_is_clean(text):
    assert clean(text) == text


@given(st.sampled_from(WORDS), st.data())
def test_letters_repeated_at_will_are_undone(word, data):
    place = data.draw(st.integers(0, len(word) - 1))
    long = word[:place] + word[place] * data.draw(st.integers(3, 9)) + word[place + 1 :]
    short = shortened(long, TABLE.row)
    if word[place].isalpha():
        assert TABLE.row(short[0]) <= TABLE.row(word)


@given(st.text(max_size=80))
def test_every_token_has_forms_of_known_words_alone(text):
    for form in forms(text, TABLE.row):
        assert form and all(TABLE.row(word) >= 0 for word in form)


@given(st.lists(st.sampled_from(["worst", "movie", "good", "ever", "love"]), min_size=1, max_size=4))
def test_a_hashtag_is_cut_at_its_capitals(words):
    assert "".join(hashtag("#" + "".join(map(str.capitalize, words)), TABLE.row)) == "".join(words)


def test_a_long_hashtag_takes_little_time():
    assert hashtag("#" + "good" * 1000, TABLE.row) == ()
