"""Clients that go, stop half-way, or are slow; more of them than can be served."""

import json
import random
import socket
import threading
import time
from contextlib import suppress

import pytest

from tests.fakes import FakePipeline, FastDoc
from tests.serve.servers import head, served

BODY = b'{"text": "a good movie"}'


def answer_of(connection):
    """All that comes until the connection is closed."""
    found = b""
    while piece := connection.recv(65536):
        found += piece
    return found


def until(condition, seconds=15):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_texts_of_a_client_that_has_gone_are_not_scored():
    nlp = FakePipeline(pause=0.3)
    with served(nlp, batch_size=1) as server:
        connections = [server.connect() for _ in range(5)]
        for number, connection in enumerate(connections):
            body = json.dumps({"text": f"text {number}"}).encode()
            connection.sendall(head(server, len(body)) + body)
            time.sleep(0.03)
        for connection in connections[2:]:
            connection.close()
        assert b"200 OK" in connections[1].recv(4096)
        until(lambda: server.metric('treesent_requests_total{path="/v1/score",status="499"}') == 3)
        assert server.post(text="last").status_code == 200
        for connection in connections[:2]:
            connection.close()
    assert set(nlp.texts) <= {"text 0", "text 1", "text 2", "last"} and {"text 3", "text 4"}.isdisjoint(
        nlp.texts
    )
    assert server.service.batcher.waiting == 0


def test_half_a_body_and_then_nothing(toy):
    with served(toy, read_timeout=0.4) as server, server.connect() as connection:
        connection.sendall(head(server, len(BODY)) + BODY[:9])
        answer = answer_of(connection)
        assert answer.startswith(b"HTTP/1.1 408") and b'"place": "body"' in answer
        assert server.post(text="good").status_code == 200


def test_half_a_body_and_then_gone(toy):
    with served(toy) as server:
        with server.connect() as connection:
            connection.sendall(head(server, len(BODY)) + BODY[:9])
            time.sleep(0.1)
        until(lambda: server.metric('treesent_requests_total{path="/v1/score",status="499"}') == 1)
        assert server.metric("treesent_requests_at_work") == 0


def test_a_body_byte_by_byte_is_read_while_it_is_in_time(toy):
    with served(toy, read_timeout=20) as server, server.connect() as connection:
        connection.sendall(head(server, len(BODY)))
        for byte in BODY:
            connection.sendall(bytes([byte]))
            time.sleep(0.005)
        assert b"200 OK" in connection.recv(4096)


def test_a_body_that_drips_is_not_waited_for(toy):
    with served(toy, read_timeout=0.5) as server, server.connect() as connection:
        connection.sendall(head(server, 1000))
        start = time.monotonic()
        connection.settimeout(0.05)
        answer = b""
        while not answer and time.monotonic() < start + 10:
            connection.sendall(b"{")
            try:
                answer = connection.recv(4096)
            except TimeoutError:
                continue
        assert answer.startswith(b"HTTP/1.1 408") and time.monotonic() < start + 5


@pytest.mark.parametrize("sent", [b"", b"POST /v1/sc", b"POST /v1/score HTTP/1.1\r\nHost: x\r\n"])
def test_a_head_that_never_ends_is_cut(toy, sent):
    with served(toy, read_timeout=0.5) as server, server.connect() as connection:
        connection.sendall(sent)
        start = time.monotonic()
        with suppress(ConnectionResetError):
            assert answer_of(connection) == b""
        assert 0.4 < time.monotonic() - start < 10


def test_an_answer_that_nobody_takes_is_dropped():
    with served(FakePipeline(), write_timeout=0.5, max_body=2**20) as server:
        connection = socket.socket()
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.settimeout(20)
        connection.connect(("127.0.0.1", server.port))
        body = json.dumps({"texts": ["a b c d e f g h i j k l m n o p " * 40] * 12, "nodes": "all"}).encode()
        connection.sendall(head(server, len(body)) + body)
        connections = server.worker._server.server_state.connections
        until(lambda: any(one.transport.get_write_buffer_size() for one in list(connections)))
        until(lambda: not any(one.transport.get_write_buffer_size() for one in list(connections)))
        connection.close()
        assert server.post(text="good").status_code == 200


def test_malformed_requests_do_no_harm(toy):
    rng = random.Random(0)
    with served(toy, max_length=500, max_body=2000) as server:
        whole = head(server, len(BODY)) + BODY
        for turn in range(150):
            raw = bytearray(whole)
            for _ in range(rng.randint(1, 6)):
                raw[rng.randrange(len(raw))] = rng.randrange(256)
            with server.connect() as connection:
                connection.sendall(bytes(raw))
                connection.shutdown(socket.SHUT_WR)
                status = connection.recv(4096)[9:12]
            assert status in (b"", b"200", b"400", b"404", b"405", b"408", b"413", b"415", b"421", b"422"), (
                turn
            )
        assert server.post(text="good").status_code == 200
        assert server.metric('treesent_requests_total{path="/v1/score",status="500"}') == 0


def test_malformed_bodies_do_no_harm(server):
    rng = random.Random(1)
    whole = b'{"texts": ["a good movie", "na\xc3\xafve"], "nodes": "all"}'
    seen = set()
    for _ in range(400):
        raw = bytearray(whole)
        for _ in range(rng.randint(1, 4)):
            raw[rng.randrange(len(raw))] = rng.choice(b'{}[]",:\\ \x00\xff0aeE-\n')
        answer = server.client.post(
            "/v1/score", content=bytes(raw), headers={"Content-Type": "application/json"}
        )
        assert answer.status_code == 200 or answer.json()["error"]["message"]
        seen.add(answer.status_code)
    assert seen == {200, 400, 422}


def test_too_many_requests_are_told_to_come_again():
    with served(FakePipeline(pause=0.2, doc=FastDoc), max_requests=3, batch_size=1) as server:
        statuses, retry = [], []

        def ask():
            answer = server.post(text="good")
            statuses.append(answer.status_code)
            retry.append(answer.headers.get("retry-after"))

        threads = [threading.Thread(target=ask) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        assert sorted(statuses) == [200] * 3 + [429] * 5
        assert {again for status, again in zip(statuses, retry, strict=True) if status == 429} == {"2"}
        assert server.post(text="good").status_code == 200  # and at once it serves again


def test_too_many_characters_are_told_to_come_again():
    with served(FakePipeline(pause=0.3, doc=FastDoc), max_waiting=1000, batch_size=1) as server:
        slow = threading.Thread(target=lambda: server.post(texts=["x" * 450, "x" * 450]))
        slow.start()
        until(lambda: server.service.batcher.waiting == 900)
        refused = server.post(text="x" * 101)
        assert refused.status_code == 429 and int(refused.headers["retry-after"]) >= 1
        assert server.post(text="good").status_code == 200
        slow.join()


def test_a_request_that_takes_too_long_is_given_up():
    nlp = FakePipeline(pause=0.3, doc=FastDoc)
    with served(nlp, timeout=0.5, batch_size=1, max_waiting=10**6) as server:
        start = time.monotonic()
        answer = server.post(texts=["good"] * 20)
        assert answer.status_code == 503 and "within 0.5 s" in answer.json()["error"]["message"]
        assert time.monotonic() - start < 3
        assert server.post(text="good").status_code == 200  # what was waiting is not scored any more


def test_an_unexpected_error_is_a_500_that_quotes_no_text(capfd):
    class Broken(FakePipeline):
        def pipe(self, texts, batch_size=64, n_process=1):
            raise RuntimeError(f"cannot score {list(texts)}")
            yield

    with served(Broken()) as server:
        answer = server.post(text="a secret")
        assert answer.status_code == 500 and "secret" not in answer.text
    log = capfd.readouterr().err
    assert "secret" not in log
    (fault,) = [line for line in map(json.loads, log.splitlines()) if line["event"] == "error"]
    assert fault["error"] == "RuntimeError" and fault["request"] == answer.headers["x-request-id"]
    assert "test_faults.py" in fault["places"][-1]


def test_the_log_has_numbers_and_no_texts(toy, capfd):
    with served(toy) as server:
        server.post(texts=["a secret movie", "b"])
        server.client.get("/secret?secret")
        server.client.post("/v1/score", content=b'{"secret"', headers={"Content-Type": "application/json"})
    log = capfd.readouterr().err
    assert "secret" not in log
    first, second, third = [line for line in map(json.loads, log.splitlines()) if line["event"] == "request"]
    assert (first["status"], first["texts"], first["characters"], first["path"]) == (200, 2, 15, "/v1/score")
    assert (second["status"], second["path"]) == (404, "other")
    assert third["status"] == 400 and "texts" not in third
