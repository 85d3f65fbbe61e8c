"""The encoder-decoder: steps and whole sequences, batches and single sentences, what it can learn."""

import numpy as np
import pytest
import torch

from tests.device_guard import DeviceGuard
from treesent.errors import RecipeError, TreesentError
from treesent.models.parser.decoding import DecoderTargets
from treesent.models.parser.encoder_decoder import EncoderDecoder
from treesent.models.parser.encoder_decoder_config import EncoderDecoderConfig
from treesent.models.parser.search import SearchConfig, search
from treesent.nn import deferred
from treesent.nn.cells import CELLS
from treesent.nn.packed import Packed

WIDTH, N_SYMBOLS, COPY, END = 6, 5, 1, 4
SOURCES, TARGETS = np.array([3, 7, 1, 5]), np.array([4, 2, 9, 6])
SMALL = {"encoder_hidden": 4, "hidden": 5, "attention_hidden": 3, "embedding": 3}
OPTIONS = {
    "additive": {},
    "additive, all steps at once": {"feed": False},
    "multiplicative": {"attention": "multiplicative"},
    "none": {"attention": "none"},
    "GNMT": {"encoder_layers": 4, "bidirectional": "first", "decoder_layers": 4, "residual": 3},
    "deep": {"encoder_layers": 3, "decoder_layers": 2, "residual": 2, "feed": False},
    "no copies": {"copy": False},
    "reversed": {"bidirectional": "none", "reverse": True},
    **{cell: {"cell": cell, "decoder_layers": 2} for cell in CELLS if cell != "lstm"},
}
every_option = pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def network(seed=0, **options):
    config = EncoderDecoderConfig(**{**SMALL, **options})
    return EncoderDecoder(config, WIDTH, N_SYMBOLS, COPY, generator(seed)).eval()


def sentences(seed=0):
    """Vectors, the words of four sentences, and four sequences of symbols with at most as many copies."""
    numbers = np.random.default_rng(seed)
    words = numbers.integers(0, 9, SOURCES.sum())
    symbols = np.concatenate(
        [
            np.where(np.arange(m) < n, numbers.choice([COPY, 2], m), 3)
            for n, m in zip(SOURCES, TARGETS, strict=True)
        ]
    )
    symbols[np.cumsum(TARGETS) - 1] = END
    return torch.randn(9, WIDTH, generator=generator(seed)), words, symbols


def whole(model, vectors, words, symbols, sources=SOURCES, targets=TARGETS):
    """Logits of teacher forcing, in text order."""
    copies = (COPY, words, sources) if model.read is not None else None
    target = DecoderTargets.of(symbols, targets, N_SYMBOLS, copies)
    logits = model(vectors, torch.from_numpy(words), Packed.of(sources), target)
    assert torch.equal(target.symbols, torch.from_numpy(symbols)[target.packed.rows])
    return torch.empty_like(logits).index_copy(0, target.packed.rows, logits)


@every_option
def test_steps_give_the_logits_of_the_whole_sequence(options):
    model = network(**options)
    vectors, words, symbols = sentences()
    expected = whole(model, vectors, words, symbols)
    read, state = model.encode(vectors, torch.from_numpy(words), Packed.of(SOURCES))
    first = np.cumsum(TARGETS) - TARGETS
    last = torch.full((4,), model.begin)
    for step in range(TARGETS.max()):
        logits, state = model.step(last, state, read)
        for sentence in np.flatnonzero(step < TARGETS):
            place = first[sentence] + step
            torch.testing.assert_close(logits[sentence], expected[place], atol=1e-5, rtol=0)
            last[sentence] = int(symbols[place])


@every_option
def test_a_batch_equals_one_by_one(options):
    model = network(**options)
    vectors, words, symbols = sentences()
    expected = whole(model, vectors, words, symbols)
    source, target = (np.split(each, np.cumsum(n)[:-1]) for each, n in ((words, SOURCES), (symbols, TARGETS)))
    alone = [
        whole(model, vectors, source[i], target[i], SOURCES[i : i + 1], TARGETS[i : i + 1]) for i in range(4)
    ]
    torch.testing.assert_close(torch.cat(alone), expected, atol=1e-5, rtol=0)


@every_option
def test_deferred_gradients_are_those_of_autograd(options, monkeypatch):
    model = network(**options).double()
    vectors, words, symbols = sentences()

    def gradients():
        model.zero_grad()
        (whole(model, vectors.double(), words, symbols) ** 2).sum().backward()
        return {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}

    found = gradients()
    real = deferred.DeferredGradient.__init__

    def early(self, weight):
        real(self, weight)
        self.active = False

    monkeypatch.setattr(deferred.DeferredGradient, "__init__", early)
    expected = gradients()
    assert found.keys() == expected.keys()
    for name, gradient in expected.items():
        torch.testing.assert_close(found[name], gradient, atol=1e-10, rtol=1e-7, msg=name)


def test_gradients_by_differences():
    model = network(decoder_layers=2).double()
    vectors, words, symbols = sentences()
    names = [name for name, _ in model.named_parameters()]
    target = DecoderTargets.of(symbols, TARGETS, N_SYMBOLS, (COPY, words, SOURCES))

    def loss():
        return (model(vectors.double(), torch.from_numpy(words), Packed.of(SOURCES), target) ** 2).sum()

    loss().backward()
    step = 1e-4  # attention's softmax is in float32
    for name, parameter in zip(names, model.parameters(), strict=True):
        direction = torch.randn(parameter.shape, generator=generator(1), dtype=torch.float64)
        with torch.no_grad():
            parameter += step * direction
            up = loss()
            parameter -= 2 * step * direction
            down = loss()
            parameter += step * direction
        expected = (parameter.grad * direction).sum()
        assert abs((up - down) / (2 * step) - expected) <= 2e-2 * max(1.0, abs(expected)), name


def test_what_a_state_depends_on():
    vectors, words, symbols = sentences()
    model = network()
    before = whole(model, vectors, words, symbols)
    other = symbols.copy()
    other[2] = 3  # the third symbol of the first sequence changes what comes after it, and nothing else
    changed = (whole(model, vectors, words, other) - before).abs().amax(1) > 1e-7
    assert changed.tolist() == [False] * 3 + [True] + [False] * 17


def test_a_forward_pass_waits_for_no_device():
    vectors, words, symbols = sentences()
    for options in OPTIONS.values():
        model = network(**options).train()
        copies = (COPY, words, SOURCES) if model.read is not None else None
        source, target = Packed.of(SOURCES), DecoderTargets.of(symbols, TARGETS, N_SYMBOLS, copies)
        with DeviceGuard():
            model(vectors, torch.from_numpy(words), source, target, generator())


@every_option
def test_half_the_bits_give_about_the_same(options):
    model = network(**options)
    vectors, words, symbols = sentences()
    expected = whole(model, vectors, words, symbols)
    with torch.autocast("cpu", torch.bfloat16):
        found = whole(model, vectors, words, symbols)
    torch.testing.assert_close(found.float(), expected, atol=0.05, rtol=0.05)


def test_dropout_is_drawn_from_the_generator():
    vectors, words, symbols = sentences()
    model = network(input_dropout=0.3, layer_dropout=0.3, output_dropout=0.3, decoder_layers=2).train()
    target = DecoderTargets.of(symbols, TARGETS, N_SYMBOLS, (COPY, words, SOURCES))

    def run(seed):
        return model(vectors, torch.from_numpy(words), Packed.of(SOURCES), target, generator(seed))

    assert torch.equal(run(1), run(1))
    assert not torch.equal(run(1), run(2))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"cell": "lstn"}, "cell is 'lstn'; must be 'rnn', 'leaky'"),
        ({"hidden": 0}, "hidden is 0"),
        ({"residual": 1}, "must be 0 or at least 2"),
        ({"residual": 2, "bidirectional": "first"}, "must be 0 or at least 3"),
        ({"reverse": True}, "reverse"),
        ({"layer_dropout": 1.0}, "layer_dropout"),
    ],
)
def test_settings_that_make_no_sense_are_refused(options, message):
    with pytest.raises(RecipeError, match=message):
        EncoderDecoderConfig(**options)


def test_empty_sequences_are_refused():
    with pytest.raises(TreesentError, match="no empty ones"):
        Packed.of([2, 0])


@pytest.mark.parametrize(
    ("turn", "options"),
    [
        (lambda word: word, {"attention": "multiplicative", "feed": False}),
        (lambda word: word[::-1], {"attention": "additive"}),
    ],
    ids=["copy", "reversal"],
)
def test_a_task_is_learnt(turn, options):
    """Sequences of up to 8 of 8 symbols, as they are or from the end: 99% of new ones without a mistake."""
    n_letters, longest, numbers = 8, 8, np.random.default_rng(0)
    config = EncoderDecoderConfig(
        cell="gru", encoder_hidden=48, hidden=64, attention_hidden=32, embedding=16, **options
    )
    model = EncoderDecoder(config, n_letters, n_letters + 1, None, generator())
    vectors, end = torch.eye(n_letters), n_letters
    optimizer = torch.optim.Adam(model.parameters(), 0.005)

    def draw(n):
        words = [numbers.integers(0, n_letters, numbers.integers(1, longest + 1)) for _ in range(n)]
        return words, np.array([len(word) for word in words])

    for step in range(400):
        optimizer.param_groups[0]["lr"] = 0.006 * (1 - step / 400)
        words, lengths = draw(48)
        symbols = np.concatenate([[*turn(word), end] for word in words])
        target = DecoderTargets.of(symbols, lengths + 1, n_letters + 1)
        logits = model(vectors, torch.from_numpy(np.concatenate(words)), Packed.of(lengths), target)
        torch.nn.functional.cross_entropy(logits, target.symbols).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
    words, lengths = draw(1000)
    with torch.no_grad():
        read, state = model.eval().encode(
            vectors, torch.from_numpy(np.concatenate(words)), Packed.of(lengths)
        )
    for beam in (1, 3):
        found = search(model, read, state, end, longest + 3, SearchConfig(beam=beam))
        right = [
            np.array_equal(symbols[:n], turn(word))
            for symbols, n, word in zip(found.symbols, found.lengths, words, strict=True)
        ]
        assert np.mean(right) >= 0.99
