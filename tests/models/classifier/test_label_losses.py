"""The loss on labels that name sets of classes."""

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from treesent.models.classifier.node_states import label_losses, label_weights, node_loss
from treesent.trees.label_sets import set_label

SETS = st.lists(st.one_of(st.none(), st.sets(st.integers(0, 4), min_size=1)), min_size=1, max_size=8)


def tensors(sets, seed):
    label = torch.tensor([-1 if s is None else set_label(s, 5) for s in sets])
    logits = torch.from_numpy(np.random.default_rng(seed).standard_normal((len(sets), 5)))
    return logits, label


@given(SETS, st.integers(0, 99))
def test_the_loss_is_of_the_summed_probability(sets, seed):
    logits, label = tensors(sets, seed)
    probs = torch.softmax(logits, 1)
    expected = [0.0 if s is None else -float(probs[i, sorted(s)].sum().log()) for i, s in enumerate(sets)]
    found = label_losses(logits.log_softmax(1), label, True)
    torch.testing.assert_close(found, torch.tensor(expected, dtype=torch.float64))


@given(SETS, st.integers(0, 99))
def test_the_gradient_is_finite_and_that_of_the_formula(sets, seed):
    logits, label = tensors(sets, seed)
    logits.requires_grad_()
    node_loss(logits, label, sets=True).backward()
    probs = torch.softmax(logits.detach(), 1)
    n = max(1, sum(s is not None for s in sets))
    for i, s in enumerate(sets):
        own = torch.zeros(5, dtype=torch.float64)
        if s is not None:
            inside = torch.zeros(5, dtype=torch.float64)
            inside[sorted(s)] = 1
            own = (probs[i] - probs[i] * inside / (probs[i] * inside).sum()) / n
        torch.testing.assert_close(logits.grad[i], own)


@given(SETS)
def test_weights_of_a_set_are_the_mean_of_its_classes(sets):
    _, label = tensors(sets, 0)
    weight = torch.tensor([1.0, 2.0, 4.0, 8.0, 16.0])
    found = label_weights(weight, label, True)
    for value, s in zip(found.tolist(), sets, strict=True):
        assert s is None or abs(value - sum(weight[c].item() for c in s) / len(s)) < 1e-6
