"""What the server refuses, and how it says so."""

import pytest

from tests.serve.servers import served
from treesent.errors import TreesentError
from treesent.serve import ServeOptions

TOKEN = "0123456789abcdef"

#: A body, its status, its place, and a piece of the message.
BODIES = {
    "nothing": (b"", 400, "body", "broken JSON"),
    "half an object": (b'{"text": "a', 400, "body", "line 1 column 10"),
    "a list": (b'["a"]', 400, "body", "found list"),
    "not UTF-8": (b'{"text": "\xff"}', 400, "body", "0xff at 10"),
    "NaN": (b'{"text": NaN}', 400, "body", "NaN is not a JSON value"),
    "half a pair": (b'{"text": "\\ud83d"}', 400, "body", "surrogate pair"),
    "too deep": (b"[" * 3900, 400, "body", "broken JSON"),
    "no text": (b"{}", 422, "text", "either text, or texts"),
    "both": (b'{"text": "a", "texts": []}', 422, "text", "either text, or texts"),
    "a number": (b'{"text": 5}', 422, "text", "a text was expected"),
    "an object of texts": (b'{"texts": {"a": 1}}', 422, "texts", "found dict"),
    "one bad text": (b'{"texts": ["a", ["b"]]}', 422, "texts[1]", "a text was expected"),
    "NUL": (b'{"texts": ["a", "b\\u0000"]}', 422, "texts[1]", "NUL"),
    "long": (b'{"texts": ["a", "' + b"x" * 501 + b'"]}', 422, "texts[1]", "501 characters, 500 is the most"),
    "many": (b'{"texts": ["a","a","a","a","a","a","a","a","a"]}', 413, "texts", "9 texts, 8 is the most"),
    "unknown field": (b'{"text": "a", "node": "all"}', 422, "node", "did you mean 'nodes'?"),
    "unknown nodes": (b'{"text": "a", "nodes": "some"}', 422, "nodes", "none, sentences, all"),
    "nodes are a list": (b'{"text": "a", "nodes": ["all"]}', 422, "nodes", "none, sentences, all"),
    "large": (b'{"text": "' + b"x" * 4000 + b'"}', 413, "body", "more than 4,000 bytes"),
    "huge": (b'{"text": "' + b"x" * 400_000 + b'"}', 413, "body", "more than 4,000 bytes"),
}


@pytest.mark.parametrize("name", BODIES)
def test_a_bad_body_is_refused_with_its_place(server, name):
    body, status, place, piece = BODIES[name]
    answer = server.client.post("/v1/score", content=body, headers={"Content-Type": "application/json"})
    error = answer.json()["error"]
    assert (answer.status_code, error["status"], error["place"]) == (status, status, place)
    assert piece in error["message"] and error["request"] == answer.headers["x-request-id"]


def test_other_types_paths_and_methods(server):
    client = server.client
    plain = client.post("/v1/score", content="a", headers={"Content-Type": "text/plain"})
    assert plain.status_code == 415 and plain.json()["error"]["place"] == "Content-Type"
    form = client.post("/v1/score", data={"text": "a"})
    assert form.status_code == 415
    assert client.get("/v1/scores").status_code == 404
    wrong = client.get("/v1/score")
    assert wrong.status_code == 405 and wrong.headers["allow"] == "POST"
    assert "use POST" in wrong.json()["error"]["message"]
    stream = client.post("/v1/score?node=all", content="", headers={"Content-Type": "application/x-ndjson"})
    assert stream.status_code == 422 and stream.json()["error"]["place"] == "node"


@pytest.mark.parametrize("number", ["-1", "true", '"0"', "1.5", "null"])
def test_a_sentence_is_a_number(server, number):
    answer = server.client.post(
        "/v1/tree.svg",
        content=f'{{"text": "a", "sentence": {number}}}',
        headers={"Content-Type": "application/json"},
    )
    assert answer.status_code == 422 and answer.json()["error"]["place"] == "sentence"


@pytest.mark.parametrize("host", ["evil.example", "evil.example:{port}", "127.0.0.1", "127.0.0.1:1", ""])
def test_only_requests_to_its_own_name_are_served(server, host):
    answer = server.client.get("/v1/model", headers={"Host": host.format(port=server.port)})
    assert answer.status_code == 421 and "labels" not in answer.text


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "http://127.0.0.1", "http://localhost.evil:1"]
)
def test_pages_of_others_are_refused(server, origin):
    answer = server.client.post("/v1/score", json={"text": "a"}, headers={"Origin": origin})
    assert answer.status_code == 403 and answer.json()["error"]["place"] == "Origin"
    assert not [name for name in answer.headers if name.startswith("access-control")]


def test_its_own_page_is_served(server):
    for name in ("127.0.0.1", "localhost"):
        own = f"{name}:{server.port}"
        answer = server.client.post(
            "/v1/score", json={"text": "a"}, headers={"Host": own, "Origin": f"http://{own}"}
        )
        assert answer.status_code == 200


def test_every_answer_has_the_headers_that_protect(server):
    for answer in (server.client.get("/healthz"), server.client.get("/nowhere"), server.post(text="a")):
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy and "unsafe-inline" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store" and "server" not in answer.headers


def test_an_id_is_kept_if_it_is_one(server):
    assert (
        server.client.get("/healthz", headers={"X-Request-Id": "a-1.B_2"}).headers["x-request-id"]
        == "a-1.B_2"
    )
    for bad in ("a b", "x" * 65, "é".encode()):
        given = server.client.get("/healthz", headers={"X-Request-Id": bad}).headers["x-request-id"]
        assert len(given) == 16 and given.isalnum()


def test_a_token_is_asked_for(toy):
    with served(toy, token=TOKEN) as server:
        for path in ("/v1/model", "/metrics", "/openapi.json", "/nowhere"):
            answer = server.client.get(path)
            assert answer.status_code == 401 and answer.headers["www-authenticate"] == "Bearer"
        for sent in (f"Bearer {TOKEN}x", TOKEN, f"Basic {TOKEN}", "Bearer", "Bearer é".encode()):
            assert (
                server.client.post(
                    "/v1/score", json={"text": "a"}, headers={"Authorization": sent}
                ).status_code
                == 401
            )
        assert server.client.get("/healthz").status_code == server.client.get("/readyz").status_code == 200
        right = {"Authorization": f"Bearer {TOKEN}"}
        assert server.client.post("/v1/score", json={"text": "a"}, headers=right).status_code == 200


def test_strangers_need_a_token():
    for host in ("0.0.0.0", "::", "192.168.1.2", "example.org"):
        with pytest.raises(TreesentError, match=r"give a token with --token or in TREESENT_TOKEN"):
            ServeOptions(host=host)
        ServeOptions(host=host, token=TOKEN)
    for host in ("127.0.0.1", "::1", "localhost", "127.1.2.3"):
        ServeOptions(host=host)
    with pytest.raises(TreesentError, match="has 5 characters; give at least 16"):
        ServeOptions(token="short")


def test_a_name_may_be_allowed(toy):
    with served(toy, hosts=("Scores.example.org",)) as server:
        own = {"Host": "scores.example.org", "Origin": "https://scores.example.org"}
        assert server.client.post("/v1/score", json={"text": "a"}, headers=own).status_code == 200
        assert server.client.get("/healthz", headers={"Host": "example.org"}).status_code == 421


def test_a_port_that_is_taken_is_named(server):
    with (
        pytest.raises(TreesentError, match=rf"port {server.port} cannot be used .*give another --port"),
        served(None, port=server.port),
    ):
        pass
