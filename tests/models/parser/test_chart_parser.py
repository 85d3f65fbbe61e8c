"""The parser: its arithmetic, its losses, its trees and its file."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.strategies import gaps, lengths, structures
from treesent.data.batches import EncodedCorpus
from treesent.errors import ModelError, RecipeError, TreesentError
from treesent.metrics.brackets import score_brackets
from treesent.models.parser.chart import cky, inside
from treesent.models.parser.chart_parser import (
    ChartParser,
    ParserConfig,
    SentenceBatch,
    grid,
    groups,
    span_scores,
)
from treesent.models.parser.distance_loss import rank_loss, split_loss
from treesent.models.parser.task import ParserOnVectors, ParserTask, choices, pairs
from treesent.nn.embedding import VectorEmbedding
from treesent.training.loop import fit
from treesent.training.sections import OptimizerConfig, TrainingConfig
from treesent.trees.brackets import read_trees
from treesent.trees.structure import Structure

WIDTH = 7


def make_parser(seed=0, **settings):
    config = ParserConfig(**{"hidden": 5, "layers": 3, "gap": 6} | settings)
    parser = ChartParser(config, WIDTH, torch.Generator().manual_seed(seed)).eval()
    with torch.no_grad():
        for parameter in parser.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(seed)))
    return parser


def make_words(n_words, n_distinct=9, seed=0):
    rng = np.random.default_rng(seed)
    vectors = torch.from_numpy(rng.normal(size=(n_distinct, WIDTH)).astype(np.float32))
    return vectors, torch.from_numpy(rng.integers(0, n_distinct, n_words))


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def transcribed(parser, vectors):
    """The distances of one sentence, straight from the equations, in float64, word by word."""

    def array(tensor):
        return tensor.detach().double().numpy()

    x, hidden = array(vectors), parser.config.hidden
    for layer in [parser.first, *parser.layers]:
        parts = np.split(x @ array(layer.weight).T + array(layer.bias), layer.n_blocks // 2, axis=1)
        z, f, r = parts[0], sigmoid(parts[1]), sigmoid(parts[2])
        skip = parts[3] if len(parts) == 4 else x
        memory = np.zeros((len(x), 2 * hidden))
        state = np.zeros(hidden)
        for t in range(len(x)):
            state = f[t, :hidden] * state + (1 - f[t, :hidden]) * z[t, :hidden]
            memory[t, :hidden] = state
        state = np.zeros(hidden)
        for t in reversed(range(len(x))):
            state = f[t, hidden:] * state + (1 - f[t, hidden:]) * z[t, hidden:]
            memory[t, hidden:] = state
        h = r * memory + (1 - r) * skip
        centred = h - h.mean(1, keepdims=True)
        x = centred / np.sqrt(centred.var(1, keepdims=True) + layer.norm.eps)
        x = x * array(layer.norm.weight) + array(layer.norm.bias)
    before, after = array(parser.before), array(parser.after)
    zero = np.zeros((1, len(before)))
    bounds = np.concatenate([zero, x @ before.T]) + np.concatenate([x @ after.T, zero])
    bounds = np.maximum(bounds + array(parser.bias), 0)
    start = bounds @ array(parser.start).T + array(parser.start_bias)
    end = bounds @ array(parser.end).T + array(parser.end_bias)
    return bounds[1:-1] @ array(parser.output)[0], start @ end.T


def check_scores(parser, vectors, words):
    distances, scores = transcribed(parser, vectors[words])
    lengths = np.array([len(words)])
    with torch.inference_mode():
        found, *ends = parser(vectors, words, SentenceBatch.from_lengths(lengths))
        spans = span_scores(*ends, torch.from_numpy(grid(lengths, np.array([0]))))
    assert found.shape == (len(words) - 1,)
    np.testing.assert_allclose(found, distances, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(spans[0], scores, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("hidden", [5, 4])
@pytest.mark.parametrize("layers", [1, 2, 4])
def test_distances_are_those_of_the_equations(hidden, layers):
    parser = make_parser(hidden=hidden, layers=layers)
    vectors, words = make_words(12)
    check_scores(parser, vectors, words)


def test_a_first_layer_as_wide_as_the_vectors_passes_them_on():
    parser = ChartParser(ParserConfig(hidden=4, layers=1, gap=3), 8, torch.Generator().manual_seed(1)).eval()
    assert parser.first.n_blocks == 6
    vectors = torch.randn(5, 8, generator=torch.Generator().manual_seed(2))
    check_scores(parser, vectors, torch.arange(5))


@given(lengths(max_trees=8, max_words=30))
def test_a_batch_equals_one_by_one(sizes):
    parser = make_parser()
    vectors, words = make_words(int(sizes.sum()))
    together = parser(vectors, words, SentenceBatch.from_lengths(sizes))
    parts = words.split(sizes.tolist())
    alone = [parser(vectors, part, SentenceBatch.from_lengths([len(part)])) for part in parts]
    for one, all_ in zip(zip(*alone, strict=True), together, strict=True):
        torch.testing.assert_close(all_, torch.cat(one), rtol=1e-4, atol=1e-5)
    trees = [parser.parse(vectors, part, [len(part)]) for part in parts]
    assert score_brackets(parser.parse(vectors, words, sizes), Structure.concatenate(trees)).f1 > 99


@given(lengths(max_trees=8, max_words=30), st.integers(1, 60))
def test_parsing_in_runs_changes_nothing(sizes, n_words):
    parser = make_parser()
    vectors, words = make_words(int(sizes.sum()))
    whole, cut = parser.parse(vectors, words, sizes), parser.parse(vectors, words, sizes, n_words=n_words)
    assert whole.lengths.tolist() == cut.lengths.tolist() == sizes.tolist()
    assert score_brackets(whole, cut).f1 > 99


def all_trees(start, end):
    """The sets of spans of two words and more of all binary trees over a run of words."""
    if end - start == 1:
        return [frozenset()]
    own = frozenset([(start, end)])
    return [
        own | left | right
        for middle in range(start + 1, end)
        for left in all_trees(start, middle)
        for right in all_trees(middle, end)
    ]


def random_scores(n_trees, n_words, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(n_trees, n_words + 1, n_words + 1, dtype=torch.float64, generator=generator)


def test_the_chart_is_that_of_all_trees_one_by_one():
    lengths = np.array([6, 1, 4, 2, 6, 3])
    scores = random_scores(len(lengths), 6)
    totals = inside(scores, torch.from_numpy(lengths))
    structure = Structure.from_distances(cky(scores, lengths), lengths)
    for tree, n_words in enumerate(lengths.tolist()):
        values = {spans: sum(scores[tree, a, b].item() for a, b in spans) for spans in all_trees(0, n_words)}
        expected = np.log(sum(np.exp(value) for value in values.values()))
        assert totals[tree].item() == pytest.approx(expected)
        _, _, start, end = structure.arrays(tree)
        found = {(a, b) for a, b in zip(start.tolist(), end.tolist(), strict=True) if b - a > 1}
        assert found == max(values, key=values.__getitem__)


def test_the_gradient_of_the_chart_is_the_probability_of_every_span():
    scores = random_scores(1, 5).requires_grad_()
    inside(scores, torch.tensor([5])).sum().backward()
    weight = {spans: np.exp(sum(scores[0, a, b].item() for a, b in spans)) for spans in all_trees(0, 5)}
    for a in range(5):
        for b in range(a + 2, 6):
            share = sum(w for spans, w in weight.items() if (a, b) in spans) / sum(weight.values())
            assert scores.grad[0, a, b].item() == pytest.approx(share)
    assert torch.autograd.gradcheck(
        lambda s: inside(s, torch.tensor([5, 3])), (random_scores(2, 5).requires_grad_(),)
    )


@given(lengths(max_trees=12, max_words=40), st.integers(1, 30))
def test_groups_hold_every_sentence_that_has_a_choice_once(sizes, longest):
    found = np.concatenate([np.zeros(0, np.int64), *groups(sizes, longest, room=500)])
    assert sorted(found.tolist()) == np.flatnonzero((sizes > 2) & (sizes <= longest)).tolist()


def test_long_sentences_are_split_by_distances():
    parser = make_parser(chart=5)
    vectors, words = make_words(4 + 9)
    structure = parser.parse(vectors, words, [4, 9])
    with torch.inference_mode():
        distances, *_ = parser(vectors, words[4:], SentenceBatch.from_lengths([9]))
    assert structure.take([1]) == Structure.from_distances(distances.numpy(), [9])
    assert structure.take([0]) == make_parser().parse(vectors, words[:4], [4])


@given(st.data())
def test_trees_keep_the_order_of_the_distances(data):
    sizes = data.draw(lengths())
    distances = data.draw(gaps(sizes, ties=False))
    structure = Structure.from_distances(distances, sizes)
    higher, lower = pairs(structure)
    # Of two gaps of which one is above the other, the one above has the larger distance.
    gaps_in, node, split = choices(structure)
    assert (distances[split[node]] >= distances[gaps_in]).all()
    assert not len(higher) or (structure.distances()[higher] > structure.distances()[lower]).all()


@given(structures())
def test_choices_and_pairs_are_those_of_a_loop(structure):
    height, offset = structure.distances(), 0
    expected_choices, expected_pairs = [], set()
    for tree in range(structure.n_trees):
        left, _, start, end = structure.arrays(tree)
        n_gaps = int(structure.lengths[tree]) - 1
        for a, b, child in zip(start.tolist(), end.tolist(), left.tolist(), strict=True):
            if b - a > 2:
                expected_choices.append(
                    (list(range(offset + a, offset + b - 1)), offset + int(end[child]) - 1)
                )
        for i in range(offset, offset + n_gaps):
            expected_pairs |= {(i, j) for j in range(offset, offset + n_gaps) if height[i] > height[j]}
        offset += n_gaps
    gaps_in, node, split = choices(structure)
    found = [(gaps_in[node == k].tolist(), int(split[k])) for k in range(len(split))]
    assert found == expected_choices
    higher, lower = pairs(structure)
    assert set(zip(higher.tolist(), lower.tolist(), strict=True)) == expected_pairs


@pytest.mark.parametrize("loss", ["rank", "split"])
def test_gradients_of_the_losses(loss):
    structure = Structure.from_distances([3, 1, 2, 5, 4, 1, 2], [6, 3])
    arrays = pairs(structure) if loss == "rank" else choices(structure)
    tensors = [torch.from_numpy(array) for array in arrays]
    function = rank_loss if loss == "rank" else split_loss
    # Away from the hinge's corner, where there is no derivative.
    distances = torch.tensor([0.3, -0.4, 1.1, 0.25, 0.9, -0.2, 0.7], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda d: function(d, *tensors), (distances,))


def test_losses_on_a_worked_example():
    # ((a b) (c d)): the middle gap is above both others, which are level.
    structure = Structure.from_distances([1, 2, 1], [4])
    higher, lower = map(torch.from_numpy, pairs(structure))
    gaps_in, node, split = map(torch.from_numpy, choices(structure))
    distances = torch.tensor([0.5, 1.0, 2.0])
    # Pairs (1, 0) and (1, 2): max(0, 1 - 0.5) + max(0, 1 + 1).
    assert rank_loss(distances, higher, lower).item() == pytest.approx(2.5)
    # One node has a choice, the root among all three gaps.
    expected = np.log(np.exp([0.5, 1.0, 2.0]).sum()) - 1.0
    assert split_loss(distances, gaps_in, node, split).item() == pytest.approx(expected)
    right = torch.tensor([0.0, 40.0, 0.0])
    assert rank_loss(right, higher, lower).item() == 0
    assert split_loss(right, gaps_in, node, split).item() == pytest.approx(0)


def test_sentences_too_short_for_a_choice_have_no_loss():
    structure = Structure.from_distances([1.0], [2, 1])
    assert [len(array) for array in (*choices(structure), *pairs(structure))] == [0] * 5


def brute_f1(gold, predicted):
    def spans(structure, tree):
        _, _, start, end = structure.arrays(tree)
        n_words = int(structure.lengths[tree])
        return {(a, b) for a, b in zip(start.tolist(), end.tolist(), strict=True) if 1 < b - a < n_words}

    both = [(spans(gold, t), spans(predicted, t)) for t in range(gold.n_trees)]
    n = sum(len(a) for a, _ in both)
    f1 = 100 * sum(len(a & b) for a, b in both) / n if n else 100
    return f1, 100 * sum(a == b for a, b in both) / len(both)


@given(st.data())
def test_bracket_f1_is_that_of_sets(data):
    sizes = data.draw(lengths())
    gold, predicted = (Structure.from_distances(data.draw(gaps(sizes)), sizes) for _ in range(2))
    scores = score_brackets(gold, predicted)
    f1, exact = brute_f1(gold, predicted)
    assert scores.f1 == pytest.approx(f1)
    assert scores.exact_match == pytest.approx(exact)
    assert score_brackets(gold, gold).to_dict() == {"bracket_f1": 100, "exact_match": 100, "n": scores.n}


def test_other_sentences_are_not_compared():
    with pytest.raises(TreesentError, match="different sentences"):
        score_brackets(Structure.right_branching([3]), Structure.right_branching([4]))


def test_right_branching_trees_of_the_treebank(sst_dir):
    gold = Structure.from_trees(read_trees(sst_dir / "dev.txt"))
    assert score_brackets(gold, Structure.right_branching(gold.lengths)).f1 == pytest.approx(7.79, abs=0.01)


def overfit(seed=0, **training):
    structure = Structure.from_distances([5, 1, 2, 4, 3, 1, 4, 2, 3, 1, 9, 2], [5, 2, 1, 7, 2])
    rows = np.arange(structure.n_words)
    corpus = EncodedCorpus(structure, rows, np.full(structure.n_nodes, -1))
    vectors = np.random.default_rng(0).normal(size=(len(rows), WIDTH)).astype(np.float32)
    parser = ChartParser(
        ParserConfig(hidden=8, layers=2, gap=8, dropout=0.1), WIDTH, torch.Generator().manual_seed(seed)
    )
    settings = {"max_epochs": 60, "patience": 0, "metric": "bracket_f1", "batch_size": 3} | training
    config = TrainingConfig(**settings, optimizer=OptimizerConfig(learn_rate=0.02))
    progress = fit(ParserOnVectors(parser, VectorEmbedding(vectors)), ParserTask(corpus, corpus), config)
    return parser, progress, vectors, structure


def test_a_few_trees_are_learnt_by_heart_and_survive_the_file(tmp_path):
    parser, progress, vectors, structure = overfit()
    assert progress.best == 100
    parser.save(tmp_path / "parser.safetensors")
    read = ChartParser.load(tmp_path / "parser.safetensors")
    assert read.config == parser.config
    words = torch.arange(structure.n_words)
    assert (
        score_brackets(structure, read.parse(torch.from_numpy(vectors), words, structure.lengths)).f1 == 100
    )


def test_a_seed_fixes_the_weights():
    one, other, third = (overfit(seed, max_epochs=2)[0].state_dict() for seed in (0, 0, 1))
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert any(not torch.equal(one[name], third[name]) for name in one)


def test_dropout_follows_the_generator_and_stops_with_training():
    parser = make_parser(dropout=0.5, input_dropout=0.5).train()
    vectors, words = make_words(8)
    sentences = SentenceBatch.from_lengths([8])
    one, same, other = (
        parser(vectors, words, sentences, torch.Generator().manual_seed(seed))[0] for seed in (1, 1, 2)
    )
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    parser.parse(vectors, words, [8])
    assert parser.training


@pytest.mark.parametrize("n_words", [1, 2, 500])
def test_sentences_of_any_length(n_words):
    structure = make_parser().parse(*make_words(n_words), [n_words])
    assert structure.n_nodes == 2 * n_words - 1
    assert structure.lengths.tolist() == [n_words]


@pytest.mark.slow
def test_a_sentence_of_ten_thousand_words():
    structure = make_parser().parse(*make_words(10_000), [10_000])
    assert structure.n_nodes == 19_999


def test_no_sentences():
    assert make_parser().parse(*make_words(0), []).n_trees == 0


@pytest.mark.parametrize(("sizes", "n_words"), [([3, 0], 3), ([2, 2], 5), ([0], 0)])
def test_lengths_that_make_no_sense_are_refused(sizes, n_words):
    with pytest.raises(TreesentError, match="lengths"):
        make_parser().parse(*make_words(n_words), sizes)


@pytest.mark.parametrize("settings", [{"hidden": 0}, {"layers": 0}, {"gap": -1}, {"dropout": 1.0}])
def test_settings_that_make_no_sense_are_refused(settings):
    with pytest.raises(RecipeError, match=next(iter(settings))):
        ParserConfig(**settings)


def test_a_damaged_file_is_refused(tmp_path):
    path = tmp_path / "parser.safetensors"
    with pytest.raises(ModelError, match="no such file"):
        ChartParser.load(path)
    make_parser().save(path)
    whole = path.read_bytes()
    for damaged in (b"", whole[:100], whole[:-20], b"\0" * len(whole)):
        path.write_bytes(damaged)
        with pytest.raises(ModelError, match="damaged"):
            ChartParser.load(path)


def test_a_file_of_something_else_is_refused(tmp_path):
    from safetensors.torch import save_file

    save_file({"weight": torch.zeros(2)}, tmp_path / "other.safetensors")
    with pytest.raises(ModelError, match="not a parser"):
        ChartParser.load(tmp_path / "other.safetensors")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_scores_that_are_not_finite_end_in_an_error(value):
    scores = torch.zeros(2, 5, 5)
    scores[1] = value
    with pytest.raises(ModelError, match="scores that are not finite"):
        cky(scores, np.array([4, 4]))


def test_a_file_with_weights_that_are_not_finite_is_refused(tmp_path):
    parser = make_parser()
    with torch.no_grad():
        next(parser.parameters())[0] = float("nan")
    parser.save(tmp_path / "parser.safetensors")
    with pytest.raises(ModelError, match="values that are not finite"):
        ChartParser.load(tmp_path / "parser.safetensors")


def test_equal_parsers_give_equal_files(tmp_path):
    parser = ChartParser(ParserConfig(hidden=4, layers=1), 6, torch.Generator().manual_seed(0))
    for number in range(8):
        parser.save(tmp_path / str(number))
    assert len({path.read_bytes() for path in tmp_path.iterdir()}) == 1
    again = ChartParser.load(tmp_path / "0").state_dict()
    assert all(
        torch.equal(weight.half().float(), again[name]) for name, weight in parser.state_dict().items()
    )
