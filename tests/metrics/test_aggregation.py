"""Aggregation of sentences, compared with values worked by hand, in numpy and in torch."""

import numpy as np
import pytest
import torch

from treesent.errors import TreesentError
from treesent.metrics.aggregation import (
    AGGREGATES,
    check_aggregate,
    document_log_probs,
    document_probs,
    product_log_probs,
    sentence_weights,
)

PROBS = np.array([[0.5, 0.25, 0.25], [0.1, 0.1, 0.8], [0.2, 0.6, 0.2], [0.25, 0.5, 0.25]], np.float32)
OFFSETS = np.array([0, 3, 4])
LENGTHS = np.array([2, 1, 5, 7])
POLARITY = np.array([-1, 0, 1], np.float32)
# The first document has three sentences and eight words; polarities are -0.25, 0.7 and 0.
FIRST = {
    "mean": [0.8 / 3, 0.95 / 3, 1.25 / 3],
    "words": [(1.0 + 0.1 + 1.0) / 8, (0.5 + 0.1 + 3.0) / 8, (0.5 + 0.8 + 1.0) / 8],
    "strongest": [0.1, 0.1, 0.8],
    "last": [0.2, 0.6, 0.2],
    "product": [0.01 / 0.065, 0.015 / 0.065, 0.04 / 0.065],
}


@pytest.mark.parametrize("aggregate", AGGREGATES)
def test_a_document_of_three_sentences_and_one_of_one(aggregate):
    found = document_probs(PROBS, OFFSETS, LENGTHS, aggregate, POLARITY)
    np.testing.assert_allclose(found, [FIRST[aggregate], PROBS[3]], rtol=1e-6)


@pytest.mark.parametrize("aggregate", ["mean", "words", "last", "product"])
def test_the_loss_sees_the_log_probabilities_of_the_same_values(aggregate):
    document = torch.tensor([0, 0, 0, 1])
    logs = torch.from_numpy(PROBS).log()
    if aggregate == "product":
        found = product_log_probs(logs, document, 2)
    else:
        weights = torch.from_numpy(sentence_weights(OFFSETS, LENGTHS, aggregate))
        found = document_log_probs(logs, document, weights, 2)
    np.testing.assert_allclose(found.exp(), [FIRST[aggregate], PROBS[3]], rtol=1e-5)


def test_weights_by_hand():
    np.testing.assert_allclose(sentence_weights(OFFSETS, LENGTHS, "mean"), [1 / 3, 1 / 3, 1 / 3, 1])
    np.testing.assert_allclose(sentence_weights(OFFSETS, LENGTHS, "words"), [0.25, 0.125, 0.625, 1])
    np.testing.assert_array_equal(sentence_weights(OFFSETS, LENGTHS, "last"), [0, 0, 1, 1])


def test_the_strongest_is_the_first_of_equals_whatever_its_sign_and_without_polarity():
    probs = np.array([[0.3, 0.4, 0.3], [0.8, 0.1, 0.1], [0.1, 0.1, 0.8]], np.float32)
    one, lengths = np.array([0, 3]), np.ones(3, np.int64)
    np.testing.assert_array_equal(document_probs(probs, one, lengths, "strongest", POLARITY), probs[1:2])
    unknown = np.full(3, np.nan, np.float32)
    np.testing.assert_array_equal(document_probs(probs, one, lengths, "strongest", unknown), probs[:1])


def test_an_unknown_aggregation_names_the_known():
    assert [check_aggregate(name) for name in AGGREGATES] == list(AGGREGATES)
    with pytest.raises(
        TreesentError, match=r"'median' is not a known aggregation; use one of mean, words, st"
    ):
        check_aggregate("median")
