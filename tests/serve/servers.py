"""Servers on this machine alone, for as long as a test lasts."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from contextlib import contextmanager

import httpx

from treesent.serve import ServeOptions
from treesent.serve.running import Worker, bound
from treesent.serve.service import Service


class Served:
    """A server in a thread, and a client of it."""

    def __init__(self, nlp, **options):
        self.options = ServeOptions(**{"port": 0, "batch_wait": 0.001, **options})
        self._bound = bound(self.options)
        listener = self._bound.__enter__()
        self.port = listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.service = Service(nlp, self.options)
        self.worker = Worker(self.service, listener)
        self._thread = threading.Thread(target=lambda: asyncio.run(self.worker.run()))
        self._thread.start()
        self.client = httpx.Client(base_url=self.url, timeout=30, trust_env=False)

    def post(self, path="/v1/score", **fields):
        return self.client.post(path, json=fields)

    def metric(self, name):
        lines = self.client.get("/metrics").text.splitlines()
        return next((float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(f"{name} ")), 0.0)

    def connect(self):
        """A bare connection, for what no client would send."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=20)

    def close(self):
        self.client.close()
        self.worker.drain()
        self._thread.join(60)
        assert not self._thread.is_alive()
        self._bound.__exit__(None, None, None)


@contextmanager
def served(nlp, **options):
    server = Served(nlp, **options)
    try:
        yield server
    finally:
        server.close()


def head(server, length, path="/v1/score", kind="application/json"):
    """The head of a request as bytes."""
    return (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\nContent-Type: {kind}\r\n"
        f"Content-Length: {length}\r\n\r\n"
    ).encode()


@contextmanager
def command(script, *arguments):
    """A server in a process of its own; gives the process, its address, and a function that reads its log."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(
        [sys.executable, "-c", script, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )
    try:
        yield process, process.stdout.readline().strip().rstrip("/")
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        process.stdout.close()
        process.stderr.close()


def log_lines(text):
    """The log as objects."""
    return [json.loads(line) for line in text.splitlines()]
