"""What lands on the Doc, and how it is read back."""

import json
import warnings

import numpy as np
import pytest
import spacy
from hypothesis import given
from hypothesis import strategies as st
from spacy.tokens import Doc, DocBin

from tests.toy_pipeline import TEXT, toy_nlp
from treesent.errors import TreesentError
from treesent.metrics.aggregation import AGGREGATES
from treesent.metrics.classes import predicted_classes
from treesent.pipeline import record as store
from treesent.pipeline.sentiment import Sentiment

FIVE = ("very negative", "negative", "neutral", "positive", "very positive")


@pytest.fixture(scope="module")
def nlp():
    return toy_nlp()


@pytest.fixture
def doc(nlp):
    return nlp(TEXT)


def everything(doc):
    """Every sentiment that can be asked of a Doc."""
    spans = [doc[i:j] for i in range(len(doc)) for j in range(i + 1, len(doc) + 1)]
    return [
        doc._.sentiment,
        *doc._.sentiments,
        *(t._.sentiment for t in doc),
        *(s._.sentiment for s in spans),
    ]


def test_a_sentiment_has_consistent_numbers(doc):
    for found in everything(doc):
        assert isinstance(found, Sentiment)
        assert found.probs.shape == (5,)
        assert found.probs.sum() == pytest.approx(1, abs=1e-5)
        values = np.linspace(-1, 1, 5, dtype=np.float32)
        assert found.label == FIVE[predicted_classes(found.probs[None], values)[0]]
        assert found.confidence == pytest.approx(found.probs[FIVE.index(found.label)])
        assert found.polarity == pytest.approx(found.probs @ np.linspace(-1, 1, 5), abs=1e-6)
        assert -1 <= found.polarity <= 1


def test_a_sentiment_is_frozen(doc):
    found = doc._.sentiment
    with pytest.raises(AttributeError):
        found.label = "x"
    with pytest.raises(ValueError):
        found.probs[0] = 1
    assert json.dumps(found.to_dict())
    assert found == doc._.sentiment
    assert hash(found) == hash(doc._.sentiment)
    assert found != doc[0]._.sentiment


def test_a_constituent_has_its_nodes_sentiment(doc):
    for sent in doc.sents:
        for node in sent._.tree:
            assert node.span._.sentiment == node.sentiment
            assert np.array_equal(node.probs, node.sentiment.probs)
    assert [t._.sentiment.text for t in doc] == [t.text for t in doc]


def test_another_span_is_tiled_by_the_fewest_constituents(doc):
    """Against a search over all sets of nodes, small here."""
    sent = next(doc.sents)
    nodes = list(sent._.tree)
    spans = {(n.span.start, n.span.end): n.probs for n in nodes}
    for begin in range(sent.start, sent.end):
        fewest = {begin: (0, np.zeros(5))}
        for end in range(begin + 1, sent.end + 1):
            options = [
                (fewest[middle][0] + 1, fewest[middle][1] + (end - middle) * spans[middle, end])
                for middle in range(begin, end)
                if (middle, end) in spans
            ]
            fewest[end] = min(options, key=lambda option: option[0])
            expected = fewest[end][1] / (end - begin)
            assert np.allclose(doc[begin:end]._.sentiment.probs, expected, atol=1e-6)


@pytest.mark.parametrize("aggregate", AGGREGATES)
def test_a_documents_sentiment_is_put_together_from_its_sentences(aggregate):
    doc = toy_nlp(aggregate=aggregate)(TEXT)
    probs = np.stack([s.probs for s in doc._.sentiments])
    words = np.array([len(sent) for sent in doc.sents], float)
    polarity = [abs(s.polarity) for s in doc._.sentiments]
    expected = {
        "mean": probs.mean(0),
        "words": words @ probs / words.sum(),
        "strongest": probs[np.argmax(polarity)],
        "last": probs[-1],
        "product": probs.prod(0) / probs.prod(0).sum(),
    }[aggregate]
    assert np.allclose(doc._.sentiment.probs, expected, atol=1e-6)
    assert doc[:]._.sentiment == doc._.sentiment


def test_an_unknown_aggregate_is_refused():
    with pytest.raises(TreesentError, match=r"aggregate = 'median'.*mean"):
        toy_nlp(aggregate="median")


@pytest.mark.parametrize("text", ["", " ", "\n\n \t"])
def test_nothing_is_invented_for_empty_text(nlp, text):
    doc = nlp(text)
    assert doc._.sentiment is None
    assert doc._.unknown_words is None
    assert all(found is None for found in doc._.sentiments)
    assert all(token._.sentiment is None for token in doc)
    assert doc[:]._.tree is None


def test_white_space_is_in_no_tree(nlp):
    plain, spaced = nlp("a good movie"), nlp("  a  good \n movie ")
    assert np.allclose(plain._.sentiment.probs, spaced._.sentiment.probs)
    assert [t._.sentiment is None for t in spaced] == [t.is_space for t in spaced]
    assert spaced[:]._.tree.words == ["a", "good", "movie"]


def test_in_context_is_the_smallest_telling_constituent(doc):
    sent = next(doc.sents)
    for begin in range(sent.start, sent.end):
        for end in range(begin + 1, sent.end + 1):
            found = doc._.sentiment_in_context(doc[begin:end])
            around = [n for n in sent._.tree if n.span.start <= begin and n.span.end >= end]
            telling = [n for n in around if n.label != "neutral"] or [sent._.tree]
            assert found == min(telling, key=len).sentiment
    across = doc[sent.end - 1 : sent.end + 1]
    assert doc._.sentiment_in_context(across) == across._.sentiment


def test_a_tree_goes_to_brackets_and_to_json(doc):
    for sent in doc.sents:
        tree = sent._.tree
        assert tree.text == sent.text.strip()
        assert len(tree) == 2 * len(sent) - 1
        assert tree.brackets().startswith(f"({int(tree.probs.argmax())} (")
        value = json.loads(json.dumps(tree.to_dict()))
        assert value["span"] == [sent.start, sent.end]
        assert value["label"] == tree.label
        queue, seen = [value], 0
        while queue:
            node = queue.pop()
            seen += 1
            assert doc[node["span"][0] : node["span"][1]].text == node["text"]
            assert sum(node["probs"]) == pytest.approx(1, abs=1e-4)
            children = node.get("children", [])
            assert len(children) in (0, 2)
            if children:
                assert children[0]["span"][1] == children[1]["span"][0]
            queue += children
        assert seen == len(tree)
        left, right = tree.children
        assert left.span.end == right.span.start
        assert left.brackets() in tree.brackets()


def test_a_span_that_is_no_constituent_has_the_tree_around_it(doc):
    sent = next(doc.sents)
    tree = doc[sent.start + 1 : sent.start + 3]._.tree
    assert tree.span.start <= sent.start + 1
    assert tree.span.end >= sent.start + 3
    assert doc[sent.end - 1 : sent.end + 1]._.tree is None


def test_a_very_long_sentence_needs_no_recursion():
    nlp = toy_nlp(trees="right-branching")
    nlp.max_length = 10**7
    doc = Doc(nlp.vocab, words=["good"] * 10_000, sent_starts=[True] + [False] * 9_999)
    doc = nlp.get_pipe("treesent")(doc)
    assert doc._.sentiment.text.startswith("good good")
    assert doc[:]._.tree.brackets().count("(") == 19_999


def test_the_share_of_unknown_words(nlp):
    assert nlp("a good movie")._.sentiment.unknown == 0
    assert nlp("a good zzyzx qwerty")._.sentiment.unknown == 0.5
    doc = nlp("a good zzyzx qwerty")
    assert doc._.unknown_words == 0.5
    assert doc[2:]._.sentiment.unknown == 1
    assert doc[:2]._.sentiment.unknown == 0


def test_bytes_and_docbin_keep_everything(nlp, doc):
    again = Doc(nlp.vocab).from_bytes(doc.to_bytes())
    assert everything(again) == everything(doc)
    bin_ = DocBin(store_user_data=True, docs=[doc])
    (from_bin,) = DocBin().from_bytes(bin_.to_bytes()).get_docs(nlp.vocab)
    assert everything(from_bin) == everything(doc)
    assert [s._.tree.brackets() for s in from_bin.sents] == [s._.tree.brackets() for s in doc.sents]


def test_a_copy_is_independent(nlp, doc):
    copy = doc.copy()
    before = everything(doc)
    assert everything(copy) == before
    copy.user_data.clear()
    assert copy._.sentiment is None
    assert everything(doc) == before


def test_merging_and_splitting_tokens_keeps_sentiments(nlp, doc):
    phrase, last = doc[1:4], list(doc.sents)[-1]
    merged, before, whole = phrase._.sentiment, last._.sentiment, doc._.sentiment
    with doc.retokenize() as retokenizer:
        retokenizer.merge(doc[1:4])
    assert doc[1]._.sentiment.probs == pytest.approx(merged.probs)
    assert list(doc.sents)[-1]._.sentiment == before
    assert doc._.sentiment == whole
    with doc.retokenize() as retokenizer:
        retokenizer.split(doc[0], ["T", "he"], heads=[doc[0], doc[0]])
    assert doc[0]._.sentiment.probs == pytest.approx(doc[1]._.sentiment.probs)
    assert doc._.sentiment == whole


def test_a_part_as_a_doc_keeps_its_sentiment(doc):
    last = list(doc.sents)[-1]
    part = last.as_doc(copy_user_data=True)
    assert part._.sentiment.probs == pytest.approx(last._.sentiment.probs)
    assert [t._.sentiment for t in part] == [t._.sentiment for t in last]
    assert part[:]._.tree.brackets() == last._.tree.brackets()
    inner = doc[3:6].as_doc(copy_user_data=True)
    assert inner._.sentiment.probs == pytest.approx(doc[3:6]._.sentiment.probs)
    assert last.as_doc()._.sentiment is None


def test_joined_docs_keep_their_sentiments(nlp):
    docs = [nlp("A good movie."), nlp("It was terrible!"), nlp("A film.")]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        joined = Doc.from_docs(docs)
    assert [s.probs.tolist() for s in joined._.sentiments] == [d._.sentiment.probs.tolist() for d in docs]
    assert [t._.sentiment for t in joined] == [t._.sentiment for d in docs for t in d]


def test_scoring_twice_leaves_one_record(nlp, doc):
    assert len(store.read(nlp.get_pipe("treesent")(doc))) == 1


@given(
    st.lists(st.sampled_from(["a", "good", "bad", "movie", ".", " ", "\n\n", "not", "x", "!"]), max_size=25)
)
def test_any_text_is_scored(words):
    nlp = _nlp()
    doc = nlp(" ".join(words))
    assert (doc._.sentiment is None) == all(token.is_space for token in doc)
    assert len(doc._.sentiments) == len(list(doc.sents)) if len(doc) else doc._.sentiments == []
    for token in doc:
        assert (token._.sentiment is None) == token.is_space
    for sent in doc.sents:
        tree = sent._.tree
        assert (tree is None) == all(token.is_space for token in sent)
        assert tree is None or tree.words == [t.text for t in sent if not t.is_space]


_MADE = []


def _nlp():
    if not _MADE:
        _MADE.append(toy_nlp())
    return _MADE[0]


def test_classes_without_values_have_no_polarity():
    nlp = toy_nlp(3)
    model = nlp.get_pipe("treesent").trained
    model.polarity = None
    nlp.get_pipe("treesent").trained = model
    doc = nlp(TEXT)
    assert doc._.sentiment.polarity is None
    assert "None" in repr(doc._.sentiment)
    assert doc._.sentiment.label in ("negative", "neutral", "positive")
    assert doc[:3]._.tree.to_dict()["polarity"] is None


def test_two_classes():
    doc = toy_nlp(2)(TEXT)
    assert doc._.sentiment.label in ("negative", "positive")
    assert doc._.sentiment.polarity == pytest.approx(
        doc._.sentiment.probs[1] - doc._.sentiment.probs[0], abs=1e-6
    )


def test_spacy_blank_without_the_component_reads_what_was_scored(doc):
    from treesent.pipeline.extensions import register_extensions

    register_extensions()
    data = doc.to_bytes()
    assert Doc(spacy.blank("en").vocab).from_bytes(data)._.sentiment.probs == pytest.approx(
        doc._.sentiment.probs
    )


def test_links_and_signatures_do_not_count_as_neutral_sentences(nlp):
    alone = nlp("A great movie.")._.sentiment
    text = "A great movie. https://example.com/terrible-awful\n\nSent from my phone"
    found = nlp(text)._.sentiment
    assert len(list(nlp(text).sents)) > 1
    np.testing.assert_allclose(found.probs, alone.probs, atol=1e-6)
    assert nlp("https://example.com")._.sentiment is not None


def test_a_text_of_both_signs_is_mixed(nlp):
    doc = nlp("A great movie. A terrible movie!")
    values = [s.polarity for s in doc._.sentiments]
    assert doc._.sentiment.mixed is (max(values) >= 0.25 and min(values) <= -0.25)
    record = store.read(doc)[0][1]
    for node, value in ((record.nodes(0).stop - 1, 4), (record.nodes(1).stop - 1, 0)):
        record.probs[node] = np.eye(5, dtype=np.float32)[value]
    assert doc._.sentiment.mixed and doc._.sentiment.label == "neutral" and not doc[:3]._.sentiment.mixed
