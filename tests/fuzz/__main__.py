"""Run the fuzz suite, or one of its inputs again: ``python -m tests.fuzz --seconds 60 --seed 1``."""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path
from random import SystemRandom

from tests.fuzz.kinds import all_kinds
from tests.fuzz.session import Failures, fuzz
from tests.fuzz.worker import Worker

PROPERTIES = 600
"""Seconds from which the property tests run as well, with a random seed and ten times as many examples."""
PROPERTY_TESTS = [
    *("trees", "text", "metrics", "render", "data", "vectors/test_formats.py", "vectors/test_table.py"),
    *("pipeline/test_sentiment.py", "projector/test_codec.py", "nn/test_batch.py", "scoring/test_score.py"),
    *("models/parser/test_chart_parser.py", "models/language/test_lengths.py"),
]


def replay(which: str, seed: int) -> int:
    """Run one input again, in this process, and save it."""
    kind, _, index = which.rpartition(":")
    with tempfile.TemporaryDirectory() as home:
        worker = Worker([kind], seed, Path(home))
        files = worker.inputs[kind].one(int(index))
        failure = worker.try_one(kind, files)
        print(f"{which}: {'ends well' if failure is None else failure[1]}")
        if failure is not None:
            Failures(seed).add(kind, int(index), *failure, files)
    return int(failure is not None)


def properties(seed: int) -> int:
    """Run the property tests with more examples than a user's run of the suite, and other ones."""
    tests = [str(Path("tests", name)) for name in PROPERTY_TESTS]
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-m",
        "not slow and not cuda",
        "-p",
        "no:cacheprovider",
        *tests,
    ]
    options = ["--hypothesis-profile", "fuzz", f"--hypothesis-seed={seed}"]
    return subprocess.run([*command, *options], check=False).returncode


def main() -> int:
    """Run the suite; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=None, help="a random one by default")
    parser.add_argument("--kinds", default="", help="kinds to run, with commas between; all by default")
    parser.add_argument("--replay", metavar="KIND:INDEX", default="")
    arguments = parser.parse_args()
    seed = SystemRandom().randrange(10**9) if arguments.seed is None else arguments.seed
    if arguments.replay:
        return replay(arguments.replay, seed)
    known = all_kinds()
    names = [name for name in known if not arguments.kinds or name in arguments.kinds.split(",")]
    print(f"seed {seed}, {len(names)} kinds, {arguments.seconds:g} seconds", flush=True)
    board, failures = fuzz(names, seed, arguments.seconds)
    print(f"\n{'kind':22}{'inputs':>10}{'a second':>10}{'failures':>10}")
    for i, name in enumerate(names):
        failed = sum(count for (kind, _), count in failures.places.items() if kind == name)
        rate = board.count[i] / max(board.seconds[i], 1e-9)
        print(f"{name:22}{board.count[i]:>10,}{rate:>10,.0f}{failed:>10,}")
    total = sum(board.count)
    print(f"{'all':22}{total:>10,}{total / arguments.seconds:>10,.0f}{sum(failures.places.values()):>10,}")
    for (kind, place), count in failures.places.most_common():
        print(f"{count:>6} {kind}: {place}")
    failed = bool(failures.places)
    if arguments.seconds >= PROPERTIES and not arguments.kinds:
        failed |= properties(seed) != 0
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
