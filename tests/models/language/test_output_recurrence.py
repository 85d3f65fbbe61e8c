"""Recurrence from the output: its equation in numpy, and teacher forcing all at once or step by step."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.device_guard import DeviceGuard
from treesent.models.language.output_recurrence import OutputRecurrence

WIDTH, HIDDEN, BATCH = 3, 4, 2


def layer(delays):
    return OutputRecurrence(WIDTH, HIDDEN, delays, torch.Generator().manual_seed(delays)).double()


def outputs(steps, delays, seed=0, width=WIDTH):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(delays - 1 + steps, BATCH, width, generator=generator, dtype=torch.float64)


@given(steps=st.integers(1, 9), delays=st.integers(1, 5))
def test_it_is_its_equation(steps, delays):
    network, y = layer(delays), outputs(steps, delays)
    weight, bias = network.recurrent.detach().numpy(), network.bias.detach().numpy()
    others = outputs(steps, 1, seed=1, width=HIDDEN)
    hidden = network(y, others).detach().numpy()
    assert hidden.shape == (steps, BATCH, HIDDEN)
    for t in range(steps):
        for row in range(BATCH):
            a = bias + others[t, row].numpy()
            for j in range(delays):
                a = a + weight[:, j * WIDTH : (j + 1) * WIDTH] @ y[t + delays - 1 - j, row].numpy()
            np.testing.assert_allclose(hidden[t, row], np.tanh(a), atol=1e-12)


@given(steps=st.integers(1, 9), delays=st.integers(1, 5))
def test_all_at_once_is_step_by_step(steps, delays):
    network, y = layer(delays), outputs(steps, delays)
    apart = torch.cat([network(y[t : t + delays]) for t in range(steps)])
    torch.testing.assert_close(apart, network(y), rtol=0, atol=1e-12)


@given(steps=st.integers(1, 12), delays=st.integers(1, 5), data=st.data())
def test_what_is_before_a_beginning_does_not_count(steps, delays, data):
    """In a stream of sequences each has the states that it has alone."""
    begins = data.draw(st.lists(st.booleans(), min_size=steps, max_size=steps))
    network, y = layer(delays), outputs(steps, delays)
    begins = [False] * (delays - 1) + begins
    keep = torch.tensor([not begin for begin in begins])[:, None, None].expand(-1, BATCH, 1)
    states = network(y, keep=keep)
    for t in range(steps):
        row = t + delays - 1  # of the last output before step t
        alone = y[t : row + 1].clone()
        if True in begins[t : row + 1]:
            first = max(i for i in range(t, row + 1) if begins[i])
            alone[: first - t] = 0
        torch.testing.assert_close(network(alone)[0], states[t], rtol=0, atol=1e-12)


def test_nothing_but_the_last_outputs_reaches_a_state():
    network = layer(2)
    one, other = outputs(6, 2), outputs(6, 2)
    other[:3] += 1  # those before the fourth step
    a, b = network(one), network(other)
    assert not torch.allclose(a[2], b[2])
    torch.testing.assert_close(a[3:], b[3:], rtol=0, atol=0)


def test_gradients():
    network = layer(3)
    y, others = outputs(4, 3).requires_grad_(), outputs(4, 1, seed=1, width=HIDDEN).requires_grad_()

    def run(y, others, *_):
        return network(y, others)

    assert torch.autograd.gradcheck(run, (y, others, *network.parameters()))


def test_no_step_waits_for_the_device():
    network, y = layer(3), outputs(5, 3)
    with DeviceGuard():
        network(y)


@pytest.mark.parametrize("delays", [1, 4])
def test_a_seed_fixes_the_weights(delays):
    assert torch.equal(layer(delays).recurrent, layer(delays).recurrent)
