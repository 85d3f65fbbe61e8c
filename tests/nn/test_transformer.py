"""Transformers under the leaves: windows, pooling, and what the bare model gives."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tiny_transformer import tiny_transformer
from treesent.errors import ModelError
from treesent.models.classifier.transformer_source import open_transformer
from treesent.nn.pieces import PieceBatch, lay_out
from treesent.nn.transformer import Transformer
from treesent.text.pieces import Marks, Pieces
from treesent.trees.arrays import run_offsets

TEXTS = ["the plot is thin , but acting superb .", "a terrible movie !", "good", "a bad film"]


@pytest.fixture(scope="module", params=["bert", "roberta"])
def opened(request, tmp_path_factory):
    return open_transformer(str(tiny_transformer(tmp_path_factory.mktemp(request.param), request.param)))


def words_of(n):
    return (["the", "plot", "is", "thin"] * n)[:n]


def batch_of(pieces, lengths, longest):
    arrays, groups = lay_out(pieces, np.asarray(lengths), longest)
    return PieceBatch(**{name: torch.from_numpy(array) for name, array in arrays.items()}, groups=groups)


def read(opened, texts, pooling="first", longest=None):
    model, reader = opened
    transformer = Transformer(model, pooling).eval()
    words = [text.split() for text in texts]
    pieces = reader([word for sentence in words for word in sentence])
    batch = batch_of(pieces, [len(sentence) for sentence in words], longest or transformer.longest)
    with torch.inference_mode():
        return transformer(batch), words, pieces


def bare(opened, words):
    """The states of the pieces of one sentence, read on its own by the model itself; and the first of each word."""
    model, reader = opened
    found = [reader.tokenizer.encode([w], is_pretokenized=True, add_special_tokens=False).ids for w in words]
    ids = [*reader.marks.prefix, *(piece for word in found for piece in word), *reader.marks.suffix]
    with torch.inference_mode():
        states = model.eval()(input_ids=torch.tensor([ids])).last_hidden_state[0]
    sizes = [len(word) for word in found]
    return states[len(reader.marks.prefix) :].split([*sizes, len(reader.marks.suffix)])[:-1]


def test_a_batch_gives_what_the_model_gives_for_each_sentence(opened):
    states, words, _ = read(opened, TEXTS)
    expected = torch.cat([piece[:1] for sentence in words for piece in bare(opened, sentence)])
    torch.testing.assert_close(states, expected, rtol=1e-5, atol=1e-6)


def test_the_mean_is_over_the_pieces_of_a_word(opened):
    texts = ["bad amble", "a plots"]
    states, words, pieces = read(opened, texts, "mean")
    assert np.diff(pieces.offsets).max() > 1
    expected = torch.stack([piece.mean(0) for sentence in words for piece in bare(opened, sentence)])
    torch.testing.assert_close(states, expected, rtol=1e-5, atol=1e-6)


def test_marks_are_the_tokenizers_own_and_truncation_is_off(opened):
    _, reader = opened
    assert reader.marks == Marks((2,), (3,))
    assert len(reader(["a"] * 20).ids) == 20


def test_a_word_without_pieces_is_unknown_and_escapes_are_undone(opened):
    _, reader = opened
    pieces = reader(["\u200b", "-LRB-", "\\/", "a"])
    # Neither a bracket nor a slash is among its pieces, as the letters LRB are not.
    assert pieces.ids.tolist()[:3] == [1, 1, 1]
    assert np.diff(pieces.offsets).min() == 1


def test_a_word_of_any_length_is_read_whole(opened):
    _, reader = opened
    assert len(reader(["a!" * 6000]).ids) == 12000


@settings(deadline=None)
@given(
    sizes=st.lists(st.lists(st.integers(1, 9), min_size=1, max_size=30), min_size=1, max_size=8),
    longest=st.integers(3, 20),
)
def test_every_piece_is_read_once_in_a_window_with_context(sizes, longest):
    counts = np.array([size for sentence in sizes for size in sentence])
    lengths = np.array([len(sentence) for sentence in sizes])
    ids = np.arange(10, 10 + counts.sum())
    arrays, groups = lay_out(Pieces(ids, run_offsets(counts), Marks((1,), (2,))), lengths, longest)
    assert np.array_equal(arrays["ids"][arrays["place"]], ids)
    room, per_sentence = longest - 2, np.add.reduceat(counts, run_offsets(lengths)[:-1])
    windows = [
        (
            arrays["ids"][g.begin + row * g.shape[1] :][: arrays["sizes"][g.first + row]],
            g.begin + row * g.shape[1],
        )
        for g in groups
        for row in range(g.shape[0])
    ]
    for window, _ in windows:
        assert window[0] == 1
        assert window[-1] == 2
        assert 0 < len(window) - 2 <= room
        assert np.array_equal(window[1:-1], np.arange(window[1], window[1] + len(window) - 2))
    begins = np.sort([begin for _, begin in windows])
    begin = begins[np.searchsorted(begins, arrays["place"], "right") - 1]
    size = {at: len(window) - 2 for window, at in windows}
    inside = arrays["place"] - begin - 1
    first = np.concatenate([np.arange(n) for n in per_sentence])
    last = np.concatenate([np.arange(n)[::-1] for n in per_sentence])
    # To each side a piece sees a quarter of a window, or all that the sentence has there.
    assert (inside >= np.minimum(first, room // 4)).all()
    after = np.array([size[at] for at in begin.tolist()]) - 1 - inside
    assert (after >= np.minimum(last, room // 4)).all()


def test_long_sentences_lose_no_word(opened):
    states, _, _ = read(opened, [" ".join(words_of(600)), "good"])
    assert len(states) == 601
    assert bool(states.isfinite().all())
    torch.testing.assert_close(
        states[-1:], torch.cat([p[:1] for p in bare(opened, ["good"])]), rtol=1e-5, atol=1e-6
    )
    # Far from a window's edges the same context gives the same state.
    assert len({tuple(state.round(decimals=3).tolist()) for state in states[100:500]}) < 400


def test_dropout_hangs_on_the_generators_seed_alone(opened):
    model, reader = opened
    transformer = Transformer(model).train()
    batch = batch_of(reader(["the", "plot", "is", "thin"]), [4], transformer.longest)
    first, again, other = (transformer(batch, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    before = torch.random.get_rng_state()
    transformer(batch, torch.Generator().manual_seed(3))
    assert torch.equal(before, torch.random.get_rng_state())


def test_settings_make_the_same_model(opened):
    model, _ = opened
    transformer = Transformer(model)
    copy = Transformer.of_config(transformer.config)
    assert {n: w.shape for n, w in copy.state_dict().items()} == {
        n: w.shape for n, w in transformer.state_dict().items()
    }
    assert copy.longest == transformer.longest


@pytest.mark.parametrize("settings", [{}, {"model_type": "x"}, {"model_type": "bert", "hidden_size": "wide"}])
def test_settings_of_no_model_are_refused(settings):
    pytest.importorskip("transformers")
    with pytest.raises(ModelError, match="of no known model"):
        Transformer.of_config(settings)
