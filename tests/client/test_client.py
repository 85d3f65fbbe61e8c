"""The client: the same scores as in this process, whatever the server does in between."""

import json

import httpx
import pytest

import treesent
from tests.serve.servers import served
from tests.toy_pipeline import TEXT, toy_nlp
from treesent.client import Client
from treesent.client.client import _batches
from treesent.errors import DataError, ServerError, TreesentError
from treesent.scoring.results import Columns, class_names


@pytest.fixture(scope="module")
def nlp():
    return toy_nlp()


@pytest.fixture(scope="module")
def server(nlp):
    with served(nlp, max_texts=8, max_length=500, max_body=4000) as one:
        yield one


@pytest.fixture
def client(server):
    with treesent.Client(server.url, trust_env=False) as one:
        yield one


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch):
    slept = []
    monkeypatch.setattr("treesent.client.client.time.sleep", slept.append)
    return slept


def test_scores_are_those_of_this_process(client, nlp):
    texts = [TEXT, "", "a good movie .", None, float("nan"), "😀 it was great"]
    found = client.score(iter(texts), nodes="all")
    columns = Columns(class_names(nlp), "all")
    for text, score in zip(texts, found, strict=True):
        if not isinstance(text, str) or not text:
            assert (score.text, score.label, score.probs, score.sentences) == ("", None, None, ())
            continue
        row = columns.row(nlp(text))
        assert (score.text, score.label) == (text, row["label"])
        assert score.polarity == pytest.approx(row["polarity"], abs=2e-6)
        assert list(score.probs) == list(nlp.get_pipe("treesent").labels)
        assert score.probs["very positive"] == pytest.approx(row["p_very_positive"], abs=2e-6)
        for sentence, own in zip(score.sentences, row["sentences"], strict=True):
            assert (sentence.whole.text, sentence.whole.label) == (own["text"], own["label"])
            assert [phrase.text for phrase in sentence.phrases] == [
                text[phrase["start"] : phrase["end"]] for phrase in own["phrases"]
            ]
            assert [(p.left, p.right) for p in sentence.phrases] == [
                (p["left"], p["right"]) for p in own["phrases"]
            ]
    assert client.score([]) == []
    assert client.score(["good"])[0].sentences == ()


def test_the_order_stays_and_batches_are_split_where_the_server_takes_less(client):
    texts = [f"a good movie {i} ." for i in range(150)]  # the server takes 8 at once
    assert [score.text for score in client.score(texts)] == texts


def test_a_text_that_is_refused_is_named_by_its_place_among_all(client):
    texts = ["good"] * 100
    texts[77] = "x" * 501
    with pytest.raises(
        ServerError, match=r"texts\[77\]: status 422: has 501 characters, 500 is the most"
    ) as refused:
        client.score(texts)
    assert (refused.value.status, refused.value.place) == (422, "texts[77]")
    assert isinstance(refused.value, TreesentError)


def test_what_is_no_text_is_refused_here(client):
    with pytest.raises(DataError, match="one text is given, 'good'"):
        client.score("good")
    with pytest.raises(DataError, match="element 1 is 5, a int"):
        client.score(["good", 5])


def test_the_tree_and_the_model(client, server, nlp):
    assert client.tree_svg(TEXT, sentence=1) == server.post("/v1/tree.svg", text=TEXT, sentence=1).text
    assert client.labels == nlp.get_pipe("treesent").labels
    with pytest.raises(ServerError, match="the text has 2 sentences"):
        client.tree_svg(TEXT, sentence=5)


def test_texts_are_read_as_they_are_needed(client):
    taken = []

    def texts():
        for number in range(10_000):
            taken.append(number)
            yield f"good {number}"

    scores = client.iter_scores(texts())
    assert next(scores).text == "good 0"
    assert len(taken) <= 4 * 64
    scores.close()


def test_batches():
    assert list(_batches("abcde", 2)) == [(0, ["a", "b"]), (2, ["c", "d"]), (4, ["e"])]
    assert list(_batches([], 2)) == []


MODEL = {"labels": ["bad", "good"]}
ROW = {
    "text": "a",
    "label": "good",
    "polarity": 0.5,
    "confidence": 0.9,
    "p_bad": 0.1,
    "p_good": 0.9,
    "unknown": 0.0,
}


def faked(answers):
    """A client of a server that answers each question about scores with the next of some answers."""
    left = list(answers)

    def answer(request):
        if request.url.path == "/v1/model":
            return httpx.Response(200, json=MODEL)
        one = left.pop(0)
        if isinstance(one, Exception):
            raise one
        return one

    return Client("http://127.0.0.1:1", transport=httpx.MockTransport(answer)), left


def refusal(status, **headers):
    return httpx.Response(status, json={"error": {"status": status, "message": "busy"}}, headers=headers)


def test_it_asks_again_where_that_helps(no_waiting):
    good = httpx.Response(200, json={"results": [ROW]})
    broken = httpx.ReadError("the connection broke")
    client, left = faked([refusal(429, **{"Retry-After": "7"}), broken, refusal(503), good])
    (score,) = client.score(["a"])
    assert left == [] and score.probs == {"bad": 0.1, "good": 0.9}
    first, second, third = no_waiting
    assert 5.2 <= first <= 8.8 and 0.3 <= second <= 0.5 and 0.6 <= third <= 1.0


@pytest.mark.parametrize("status", [400, 401, 403, 422, 500])
def test_it_does_not_ask_again_where_that_does_not_help(status, no_waiting):
    client, left = faked([refusal(status), refusal(status)])
    with pytest.raises(ServerError, match=f"status {status}: busy"):
        client.score(["a"])
    assert len(left) == 1 and no_waiting == []


def test_it_gives_up(no_waiting):
    client, left = faked([refusal(429)] * 7)
    with pytest.raises(ServerError, match="status 429: busy"):
        client.score(["a"])
    assert len(left) == 1 and len(no_waiting) == 5


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (httpx.Response(200, text="<html>"), "answered no JSON"),
        (httpx.Response(200, json=[1]), "has no results"),
        (httpx.Response(200, json={"results": []}), "1 texts were sent, and 0 rows came back"),
        (httpx.Response(200, json={"results": [{"text": "a"}]}), "is not a score"),
        (httpx.Response(200, json={"results": [{**ROW, "p_more": 1}]}), "is not a score"),
        (httpx.Response(404, text="no"), "status 404: Not Found"),
    ],
)
def test_another_server_is_told_apart(answer, message):
    client, _ = faked([answer])
    with pytest.raises(ServerError, match=message):
        client.score(["a"])


def test_a_server_that_is_not_there(no_waiting):
    with pytest.raises(ServerError, match=r"http://127\.0\.0\.1:1/? cannot be reached"):
        Client("http://127.0.0.1:1", trust_env=False, attempts=2).score(["a"])
    with pytest.raises(ServerError, match="'localhost:8000' is not a url; give one such as"):
        Client("localhost:8000")
    with pytest.raises(AttributeError, match="no attribute 'Klient'"):
        treesent.Klient  # noqa: B018


def test_a_token_is_sent():
    with served(toy_nlp(), token="0123456789abcdef") as server:
        with Client(server.url, trust_env=False) as client, pytest.raises(ServerError, match="status 401"):
            client.score(["good"])
        with Client(server.url, token="0123456789abcdef", trust_env=False) as client:
            assert json.dumps(client.score(["good"])[0].label)
