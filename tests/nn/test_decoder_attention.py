"""Attention on numbers: a transcription in numpy, padding, gradients."""

import numpy as np
import pytest
import torch
from hypothesis import example as example_of
from hypothesis import given, settings
from hypothesis import strategies as st

from treesent.nn.attention import AdditiveAttention, MultiplicativeAttention

QUERY, WIDTH, HIDDEN = 3, 5, 4
KINDS = {
    "additive": lambda generator: AdditiveAttention(QUERY, WIDTH, HIDDEN, generator),
    "multiplicative": lambda generator: MultiplicativeAttention(QUERY, WIDTH, generator),
}
every_kind = pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def example(lengths, n_queries=2, seed=0, dtype=torch.float64):
    """Queries, values and which of them are words."""
    numbers = generator(seed)
    values = torch.randn(len(lengths), max(lengths), WIDTH, generator=numbers, dtype=dtype)
    query = torch.randn(len(lengths), n_queries, QUERY, generator=numbers, dtype=dtype)
    return query, values, torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]


@every_kind
def test_the_equations(kind):
    attention = kind(generator()).double()
    query, values, present = example([4, 2])
    contexts, weights = attention(query, attention.memory(values, present))
    w = {name: parameter.detach().numpy() for name, parameter in attention.named_parameters()}
    for b, n in enumerate([4, 2]):
        for t in range(query.shape[1]):
            q, h = query[b, t].numpy(), values[b, :n].numpy()
            if "vector" in w:  # Bahdanau et al. 2015, A.1.2: v' tanh(W s + U h)
                e = np.array([w["vector"] @ np.tanh(w["query"] @ q + w["key"] @ each) for each in h])
            else:  # Luong et al. 2015, eq. 8: q' W h
                e = np.array([q @ w["key"] @ each for each in h])
            a = np.exp(e) / np.exp(e).sum()
            np.testing.assert_allclose(weights[b, t, :n].detach(), a, atol=1e-12)
            np.testing.assert_allclose(contexts[b, t].detach(), a @ h, atol=1e-12)


@every_kind
@settings(max_examples=20)
@given(lengths=st.lists(st.integers(1, 6), min_size=1, max_size=4), seed=st.integers(0, 99))
@example_of(lengths=[1, 6], seed=69)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_weights_sum_to_one_and_ignore_padding(kind, dtype, lengths, seed):
    """The tolerances of ``assert_close`` are those of the type of the weights."""
    attention = kind(generator(seed)).to(dtype)
    query, values, present = example(lengths, seed=seed, dtype=dtype)
    contexts, weights = attention(query, attention.memory(values, present))
    assert weights.dtype == dtype
    torch.testing.assert_close(weights.sum(2), torch.ones(query.shape[:2], dtype=dtype))
    assert (weights.masked_select(~present[:, None]) == 0).all()
    other = values.masked_fill(~present[:, :, None], 7.0)
    torch.testing.assert_close(attention(query, attention.memory(other, present))[0], contexts)
    for b, n in enumerate(lengths):
        alone = attention.memory(values[b : b + 1, :n], present[b : b + 1, :n])
        torch.testing.assert_close(attention(query[b : b + 1], alone)[0][0], contexts[b])


@every_kind
def test_gradients(kind):
    attention = kind(generator()).double()
    query, values, present = example([3, 2])
    names = [name for name, _ in attention.named_parameters()]

    def run(query, values, *weights):
        given = {f"attention.{name}": weight for name, weight in zip(names, weights, strict=True)}
        return torch.func.functional_call(_Whole(attention, present), given, (query, values))

    inputs = [query, values, *attention.parameters()]
    assert torch.autograd.gradcheck(run, [each.detach().requires_grad_() for each in inputs])


@every_kind
def test_weights_of_half_precision_are_in_float32(kind):
    query, values, present = example([4, 2])
    exact = kind(generator()).double()
    _, expected = exact(query, exact.memory(values, present))
    half = kind(generator()).to(torch.bfloat16)
    contexts, weights = half(query.bfloat16(), half.memory(values.bfloat16(), present))
    assert weights.dtype == torch.float32 and contexts.dtype == torch.bfloat16
    torch.testing.assert_close(weights.sum(2), torch.ones(2, 2))
    torch.testing.assert_close(weights.double(), expected, atol=0.02, rtol=0.05)


class _Whole(torch.nn.Module):
    def __init__(self, attention, present):
        super().__init__()
        self.attention, self.present = attention, present

    def forward(self, query, values):
        return self.attention(query, self.attention.memory(values, self.present))[0]
