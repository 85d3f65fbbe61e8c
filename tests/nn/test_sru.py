"""Simple recurrent units on numbers: against their equations, a sentence and a word at a time."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from treesent.nn.packed import packing
from treesent.nn.sru import BidirectionalSRU, last_words

WIDTH, HIDDEN = 12, 5
LENGTHS = st.lists(st.integers(1, 12), min_size=1, max_size=20)


def one_by_one(layer: BidirectionalSRU, sentence: torch.Tensor) -> torch.Tensor:
    """Equations 1-4 for one sentence, in its own order."""
    z, f, r, *skip = torch.nn.functional.linear(sentence, layer.weight, layer.bias).split(2 * HIDDEN, 1)
    f, r = f.sigmoid(), r.sigmoid()
    memories = torch.zeros(len(sentence), 2 * HIDDEN, dtype=sentence.dtype)
    for columns, order in (
        (slice(0, HIDDEN), range(len(sentence))),
        (slice(HIDDEN, None), range(len(sentence) - 1, -1, -1)),
    ):
        memory = torch.zeros(HIDDEN, dtype=sentence.dtype)
        for word in order:
            keep = f[word, columns]
            memory = memories[word, columns] = keep * memory + (1 - keep) * z[word, columns]
    return layer.norm(r * memories + (1 - r) * (skip[0] if skip else sentence))


@pytest.mark.parametrize("width", [WIDTH, 2 * HIDDEN])
@pytest.mark.parametrize("train", [True, False])
@settings(deadline=None, max_examples=25)
@given(lengths=LENGTHS, seed=st.integers(0, 99))
def test_a_batch_equals_the_equations_word_by_word(width, train, lengths, seed):
    generator = torch.Generator().manual_seed(seed)
    layer = BidirectionalSRU(width, HIDDEN, generator)
    packed, unpacked, sizes = packing(np.array(lengths))
    words = torch.randn(len(packed), width, generator=generator)
    with torch.set_grad_enabled(train):
        found = layer(layer.project(words).take(torch.from_numpy(packed)), sizes.tolist())
    with torch.no_grad():
        wanted = torch.cat([one_by_one(layer, sentence) for sentence in words.split(lengths)])
    torch.testing.assert_close(found[torch.from_numpy(unpacked)], wanted, atol=2e-5, rtol=1e-5)
    assert found.requires_grad is train


@given(lengths=LENGTHS)
def test_last_words_are_those_of_the_sentences(lengths):
    _, unpacked, sizes = packing(np.array(lengths))
    assert sorted(last_words(sizes.tolist())) == sorted(unpacked[np.cumsum(lengths) - 1])


@pytest.mark.parametrize("train", [True, False])
def test_half_precision_is_near(train):
    generator = torch.Generator().manual_seed(0)
    layer = BidirectionalSRU(2 * HIDDEN, HIDDEN, generator)
    _, _, sizes = packing(np.array([3, 2]))
    words = torch.randn(5, 2 * HIDDEN, generator=generator)
    expected = layer(layer.project(words), sizes.tolist())
    with torch.set_grad_enabled(train), torch.autocast("cpu", torch.bfloat16):
        found = layer(layer.project(words), sizes.tolist())
    torch.testing.assert_close(found.float(), expected, atol=0.05, rtol=0.05)


def test_ten_thousand_words_are_their_equations():
    generator = torch.Generator().manual_seed(0)
    layer = BidirectionalSRU(WIDTH, HIDDEN, generator).double()
    words = torch.randn(10_000, WIDTH, generator=generator, dtype=torch.float64)
    with torch.no_grad():
        wanted = one_by_one(layer, words)
        in_place = layer(layer.project(words), [1] * len(words))
    found = layer(layer.project(words), [1] * len(words))
    torch.testing.assert_close(found, wanted, atol=1e-12, rtol=1e-9)
    torch.testing.assert_close(in_place, wanted, atol=1e-12, rtol=1e-9)
