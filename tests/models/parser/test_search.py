"""Greedy and beam search against brute force, and the penalties of Wu et al. 2016, eq. 14, by hand."""

from itertools import product
from math import log

import numpy as np
import pytest
import torch

from treesent.errors import TreesentError
from treesent.models.parser.encoder_decoder import EncoderDecoder
from treesent.models.parser.encoder_decoder_config import EncoderDecoderConfig
from treesent.models.parser.search import SearchConfig, coverage_penalty, length_penalty, search
from treesent.nn.packed import Packed

WIDTH, N_SYMBOLS, EOS, MAX_STEPS = 4, 4, 3, 4
LENGTHS = np.array([3, 1, 4])
SETTINGS = {
    "plain": {},
    "length": {"length_penalty": 1.0},
    "both": {"length_penalty": 0.6, "coverage_penalty": 0.3},
}
every_setting = pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)


def encoded(attention="additive", seed=0):
    """A random network, peaked enough to make a difference, and three sentences that it has read."""
    numbers = torch.Generator().manual_seed(seed)
    config = EncoderDecoderConfig(
        cell="gru", encoder_hidden=4, hidden=6, attention_hidden=3, embedding=4, attention=attention
    )
    model = EncoderDecoder(config, WIDTH, N_SYMBOLS, 1, numbers).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter *= 2.5
    vectors = torch.randn(int(LENGTHS.sum()), WIDTH, generator=numbers)
    with torch.no_grad():
        return model, *model.encode(vectors, torch.arange(int(LENGTHS.sum())), Packed.of(LENGTHS))


def brute_force(model, sentences, state, sentence, alpha=0.0, beta=0.0):
    """The best of all sequences of a sentence, one by one: its symbols, log-probability and score."""
    found = []
    for length in range(1, MAX_STEPS + 1):
        for symbols in product(range(N_SYMBOLS), repeat=length):
            if EOS in symbols[:-1] or (symbols[-1] != EOS and length < MAX_STEPS):
                continue
            only = torch.tensor([sentence])
            here, at, last = sentences.select(only), state.select(only), torch.tensor([model.begin])
            total, covered = 0.0, 0.0
            for symbol in symbols:
                with torch.no_grad():
                    logits, at = model.step(last, at, here)
                total += float(torch.log_softmax(logits, 1)[0, symbol])
                covered = covered + (0.0 if at.weights is None else at.weights[0].numpy())
                last = torch.tensor([symbol])
            score = total / ((5 + length) / 6) ** alpha
            if beta:
                score += beta * sum(log(min(share, 1.0)) for share in covered[: LENGTHS[sentence]])
            found.append((score, total, tuple(symbol for symbol in symbols if symbol != EOS)))
    return max(found)


@every_setting
def test_full_width_finds_what_brute_force_finds(settings):
    model, sentences, state = encoded()
    found = search(model, sentences, state, EOS, MAX_STEPS, SearchConfig(beam=120, **settings))
    for sentence in range(len(LENGTHS)):
        penalties = (settings.get("length_penalty", 0.0), settings.get("coverage_penalty", 0.0))
        score, log_prob, symbols = brute_force(model, sentences, state, sentence, *penalties)
        assert tuple(found.symbols[sentence, : found.lengths[sentence]]) == symbols
        np.testing.assert_allclose(found.scores[sentence], score, rtol=1e-5)
        np.testing.assert_allclose(found.log_probs[sentence], log_prob, rtol=1e-5)


@pytest.mark.parametrize("attention", ["additive", "none"])
def test_a_beam_of_one_is_greedy(attention):
    model, sentences, state = encoded(attention, seed=3)
    found = search(model, sentences, state, EOS, 12, SearchConfig(length_penalty=0.6))
    for sentence in range(len(LENGTHS)):
        only = torch.tensor([sentence])
        here, at, last = sentences.select(only), state.select(only), torch.tensor([model.begin])
        greedy = []
        while len(greedy) < 12:
            with torch.no_grad():
                logits, at = model.step(last, at, here)
            last = logits.argmax(1)
            if int(last) == EOS:
                break
            greedy.append(int(last))
        assert found.symbols[sentence, : found.lengths[sentence]].tolist() == greedy


@every_setting
def test_sentences_do_not_see_each_other(settings):
    model, sentences, state = encoded(seed=1)
    config = SearchConfig(beam=3, **settings)
    together = search(model, sentences, state, EOS, 10, config, keep_attention=True)
    for sentence in range(len(LENGTHS)):
        only = torch.tensor([sentence])
        alone = search(
            model, sentences.select(only), state.select(only), EOS, 10, config, keep_attention=True
        )
        n = int(alone.lengths[0])
        assert n == together.lengths[sentence]
        assert np.array_equal(alone.symbols[0, :n], together.symbols[sentence, :n])
        np.testing.assert_allclose(alone.scores[0], together.scores[sentence], rtol=1e-5)
        shares = together.attention[sentence, :n]
        np.testing.assert_allclose(alone.attention[0, :n], shares, atol=1e-6)
        np.testing.assert_allclose(shares.sum(1), 1, rtol=1e-5)
        assert (shares[:, LENGTHS[sentence] :] == 0).all()


def test_a_wider_beam_finds_nothing_worse_when_it_holds_everything():
    model, sentences, state = encoded(seed=2)
    best = search(model, sentences, state, EOS, MAX_STEPS, SearchConfig(beam=120)).scores
    for beam in (1, 2, 5):
        found = search(model, sentences, state, EOS, MAX_STEPS, SearchConfig(beam=beam)).scores
        assert (found <= best + 1e-5).all()


class NoTwoAlike:
    """No symbol but the last may follow itself; the end only after two symbols."""

    def begin(self):
        return torch.full((len(LENGTHS), 2), -1)

    def allowed(self, state):
        symbols = torch.arange(N_SYMBOLS)
        fits = symbols != state[:, :1]
        return torch.where(symbols == EOS, state[:, 1:] >= 1, fits)

    def advance(self, state, symbols):
        return torch.stack([symbols, state[:, 1] + 1], 1)


@pytest.mark.parametrize("beam", [1, 4])
def test_a_constraint_holds(beam):
    for seed in range(8):
        model, sentences, state = encoded(seed=seed)
        found = search(model, sentences, state, EOS, 9, SearchConfig(beam=beam), NoTwoAlike())
        for symbols, n in zip(found.symbols, found.lengths, strict=True):
            assert n >= 2
            assert (np.diff(symbols[:n]) != 0).all()


def test_the_penalties_by_hand():
    lengths = torch.tensor([1.0, 7.0, 19.0])
    torch.testing.assert_close(length_penalty(lengths, 1.0), torch.tensor([1.0, 2.0, 4.0]))
    torch.testing.assert_close(length_penalty(lengths, 0.5), torch.tensor([1.0, 2.0**0.5, 2.0]))
    assert (length_penalty(lengths, 0.0) == 1).all()
    covered = torch.tensor([[0.5, 2.0, 0.0], [1.0, 0.25, 0.0]])
    present = torch.tensor([[True, True, False], [True, True, False]])
    expected = torch.tensor([0.2 * log(0.5), 0.2 * log(0.25)])
    torch.testing.assert_close(coverage_penalty(covered, present, 0.2), expected)


@pytest.mark.parametrize("setting", [{"beam": 0}, {"length_penalty": -1.0}, {"coverage_penalty": -0.1}])
def test_settings_that_make_no_sense_are_refused(setting):
    with pytest.raises(TreesentError, match=next(iter(setting))):
        SearchConfig(**setting)
