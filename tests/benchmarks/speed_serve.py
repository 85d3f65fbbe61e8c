"""``treesent serve``: requests of one sentence over the loopback, beside ``nlp.pipe`` in the same run.

The server is a process of its own with one worker and one thread; this process asks. Rates are sentences by second
of CPU time of the process that scores (the server with its HTTP, or ``nlp.pipe`` alone), which on an idle machine is
wall-clock time; latencies are wall-clock. Load is bounded: a fixed number of requests each time.
"""

import asyncio
import json
import os
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.benchmarks.speed_scoring import _texts
from tests.benchmarks.timing import interleave, summary, timed

CONNECTIONS, REQUESTS, CALM, OVERLOAD = 64, 2000, 60, 1500
MODEL = os.environ.get("TREESENT_MODEL", "en_treesent_sm")


def run(repeats: int) -> dict[str, Any]:
    """Time it.

    :param repeats: how often each counts.
    """
    import treesent
    from treesent.errors import ModelError

    try:
        nlp = treesent.load(MODEL)
    except ModelError as error:
        return {"skipped": str(error)}
    texts = _texts(REQUESTS)
    latencies: list[float] = []
    walls: list[float] = []
    with _server() as (pid, port):
        load = _Load(port, texts)

        def serve() -> float:
            before, start = _cpu_seconds(pid), time.perf_counter()
            latencies.extend(asyncio.run(load.closed(CONNECTIONS, REQUESTS)))
            walls.append(time.perf_counter() - start)
            return _cpu_seconds(pid) - before

        seconds = interleave(
            {"nlp.pipe": timed(lambda: list(nlp.pipe(texts, batch_size=64))), "serve": serve}, repeats
        )
        rate = REQUESTS / statistics.median(walls[1:])
        calm = asyncio.run(load.open(CALM, 0.1 * rate))
        memory = _resident(pid)
        flood = asyncio.run(load.open(OVERLOAD, 3 * rate))
        asyncio.run(load.closed(CONNECTIONS, REQUESTS))
        results: dict[str, Any] = {name: summary(taken, REQUESTS) for name, taken in seconds.items()}
        results["serve"]["per_wall_second"] = round(rate, 1)
        results["latency"] = _quantiles(latencies[REQUESTS:])
        results["latency_at_10_percent"] = _quantiles(calm)
        results["overload"] = {"statuses": dict(load.statuses), **_quantiles(flood)}
        results["memory_growth_mb"] = round((_resident(pid) - memory) / 2**20, 1)
    return results


def report(results: dict[str, Any]) -> str:
    """The results for people.

    :param results: of :func:`run`.
    """
    if "skipped" in results:
        return f"serve: skipped, {results['skipped']}"
    serve, pipe = results["serve"], results["nlp.pipe"]
    busy, calm, flood = results["latency"], results["latency_at_10_percent"], results["overload"]
    return "\n".join(
        [
            f"serve: {serve['per_second']:,.0f} sentences/s of CPU at {CONNECTIONS} connections, "
            f"{serve['per_second'] / pipe['per_second']:.0%} of nlp.pipe's {pipe['per_second']:,.0f}; "
            f"{serve['per_wall_second']:,.0f}/s by the wall clock",
            f"serve: p50 {busy['p50_ms']:.1f} ms, p99 {busy['p99_ms']:.1f} ms at {CONNECTIONS} connections; "
            f"p50 {calm['p50_ms']:.1f} ms at 10% load",
            f"serve: at 3 times that rate: answers {flood['statuses']}, p99 {flood['p99_ms']:.1f} ms of those served; "
            f"memory grew by {results['memory_growth_mb']:.1f} MB",
        ]
    )


class _Load:
    """Asks over bare connections, so that asking costs little."""

    def __init__(self, port: int, texts: list[str]) -> None:
        self.port, self.statuses = port, Counter[int]()
        self._requests = [self._request(text) for text in texts]

    def _request(self, text: str) -> bytes:
        body = json.dumps({"text": text}).encode()
        head = f"POST /v1/score HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\nContent-Type: application/json\r\n"
        return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body

    async def closed(self, connections: int, count: int) -> list[float]:
        """Ask a number of times over connections that each wait for their answer; gives the seconds of each."""
        waiting = iter(self._requests[i % len(self._requests)] for i in range(count))
        seconds: list[float] = []

        async def ask() -> None:
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
            for request in waiting:
                taken, status = await _ask(reader, writer, request)
                assert status == 200
                seconds.append(taken)
            writer.close()

        await asyncio.gather(*(ask() for _ in range(connections)))
        return seconds

    async def open(self, count: int, rate: float) -> list[float]:
        """Ask so many times a second whatever comes back; gives the seconds of the answers with scores."""
        self.statuses = Counter[int]()
        seconds: list[float] = []

        async def ask(number: int) -> None:
            await asyncio.sleep(number / rate)
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
                taken, status = await _ask(reader, writer, self._requests[number % len(self._requests)])
                writer.close()
            except OSError:
                self.statuses[0] += 1
                return
            self.statuses[status] += 1
            if status == 200:
                seconds.append(taken)

        await asyncio.gather(*(ask(number) for number in range(count)))
        return seconds


async def _ask(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes
) -> tuple[float, int]:
    start = time.perf_counter()
    writer.write(request)
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
    await reader.readexactly(length)
    return time.perf_counter() - start, int(head[9:12])


@contextmanager
def _server() -> Iterator[tuple[int, int]]:
    command = [sys.executable, "-m", "treesent", "serve", "--port", "0", "--model", MODEL]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, text=True, env=environment, **pipes) as process:  # type: ignore[call-overload]
        try:
            yield process.pid, urlsplit(process.stdout.readline().strip()).port
        finally:
            process.terminate()
            process.wait(60)


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _resident(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _quantiles(seconds: list[float]) -> dict[str, float]:
    cuts = statistics.quantiles(seconds, n=100)
    return {"p50_ms": round(1000 * cuts[49], 2), "p99_ms": round(1000 * cuts[98], 2)}
