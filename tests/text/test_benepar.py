import re
from types import SimpleNamespace

import numpy as np
import pytest
import spacy
from hypothesis import given
from spacy.tokens import Doc, Span

from tests.strategies import structures
from tests.toy_pipeline import toy_nlp
from treesent.errors import TreesentError
from treesent.text.benepar import constituents, from_spans, has_constituents
from treesent.trees.constituency import from_constituents
from treesent.trees.structure import Structure
from treesent.trees.tree import Tree

WORDS = ["The", "plot", "is", "thin", ",", "but", "fun", ".", "Why", "?"]
# As benepar finds them: in pre-order, single words too, no binarisation.
# (S (NP The plot) (VP is (ADJP (ADJP thin) , but (ADJP fun))) .) (SBARQ Why ?)
CONSTITUENTS = [
    (0, 8), (0, 2), (0, 1), (1, 2), (2, 7), (2, 3), (3, 7), (3, 4), (4, 5), (5, 6), (6, 7), (7, 8),
    (8, 10), (8, 9), (9, 10),
]  # fmt: skip
PARSES = {
    0: "(S (NP (DT The) (NN plot)) (VP (VBZ is) "
    "(ADJP (ADJP (JJ thin)) (, ,) (CC but) (ADJP (NN fun)))) (. .))",
    8: "(SBARQ (WHADVP (WRB Why)) (. ?))",
}
BINARY = (
    "(- (- (- The) (- plot)) (- (- (- is) (- (- thin) (- (- ,) (- (- but) (- fun))))) (- .)))",
    "(- (- Why) (- ?))",
)
NOT_PARSED = object()  # benepar's default for a Doc that it has not seen


@pytest.fixture
def benepar():
    """The Doc extension that ``import benepar`` makes, in a spaCy that had none before."""
    Doc.set_extension("_constituent_data", default=NOT_PARSED)
    yield
    Doc.remove_extension("_constituent_data")


@pytest.fixture
def parse_strings():
    """Only the Span extension, as another component might make it."""
    Span.set_extension("parse_string", getter=lambda span: PARSES[span.start])
    yield
    Span.remove_extension("parse_string")


@pytest.fixture
def stored():
    """Extensions that hold values, as a Doc restored from disk has them."""
    Span.set_extension("parse_string", default=None)
    yield
    Span.remove_extension("parse_string")


@pytest.fixture
def spans():
    """Only the extension that gives constituents as spans."""

    def constituents(span):
        return [span.doc[i:j] for i, j in CONSTITUENTS if span.start <= i and j <= span.end]

    Span.set_extension("constituents", getter=constituents)
    yield
    Span.remove_extension("constituents")


def make_doc(words=WORDS, starts=(0, 8)):
    return Doc(spacy.blank("en").vocab, words=words, sent_starts=[i in starts for i in range(len(words))])


def give_arrays(doc, spans=CONSTITUENTS):
    """What benepar's component sets: see its ``ConstituentData``."""
    pairs = np.array(spans)
    doc._._constituent_data = SimpleNamespace(
        starts=pairs[:, 0],
        ends=pairs[:, 1],
        labels=np.zeros(len(pairs), int),
        loc_to_constituent=np.array([pairs[:, 0].tolist().index(i) for i in range(len(doc))]),
        label_vocab=((),),
    )


def brackets(structure, words=WORDS):
    begins = np.cumsum([0, *structure.lengths])
    parts = [words[begins[tree] : begins[tree + 1]] for tree in range(structure.n_trees)]
    return tuple(Tree.from_batch(structure, tree, part).brackets() for tree, part in enumerate(parts))


def test_arrays_of_benepar(benepar):
    doc = make_doc()
    assert not has_constituents(doc)
    give_arrays(doc)
    assert has_constituents(doc)
    assert brackets(from_spans(list(doc.sents))) == BINARY


@pytest.mark.parametrize("trees", ["auto", "constituency"])
def test_the_component_scores_the_trees_of_benepar(benepar, trees):
    nlp = toy_nlp(trees=trees)
    doc = make_doc()
    give_arrays(doc)
    doc = nlp.get_pipe("treesent")(doc)
    shapes = tuple(re.sub(r"\d", "-", sentence._.tree.brackets()) for sentence in doc.sents)
    assert shapes == BINARY
    assert doc[2:7]._.sentiment is not None


def test_parse_strings_alone(parse_strings):
    doc = make_doc()
    assert has_constituents(doc)
    assert brackets(from_spans(list(doc.sents))) == BINARY


def test_stored_parse_strings(stored):
    doc = make_doc()
    assert not has_constituents(doc)
    for sentence in doc.sents:
        sentence._.parse_string = PARSES[sentence.start]
    assert has_constituents(doc)
    assert brackets(from_spans(list(doc.sents))) == BINARY


def test_spans_alone(spans):
    doc = make_doc()
    assert has_constituents(doc)
    assert brackets(from_spans(list(doc.sents))) == BINARY
    assert brackets(from_spans([doc[0:2]]), WORDS[:2]) == ("(- (- The) (- plot))",)


def test_a_part_of_a_sentence(benepar):
    doc = make_doc()
    give_arrays(doc)
    assert brackets(from_spans([doc[2:7]]), WORDS[2:7]) == (
        "(- (- is) (- (- thin) (- (- ,) (- (- but) (- fun)))))",
    )


def test_white_space_is_no_word(benepar):
    words = ["so", "\n", "bad", "."]
    doc = make_doc(words, (0,))
    give_arrays(doc, [(0, 4), (0, 3), (0, 1), (1, 2), (2, 3), (3, 4)])
    found = constituents(doc[0:4])
    assert found.n_words == 3
    assert brackets(from_spans([doc[0:4]]), ["so", "bad", "."]) == ("(- (- (- so) (- bad)) (- .))",)
    with pytest.raises(TreesentError, match="tokens 1:2 hold no word"):
        from_spans([doc[0:1], doc[1:2]])


def test_several_docs_at_once(benepar):
    docs = [make_doc(), make_doc()]
    for doc in docs:
        give_arrays(doc)
    spans = [span for doc in docs for span in doc.sents]
    assert brackets(from_spans(spans), WORDS * 2) == BINARY * 2
    assert from_spans([]) == Structure.right_branching([])


def test_a_doc_that_was_not_parsed_is_refused(benepar):
    with pytest.raises(TreesentError, match=r"no constituents on the Doc 'The plot.*put benepar before"):
        from_spans([make_doc()[0:2]])


def test_a_doc_without_extensions_is_refused():
    doc = make_doc()
    assert not has_constituents(doc)
    with pytest.raises(TreesentError, match="no constituents on the Doc"):
        from_spans(list(doc.sents))


@pytest.mark.parametrize(
    ("parse", "message"),
    [
        ("(S (NP (DT The)) (VP (VBZ is)))", "2 words in the parse string of 'The plot is.*which has 8"),
        ("(S (NP (DT The))", "1 closing brackets too few"),
        ("(S (NP (DT The))))", "closing bracket too many"),
    ],
)
def test_a_parse_that_does_not_fit_is_refused(parse_strings, monkeypatch, parse, message):
    monkeypatch.setitem(PARSES, 0, parse)
    with pytest.raises(TreesentError, match=message):
        from_spans(list(make_doc().sents))


@given(structures())
def test_constituents_of_binary_trees_give_these_trees(structure):
    begins = np.cumsum([0, *structure.lengths])
    shift = np.repeat(begins[:-1], np.diff(structure.offsets))
    order = np.random.default_rng(0).permutation(structure.n_nodes)  # any order will do
    start, end = (structure.start + shift)[order], (structure.end + shift)[order]
    assert from_constituents(start, end, structure.lengths) == structure
