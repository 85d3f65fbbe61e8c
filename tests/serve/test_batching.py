"""Texts of several requests are scored together, within bounds."""

import threading
import time

import pytest

from tests.fakes import FakePipeline
from treesent.serve.batching import Batcher, weight
from treesent.serve.refusal import Refusal


class Recording(FakePipeline):
    """Remembers its batches; waits before each until it is let go."""

    def __init__(self):
        super().__init__()
        self.batches, self.go = [], threading.Event()

    def pipe(self, texts, batch_size=64, n_process=1):
        self.go.wait(20)
        texts = list(texts)
        self.batches.append(texts)
        if "fault" in texts:
            raise RuntimeError("a fault")
        yield from super().pipe(texts)


@pytest.fixture
def nlp():
    return Recording()


@pytest.fixture
def batcher(nlp):
    made = Batcher(nlp, batch_size=4, wait=0.005, most=1000)
    yield made
    nlp.go.set()
    made.close()


def echo(text, doc):
    return text, None if doc is None else doc.text


def test_what_waits_goes_together_in_order(nlp, batcher):
    first = batcher.submit(["a"], echo)
    time.sleep(0.1)  # the thread has taken it, and waits
    others = [batcher.submit(texts, echo) for texts in (["b", " "], ["c"], ["d", "e"], ["f"])]
    nlp.go.set()
    assert first.result(20) == [("a", "a")]
    assert [other.result(20) for other in others] == [
        [("b", "b"), (" ", None)],
        [("c", "c")],
        [("d", "d"), ("e", "e")],
        [("f", "f")],
    ]
    assert nlp.batches == [["a"], ["b", "c"], ["d", "e", "f"]]


def test_what_is_cancelled_is_not_scored(nlp, batcher):
    batcher.submit(["a"], echo)
    time.sleep(0.1)
    gone, kept = batcher.submit(["b"], echo), batcher.submit(["c"], echo)
    assert gone.cancel()
    nlp.go.set()
    assert kept.result(20) == [("c", "c")]
    assert nlp.batches == [["a"], ["c"]]


def test_the_fault_of_one_is_not_the_others(nlp, batcher):
    nlp.go.set()
    good, bad, other = (batcher.submit([text], echo) for text in ("a", "fault", "b"))
    assert good.result(20) == [("a", "a")] and other.result(20) == [("b", "b")]
    with pytest.raises(RuntimeError, match="a fault"):
        bad.result(20)


def test_a_fault_of_making_is_its_own_alone(nlp, batcher):
    nlp.go.set()

    def fail(text, doc):
        raise KeyError(text)

    bad, good = batcher.submit(["a"], fail), batcher.submit(["b"], echo)
    assert good.result(20) == [("b", "b")]
    with pytest.raises(KeyError):
        bad.result(20)


def test_the_queue_is_bounded_by_characters(batcher):
    assert weight(["a", "b" * 300]) == 400
    with batcher.admitted(900):
        with pytest.raises(Refusal) as refused, batcher.admitted(101):
            pass
        assert refused.value.status == 429 and refused.value.headers == {"Retry-After": "1"}
        with batcher.admitted(100):
            assert batcher.waiting == 1000
    assert batcher.waiting == 0
    with batcher.admitted(5000):  # alone, a large one is served too
        assert batcher.waiting == 5000


def test_a_text_that_is_alone_waits_for_nobody():
    batcher = Batcher(FakePipeline(), batch_size=4, wait=30, most=1000)
    try:
        for text in "abc":
            assert batcher.submit([text], echo).result(5) == [(text, text)]
    finally:
        batcher.close()


def test_under_load_a_batch_waits_for_those_that_were_there(nlp):
    batcher = Batcher(nlp, batch_size=4, wait=5, most=1000)
    first = batcher.submit(["a"], echo)
    time.sleep(0.1)
    second, third = batcher.submit(["b"], echo), batcher.submit(["c"], echo)
    nlp.go.set()
    assert first.result(20)
    time.sleep(0.1)  # three were there, and two are waiting
    fourth = batcher.submit(["d"], echo)
    assert [one.result(2)[0][0] for one in (second, third, fourth)] == ["b", "c", "d"]
    assert nlp.batches == [["a"], ["b", "c", "d"]]
    batcher.close()


def test_the_queue_is_bounded_by_time():
    batcher = Batcher(FakePipeline(), batch_size=4, wait=0, most=10**9, longest=1.0)
    with batcher.admitted(40_000):  # two seconds, until the rate has been measured
        with pytest.raises(Refusal) as refused, batcher.admitted(1):
            pass
        assert refused.value.headers == {"Retry-After": "2"}
    batcher.close()


def test_closing_scores_what_waits(nlp):
    batcher = Batcher(nlp, batch_size=4, wait=10, most=1000)
    waiting = [batcher.submit([text], echo) for text in "abcdef"]
    nlp.go.set()
    batcher.close()
    assert [one.result(0)[0][0] for one in waiting] == list("abcdef")
    with pytest.raises(RuntimeError, match="closed"):
        batcher.submit(["a"], echo)
