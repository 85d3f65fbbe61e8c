"""Which words carry a score."""

import numpy as np
import pytest
from spacy.tokens import Doc, DocBin

import treesent
from tests.toy_pipeline import TEXT, toy_nlp
from treesent.pipeline import reasons as module
from treesent.pipeline import record as store
from treesent.render.text import reasons_to_text


def explained(nlp, text):
    return nlp.get_pipe("treesent").explain([nlp(text)])[0]


def without(nlp, doc, word):
    """The polarity of each sentence when a word's vector is zeros, the trees kept: by hand, one word at a time."""
    component = nlp.get_pipe("treesent")
    model, [(_, record)] = component.trained, store.read(doc)
    words = [token.text for token in doc]
    read = component.predictor.read([Doc(doc.vocab, words=words)])
    lookup = read.lookup
    blank = np.where(np.arange(len(words)) == word, len(model.table) + len(lookup.extra), lookup.rows)
    extra = np.vstack([lookup.extra.reshape(-1, 16), np.zeros((1, 16), np.float32)])
    changed = type(lookup)(blank, extra, lookup.unknown)
    structure = store.structure_of([record])
    probs = component.predictor.probabilities(structure, module.replace(read, lookup=changed))
    return probs[structure.offsets[1:] - 1] @ record.polarity


def test_a_reason_is_the_fall_of_the_polarity_without_the_word():
    nlp = toy_nlp()
    doc = explained(nlp, TEXT)
    full = [sentence._.sentiment.polarity for sentence in doc.sents]
    reasons = doc._.sentiment_reasons
    assert [reason.span.text for reason in reasons] == [token.text for token in doc]
    for word, reason in enumerate(reasons):
        sentence = [reason.span.start < s.end for s in doc.sents].index(True)
        assert reason.weight == pytest.approx(full[sentence] - without(nlp, doc, word)[sentence], abs=1e-5)


def test_docs_are_explained_alone_or_together_alike_and_scores_stay():
    nlp = toy_nlp()
    texts = ["a good movie", "", TEXT, "terrible", "  \n "]
    docs = nlp.get_pipe("treesent").explain([nlp.make_doc(text) for text in texts])
    for doc, text in zip(docs, texts, strict=True):
        alone = explained(nlp, text)
        assert alone._.sentiment == nlp(text)._.sentiment
        found, wanted = doc._.sentiment_reasons, alone._.sentiment_reasons
        assert (found is None) == (wanted is None) == (not text.strip())
        if found is not None:
            np.testing.assert_allclose([r.weight for r in found], [r.weight for r in wanted], atol=1e-5)
    assert nlp("a good movie")._.sentiment_reasons is None


def test_a_long_sentence_loses_several_words_at_a_time(monkeypatch):
    nlp = toy_nlp()
    text = " ".join(["good", "bad", "movie", "plot"] * 20)
    one_by_one = [reason.weight for reason in explained(nlp, text)._.sentiment_reasons]
    monkeypatch.setattr(module, "_WORDS", 100)
    np.testing.assert_allclose(
        [reason.weight for reason in explained(nlp, text)._.sentiment_reasons], one_by_one, atol=1e-5
    )
    monkeypatch.setattr(module, "MOST", 10)
    runs = np.array([reason.weight for reason in explained(nlp, text)._.sentiment_reasons]).reshape(10, 8)
    assert (runs == runs[:, :1]).all()
    assert len(np.unique(runs)) > 1


def test_reasons_travel_with_the_doc():
    nlp = toy_nlp()
    doc = explained(nlp, TEXT)
    stored = DocBin(store_user_data=True, docs=[doc]).to_bytes()
    [again] = DocBin().from_bytes(stored).get_docs(nlp.vocab)
    assert [r.weight for r in again._.sentiment_reasons] == [r.weight for r in doc._.sentiment_reasons]


def test_the_words_that_carry_a_score_are_those_a_reader_would_name():
    nlp = treesent.load()
    for text, word in [("The acting is superb.", "superb"), ("What a terrible film!", "terrible")]:
        doc = explained(nlp, text)
        strongest = max(doc._.sentiment_reasons, key=lambda reason: abs(reason.weight))
        assert strongest.span.text == word
        assert (strongest.weight > 0) == (doc._.sentiment.polarity > 0)
        [sentence] = doc.sents
        assert reasons_to_text(sentence._.tree).startswith(f"words that carry it: {word} ")
        svg = sentence._.tree._repr_svg_()
        assert f"<title>{word}: {strongest.weight:+.2f}</title>" in svg


def test_deleting_the_strongest_words_first_changes_the_score_faster_than_at_random():
    nlp = treesent.load()
    texts = [
        "The plot is thin, but the acting is superb and the music a joy.",
        "A dull, lifeless film that wastes a wonderful cast on a stupid story.",
        "I was bored for two hours and the ending made it even worse.",
        "Friendly staff, great food, and prices that are hard to beat anywhere.",
    ]
    rng = np.random.default_rng(0)
    areas = {"reasons": [], "random": []}
    for text in texts:
        doc = explained(nlp, text)
        words = [reason.span.text for reason in doc._.sentiment_reasons]
        sign = np.sign(doc._.sentiment.polarity)
        order = np.argsort([-sign * reason.weight for reason in doc._.sentiment_reasons])
        areas["reasons"].append(curve(nlp, words, order, sign))
        areas["random"] += [curve(nlp, words, rng.permutation(len(words)), sign) for _ in range(5)]
    assert np.mean(areas["reasons"]) < np.mean(areas["random"]) - 0.2


def curve(nlp, words, order, sign):
    """The mean polarity towards a sign while half of the words are deleted, one by one."""
    values = []
    for n in range(1, len(words) // 2):
        kept = [word for place, word in enumerate(words) if place not in set(order[:n].tolist())]
        values.append(sign * nlp(" ".join(kept))._.sentiment.polarity)
    return np.mean(values)
