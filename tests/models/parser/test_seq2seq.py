"""Trees as symbols and back, and a parser that can write nothing but trees."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.strategies import structures
from treesent.errors import ModelError, RecipeError, TreesentError
from treesent.models.parser.chart_parser import ChartParser, ParserConfig
from treesent.models.parser.kinds import load_parser
from treesent.models.parser.search import SearchConfig
from treesent.models.parser.seq2seq import (
    CLOSE,
    EOS,
    WORD,
    Seq2SeqParser,
    Seq2SeqParserConfig,
    cut,
    decoder_targets,
)
from treesent.nn.packed import Packed
from treesent.trees.structure import Structure

WIDTH, N_ROWS = 5, 12
SMALL = {"cell": "gru", "encoder_hidden": 4, "hidden": 6, "attention_hidden": 4, "embedding": 4}


def parser(seed=0, scale=1.0, **options):
    config = Seq2SeqParserConfig(**{**SMALL, **options})
    made = Seq2SeqParser(config, WIDTH, torch.Generator().manual_seed(seed)).eval()
    with torch.no_grad():
        for parameter in made.parameters():
            parameter *= scale
    return made


def words(lengths, seed=0):
    numbers = np.random.default_rng(seed)
    vectors = torch.from_numpy(numbers.normal(size=(N_ROWS, WIDTH)).astype(np.float32))
    return vectors, torch.from_numpy(numbers.integers(0, N_ROWS, int(np.sum(lengths))))


def test_a_tree_is_written_in_post_order():
    structure = Structure.right_branching([3, 1])
    target = decoder_targets(structure, None)
    symbols = torch.empty_like(target.symbols).index_copy(0, target.packed.rows, target.symbols)
    assert symbols.tolist() == [WORD, WORD, WORD, CLOSE, CLOSE, EOS, WORD, EOS]
    begin, symbol = 3, 4
    read = decoder_targets(structure, np.array([5, 6, 7, 8]))
    inputs = torch.empty_like(read.inputs).index_copy(0, read.packed.rows, read.inputs)
    assert inputs.tolist() == [begin, symbol + 5, symbol + 6, symbol + 7, CLOSE, CLOSE, begin, symbol + 8]


@given(structures())
def test_a_tree_comes_back_from_its_leaves(structure):
    assert Structure.from_leaves(structure.left < 0, structure.lengths) == structure


def test_what_is_no_tree_is_refused():
    with pytest.raises(TreesentError, match="not a binary tree"):
        Structure.from_leaves([True, False, True], [2])
    with pytest.raises(TreesentError, match="3 in all"):
        Structure.from_leaves([True, True], [2])
    with pytest.raises(TreesentError, match="not a binary tree"):
        Structure.from_leaves([True, True, True, False], [1, 2][::-1])


@settings(max_examples=25)
@given(
    lengths=st.lists(st.integers(1, 12), min_size=1, max_size=5),
    seed=st.integers(0, 1000),
    scale=st.sampled_from([0.0, 1.0, 30.0]),
    beam=st.integers(1, 4),
    longest=st.sampled_from([3, 60]),
    attention=st.sampled_from(["additive", "multiplicative", "none"]),
)
def test_every_output_is_a_tree_whatever_the_weights(lengths, seed, scale, beam, longest, attention):
    made = parser(seed, scale, search=SearchConfig(beam=beam), longest=longest, attention=attention)
    structure = made.parse(*words(lengths, seed), lengths)
    assert structure.lengths.tolist() == lengths
    # What from_leaves gives it has checked; here the spans are looked at by themselves.
    for tree in range(structure.n_trees):
        left, right, start, end = structure.arrays(tree)
        inner = np.flatnonzero(left >= 0)
        assert len(inner) == lengths[tree] - 1
        assert (end[left[inner]] == start[right[inner]]).all()
        assert (start[left[inner]] == start[inner]).all() and (end[right[inner]] == end[inner]).all()
        assert (start[-1], end[-1]) == (0, lengths[tree])


def test_a_batch_equals_one_by_one():
    lengths = np.array([4, 9, 1, 2, 6, 7])
    made = parser(scale=4.0, search=SearchConfig(beam=3))
    vectors, inverse = words(lengths)
    alone = [
        made.parse(vectors, part, [n])
        for part, n in zip(torch.split(inverse, lengths.tolist()), lengths, strict=True)
    ]
    for n_words in (4096, 12, 1):
        assert made.parse(vectors, inverse, lengths, n_words) == Structure.concatenate(alone)


def test_a_long_sentence_is_cut():
    pieces, n_pieces = cut(np.array([7, 3, 6]), 3)
    assert (pieces.tolist(), n_pieces.tolist()) == ([3, 2, 2, 3, 3, 3], [3, 1, 2])
    made = parser(scale=4.0, longest=3)
    vectors, inverse = words([7])
    structure = made.parse(vectors, inverse, [7])
    spans = set(zip(structure.start.tolist(), structure.end.tolist(), strict=True))
    assert {(0, 3), (3, 5), (5, 7), (3, 7), (0, 7)} <= spans
    for begin, end in ((0, 3), (3, 5), (5, 7)):
        part = made.parse(vectors, inverse[begin:end], [end - begin])
        assert {(i + begin, j + begin) for i, j in zip(part.start, part.end, strict=True)} <= spans


def test_no_sentence_no_tree():
    vectors, inverse = words([])
    assert parser().parse(vectors, inverse, []).n_trees == 0
    with pytest.raises(TreesentError, match="at least one word"):
        parser().parse(vectors, inverse, [0])


def test_trees_are_learnt_by_heart():
    lengths = np.array([5, 4, 6])
    vectors, inverse = words(lengths)
    gold = Structure.from_distances(np.random.default_rng(1).normal(size=int(lengths.sum()) - 3), lengths)
    made = parser(hidden=24, encoder_hidden=16, attention="multiplicative", feed=False).train()
    optimizer = torch.optim.Adam(made.parameters(), 0.03)
    target, source = made.target(gold, inverse.numpy()), Packed.of(lengths)
    for _ in range(60):
        logits = made.network(vectors, inverse, source, target)
        torch.nn.functional.cross_entropy(logits, target.symbols).backward()
        optimizer.step()
        optimizer.zero_grad()
    assert made.parse(vectors, inverse, lengths) == gold
    assert made.training


def test_a_parser_is_saved_and_read(tmp_path):
    made = parser(scale=4.0, decoder_layers=2, longest=9, search=SearchConfig(beam=2, length_penalty=0.5))
    for parameter in made.parameters():
        parameter.data = parameter.data.half().float()
    made.save(tmp_path / "parser.safetensors")
    again = load_parser(tmp_path / "parser.safetensors")
    assert isinstance(again, Seq2SeqParser)
    assert again.config == made.config
    lengths = [8, 3, 12]
    assert again.parse(*words(lengths), lengths) == made.parse(*words(lengths), lengths)


def test_files_that_are_no_parser_are_refused(tmp_path):
    path = tmp_path / "parser.safetensors"
    with pytest.raises(ModelError, match="no such file"):
        Seq2SeqParser.load(path)
    ChartParser(ParserConfig(hidden=2, layers=1, gap=2, span=2), WIDTH).save(path)
    assert isinstance(load_parser(path), ChartParser)
    with pytest.raises(ModelError, match="not a parser"):
        Seq2SeqParser.load(path)
    parser().save(path)
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(ModelError, match="damaged"):
        Seq2SeqParser.load(path)


def test_settings_that_make_no_sense_are_refused():
    with pytest.raises(RecipeError, match="longest is 0"):
        Seq2SeqParserConfig(longest=0)
