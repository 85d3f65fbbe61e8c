"""Worker processes that share what their parent has loaded, and are replaced when they die.

Where the platform forks safely, a worker begins as a copy of its parent, and the memory of the model is one for
all. Elsewhere it is started anew and opens the model's folder, whose weights are mapped into memory. A worker
whose parent dies, even by kill -9, ends itself at once.
"""

import gc
import multiprocessing as mp
import os
import signal
import sys
import threading
import traceback
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

from treesent.errors import DataError, ModelError, TreesentError

if TYPE_CHECKING:
    from spacy.language import Language

Task = TypeVar("Task")
Tell = Callable[[Any], None]
Handler = Callable[[Any, Tell], Any]
"""Does a task in a worker: it gets the task and a function that tells the parent something on the way."""

MOST_DEATHS = 3
"""How often workers may die over one task before the run ends."""


@dataclass(frozen=True, slots=True)
class SharedPipeline:
    """A pipeline that goes to workers: a forked one has it already, another opens it by its folder."""

    nlp: "Language"

    def __reduce__(self) -> tuple[Any, ...]:
        if self.nlp.path is None:
            raise ModelError(
                "on this platform workers open the pipeline by its folder, and this one has none: write it "
                "with nlp.to_disk and open it with treesent.load, or use one worker"
            )
        return _open, (str(self.nlp.path),)


def _open(folder: str) -> SharedPipeline:
    from treesent.text.opening import load_pipeline

    return SharedPipeline(load_pipeline(folder))


@dataclass(frozen=True, slots=True)
class Message(Generic[Task]):
    """What a worker says of its task."""

    task: Task
    kind: str
    """``told`` (on the way), ``done`` (with the result) or ``failed`` (with the error)."""
    value: Any


@dataclass(slots=True)
class _Worker(Generic[Task]):
    process: Any
    connection: "Connection[Any, Any]"
    task: Task | None = None


class Pool(Generic[Task]):
    """Workers with one task each, which they get when the last one is done."""

    def __init__(self, make: Callable[[], Handler], size: int) -> None:
        """Make a pool; workers start when there are tasks for them.

        :param make: called in each worker as it starts; where processes are not forked it is pickled.
        :param size: the most workers.
        """
        self._make, self._size = make, size
        self._context: Any = mp.get_context(start_method())
        self._workers: list[_Worker[Task]] = []
        self._deaths: Counter[Task] = Counter()
        self._watched, self._held = self._context.Pipe(duplex=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        for worker in self._workers:
            worker.process.kill()
        for worker in self._workers:
            worker.process.join()
            worker.connection.close()
        self._watched.close()
        self._held.close()
        gc.unfreeze()

    @property
    def tasks(self) -> list[Task]:
        """The tasks at work."""
        return [worker.task for worker in self._workers if worker.task is not None]

    @property
    def free(self) -> bool:
        """Whether a worker, or the place of one, is free."""
        return len(self.tasks) < self._size

    def give(self, task: Task) -> None:
        """Have a free worker do a task."""
        idle = next((worker for worker in self._workers if worker.task is None), None) or self._start()
        idle.task = task
        with suppress(OSError):  # it has died, which wait() notices
            idle.connection.send(task)

    def wait(self) -> Iterator[Message[Task]]:
        """Wait until workers say something. The task of a worker that has died goes to a new one.

        :raises TreesentError: workers die again and again.
        """
        ready = wait([worker.connection for worker in self._workers])
        for worker in [worker for worker in self._workers if worker.connection in ready]:
            try:
                kind, value = worker.connection.recv()
            except (EOFError, OSError):
                self._replace(worker)
                continue
            if worker.task is None:
                continue
            message = Message(worker.task, kind, _raisable(value) if kind == "failed" else value)
            if kind != "told":
                worker.task = None
            yield message

    def _start(self) -> _Worker[Task]:
        ours, theirs = self._context.Pipe()
        # What is there now is never looked at by the collector again, and so stays shared.
        gc.freeze()
        process = self._context.Process(
            target=_serve, args=(self._make, theirs, self._watched, self._held), daemon=True
        )
        process.start()
        theirs.close()
        worker: _Worker[Task] = _Worker(process, ours)
        self._workers.append(worker)
        return worker

    def _replace(self, worker: _Worker[Task]) -> None:
        self._workers.remove(worker)
        worker.connection.close()
        worker.process.join()
        task = worker.task
        if task is None:
            return
        self._deaths[task] += 1
        if self._deaths[task] >= MOST_DEATHS:
            raise TreesentError(
                f"{MOST_DEATHS} worker processes died one after the other over {task} "
                f"({_ending(worker.process.exitcode)}). If memory is short, use fewer --workers"
            )
        self.give(task)


def in_order(make: Callable[[], Handler], tasks: Iterable[Task], workers: int) -> Iterator[Any]:
    """Have workers do tasks.

    :param make: see :class:`Pool`.
    :param tasks: no two of them equal.
    :param workers: the most workers.
    :returns: the results in the order of the tasks.
    """
    waiting, order = iter(tasks), deque[Task]()
    done: dict[Task, Any] = {}
    with Pool[Task](make, workers) as pool:
        while True:
            while pool.free and (task := next(waiting, None)) is not None:
                pool.give(task)
                order.append(task)
            while order and order[0] in done:
                yield done.pop(order.popleft())
            if not order:
                return
            for message in pool.wait():
                if message.kind == "failed":
                    raise message.value
                done[message.task] = message.value


def start_method() -> str:
    """How workers start: ``fork`` where a forked process may compute, else ``spawn``."""
    return "fork" if sys.platform == "linux" else "spawn"


def _serve(
    make: Callable[[], Handler],
    connection: "Connection[Any, Any]",
    watched: "Connection[Any, Any]",
    held: "Connection[Any, Any]",
) -> None:
    """The life of a worker."""
    held.close()
    threading.Thread(target=_end_with_parent, args=(watched,), daemon=True).start()
    # Ctrl-C and the end of a terminal reach all processes; the parent answers, and ends its workers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with suppress(EOFError, OSError):
        handler: Handler | None = None
        while True:
            task = connection.recv()
            try:
                if handler is None:
                    handler = make()
                    _one_thread()
                answer = ("done", handler(task, lambda value: connection.send(("told", value))))
            except Exception as error:
                answer = ("failed", _sendable(error))
            connection.send(answer)


def _end_with_parent(watched: "Connection[Any, Any]") -> None:
    wait([watched])
    os._exit(1)


def _one_thread() -> None:
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.set_num_threads(1)


def _sendable(error: Exception) -> tuple[Any, ...]:
    if isinstance(error, OSError) and error.errno is not None:
        return "os", error.errno, error.strerror, error.filename
    if isinstance(error, TreesentError):
        return "told", str(error)
    return "bug", "".join(traceback.format_exception(error))


def _raisable(sent: tuple[Any, ...]) -> Exception:
    kind, *values = sent
    if kind == "os":
        return OSError(*values)
    if kind == "told":
        return DataError(*values)
    return RuntimeError(f"a worker process failed:\n{values[0]}")


def _ending(code: int | None) -> str:
    if code is None or code >= 0:
        return f"exit code {code}"
    try:
        return f"ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"ended by signal {-code}"
