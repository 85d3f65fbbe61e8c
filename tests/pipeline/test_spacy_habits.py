"""What spaCy's users are used to: JSON, extensions, displaCy, notebooks."""

import json
import pickle
import subprocess
import sys
import warnings
from xml.etree import ElementTree

import numpy as np
import pytest
import spacy
import srsly
from spacy import displacy
from spacy.tokens import Doc, DocBin

from tests.toy_pipeline import TEXT, toy_nlp
from treesent.errors import TreesentError
from treesent.pipeline.extensions import register_extensions
from treesent.pipeline.sentiment import Sentiment


@pytest.fixture(scope="module")
def nlp():
    return toy_nlp()


def test_json_with_the_sentiment_is_written_and_read_back(nlp):
    doc = nlp(TEXT)
    written = json.loads(json.dumps(doc.to_json(underscore=["sentiment"])))
    assert written["_"]["sentiment"] == doc._.sentiment.to_dict()
    again = srsly.json_loads(srsly.json_dumps(written))["_"]["sentiment"]
    assert again["probs"] == pytest.approx(written["_"]["sentiment"]["probs"])
    again = Doc(nlp.vocab).from_json(written)
    assert again._.sentiment.to_dict() == doc._.sentiment.to_dict()
    assert Doc(nlp.vocab).from_bytes(again.to_bytes())._.sentiment == again._.sentiment
    again._.sentiment = None
    assert again._.sentiment is None


def test_a_scored_doc_keeps_its_own_sentiment(nlp):
    doc, other = nlp(TEXT), nlp("A bad movie")
    doc._.sentiment = other._.sentiment
    assert doc._.sentiment.text == TEXT


@pytest.mark.parametrize("value", [3, {"label": "positive"}, "good", {"probs": "x"}])
def test_what_is_no_sentiment_is_refused(nlp, value):
    with pytest.raises(TreesentError, match="is not a sentiment"):
        nlp.make_doc("good")._.sentiment = value


def test_a_sentiment_is_its_plain_values_and_is_copied_whole(nlp):
    found = nlp(TEXT)._.sentiment
    assert dict(found) == found.to_dict() == json.loads(json.dumps(found))
    again = pickle.loads(pickle.dumps(found))
    assert again == found and hash(again) == hash(found) and dict(again) == dict(found)
    assert found != nlp("A bad movie")._.sentiment
    assert found == dict(found) and found != {**found, "label": "other"}


SCRIPT = """
import sys
import treesent
assert "torch" not in sys.modules and "spacy" not in sys.modules
from spacy.tokens import Doc, DocBin, Span, Token
from spacy.vocab import Vocab
(doc,) = DocBin().from_disk(sys.argv[1]).get_docs(Vocab())
print(doc._.sentiment.label, doc[:]._.tree.label, doc[0]._.sentiment.label)
"""


def test_a_fresh_process_reads_scored_docs(nlp, tmp_path):
    doc = nlp("A great movie")
    DocBin(docs=[doc], store_user_data=True).to_disk(tmp_path / "a.spacy")
    found = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path / "a.spacy")], capture_output=True, text=True, check=True
    ).stdout.split("\n")[0]
    assert found == f"{doc._.sentiment.label} {doc[:]._.tree.label} {doc[0]._.sentiment.label}"


def test_an_extension_of_another_package_is_not_taken_over_silently():
    before = Doc.get_extension("sentiment")
    try:
        Doc.set_extension("sentiment", getter=_theirs, force=True)
        register_extensions()
        assert Doc.get_extension("sentiment")[2] is _theirs
        with pytest.warns(UserWarning, match=r"Doc\._\.sentiment was set by .*test_spacy_habits, and is now"):
            toy_nlp()
        assert Doc.get_extension("sentiment")[2] is before[2]
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            toy_nlp()
    finally:
        Doc.set_extension("sentiment", getter=before[2], setter=before[3], force=True)


def _theirs(doc):
    return 0.5


def test_tokens_merged_before_are_scored_by_their_words(nlp):
    doc = nlp.make_doc("a great movie")
    with doc.retokenize() as retokenizer:
        retokenizer.merge(doc[1:3])
    found = nlp(doc)[1]._.sentiment
    assert found.text == "great movie"
    assert found.unknown == 0
    table = nlp.get_pipe("treesent").trained.table
    mean = (table.vector("great") + table.vector("movie")) / 2
    lookup = nlp.get_pipe("treesent").predictor.read([doc]).lookup
    np.testing.assert_allclose(np.concatenate([table.dense(), lookup.extra])[lookup.rows[1]], mean, rtol=1e-5)


def test_spans_for_displacy():
    nlp = toy_nlp(spans_key="phrases")
    doc = nlp(TEXT)
    expected = {
        (node.span.start, node.span.end, node.label)
        for sentence in doc.sents
        for node in sentence._.tree
        if node.n_words > 1 and not node.neutral
    }
    assert expected
    assert {(span.start, span.end, span.label_) for span in doc.spans["phrases"]} == expected
    page = displacy.render(doc, style="span", options={"spans_key": "phrases"}, jupyter=False)
    assert all(label in page for *_, label in expected)
    assert "phrases" not in toy_nlp()(TEXT).spans


def test_a_notebook_shows_label_numbers_and_text(nlp):
    found = nlp("A <great> movie")._.sentiment
    page = ElementTree.fromstring(f"<p>{found._repr_html_()}</p>")
    text = "".join(page.itertext())
    assert found.label in text and f"{found.polarity:+.2f}" in text and "A <great> movie" in text
    hostile = Sentiment("<script>", found.probs, None, 0.5, 0.0, "\x1b[31m<b>")
    assert "<script>" not in hostile._repr_html_() and "\x1b" not in hostile._repr_html_()


def test_blank_pipelines_open_scored_docs(nlp):
    doc = nlp(TEXT)
    again = Doc(spacy.blank("en").vocab).from_bytes(doc.to_bytes())
    assert again._.sentiment == doc._.sentiment
