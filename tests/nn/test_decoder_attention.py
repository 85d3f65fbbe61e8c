"""Attention on numbers: a transcription in numpy, padding, gradients."""

import numpy as np
import pytest
import torch
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


def example(lengths, n_queries=2, seed=0):
    """Queries, values and which of them are words."""
    numbers = generator(seed)
    values = torch.randn(len(lengths), max(lengths), WIDTH, generator=numbers, dtype=torch.float64)
    query = torch.randn(len(lengths), n_queries, QUERY, generator=numbers, dtype=torch.float64)
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
            np.testing.assert_allclose(weights[b, t, :n].detach(), a, atol=1e-6)
            np.testing.assert_allclose(contexts[b, t].detach(), a @ h, atol=1e-6)


@every_kind
@settings(max_examples=20)
@given(lengths=st.lists(st.integers(1, 6), min_size=1, max_size=4), seed=st.integers(0, 99))
def test_weights_sum_to_one_and_ignore_padding(kind, lengths, seed):
    attention = kind(generator(seed)).double()
    query, values, present = example(lengths, seed=seed)
    contexts, weights = attention(query, attention.memory(values, present))
    torch.testing.assert_close(weights.sum(2).double(), torch.ones(query.shape[:2], dtype=torch.float64))
    assert (weights.masked_select(~present[:, None]) == 0).all()
    other = values.masked_fill(~present[:, :, None], 7.0)
    torch.testing.assert_close(attention(query, attention.memory(other, present))[0], contexts)
    for b, n in enumerate(lengths):
        alone = attention.memory(values[b : b + 1, :n], present[b : b + 1, :n])
        torch.testing.assert_close(attention(query[b : b + 1], alone)[0][0], contexts[b])


@every_kind
def test_gradients(kind, monkeypatch):
    # The softmax is in float32 for the sake of bfloat16; here it is to be differentiated in float64.
    monkeypatch.setattr(torch.Tensor, "float", lambda self: self)
    attention = kind(generator()).double()
    query, values, present = example([3, 2])
    names = [name for name, _ in attention.named_parameters()]

    def run(query, values, *weights):
        given = {f"attention.{name}": weight for name, weight in zip(names, weights, strict=True)}
        return torch.func.functional_call(_Whole(attention, present), given, (query, values))

    inputs = [query, values, *attention.parameters()]
    assert torch.autograd.gradcheck(run, [each.detach().requires_grad_() for each in inputs])


class _Whole(torch.nn.Module):
    def __init__(self, attention, present):
        super().__init__()
        self.attention, self.present = attention, present

    def forward(self, query, values):
        return self.attention(query, self.attention.memory(values, self.present))[0]
