"""Bind the address, open the pipeline, and serve until a signal comes."""

import asyncio
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import uvicorn

from treesent.errors import TreesentError
from treesent.scoring.results import class_names
from treesent.serve import log
from treesent.serve.app import make_app
from treesent.serve.corrections import Corrections
from treesent.serve.counters import Counters
from treesent.serve.options import ServeOptions
from treesent.serve.protocol import Protocol
from treesent.serve.service import Service
from treesent.serve.stalled import Stalled
from treesent.serve.workers import supervise

if TYPE_CHECKING:
    from spacy.language import Language

SIGNALS = (signal.SIGINT, signal.SIGTERM)
WARM_UP = "The plot is thin, but the acting is superb."


def serve(
    open_pipeline: "Callable[[], Language]",
    options: ServeOptions,
    tell: Callable[[str], object] | None = None,
) -> None:
    """Serve until SIGTERM or Ctrl-C, then let the requests at work finish.

    :param open_pipeline: opens the pipeline; called once, before the workers are forked, so that they share it.
    :param options: what to do.
    :param tell: told the address once requests are accepted.
    :raises TreesentError: the address cannot be bound, or the system cannot fork workers.
    """
    if options.workers > 1 and not hasattr(os, "fork"):
        raise TreesentError(f"--workers {options.workers}: this system cannot fork; leave it out")
    with bound(options) as listener:
        nlp = open_pipeline()
        nlp(WARM_UP)
        if options.corrections is not None:
            Corrections(
                options.corrections, len(class_names(nlp))
            )  # a bad file is told before anything is forked
        counters = Counters(options.workers)
        address = listener.getsockname()
        host = f"[{address[0]}]" if ":" in address[0] else address[0]
        (tell or (lambda message: None))(f"http://{host}:{address[1]}/")
        log.listen_to_uvicorn()

        def work(number: int, parent: int | None = None) -> None:
            counters.begin(number)
            worker = Worker(Service(nlp, options, counters), listener, parent)
            with asyncio.Runner(loop_factory=_loop_factory()) as runner:
                runner.run(worker.run())

        if options.workers == 1:
            work(0)
        else:
            supervise(options.workers, lambda number: work(number, os.getppid()), options.drain + 5)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Uvloop where the system has it."""
    try:
        import uvloop
    except ModuleNotFoundError:
        return None
    return uvloop.new_event_loop


@contextmanager
def bound(options: ServeOptions) -> Iterator[socket.socket]:
    """A socket that listens.

    :param options: whose address it is.
    :raises TreesentError: the address cannot be used.
    """
    try:
        family, *_, address = socket.getaddrinfo(options.host, options.port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, socket.SOCK_STREAM) as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            listener.listen(1024)
            yield listener
    except OSError as error:
        raise TreesentError(
            f"{options.host}, port {options.port} cannot be used ({error.strerror}): give another --port, or 0 for a "
            "free one"
        ) from error


def hosts_of(listener: socket.socket, names: tuple[str, ...]) -> frozenset[str]:
    """The values of the header ``Host`` that are a server's own.

    :param listener: its socket.
    :param names: what else it is called, with or without a port.
    """
    address, port = listener.getsockname()[:2]
    own = ["localhost", "127.0.0.1", "[::1]", f"[{address}]" if ":" in address else address]
    found = {f"{name}:{port}" for name in own} | {name.lower() for name in names}
    return frozenset(found | (set(own) if port == 80 else set()))


class _Server(uvicorn.Server):
    """uvicorn's server, with signals left to the worker."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave them alone."""
        yield


class Worker:
    """One process that serves."""

    def __init__(self, service: Service, listener: socket.socket, parent: int | None = None) -> None:
        """Prepare the server.

        :param service: what is served.
        :param listener: where requests come in.
        :param parent: the process whose end is this one's too.
        """
        self.service, self._listener, self._parent = service, listener, parent
        options = service.options
        config: dict[str, Any] = {"loop": "auto", "http": Protocol, "ws": "none", "lifespan": "off"}
        self._server = _Server(
            uvicorn.Config(
                make_app(service, hosts_of(listener, options.hosts)),
                log_config=None,
                access_log=False,
                proxy_headers=False,
                server_header=False,
                timeout_graceful_shutdown=int(options.drain),
                **config,
            )
        )

    def drain(self) -> None:
        """Accept nothing more, finish what is at work, and end."""
        log.event("draining", requests=len(self._server.server_state.tasks))
        self.service.draining = self._server.should_exit = True

    async def run(self) -> None:
        """Serve."""
        loop = asyncio.get_running_loop()
        signals = SIGNALS if threading.current_thread() is threading.main_thread() else ()
        for number in signals:
            loop.add_signal_handler(number, self.drain)
        watching = asyncio.create_task(self._watch())
        log.event("serving", worker=self.service.counters.worker)
        try:
            await self._server.serve([self._listener])
        finally:
            watching.cancel()
            for number in signals:
                loop.remove_signal_handler(number)
            self.service.close()
            log.event("ended", worker=self.service.counters.worker)

    async def _watch(self) -> None:
        """Look after what no event tells: connections that stand still, memory, the parent."""
        stalled = Stalled(self.service.options.read_timeout, self.service.options.write_timeout)
        while True:
            await asyncio.sleep(0.5)
            stalled.close(self._server.server_state.connections)
            self.service.counters.measure_memory()
            if self._parent is not None and os.getppid() != self._parent and not self.service.draining:
                self.drain()
