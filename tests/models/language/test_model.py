"""Language models on numbers: steps and windows, texts in streams, gradients, softmaxes, folders."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch.nn import functional

from tests.device_guard import DeviceGuard
from treesent.errors import DataError, ModelError, RecipeError
from treesent.models.language.config import LanguageModelConfig
from treesent.models.language.folder import CONFIG, VOCABULARY, WEIGHTS
from treesent.models.language.model import LanguageModel
from treesent.models.language.ngrams import NgramEmbedding
from treesent.models.language.text_losses import text_losses
from treesent.nn.cells import CELLS
from treesent.nn.windows import LSTMWindow, gather, run_window
from treesent.text.vocabulary import EOS, UNK, Vocabulary

LETTERS = Vocabulary("character", "abcdefgh")
WORDS = Vocabulary("word", [f"w{i}" for i in range(30)])
SHAPES = {
    "plain": {},
    "deep": {"layers": 3, "residual": True},
    "tied": {"tied": True, "embedding_width": 6},
    "tied, as wide": {"tied": True, "embedding_width": 8},
    "n-grams": {"orders": (2, 3, 5), "ngram_bits": 6, "ngram_width": 4},
    "words": {"unit": "word"},
    "adaptive": {"unit": "word", "cutoffs": (4, 12), "hidden": 16},
}


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def make(seed=0, **settings):
    config = LanguageModelConfig(**{"hidden": 8, "embedding_width": 5, **settings})
    vocabulary = LETTERS if config.unit == "character" else WORDS
    return LanguageModel(vocabulary, config, generator=generator(seed))


def symbols(model, steps=23, batch=3, least=1):
    return torch.randint(least, len(model.vocabulary), (steps, batch), generator=generator(1))


def losses(model, window, state):
    """Of every symbol of a window but the first, each after those before."""
    features, state = model(window[:-1], state)
    return model.losses(features.flatten(0, 1), window[1:].flatten()).view(len(window) - 1, -1), state


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("shape", SHAPES)
def test_steps_give_what_a_window_gives(shape, cell):
    model = make(cell=cell, **SHAPES[shape]).eval()
    window, state = symbols(model, least=0), model.initial_state(3)
    with torch.no_grad():
        features, _ = model(window[:-1], state)
        together = model.log_probs(features.flatten(0, 1)).view(len(window) - 1, 3, -1)
        of_targets = model.losses(features.flatten(0, 1), window[1:].flatten()).view(-1, 3)
        for t in range(len(window) - 1):
            alone, state = model.step(window[t], state)
            torch.testing.assert_close(alone, together[t], atol=1e-5, rtol=0)
    torch.testing.assert_close(together.exp().sum(2), torch.ones(22, 3))
    torch.testing.assert_close(of_targets, -together.gather(2, window[1:, :, None])[..., 0])


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("shape", SHAPES)
def test_windows_with_carried_states_are_one_long_window(shape, cell):
    model = make(cell=cell, **SHAPES[shape]).eval()
    window = symbols(model)
    whole, after = losses(model, window, model.initial_state(3))
    parts, state = [], model.initial_state(3)
    for begin, end in ((0, 1), (1, 6), (6, 7), (7, 22)):
        part, state = losses(model, window[begin : end + 1], state)
        parts.append(part)
    torch.testing.assert_close(torch.cat(parts), whole, atol=1e-5, rtol=1e-5)
    assert torch.equal(state.recent, after.recent)
    assert state.number == after.number == 22
    for one, other in zip(state.layers, after.layers, strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("shape", SHAPES)
def test_lanes_do_not_see_each_other(shape):
    model = make(**SHAPES[shape]).eval()
    window = symbols(model, least=0)
    together, _ = losses(model, window, model.initial_state(3))
    for lane in range(3):
        alone, _ = losses(model, window[:, lane : lane + 1], model.initial_state(1))
        torch.testing.assert_close(alone[:, 0], together[:, lane], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("cell", [name for name in CELLS if name != "clockwork"])
@pytest.mark.parametrize("shape", ["plain", "deep", "n-grams"])
def test_a_text_in_a_stream_is_as_probable_as_alone(shape, cell):
    model = make(cell=cell, **SHAPES[shape]).eval()
    texts = [np.append(np.random.default_rng(n).integers(1, 10, n), EOS) for n in (7, 1, 4, 12)]
    joined = torch.from_numpy(np.concatenate([[EOS], *texts]))[:, None]
    stream = losses(model, joined, model.initial_state(1))[0].detach()
    expected = [float(part.sum()) for part in torch.split(stream[:, 0], [len(text) for text in texts])]
    np.testing.assert_allclose(text_losses(model, texts, batch=3), expected, rtol=1e-5)


def test_long_texts_are_read_in_parts(monkeypatch):
    model = make(orders=(2, 4), ngram_bits=6, ngram_width=4).eval()
    texts = [np.append(np.random.default_rng(n).integers(1, 10, n), EOS) for n in (3, 40, 17, 18, 1)]
    whole = text_losses(model, texts)
    monkeypatch.setattr("treesent.models.language.text_losses.WINDOW", 7)
    np.testing.assert_allclose(text_losses(model, texts, batch=2), whole, rtol=1e-5)


@pytest.mark.parametrize("cell", CELLS)
def test_gradients_of_a_window_are_those_of_the_graph_cut_before_it(cell):
    model = make(cell=cell, layers=2).double()
    window, cut = symbols(model), 9
    first, state = losses(model, window[: cut + 1], model.initial_state(3))
    second, _ = losses(model, window[cut:], state.detach())
    by_windows = torch.autograd.grad(second.sum(), list(model.parameters()), allow_unused=True)
    # The same, with the states as constants of one graph.
    constant = replace(state, layers=tuple(tuple(torch.tensor(s.tolist()).double() for s in layer)
                                           for layer in state.layers))  # fmt: skip
    features, _ = model(window[cut:-1], constant)
    expected = torch.autograd.grad(
        model.losses(features.flatten(0, 1), window[cut + 1 :].flatten()).sum(),
        list(model.parameters()),
        allow_unused=True,
    )
    through = torch.autograd.grad(
        losses(model, window, model.initial_state(3))[0][cut:].sum(), list(model.parameters())
    )
    for one, other in zip(by_windows, expected, strict=True):
        torch.testing.assert_close(one, other)
    assert not all(torch.allclose(a, b) for a, b in zip(by_windows, through, strict=True))
    del first


def test_an_lstm_by_hand_has_the_gradients_of_finite_differences_and_of_autograd():
    model = make().double()
    cell = model.recurrence.layers[0]
    gates = torch.randn(6, 3, 32, dtype=torch.double, generator=generator(), requires_grad=True)
    state = tuple(
        torch.randn(3, 8, dtype=torch.double, generator=generator(i), requires_grad=True) for i in (1, 2)
    )
    keep = torch.rand(6, 3, 1, generator=generator()) > 0.3
    weight = cell.kernel.weight_hh_l0
    assert torch.autograd.gradcheck(
        lambda g, w, h, c: LSTMWindow.apply(g, w, keep, h, c), (gates, weight, *state)
    )
    by_hand, last = run_window(cell, gates, state, keep)
    # A mask of ones takes the other way.
    by_torch, other = run_window(cell, gates, state, keep, torch.ones(3, 8, dtype=torch.double))
    torch.testing.assert_close((by_hand, *last), (by_torch, *other))


@pytest.mark.parametrize("shape", ["n-grams", "adaptive"])
def test_products_in_bfloat16_are_near_those_in_float32(shape):
    model = make(**{**SHAPES[shape], "hidden": 32})
    window = symbols(model, 40)
    grads = []
    for enabled in (False, True):
        model.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            loss = losses(model, window, model.initial_state(3))[0].mean()
        loss.backward()
        weights = [cell.kernel.weight_hh_l0 for cell in model.recurrence.layers]
        grads.append((float(loss.detach()), *(weight.grad.clone() for weight in weights)))
    (exact, *one), (rounded, *other) = grads
    assert rounded == pytest.approx(exact, rel=0.01)
    for a, b in zip(one, other, strict=True):
        assert functional.cosine_similarity(a.flatten(), b.flatten(), 0) > 0.99


def test_a_gather_has_the_gradient_of_an_index():
    table = torch.randn(5, 3, dtype=torch.double, generator=generator(), requires_grad=True)
    rows = torch.tensor([1, 1, 4, 0, 1])
    weight = torch.randn(5, 3, dtype=torch.double, generator=generator(1))
    (found,) = torch.autograd.grad((gather(table, rows) * weight).sum(), table)
    (expected,) = torch.autograd.grad((table.index_select(0, rows) * weight).sum(), table)
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("width", [6, 8])
def test_tied_weights_are_one_parameter(width):
    model = make(tied=True, embedding_width=width)
    shapes = sorted(
        tuple(p.shape) for name, p in model.named_parameters() if not name.startswith("recurrence")
    )
    assert shapes == sorted([(10, width), (10,), *([(6, 8)] if width == 6 else [])])
    window = symbols(model)
    before = losses(model, window, model.initial_state(3))[0]
    features, _ = model(window, model.initial_state(3))
    with torch.no_grad():
        before_logits = model.output.logits(features.flatten(0, 1))
        model.embedding.table[3] += 1
        moved = (model.output.logits(features.flatten(0, 1)) != before_logits).any(0)
    assert moved.tolist() == [n == 3 for n in range(10)]
    assert not torch.equal(losses(model, window, model.initial_state(3))[0], before)


def test_a_model_that_knows_nothing_takes_the_logarithm_of_its_symbols():
    model = make()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
    texts = [LETTERS.encode("abcab"), LETTERS.encode("h")]
    found = text_losses(model, texts) / math.log(2)
    np.testing.assert_allclose(found, np.array([5, 1]) * math.log2(len(LETTERS)), rtol=1e-6)


def test_n_grams_are_told_apart_and_end_with_a_text():
    table = NgramEmbedding((1, 2, 4), 20, 3, generator())
    stream = torch.tensor([EOS, EOS, EOS, 2, 3, 4, 2, 3, 4, 5, EOS, 2, 3])[:, None]
    rows = table.rows(stream)[:, :, 0]
    seen = stream[3:, 0].tolist()
    for k, n in enumerate((1, 2, 4)):
        grams = []
        for t in range(3, 13):
            gram = stream[t - n + 1 : t + 1, 0].tolist()
            ends = [i for i, s in enumerate(gram[:-1]) if s == EOS]
            grams.append(tuple([EOS] * (ends[-1] + 1) + gram[ends[-1] + 1 :]) if ends else tuple(gram))
        for i, one in enumerate(grams):
            for j, other in enumerate(grams):
                # After an end come only ends: "EOS EOS EOS 2" is a text's first symbol wherever it stands.
                assert (rows[k, i] == rows[k, j]) == (one == other or seen[i] == seen[j] == EOS), (n, i, j)
    assert int(rows.min()) >= 0
    assert int(rows.max()) < 3 << 20


def test_n_grams_are_the_sum_of_their_vectors():
    table = NgramEmbedding((1, 3), 5, 4, generator())
    stream = symbols(make(), 9)
    rows = table.rows(stream)
    expected = table.table[rows[0]] + table.table[rows[1]]
    torch.testing.assert_close(table(stream), expected)


def test_dropout_is_drawn_from_its_generator_and_rests_in_evaluation():
    rates = {f"{name}_dropout": 0.5 for name in ("input", "recurrent", "layer", "output")}
    model = make(layers=2, **rates)
    window = symbols(model)
    one, same, other = (model(window, model.initial_state(3), generator(seed))[0] for seed in (0, 0, 1))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    quiet = make(layers=2).eval()
    quiet.load_state_dict(model.state_dict())
    assert torch.equal(
        model.eval()(window, model.initial_state(3))[0], quiet(window, model.initial_state(3))[0]
    )


@pytest.mark.parametrize("shape", [name for name in SHAPES if name != "adaptive"])
def test_a_forward_pass_makes_no_tensor_without_a_device_and_never_waits(shape):
    model = make(**SHAPES[shape])
    window, state = symbols(model), model.initial_state(3)
    with DeviceGuard():
        losses(model, window, state)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_saved_model_is_the_same_one(shape, tmp_path):
    model = make(**SHAPES[shape]).eval()
    model.save(tmp_path)
    again = LanguageModel.load(tmp_path)
    assert again.config == model.config
    assert again.vocabulary.symbols == model.vocabulary.symbols
    window = symbols(model)
    assert torch.equal(losses(again, window, again.initial_state(3))[0],
                       losses(model, window, model.initial_state(3))[0])  # fmt: skip


@pytest.mark.parametrize(
    ("settings", "names"),
    [
        ({"length": "go_on"}, "vectors weight bias go_on.weight go_on.bias"),
        ({"tied": True, "embedding_width": 5}, "vectors between bias"),
        (
            {"orders": (2,), "ngram_bits": 4, "length": "count"},
            "vectors ngrams.table from_ngrams weight bias count.embedding count.log_share",
        ),
        (
            {"unit": "word", "cutoffs": (4, 12), "hidden": 16},
            "embedding.table adaptive.head.weight adaptive.tail.0.0.weight adaptive.tail.0.1.weight "
            "adaptive.tail.1.0.weight adaptive.tail.1.1.weight",
        ),
    ],
)
def test_weights_keep_their_names_in_the_file(settings, names, tmp_path):
    """Files that earlier versions wrote have these names."""
    model = make(**settings)
    model.save(tmp_path)
    cell = {
        f"layers.0.kernel.{name}" for name in ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")
    }
    saved = load_file(tmp_path / WEIGHTS)
    assert {name for name in saved if not name.startswith("layers.0.kernel.bias")} == (
        set(names.split()) | {name for name in cell if "bias" not in name}
    )
    again = LanguageModel.load(tmp_path)
    for name, weight in model.state_dict().items():
        assert torch.equal(again.state_dict()[name], weight)


def test_half_precision_rounds_and_takes_half_the_room(tmp_path):
    model = make(**SHAPES["n-grams"], hidden=64)
    for name, half in (("whole", False), ("half", True)):
        model.save(tmp_path / name, half)
    whole, half = (tmp_path / name / WEIGHTS for name in ("whole", "half"))
    assert half.stat().st_size < 0.6 * whole.stat().st_size
    expected = {name: tensor.half().float() for name, tensor in model.state_dict().items()}
    for name, tensor in LanguageModel.load(tmp_path / "half").state_dict().items():
        assert torch.equal(tensor, expected[name])


def test_frozen_vectors_are_saved_too_and_get_no_gradient(tmp_path):
    vectors = torch.randn(len(WORDS), 7, generator=generator())
    model = LanguageModel(WORDS, LanguageModelConfig(unit="word", hidden=8), vectors, tune=False)
    assert "embedding.table" not in dict(model.named_parameters())
    model.save(tmp_path)
    assert torch.equal(LanguageModel.load(tmp_path).embedding.table, vectors)


def test_a_damaged_folder_is_refused(tmp_path):
    with pytest.raises(ModelError, match=r"has no language_model\.safetensors"):
        LanguageModel.load(tmp_path)
    make().save(tmp_path)
    saved = {name: (tmp_path / name).read_bytes() for name in (WEIGHTS, CONFIG, VOCABULARY)}
    for name, whole in saved.items():
        (tmp_path / name).write_bytes(whole[: len(whole) // 2])
        with pytest.raises(ModelError, match="cut short or damaged"):
            LanguageModel.load(tmp_path)
        (tmp_path / name).write_bytes(whole)
    (tmp_path / CONFIG).write_text(json.dumps({"format": "other"}))
    with pytest.raises(ModelError, match="not a language model of this version"):
        LanguageModel.load(tmp_path)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"cell": "lstn"}, "cell is 'lstn'"),
        ({"hidden": 0}, "hidden is 0"),
        ({"cutoffs": (5, 5)}, "cutoffs is"),
        ({"orders": (0,)}, r"orders\[0\] is 0; must be in \[1, 1000\]"),
        ({"tied": True, "orders": (2,)}, "tied is true, and orders is set too"),
        ({"output_dropout": 1.0}, "output_dropout is"),
        ({"ngram_bits": 25}, "ngram_bits is 25"),
        ({"lowercase": True}, "lowercase True, but the vocabulary"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings, message):
    with pytest.raises(RecipeError, match=message):
        make(**settings) if "lowercase" not in settings else LanguageModel(
            LETTERS, LanguageModelConfig(**settings)
        )


def test_vectors_must_fit_the_vocabulary():
    with pytest.raises(RecipeError, match="3 vectors for 10 symbols"):
        LanguageModel(LETTERS, LanguageModelConfig(), torch.zeros(3, 4))
    with pytest.raises(RecipeError, match="tune_vectors = true"):
        LanguageModel(WORDS, LanguageModelConfig(unit="word", tied=True), torch.zeros(32, 4), tune=False)


def test_a_vocabulary_numbers_by_frequency_and_reads_back():
    letters = Vocabulary.of(["banana", "bad\n"], "character", least=2)
    assert letters.symbols[2:] == ("a", "b", "n")
    assert letters.encode("nab é").tolist() == [4, 2, 3, UNK, UNK]
    assert letters.decode([4, 2, EOS, 3]) == "na"
    assert Vocabulary("character", "").encode("ab").tolist() == [UNK, UNK]
    assert letters.encode("").tolist() == []
    text = "I don't LIKE it.<br /><br />It's 10,000.5 films, can't we?"
    words = Vocabulary.of([text], "word", lowercase=True)
    expected = "i do n't like it . <br /> <br /> it 's 10,000.5 films , ca n't we ?"
    assert words.decode(words.encode(text).tolist()) == expected
    assert Vocabulary.of(["b a b c c"], "word", most=2).symbols[2:] == ("b", "c")
    with pytest.raises(DataError, match="twice"):
        Vocabulary("character", "aba")
    with pytest.raises(DataError, match="'ab' is not a single character"):
        Vocabulary("character", ["ab"])
