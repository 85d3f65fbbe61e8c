"""Whole texts: drawn as often as they are probable, scored as the sum of their steps."""

import itertools
from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from treesent.errors import ModelError, RecipeError
from treesent.models.language.config import LENGTHS, LanguageModelConfig
from treesent.models.language.generation import distribution, draw_texts
from treesent.models.language.go_on import GoOn
from treesent.models.language.model import LanguageModel
from treesent.models.language.sampling import PLAIN, SamplingConfig
from treesent.models.language.text_losses import ending_log_probs, lengths_with, text_losses
from treesent.text.vocabulary import EOS, UNK, Vocabulary

LETTERS = (2, 3, 4)


def small(length, **more):
    """A network of large weights, so that no symbol is as probable as another; short texts."""
    config = LanguageModelConfig(hidden=6, embedding_width=4, length=length, **more)
    model = LanguageModel(Vocabulary("character", "abc"), config, generator=torch.Generator().manual_seed(4))
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(torch.randn(weight.shape, generator=generator))
        if isinstance(model.ending, GoOn):
            model.ending.weight.div_(2)
    model.fit_lengths(np.repeat([0, 1, 2, 3, 5], [1, 2, 4, 2, 1]))
    return model.eval().double()


@pytest.fixture(params=LENGTHS)
def toy(request):
    return small(request.param)


def by_steps(model, text):
    """The log-probability of a text as the sum of its steps."""
    lengths = None if model.count is None else torch.tensor([len(text)])
    state = model.initial_state(1, "cpu", lengths)
    total = 0.0 if lengths is None else model.count.log_prob(lengths).item()
    for symbol, following in itertools.pairwise([EOS, *text, EOS]):
        log_probs, state = model.step(torch.tensor([symbol]), state)
        total += log_probs[0, following].item()
    return total


TEXTS = st.lists(
    st.lists(st.integers(1, 4), max_size=9).map(lambda row: np.array(row, np.int64)), min_size=1, max_size=9
)
NETWORKS = [
    {},
    {"cell": "gru", "layers": 2, "residual": True},
    {"cell": "clockwork", "orders": (2, 3), "ngram_bits": 5, "ngram_width": 3},
    {"cell": "rnn", "output_recurrence": 3, "layers": 2},
    {"tied": True},
]


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("network", NETWORKS, ids=str)
@settings(max_examples=15)
@given(texts=TEXTS, batch_size=st.integers(1, 4))
def test_a_text_scores_the_sum_of_its_steps(length, network, texts, batch_size):
    model = small(length, **network)
    got = ending_log_probs(model, texts, batch=batch_size)
    np.testing.assert_allclose(got, [by_steps(model, text.tolist()) for text in texts], rtol=1e-9)


@pytest.mark.parametrize("length", LENGTHS)
@settings(max_examples=25)
@given(prefix=st.lists(st.integers(1, 4), min_size=1, max_size=4), texts=TEXTS)
def test_a_prefix_and_its_ending_are_the_whole(length, prefix, texts):
    """log p(whole) - log p(ending | prefix) is log p(prefix), whatever the ending."""
    model = small(length)
    wholes = np.array([by_steps(model, [*prefix, *text.tolist()]) for text in texts])
    endings = ending_log_probs(model, texts, np.array(prefix))
    assert (endings <= 1e-9).all()
    if model.count is None:
        of_prefix = -text_losses(model, [np.array(prefix)])[0]
    else:
        of_prefix = np.logaddexp.reduce(lengths_with(model, np.array(prefix)).log_probs)
    np.testing.assert_allclose(wholes - endings, of_prefix, rtol=1e-8, atol=1e-8)


def test_a_prefix_is_as_probable_with_each_length_as_read_with_it():
    """Lengths that the network cannot tell apart are read once."""
    model = small("count")
    model.fit_lengths(np.array([2, 60, 300]))
    prefix = np.array([2, 4, 4])
    found = lengths_with(model, prefix)
    for length in (3, 4, 63, 64, 65, 70, 71, 72, 73, 200, 287, 288, 289, 300):
        state, total = model.initial_state(1, "cpu", torch.tensor([length])), 0.0
        for symbol, following in itertools.pairwise([EOS, *prefix]):
            log_probs, state = model.step(torch.tensor([symbol]), state)
            total += log_probs[0, following].item()
        total += model.count.log_prob(torch.tensor([length])).item()
        assert found.log_probs[length - found.first] == pytest.approx(total, rel=1e-9)


def test_all_endings_of_a_prefix_sum_to_one(toy):
    """Those up to a length; what is missing is little."""
    prefix, most = np.array([2, 3]), 6
    endings = [np.array(t, np.int64) for n in range(most) for t in itertools.product((1, *LETTERS), repeat=n)]
    total = np.exp(ending_log_probs(toy, endings, prefix, 512)).sum()
    assert 0.7 < total < 1 + 1e-9
    if toy.count is not None:
        log_probs = lengths_with(toy, prefix).log_probs
        of_lengths = np.exp(log_probs - np.logaddexp.reduce(log_probs))[:most].sum()
        assert total == pytest.approx(of_lengths, rel=1e-6)


def by_enumeration(model, text, prompt=()):
    """The probability that a text is drawn after a prompt: the unknown symbol's share goes to the others."""
    lengths, total = None, 1.0
    if model.count is not None:
        log_probs = lengths_with(model, np.array(prompt, np.int64)).log_probs
        lengths = torch.tensor([len(prompt) + len(text)])
        total = np.exp(log_probs - np.logaddexp.reduce(log_probs))[len(text)]
    state = model.initial_state(1, "cpu", lengths)
    read = [EOS, *prompt, *text]
    for place, (symbol, following) in enumerate(itertools.pairwise([*read, EOS])):
        log_probs, state = model.step(torch.tensor([symbol]), state)
        probs = log_probs[0].exp().detach().numpy()
        if place < len(prompt):
            continue
        if not model.ending.in_softmax and following != EOS:
            total *= probs[following] / (probs.sum() - probs[EOS] - probs[UNK]) * (1 - probs[EOS])
        else:
            total *= probs[following] / (1 if not model.ending.in_softmax else 1 - probs[UNK])
    return total


@pytest.mark.parametrize("prompt", [(), (4, 2)], ids=["no prompt", "a prompt"])
def test_texts_are_drawn_as_often_as_they_are_probable(toy, prompt):
    n = 4000
    drawn = draw_texts(toy, n, prompt=np.array(prompt, np.int64), longest=60, seed=1)
    counts = Counter(tuple(text.tolist()) for text in drawn.symbols)
    assert not any(UNK in text for text in counts)
    every = [text for k in range(3) for text in itertools.product(LETTERS, repeat=k)]
    wanted = np.array([by_enumeration(toy, text, prompt) for text in every])
    kept = wanted * n > 5  # what a chi-square test asks for
    observed = np.array([counts[text] for text in every])[kept]
    assert len(observed) > 3
    rest = [n - observed.sum()], [n * (1 - wanted[kept].sum())]
    test = stats.chisquare([*observed, *rest[0]], [*(n * wanted[kept]), *rest[1]])
    assert test.pvalue > 1e-3


@pytest.mark.parametrize(
    "shape",
    [PLAIN, SamplingConfig(temperature=0.5), SamplingConfig(top_k=2), SamplingConfig(top_p=0.6)],
    ids=str,
)
def test_a_coin_is_left_as_it_is_whatever_the_shape(shape):
    model = small("go_on")
    log_probs, _ = model.step(torch.tensor([EOS, 2, 3]), model.initial_state(3))
    probs = distribution(log_probs, shape, in_softmax=False)
    torch.testing.assert_close(probs[:, EOS], log_probs[:, EOS].exp())
    torch.testing.assert_close(probs.sum(1), torch.ones(3).double())
    assert (probs[:, UNK] == 0).all()


def test_equal_seeds_give_equal_texts_whatever_n(toy):
    few, many = draw_texts(toy, 3, seed=5), draw_texts(toy, 8, seed=5)
    for one, other in zip(few.symbols, many.symbols, strict=False):
        np.testing.assert_array_equal(one, other)
    other = draw_texts(toy, 8, seed=6)
    assert any(not np.array_equal(a, b) for a, b in zip(many.symbols, other.symbols, strict=True))


def test_a_text_is_cut_short_at_the_longest(toy):
    whole, short = draw_texts(toy, 200, seed=3, longest=300), draw_texts(toy, 200, seed=3, longest=2)
    assert whole.ended.all() and 0 < short.ended.sum() < 200
    for one, other, ended in zip(whole.symbols, short.symbols, short.ended, strict=True):
        np.testing.assert_array_equal(one[:2], other)
        assert ended == (len(one) <= 2)


def test_temperature_0_is_greedy():
    model = small("end")
    (text,) = draw_texts(model, 1, config=SamplingConfig(temperature=0), longest=20).symbols
    state, symbol, wanted = model.initial_state(1), EOS, []
    while len(wanted) < 20:
        log_probs, state = model.step(torch.tensor([symbol]), state)
        known = log_probs[0].detach().clone()
        known[UNK] = -torch.inf
        symbol = int(known.argmax())
        if symbol == EOS:
            break
        wanted.append(symbol)
    assert text.tolist() == wanted


def test_a_prompt_may_be_longer_than_any_text():
    """Lengths beyond those of the texts to learn from have little probability, and not none."""
    drawn = draw_texts(small("count"), 50, prompt=np.full(30, 2), longest=100)
    assert drawn.ended.all() and max(map(len, drawn.symbols)) > 0


@pytest.mark.parametrize("numbers", [{"n": 0}, {"n": 2, "longest": 0}])
def test_nothing_to_draw_is_refused(numbers):
    with pytest.raises(RecipeError, match="give 1 or more"):
        draw_texts(small("end"), **numbers)


def test_a_model_of_counts_asks_for_them():
    model = small("count")
    with pytest.raises(ModelError, match=r"pass the lengths of the texts to initial_state"):
        model.step(torch.tensor([EOS]), model.initial_state(1))
