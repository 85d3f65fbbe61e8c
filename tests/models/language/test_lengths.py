"""The three ways to end a text, apart from any network: distributions that sum to one, losses that add up."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional

from treesent.errors import DataError
from treesent.models.language.count import Count, bucket_starts
from treesent.models.language.end_of_text import without
from treesent.models.language.go_on import GoOn

END, N_SYMBOLS, WIDTH = 1, 6, 4


def scores(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def go_on():
    head = GoOn(WIDTH, END).double()
    with torch.no_grad():
        head.weight.copy_(scores(WIDTH, seed=5))
        head.bias.fill_(0.3)
    return head


def test_a_symbol_is_shared_out_among_the_others():
    rows = scores(3, 2, N_SYMBOLS)
    rest = without(rows, END).exp()
    assert (rest[..., END] == 0).all()
    kept = [i for i in range(N_SYMBOLS) if i != END]
    torch.testing.assert_close(rest[..., kept], rows[..., kept].softmax(-1))


def test_go_on_is_a_bernoulli_variable_before_the_softmax():
    rows, states, head = scores(3, 2, N_SYMBOLS), scores(3, 2, WIDTH, seed=1), go_on()
    joint = head(rows, states)
    torch.testing.assert_close(joint.exp().sum(-1), torch.ones(3, 2).double())
    torch.testing.assert_close(1 - joint[..., END].exp(), head.logit(states).sigmoid())


def test_the_loss_of_the_joint_distribution_is_the_two_cross_entropies():
    rows, states, head = scores(30, N_SYMBOLS), scores(30, WIDTH, seed=1), go_on()
    targets = torch.arange(30) % N_SYMBOLS
    goes_on = targets != END
    symbols = functional.nll_loss(without(rows, END)[goes_on], targets[goes_on], reduction="sum")
    coin = functional.binary_cross_entropy_with_logits(head.logit(states), goes_on.double(), reduction="sum")
    joint = functional.nll_loss(head(rows, states), targets, reduction="sum")
    torch.testing.assert_close(joint, symbols + coin)


def test_a_new_head_knows_the_mean_length_only():
    head = GoOn(WIDTH, END)
    head.fit(np.array([100, 400]))
    stop = 1 - head.logit(torch.randn(5, WIDTH)).sigmoid()
    assert (1 / stop).mean().item() == pytest.approx(251, rel=1e-3)


def test_count_ends_a_text_where_nothing_remains_and_nowhere_else():
    rows, remaining = scores(4, N_SYMBOLS), torch.tensor([0, 1, 7, -1])
    joint = Count(WIDTH, END)(rows, remaining).exp()
    torch.testing.assert_close(joint[:, END], torch.tensor([1.0, 0, 0, 1]).double())
    torch.testing.assert_close(joint[1:3], without(rows[1:3], END).exp())
    assert joint[0].sum() == joint[3].sum() == 1


@given(st.lists(st.integers(0, 10**7), min_size=1, max_size=20))
def test_buckets_are_those_of_numpy(lengths):
    starts = bucket_starts()
    assert (np.diff(starts) > 0).all() and (starts[:64] == np.arange(64)).all()
    wanted = [max(i for i, start in enumerate(starts) if start <= length) for length in lengths]
    assert Count(WIDTH, END).bucket(torch.tensor(lengths)).tolist() == wanted


@given(st.lists(st.integers(0, 3000), min_size=1, max_size=200))
def test_lengths_have_a_distribution(lengths):
    count = Count(WIDTH, END)
    count.fit(np.array(lengths))
    assert count.longest() >= max(lengths)
    probs = count.log_prob(torch.arange(count.longest() + 1)).exp()
    assert probs.sum().item() == pytest.approx(1, abs=0.01 + 0.5 / len(lengths))
    every = count.log_prob(torch.cat([torch.arange(2 * max(lengths)), torch.tensor([10**6, 10**9])]))
    assert torch.isfinite(every).all()


def test_short_lengths_have_the_shares_of_the_texts():
    lengths = np.repeat([0, 3, 40, 500], [100, 500, 300, 100])
    count = Count(WIDTH, END)
    count.fit(lengths)
    got = count.log_prob(torch.arange(count.longest() + 1)).exp()
    assert got[[0, 3, 40]].tolist() == pytest.approx([0.1, 0.5, 0.3], rel=2e-3)
    starts = bucket_starts()
    within = starts.searchsorted(np.arange(len(got)), "right") == starts.searchsorted(500, "right")
    assert got[within].sum().item() == pytest.approx(0.1, rel=2e-3)
    assert got[within].min() == got[within].max()


@pytest.mark.parametrize("part", [Count, GoOn])
def test_no_texts_have_no_lengths(part):
    with pytest.raises(DataError, match=r"no text to learn lengths from: give texts in corpora.train"):
        part(WIDTH, END).fit(np.array([], np.int64))
