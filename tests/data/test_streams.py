"""Texts as streams: every symbol is predicted, lanes and windows go on from each other."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from treesent.data.streams import Encoded, Lanes, shuffled
from treesent.text.vocabulary import EOS, UNK, Vocabulary

LETTERS = Vocabulary("character", "abc")


def test_texts_are_encoded_with_their_ends():
    found = Encoded.of(LETTERS, ["ab", "", "cax"])
    assert found.symbols.tolist() == [2, 3, EOS, EOS, 4, 2, UNK, EOS]
    assert found.symbols.dtype == np.uint8
    assert [text.tolist() for text in found.texts()] == [[2, 3, EOS], [EOS], [4, 2, UNK, EOS]]
    assert found.characters.tolist() == [2, 0, 3]
    assert (len(found), found.n_unknown) == (3, 1)
    assert Encoded.of(LETTERS, []).symbols.tolist() == []


def test_a_text_is_read_from_its_end():
    assert Encoded.of(LETTERS, ["abc", "ba"], backward=True).symbols.tolist() == [4, 3, 2, EOS, 2, 3, EOS]


def test_a_large_vocabulary_takes_more_bytes():
    words = Vocabulary("word", [f"w{i}" for i in range(300)])
    found = Encoded.of(words, ["w299 w0"])
    assert found.symbols.tolist() == [301, 2, EOS]
    assert found.symbols.dtype == np.uint16


def test_an_order_is_fixed_by_its_seed_and_number_and_loses_nothing():
    texts = Encoded.of(LETTERS, ["a" * n + "b" for n in range(40)])
    one, same, other, later = (shuffled(texts, *at) for at in ((0, 0), (0, 0), (1, 0), (0, 1)))
    assert np.array_equal(one.symbols, same.symbols)
    assert not np.array_equal(one.symbols, other.symbols)
    assert not np.array_equal(one.symbols, later.symbols)
    assert sorted(map(tuple, one.texts())) == sorted(map(tuple, texts.texts()))
    assert sorted(one.characters) == sorted(texts.characters)


@given(n=st.integers(1, 200), lanes=st.integers(1, 9), window=st.integers(1, 30))
def test_lanes_and_windows_ask_for_every_symbol(n, lanes, window):
    symbols = np.random.default_rng(n).integers(1, 250, n).astype(np.uint8)
    cut = Lanes(n, lanes, window)
    read, asked = (
        np.concatenate(parts)
        for parts in zip(*(cut.cut(symbols, w, np.arange(lanes)) for w in range(cut.windows)), strict=True)
    )
    assert read.shape == asked.shape == (cut.length, lanes)
    # Within a lane each symbol is asked for and then read.
    assert np.array_equal(read[1:], asked[:-1])
    whole = np.append(EOS, symbols)
    seen = np.zeros(n, int)
    for lane, first in enumerate(cut.first):
        assert np.array_equal(asked[:, lane], symbols[first : first + cut.length])
        assert np.array_equal(read[:, lane], whole[first : first + cut.length])
        seen[first : first + cut.length] += 1
    assert seen.min() >= 1
    # No more is read twice than the number of lanes makes necessary.
    assert seen.sum() - n < lanes


@pytest.mark.parametrize("lanes", [[2], [0, 3], [3, 1, 0]])
def test_some_lanes_are_those_of_all(lanes):
    symbols = np.arange(1, 51)
    cut = Lanes(50, 4, 5)
    for one, every in zip(
        cut.cut(symbols, 1, np.array(lanes)), cut.cut(symbols, 1, np.arange(4)), strict=True
    ):
        assert np.array_equal(one, every[:, lanes])
