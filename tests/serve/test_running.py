"""The command's own process: signals, workers, what is told."""

import asyncio
import json
import os
import signal
import threading
import time
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from tests.serve.servers import command, log_lines
from treesent.cli import app
from treesent.serve import log

SERVE = """
import json, sys
from tests.fakes import FakePipeline, FastDoc
from treesent.cli.signals import ended_by_signals
from treesent.serve import ServeOptions
from treesent.serve.running import serve

class Nlp(FakePipeline):
    def __call__(self, text):
        return self.doc(text)

options = ServeOptions(port=0, **json.loads(sys.argv[1]))
with ended_by_signals():
    serve(lambda: Nlp(pause=float(sys.argv[2]), doc=FastDoc), options, lambda url: print(url, flush=True))
"""


def serving(pause=0.0, **options):
    return command(SERVE, json.dumps(options), str(pause))


def ask(url, text="good", **options):
    return httpx.post(f"{url}/v1/score", json={"text": text}, timeout=30, trust_env=False, **options)


def until(condition, seconds=20):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("workers", [1, 2])
def test_a_signal_lets_requests_finish(workers, number):
    with serving(0.8, workers=workers) as (process, url):
        answers = []
        asking = threading.Thread(target=lambda: answers.append(ask(url)))
        asking.start()
        time.sleep(0.4)
        process.send_signal(number)
        assert process.wait(20) == 0
        asking.join()
        assert [answer.status_code for answer in answers] == [200]
        with pytest.raises(httpx.ConnectError):
            ask(url)
        events = [line["event"] for line in log_lines(process.stderr.read())]
        assert events.count("draining") == events.count("ended") == workers


def test_draining_ends_when_its_time_is_over():
    with serving(3.0, drain=1) as (process, url):
        answers = []
        asking = threading.Thread(target=lambda: answers.append(ask(url)))
        asking.start()
        time.sleep(0.3)
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
        asking.join()
        assert answers[0].status_code == 503 and "is ending" in answers[0].json()["error"]["message"]


def test_a_worker_that_is_killed_is_started_again():
    with serving(workers=2) as (process, url):
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")

        def workers():
            return [int(pid) for pid in children.read_text().split()]

        until(lambda: len(workers()) == 2)
        before = workers()
        assert ask(url).status_code == 200
        os.kill(before[0], signal.SIGKILL)
        until(lambda: before[0] not in workers())
        for _ in range(20):  # the other one serves meanwhile
            assert ask(url).status_code == 200
        until(lambda: len(workers()) == 2)
        assert before[1] in workers()
        metrics = httpx.get(f"{url}/metrics", trust_env=False).text
        assert 'treesent_requests_total{path="/v1/score",status="200"} 21' in metrics
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
        (died,) = [line for line in log_lines(process.stderr.read()) if line["event"] == "worker died"]
        assert died["pid"] == before[0] and died["code"] == -signal.SIGKILL


def test_workers_end_with_their_parent():
    with serving(workers=2) as (process, url):
        assert ask(url).status_code == 200
        process.kill()
        process.wait()

        def gone():
            try:
                ask(url)
            except httpx.HTTPError:
                return True
            return False

        until(gone)


def test_the_command_s_errors():
    run = CliRunner().invoke(app, ["serve", "--host", "0.0.0.0"])
    assert run.exit_code == 1 and "give a token with --token" in run.output
    run = CliRunner().invoke(app, ["serve", "--workers", "2", "--device", "cuda", "--port", "0"])
    assert run.exit_code == 1 and "forked workers have the processor" in run.output
    run = CliRunner().invoke(app, ["serve", "--port", "70000"])
    assert run.exit_code == 2
    run = CliRunner().invoke(app, ["serve", "--model", "en_treesent_xx", "--port", "0"])
    assert run.exit_code == 1 and "'en_treesent_xx'" in run.output


def test_the_log_goes_on_after_a_loop_that_ended_in_between(capfd):
    async def one():
        log.event("one")

    loop = asyncio.new_event_loop()
    with pytest.raises(StopIteration):
        one_step = one()
        asyncio._set_running_loop(loop)
        try:
            one_step.send(None)
        finally:
            asyncio._set_running_loop(None)
    loop.close()
    asyncio.run(one())
    log.event("two")
    assert [line["event"] for line in log_lines(capfd.readouterr().err)] == ["one", "one", "two"]
