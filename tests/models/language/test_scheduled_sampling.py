"""Scheduled sampling: the decays of the paper, and its two ends: teacher forcing and free running."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from treesent.errors import RecipeError
from treesent.models.language.sampling import pick
from treesent.models.language.scheduled_sampling import ScheduledSampling, feed, sigmoid_constant

N_SYMBOLS, HIDDEN = 7, 5


class Toy(torch.nn.Module):
    """An Elman network over symbols."""

    def __init__(self):
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        for name, shape in {
            "x": (N_SYMBOLS, HIDDEN),
            "h": (HIDDEN, HIDDEN),
            "y": (HIDDEN, N_SYMBOLS),
        }.items():
            setattr(self, name, torch.nn.Parameter(torch.randn(shape, generator=generator).double()))

    def forward(self, symbols, state):
        state = torch.tanh(self.x[symbols] + state @ self.h)
        return (state @ self.y).log_softmax(-1), state


@pytest.fixture
def toy():
    return Toy()


def truth(steps=6, batch=4, seed=1):
    return torch.randint(N_SYMBOLS, (steps, batch), generator=torch.Generator().manual_seed(seed))


def zeros(batch=4):
    return torch.zeros(batch, HIDDEN, dtype=torch.float64)


def seeded(seed=2):
    return torch.Generator().manual_seed(seed)


def test_share_1_is_teacher_forcing(toy):
    symbols, state, forced = truth(), zeros(), []
    for row in symbols:
        log_probs, state = toy(row, state)
        forced.append(log_probs)
    fed, last = feed(toy, zeros(), symbols, 1.0, seeded())
    torch.testing.assert_close(fed, torch.stack(forced), rtol=0, atol=0)
    torch.testing.assert_close(last, state, rtol=0, atol=0)


def test_share_0_runs_freely(toy):
    """The first input is the true one, every other one the draw of the step before."""
    symbols = truth()
    _, numbers = torch.rand((2, *symbols.shape), generator=seeded())
    state, own, free = zeros(), symbols[0], []
    for place in range(len(symbols)):
        log_probs, state = toy(own, state)
        free.append(log_probs)
        own = pick(log_probs.float().exp(), numbers[place + 1]) if place + 1 < len(symbols) else own
    fed, _ = feed(toy, zeros(), symbols, 0.0, seeded())
    torch.testing.assert_close(fed, torch.stack(free), rtol=0, atol=0)
    other = torch.cat([symbols[:1], truth(seed=9)[1:]])
    torch.testing.assert_close(feed(toy, zeros(), other, 0.0, seeded())[0], fed, rtol=0, atol=0)
    assert not torch.equal(feed(toy, zeros(), symbols, 1.0, seeded())[0], fed)


def test_between_the_share_is_that_of_true_inputs():
    inputs = []

    def never_7(symbols, state):
        inputs.append(symbols)
        return torch.zeros(len(symbols), N_SYMBOLS), state

    feed(never_7, None, torch.full((50, 400), N_SYMBOLS), 0.3, seeded())
    true = torch.stack(inputs)[1:] == N_SYMBOLS
    assert true.double().mean().item() == pytest.approx(0.3, abs=4 * math.sqrt(0.21 / true.numel()))


def test_fixed_inputs_are_the_true_ones():
    inputs = []

    def never_7(symbols, state):
        inputs.append(symbols)
        return torch.zeros(len(symbols), N_SYMBOLS), state

    fixed = torch.rand(20, 6, generator=seeded()) < 0.5
    feed(never_7, None, torch.full((20, 6), N_SYMBOLS), 0.0, seeded(), fixed=fixed)
    fixed[0] = True
    assert torch.equal(torch.stack(inputs) == N_SYMBOLS, fixed)


def test_gradients_reach_the_weights_through_the_states(toy):
    log_probs, _ = feed(toy, zeros(), truth(), 0.0, seeded())
    log_probs[-1, :, 0].sum().backward()
    for name, weight in toy.named_parameters():
        assert weight.grad.abs().sum() > 0, name


def test_frequencies_of_draws_are_the_distribution():
    probs = torch.tensor([0.1, 0.2, 0.3, 0.05, 0.15, 0.12, 0.08])
    inputs = []

    def step(symbols, state):
        inputs.append(symbols)
        return probs.log().expand(len(symbols), -1), state

    feed(step, None, torch.zeros((101, 200), dtype=torch.int64), 0.0, seeded())
    from scipy import stats

    counts = np.bincount(torch.stack(inputs)[1:].flatten(), minlength=N_SYMBOLS)
    assert (
        stats.chisquare(counts, counts.sum() * probs.double().numpy() / probs.double().sum().item()).pvalue
        > 1e-3
    )


@pytest.mark.parametrize("decay", ["linear", "exponential", "inverse_sigmoid"])
@given(steps=st.integers(1, 100_000), floor=st.sampled_from([0.0, 0.25, 1.0]))
def test_a_ratio_falls_from_1_to_its_floor(decay, steps, floor):
    schedule = ScheduledSampling(decay, steps, floor)
    ratios = [schedule.ratio(step) for step in (0, steps // 2, steps, 3 * steps, 10**9)]
    assert ratios == sorted(ratios, reverse=True)
    assert ratios[0] > 0.6 and ratios[-1] == pytest.approx(floor, abs=1e-6)


@given(st.integers(1, 10**6))
def test_the_decays_are_those_of_the_paper(steps):
    i = steps // 3
    assert ScheduledSampling("linear", steps).ratio(i) == pytest.approx(max(0, 1 - i / steps))
    assert ScheduledSampling("exponential", steps).ratio(i) == pytest.approx(
        math.exp(-1 / steps) ** i, rel=1e-6
    )
    k = sigmoid_constant(steps)
    assert k >= 1 and k * math.log(k) == pytest.approx(steps, rel=1e-6)
    sigmoid = ScheduledSampling("inverse_sigmoid", steps)
    assert sigmoid.ratio(i) == pytest.approx(k / (k + math.exp(i / k)))
    assert sigmoid.ratio(steps) == pytest.approx(0.5, abs=1e-3)
    assert ScheduledSampling("none", steps).ratio(i) == 1


@pytest.mark.parametrize(
    ("settings", "pieces"),
    [((("linear", 0)), ["steps is 0", "at least 1"]), (("linear", 9, 1.5), ["floor is 1.5", "in [0, 1]"])],
)
def test_numbers_that_make_no_sense_are_refused(settings, pieces):
    with pytest.raises(RecipeError) as caught:
        ScheduledSampling(*settings)
    assert all(piece in str(caught.value) for piece in pieces)
