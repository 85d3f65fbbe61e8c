"""Drawing symbols: frequencies against the softmax, the sets of top-k and nucleus against numpy, seeds."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from treesent.errors import RecipeError
from treesent.models.language.sampling import PLAIN, SamplingConfig, Streams, adjusted_probs, pick

SCORES = st.lists(
    # Few different values, so that ties are common.
    st.one_of(st.integers(-6, 3).map(float), st.floats(-30, 5), st.just(-math.inf)),
    min_size=1,
    max_size=12,
).filter(lambda row: max(row) > -math.inf)
SHAPES = st.builds(
    SamplingConfig,
    temperature=st.sampled_from([0.0, 0.3, 1.0, 2.5]),
    top_k=st.integers(0, 13),
    top_p=st.sampled_from([0.05, 0.5, 0.9, 1.0]),
)


def softmax(scores):
    with np.errstate(under="ignore"):
        weights = np.exp(scores - scores.max())
    return weights / weights.sum()


def by_numpy(scores, config):
    """One row, symbol by symbol."""
    scores = np.asarray(scores)
    if config.temperature == 0:
        return np.eye(len(scores))[np.argmax(scores)]
    probs = softmax(scores / config.temperature)
    order = sorted(range(len(probs)), key=lambda i: (-probs[i], i))
    kept = order[: config.top_k] if config.top_k else order
    total, nucleus, mass = sum(probs[i] for i in kept), [], 0.0
    for i in kept:
        if config.top_p < 1 and mass >= config.top_p:
            break
        nucleus.append(i)
        mass += probs[i] / total
    out = np.zeros(len(probs))
    out[nucleus] = probs[nucleus] / probs[nucleus].sum()
    return out


@given(SCORES, SHAPES)
def test_the_sets_of_top_k_and_nucleus_are_those_of_numpy(scores, config):
    wanted = by_numpy(scores, config)
    got = adjusted_probs(torch.tensor([scores], dtype=torch.float64), config)[0].numpy()
    # At a tie with top_p itself the last digit decides.
    sums = np.cumsum(np.sort(wanted)[::-1])
    if np.abs(sums - config.top_p).min() > 1e-9 or config.top_p == 1:
        np.testing.assert_array_equal(got > 0, wanted > 0)
        np.testing.assert_allclose(got, wanted, atol=1e-12)


@given(SCORES)
def test_a_temperature_near_0_is_the_argmax(scores):
    scores = torch.tensor([scores], dtype=torch.float64).round(decimals=3)
    cold = adjusted_probs(scores, SamplingConfig(temperature=1e-7))
    best = scores == scores.amax()
    torch.testing.assert_close(cold, best.double() / best.sum())
    coldest = adjusted_probs(scores, SamplingConfig(temperature=0))
    assert coldest.argmax() == scores.argmax() and coldest.sum() == 1 == coldest.max()


def draws(scores, config, n, seed=0):
    probs = adjusted_probs(scores, config)
    uniform = torch.from_numpy(np.random.default_rng(seed).random((n, len(scores))))
    return torch.stack([pick(probs, row) for row in uniform])


@pytest.mark.parametrize(
    "config",
    [PLAIN, SamplingConfig(temperature=0.5), SamplingConfig(top_k=5), SamplingConfig(top_p=0.8)],
    ids=str,
)
def test_frequencies_pass_a_chi_square_test_against_the_softmax(config):
    scores = torch.randn(2, 9, generator=torch.Generator().manual_seed(3), dtype=torch.float64) * 1.5
    n = 20_000
    drawn = draws(scores, config, n)
    for row in range(2):
        wanted = by_numpy(scores[row].numpy(), config)
        counts = np.bincount(drawn[:, row], minlength=9)
        assert not counts[wanted == 0].any()
        kept = wanted > 0
        assert stats.chisquare(counts[kept], n * wanted[kept]).pvalue > 0.001


def test_the_chi_square_test_can_fail():
    scores = torch.tensor([[0.0, 1.0, 2.0]], dtype=torch.float64)
    counts = np.bincount(draws(scores, SamplingConfig(temperature=1.1), 20_000)[:, 0], minlength=3)
    assert stats.chisquare(counts, 20_000 * softmax(scores[0].numpy())).pvalue < 1e-6


@given(SCORES, st.floats(0, 1))
def test_what_is_impossible_is_never_drawn(scores, uniform):
    probs = adjusted_probs(torch.tensor([scores]), PLAIN)
    for kind in (torch.float32, torch.float64):  # 1.0 is what rounding makes of the number below it
        symbol = int(pick(probs.to(kind), torch.tensor([uniform]))[0])
        assert 0 <= symbol < len(scores) and probs[0, symbol] > 0


def test_a_sample_has_random_numbers_of_its_own():
    cpu = torch.device("cpu")
    few, many = Streams(7, 3), Streams(7, 8)
    one = torch.cat([few.draw(5, cpu), few.draw(11, cpu)])
    torch.testing.assert_close(one, many.draw(16, cpu)[:, :3], rtol=0, atol=0)
    assert not torch.equal(one[:, 0], one[:, 1])
    assert not torch.equal(one, Streams(8, 3).draw(16, cpu))
    assert stats.kstest(Streams(0, 50).draw(100, cpu).flatten().numpy(), "uniform").pvalue > 0.001


@pytest.mark.parametrize(
    ("settings", "pieces"),
    [
        ({"temperature": -1}, ["temperature is -1", "at least 0"]),
        ({"temperature": math.nan}, ["temperature is NaN"]),
        ({"top_k": -1}, ["top_k is -1", "at least 0"]),
        ({"top_p": 0}, ["top_p is 0", "in (0, 1]"]),
        ({"top_p": 1.5}, ["top_p is 1.5"]),
    ],
)
def test_numbers_that_make_no_sense_are_refused(settings, pieces):
    with pytest.raises(RecipeError) as caught:
        SamplingConfig(**settings)
    assert all(piece in str(caught.value) for piece in pieces)


def test_a_seed_below_0_is_refused():
    with pytest.raises(RecipeError, match="seed is -1; give 0 or more"):
        Streams(-1, 2)
