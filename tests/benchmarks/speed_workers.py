"""``treesent score --workers``: two processes against one, start-up apart, by the clock, by CPU time and by memory.

Each run is a process of its own. Others may use the machine meanwhile: the cores that they took are printed too, and
a ratio by the clock means something only where they took next to none. ``TREESENT_WORKERS`` sets the numbers of
workers (``1,2``), ``TREESENT_TEXTS`` the number of texts.
"""

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from tests.benchmarks.speed_scoring import SENTENCE

TEXTS = int(os.environ.get("TREESENT_TEXTS", "2000"))
WORKERS = [int(number) for number in os.environ.get("TREESENT_WORKERS", "1,2").split(",")]
SCRIPT = """
import json, sys, time, torch, treesent
from treesent.scoring import ScoreOptions, score
source, output, workers = sys.argv[1:]
torch.set_num_threads(1)
nlp = treesent.load()
nlp("Read the weights.")
begun = time.perf_counter()
summary = score(source, output, nlp, ScoreOptions(workers=int(workers), overwrite=True))
print(json.dumps({"seconds": time.perf_counter() - begun, "own": summary.memory}))
"""


def run(repeats: int) -> dict[str, Any]:
    """Time it.

    :param repeats: how often each counts.
    """
    words = SENTENCE.split()
    with TemporaryDirectory() as name:
        source = Path(name, "texts.txt")
        source.write_text(
            "".join(
                ". ".join(
                    " ".join(words[(i * k + j) % len(words)] for k in range(5 + i % 20)) for j in range(8)
                )
                + ".\n"
                for i in range(TEXTS)
            )
        )
        turns = [
            {number: _measured(source, Path(name, f"{number}.jsonl"), number) for number in WORKERS}
            for _ in range(repeats)
        ]
        outputs = {Path(name, f"{number}.jsonl").read_bytes() for number in WORKERS}
    assert len(outputs) == 1, "the number of workers shows in the output"
    return {
        str(number): {key: round(median(turn[number][key] for turn in turns), 3) for key in turns[0][number]}
        for number in WORKERS
    }


def _measured(source: Path, output: Path, workers: int) -> dict[str, float]:
    busy, begun = _busy(), time.perf_counter()
    before = os.times()
    command = [sys.executable, "-c", SCRIPT, str(source), str(output), str(workers)]
    memory: dict[str, float] = {"first_mb": 0, "all_mb": 0}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        while process.poll() is None:
            sizes = [_size(number) for number in (process.pid, *_children(process.pid))]
            memory["first_mb"] = max(memory["first_mb"], sizes[0])
            memory["all_mb"] = max(memory["all_mb"], sum(sizes))
            time.sleep(0.2)
        assert process.stdout is not None
        told = json.loads(process.stdout.read())
    after = os.times()
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    taken = (_busy() - busy - cpu) / (time.perf_counter() - begun)
    return {
        "seconds": told["seconds"],
        "cpu": cpu,
        "others_cores": taken,
        "worker_mb": told["own"] / 2**20,
        **memory,
    }


def _busy() -> float:
    """CPU seconds of all processes since the machine started."""
    ticks = list(map(int, Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]))
    return (sum(ticks) - ticks[3] - ticks[4]) / os.sysconf("SC_CLK_TCK")


def _children(number: int) -> list[int]:
    try:
        return [int(child) for child in Path(f"/proc/{number}/task/{number}/children").read_text().split()]
    except OSError:
        return []


def _size(number: int) -> float:
    """Megabytes of a process, what it shares counted in proportion."""
    try:
        found = re.search(r"^Pss: +(\d+) kB", Path(f"/proc/{number}/smaps_rollup").read_text(), re.MULTILINE)
    except OSError:
        return 0.0
    return int(found[1]) / 1024 if found else 0.0


def report(results: dict[str, Any]) -> str:
    """The results for people.

    :param results: of :func:`run`.
    """
    one = results[str(WORKERS[0])]
    lines = []
    for number, found in results.items():
        line = (
            f"workers: {number}: {TEXTS / found['seconds']:,.0f} texts/s, {one['seconds'] / found['seconds']:.2f} times; "
            f"CPU {found['cpu']:.1f} s, {found['cpu'] / one['cpu']:.2f} times; {found['all_mb']:,.0f} MB in all"
        )
        if found["worker_mb"]:
            line += f", a worker's own {found['worker_mb']:,.0f} MB, {found['worker_mb'] / one['all_mb']:.0%} of one process"
        lines.append(f"{line}; others took {found['others_cores']:.2f} cores of {os.cpu_count()}")
    return "\n".join(lines)
