"""Pooling on numbers."""

import torch

from treesent.nn.pooling import AttentionPool, max_pool, mean_pool

HIDDEN = 3


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def test_attention_sums_to_one_and_ignores_other_sentences():
    pool = AttentionPool(HIDDEN, generator()).double()
    states = torch.randn(6, HIDDEN, generator=generator(), dtype=torch.float64)
    sequence = torch.tensor([0, 1, 2, 0, 2, 0])
    weights = pool.attention(states, sequence, 3)
    sums = weights.new_zeros(3).index_add(0, sequence, weights)
    torch.testing.assert_close(sums, torch.ones_like(sums))
    other = states.clone()
    other[sequence == 2] += 100
    kept = sequence != 2
    torch.testing.assert_close(pool.attention(other, sequence, 3)[kept], weights[kept])
    # Scores of any size: here every tanh is 1 or -1, and then a score is a sum of weights that have its sign.
    pool.context.data *= 1e4
    large = pool.attention(states * 1e6, sequence, 3)
    scores = torch.sign(states * 1e6 @ pool.weight.t() + pool.bias) @ pool.context
    for number in range(3):
        expected = torch.softmax(scores[sequence == number], 0)
        torch.testing.assert_close(large[sequence == number], expected)


def test_pools_take_their_own_rows():
    states, sequence = torch.tensor([[-1.0], [5], [-3], [7]]), torch.tensor([0, 1, 0, 1])
    length = torch.tensor([2, 2])
    assert mean_pool(states, sequence, length).tolist() == [[-2], [6]]
    assert max_pool(states, sequence, length).tolist() == [[-1], [7]]
