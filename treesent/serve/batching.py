"""One thread scores the texts of all requests, as many together as are waiting.

While a batch is scored the next one gathers. It begins when it is full, when as many texts are there as there were
at the last one (those in it and those behind it), or when it has waited: for ``wait`` seconds, or under load for
a part of what the last one took, which the event loop needs to send answers and read the next requests. So batches
are large under load, and a text that is alone waits for nobody.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from treesent.serve.refusal import overloaded

if TYPE_CHECKING:
    from spacy.language import Language
    from spacy.tokens import Doc

Make = Callable[[str, "Doc | None"], Any]
PATIENCE = 0.4
"""How long a batch waits for more texts under load, as a part of what the last one took."""
LEAST = 100
"""Characters that a text counts for at least: a short one has its cost too."""


@dataclass(slots=True, eq=False)
class _Job:
    texts: Sequence[str]
    make: Make
    future: "Future[list[Any]]" = field(default_factory=Future)


def weight(texts: Sequence[str]) -> int:
    """How much work some texts are, in characters."""
    return sum(max(len(text), LEAST) for text in texts)


class Batcher:
    """The queue and its thread."""

    def __init__(
        self,
        nlp: "Language",
        *,
        batch_size: int,
        wait: float,
        most: int,
        longest: float = 3600.0,
        count: Callable[[int, float], object] = lambda texts, seconds: None,
    ) -> None:
        """Start the thread.

        :param nlp: a pipeline, used by this thread alone.
        :param batch_size: texts that go through the network together.
        :param wait: seconds that a text waits for others at least, where others are expected.
        :param most: the weight of all admitted texts, from which on no more are admitted.
        :param longest: seconds that admitted texts may take, from which on no more are admitted.
        :param count: told of every batch, how many texts it had and how long it took.
        """
        self._nlp, self._batch_size, self._wait, self._count = nlp, batch_size, wait, count
        self._most, self._longest = most, longest
        self._jobs: deque[_Job] = deque()
        self._changed = threading.Condition()
        self._closed = False
        self._expected, self._patience = 0, wait
        self.waiting = 0
        """The weight of the texts that are admitted and not done."""
        self._rate = 20_000.0  # weight a second, until it has been measured
        self._thread = threading.Thread(target=self._run, name="treesent-scoring", daemon=True)
        self._thread.start()

    @contextmanager
    def admitted(self, amount: int) -> Iterator[None]:
        """Take a place for some texts, or refuse them; from the event loop's thread alone.

        A request larger than the whole queue is admitted if nothing else is there.

        :param amount: their weight.
        :raises Refusal: 429, there are too many already.
        """
        delay = self.waiting / self._rate
        if self.waiting and (self.waiting + amount > self._most or delay > self._longest):
            raise overloaded("too many texts are waiting", delay)
        self.waiting += amount
        try:
            yield
        finally:
            self.waiting -= amount

    def submit(self, texts: Sequence[str], make: Make) -> "Future[list[Any]]":
        """Have texts scored; a future that is cancelled before its turn is passed over.

        :param texts: at most a batch.
        :param make: what becomes of each text and its Doc, in the scoring thread; the Doc of a blank text is None.
        """
        job = _Job(texts, make)
        with self._changed:
            if self._closed:
                raise RuntimeError("the batcher is closed")
            self._jobs.append(job)
            self._changed.notify()
        return job.future

    def close(self) -> None:
        """Score what waits, then end the thread."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join()

    def _run(self) -> None:
        while jobs := self._gather():
            running = [job for job in jobs if job.future.set_running_or_notify_cancel()]
            if running:
                start = time.perf_counter()
                self._score(running)
                seconds = time.perf_counter() - start
                texts = [text for job in running for text in job.texts]
                self._rate += 0.2 * (weight(texts) / max(seconds, 1e-6) - self._rate)
                self._patience = max(self._wait, PATIENCE * seconds)
                with self._changed:
                    self._expected = len(texts) + self._queued()
                self._count(len(texts), seconds)

    def _gather(self) -> list[_Job]:
        """The jobs of the next batch; none when all is done."""
        with self._changed:
            self._changed.wait_for(lambda: self._jobs or self._closed)
            deadline = time.monotonic() + self._patience
            while not self._closed and self._queued() < min(self._expected, self._batch_size):
                if not self._changed.wait(deadline - time.monotonic()):
                    break
            jobs: list[_Job] = []
            free = self._batch_size
            while self._jobs and (not jobs or len(self._jobs[0].texts) <= free):
                jobs.append(self._jobs.popleft())
                free -= len(jobs[-1].texts)
            return jobs

    def _queued(self) -> int:
        return sum(len(job.texts) for job in self._jobs)

    def _score(self, jobs: Sequence[_Job]) -> None:
        try:
            made = self._made(jobs)
        except Exception as error:
            if len(jobs) == 1:
                jobs[0].future.set_exception(error)
                return
            for job in jobs:  # the fault of one request is not the others'
                self._score([job])
            return
        for job, values in zip(jobs, made, strict=True):
            job.future.set_result(values)

    def _made(self, jobs: Sequence[_Job]) -> list[list[Any]]:
        filled = (text for job in jobs for text in job.texts if text.strip())
        with self._nlp.memory_zone():  # words seen once would stay in the vocabulary for ever
            docs = iter(self._nlp.pipe(filled, batch_size=self._batch_size))
            return [
                [job.make(text, next(docs) if text.strip() else None) for text in job.texts] for job in jobs
            ]
