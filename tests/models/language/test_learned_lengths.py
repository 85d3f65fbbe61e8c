"""Each way to end a text learns how long texts are; a stream knows how much of each text remains."""

from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from treesent.data.streams import Encoded, Lanes
from treesent.models.language.config import LENGTHS, LanguageModelConfig
from treesent.models.language.generation import draw_texts
from treesent.models.language.model import LanguageModel
from treesent.models.language.sections import LanguageTrainingConfig
from treesent.models.language.task import LanguageTask
from treesent.models.language.text_losses import text_losses
from treesent.text.vocabulary import EOS, Vocabulary
from treesent.training.loop import fit
from treesent.training.sections import OptimizerConfig, ScheduleConfig

SHARES = {1: 0.3, 2: 0.2, 4: 0.5}
"""Of lengths; the letters tell nothing of them, so that a model must count."""


def corpus(n=2000):
    generator = np.random.default_rng(0)
    lengths = generator.choice(list(SHARES), n, p=list(SHARES.values()))
    return ["".join(generator.choice(list("abc"), length)) for length in lengths]


@pytest.fixture(scope="module", params=LENGTHS)
def model(request):
    texts = corpus()
    vocabulary = Vocabulary.of(texts, "character")
    settings = LanguageModelConfig(cell="gru", hidden=24, embedding_width=8, length=request.param)
    model = LanguageModel(vocabulary, settings, generator=torch.Generator().manual_seed(0))
    train = Encoded.of(vocabulary, texts)
    model.fit_lengths(np.diff(train.offsets) - 1)
    config = LanguageTrainingConfig(
        max_epochs=1,
        metric="perplexity",
        batch_size=64,
        window=16,
        epoch_steps=300,
        eval_texts=20,
        optimizer=OptimizerConfig(learn_rate=0.015),
        schedule=ScheduleConfig(kind="linear", warmup=10, floor=0.05),
    )
    fit(model, LanguageTask(train, train, config), config)
    return model


def test_drawn_lengths_are_those_of_the_texts(model):
    n = 500
    drawn = draw_texts(model, n, seed=1, longest=60)
    lengths = Counter(map(len, drawn.symbols))
    observed = [lengths[length] for length in SHARES]
    # A softmax leaves other lengths a little; they count with the nearest.
    assert sum(observed) > 0.95 * n
    expected = np.array(list(SHARES.values())) * sum(observed)
    assert stats.chisquare(observed, expected).pvalue > 1e-3
    mean = sum(length * share for length, share in SHARES.items())
    error = np.std([len(text) for text in drawn.symbols]) / n**0.5
    assert abs(np.mean([len(text) for text in drawn.symbols]) - mean) < 4 * error


def test_the_loss_is_near_the_entropy(model):
    """Letters are uniform and lengths have their shares: no model does better, and these nearly reach it."""
    texts = [np.append(model.vocabulary.encode(text), EOS) for text in corpus(600)]
    shares = np.array(list(SHARES.values()))
    mean = sum(length * share for length, share in SHARES.items())
    entropy = -(shares * np.log(shares)).sum() + mean * np.log(3)
    assert text_losses(model, texts).mean() == pytest.approx(entropy, rel=0.05)


@given(
    texts=st.lists(st.text("ab", max_size=5), min_size=1, max_size=8),
    lanes=st.integers(1, 4),
    window=st.integers(1, 5),
)
def test_a_stream_knows_what_remains(texts, lanes, window):
    vocabulary = Vocabulary("character", "ab")
    encoded = Encoded.of(vocabulary, texts)
    cuts = Lanes(len(encoded.symbols), lanes, window)
    stream = [EOS, *encoded.symbols.tolist()]
    for number in range(cuts.windows):
        which = np.arange(lanes)
        places = cuts.places(number, which)
        symbols, targets = cuts.cut(encoded.symbols, number, which)
        remaining = encoded.remaining(places[:-1])
        for row, lane in np.ndindex(symbols.shape):
            after = stream[places[row, lane] + 2 :]
            assert remaining[row, lane] == after.index(EOS)
            # Nothing remains exactly where the end comes next.
            assert (remaining[row, lane] == 0) == (targets[row, lane] == EOS)
