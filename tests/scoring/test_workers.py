"""Several processes write byte for byte what one writes, whichever of them is killed."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from itertools import count
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.fakes import FakePipeline, FastDoc
from treesent.errors import DataError, TreesentError
from treesent.scoring import ScoreOptions, cores, parts, plan, pool, score, shared

KINDS = ("csv", "jsonl", "parquet")
TEXTS = [f"Text number {i}. It is {'good' if i % 3 else 'bad'}." if i % 7 else "" for i in range(300)]


@pytest.fixture(autouse=True)
def small_parts(monkeypatch):
    monkeypatch.setattr(parts, "PART_TEXTS", dict.fromkeys(parts.PART_TEXTS, 20))


def write_table(path, texts=TEXTS):
    """A table of the kind of the suffix; in those of text every 50th row is damaged."""
    rows = [{"id": i, "text": text} for i, text in enumerate(texts)]
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(rows), path, row_group_size=70)
    elif path.suffix == ".jsonl":
        lines = [json.dumps(row) if row["id"] % 50 != 9 else '{"id":' for row in rows]
        path.write_text("\n".join(lines))
    else:
        path.write_text(
            "id,text\n"
            + "".join(f'{i},"{text}"\n' if i % 50 != 9 else f"{i}\n" for i, text in enumerate(texts))
        )
    return path


def outcome(output):
    """All that a run leaves: the output and the rejects."""
    rejects = Path(f"{output}.rejects.jsonl")
    assert not Path(f"{output}.partial").exists()
    return output.read_bytes(), rejects.read_bytes() if rejects.exists() else None


def run(source, output, workers, nlp=None, **options):
    options = ScoreOptions(on_error="skip", workers=workers, **options)
    return score(source, output, nlp or FakePipeline(), options), outcome(output)


@pytest.mark.parametrize("output", KINDS)
@pytest.mark.parametrize("source", KINDS)
def test_any_number_of_workers_writes_the_same_bytes(tmp_path, source, output):
    source = write_table(tmp_path / f"in.{source}")
    alone, expected = run(source, tmp_path / f"1.{output}", 1, nodes="sentences")
    assert alone.rows == 300 and alone.rejected == (0 if source.suffix == ".parquet" else 6)
    assert (alone.workers, alone.parts) == (1, 15)
    for workers in (2, 3):
        summary, found = run(source, tmp_path / f"{workers}.{output}", workers, nodes="sentences")
        assert found == expected
        assert (summary.rows, summary.empty, summary.rejected) == (alone.rows, alone.empty, alone.rejected)
        assert summary.workers == workers and summary.memory > 0


@pytest.fixture
def one_thread():
    """As workers have; the last bits of a product depend on the number of threads."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("one_thread")
def test_a_real_network_in_workers_writes_the_same_bytes(tmp_path):
    from tests.toy_pipeline import TEXT, WORDS, toy_nlp

    texts = [" ".join(WORDS[(i * k) % len(WORDS)] for k in range(3 + i % 9)) for i in range(90)] + [TEXT]
    source = write_table(tmp_path / "a.jsonl", texts)
    found = [run(source, tmp_path / f"{n}.jsonl", n, toy_nlp(), nodes="all")[1] for n in (1, 2)]
    assert found[0] == found[1]


def test_standard_output_gets_the_parts_in_order(tmp_path):
    import io

    source, streams = write_table(tmp_path / "a.csv"), []
    for workers in (1, 3):
        streams.append(io.BytesIO())
        options = ScoreOptions(
            on_error="skip", rejects=tmp_path / "r", workers=workers, kind="csv", overwrite=True
        )
        score(source, "-", FakePipeline(), options, stdout=streams[-1])
    assert streams[0].getvalue() == streams[1].getvalue()
    assert streams[0].getvalue().count(b"\n") == 295


def test_progress_counts_the_rows_of_all_workers(tmp_path):
    told = []
    source = write_table(tmp_path / "a.parquet")
    score(
        source,
        tmp_path / "b.csv",
        FakePipeline(0.002),
        ScoreOptions(workers=3),
        progress=lambda *both: told.append(both),
    )
    done = [number for number, _ in told]
    assert done == sorted(done) and done[-1] == 300 and len(set(done)) > 5
    assert told[-1] == (300, 300)


class Murderous(FakePipeline):
    """Kills its process at one text, so many times."""

    def __init__(self, folder, times, text="Text number 130. It is good."):
        super().__init__()
        self.folder, self.times, self.bad = folder, times, text

    def pipe(self, texts, batch_size=64):
        for doc in super().pipe(texts, batch_size):
            if doc.text == self.bad:
                for attempt in range(self.times):
                    with suppress(FileExistsError):
                        (self.folder / f"attempt-{attempt}").touch(exist_ok=False)
                        os.kill(os.getpid(), signal.SIGKILL)
            yield doc


@pytest.mark.parametrize("output", KINDS)
def test_the_part_of_a_killed_worker_is_made_by_another(tmp_path, output):
    source = write_table(tmp_path / "a.csv")
    _, expected = run(source, tmp_path / f"1.{output}", 1)
    nlp = Murderous(tmp_path, 2)
    summary, found = run(source, tmp_path / f"2.{output}", 2, nlp)
    assert found == expected and summary.rows == 300
    assert len(list(tmp_path.glob("attempt-*"))) == 2


def test_rows_over_which_workers_die_again_and_again_are_named(tmp_path):
    source, output = write_table(tmp_path / "a.csv"), tmp_path / "b.csv"
    with pytest.raises(TreesentError, match=r"3 worker processes died.* after row 120 .*SIGKILL.*fewer"):
        run(source, output, 2, Murderous(tmp_path, 99))
    assert not output.exists()
    _, expected = run(source, tmp_path / "c.csv", 1)
    nlp = FakePipeline()
    assert run(source, output, 1, nlp, resume=True)[1] == expected
    assert "Text number 15. It is bad." not in nlp.texts and "Text number 130. It is good." in nlp.texts


@pytest.mark.parametrize("kind", ["txt", "csv", "tsv", "jsonl"])
def test_workers_go_to_their_parts_of_a_plain_file_and_read_no_others(tmp_path, monkeypatch, kind):
    source = write_table(tmp_path / "a.csv")
    if kind != "csv":
        score(source, tmp_path / f"in.{kind}", FakePipeline(), ScoreOptions(on_error="skip", prefix="x_"))
        source = tmp_path / f"in.{kind}"
    _, expected = run(source, tmp_path / "1.jsonl", 1)
    monkeypatch.setattr(shared, "skip_rows", lambda *_: pytest.fail("read the rows of another worker"))
    opened = shared.open_rows
    monkeypatch.setattr(
        shared,
        "open_rows",
        lambda plan, options, skip=0, start=None: (
            opened(plan, options, 0, start=start) if not skip else 1 / 0
        ),
    )
    assert run(source, tmp_path / "2.jsonl", 3)[1] == expected


def test_parts_behind_a_gap_are_not_made_again(tmp_path):
    source, output = write_table(tmp_path / "a.csv"), tmp_path / "b.csv"
    with pytest.raises(TreesentError):
        run(source, output, 2, Murderous(tmp_path, 99, "Text number 290. It is good."))
    (tmp_path / "b.csv.partial" / "part-000003.rows").unlink()
    nlp = FakePipeline()
    _, found = run(source, output, 1, nlp, resume=True)
    numbers = [int(text.split()[2][:-1]) for text in nlp.texts]
    assert numbers == [i for i in range(300) if (60 <= i < 80 or i >= 280) and i % 7 and i % 50 != 9]
    assert found == run(source, tmp_path / "c.csv", 1)[1]


def test_the_first_error_of_the_input_is_the_one_that_is_told(tmp_path):
    source = write_table(tmp_path / "a.jsonl")
    told = []
    for workers in (1, 2, 3):
        with pytest.raises(DataError) as caught:
            score(source, tmp_path / "b.csv", FakePipeline(0.001), ScoreOptions(workers=workers))
        told.append(str(caught.value))
    assert len(set(told)) == 1 and "a.jsonl:10: row 10: broken JSON" in told[0]


def test_a_fault_of_the_program_keeps_its_traceback(tmp_path):
    class Faulty(FakePipeline):
        def pipe(self, texts, batch_size=64):
            raise ZeroDivisionError("by design")

    with pytest.raises(RuntimeError, match="ZeroDivisionError: by design"):
        run(write_table(tmp_path / "a.csv"), tmp_path / "b.csv", 2, Faulty())


# Signals

SCRIPT = """
import sys
sys.path[:0] = [{tests!r}]
from tests.fakes import FakePipeline
import treesent
from treesent.scoring import parts
parts.PART_TEXTS = dict.fromkeys(parts.PART_TEXTS, 20)
pause = float(sys.argv.pop(1))
treesent.load = lambda name: FakePipeline(pause)
from treesent.cli import app
app(sys.argv[1:])
"""


def command(pause, *arguments):
    script = SCRIPT.format(tests=str(Path(__file__).parents[2]))
    options = ("--on-error", "skip", "--workers", "2", "--device", "cpu")
    return [sys.executable, "-c", script, str(pause), "score", *map(str, arguments), *options]


def children(number):
    return [int(child) for child in Path(f"/proc/{number}/task/{number}/children").read_text().split()]


def start(source, output, *options, ready=3):
    """A run under way with so many finished parts, and its workers."""
    process = subprocess.Popen(
        command(0.004, source, "-o", output, *options),
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL),
    )
    until = time.monotonic() + 300
    while len(list(Path(f"{output}.partial").glob("part-*.json"))) < ready:
        assert process.poll() is None and time.monotonic() < until, process.stderr.read()
        time.sleep(0.002)
    return process, children(process.pid)


def gone(number):
    with suppress(OSError):
        return Path(f"/proc/{number}/stat").read_text().split()[2] == "Z"
    return True


def assert_gone(workers):
    until = time.monotonic() + 60
    while not all(map(gone, workers)):
        assert time.monotonic() < until, "a worker outlives its parent"
        time.sleep(0.01)


@pytest.fixture
def linux():
    if not sys.platform.startswith("linux"):
        pytest.skip("looks at /proc")


@pytest.mark.usefixtures("linux")
@pytest.mark.parametrize(("source", "output"), [("csv", "csv"), ("jsonl", "parquet"), ("parquet", "jsonl")])
def test_a_run_whose_workers_and_parent_are_killed_ends_with_the_same_bytes(tmp_path, source, output):
    source = write_table(tmp_path / f"a.{source}")
    _, expected = run(source, tmp_path / f"quiet.{output}", 1)
    output = tmp_path / f"b.{output}"
    for turn, resume in enumerate([(), ("--resume",)]):
        process, workers = start(source, output, *resume, ready=3 + 4 * turn)
        with process:
            assert len(workers) == 2
            os.kill(workers[turn], signal.SIGKILL)
            time.sleep(0.05)
            workers = [*workers, *children(process.pid)]
            process.kill()
        assert_gone(workers)
        assert not output.exists()
    done = subprocess.run(
        command(0, source, "-o", output, "--resume"), check=False, capture_output=True, text=True
    )
    assert done.returncode in (0, 3), done.stderr
    assert outcome(output) == expected


@pytest.mark.usefixtures("linux")
@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_a_signal_ends_the_workers_and_leaves_what_resume_needs(tmp_path, number, code):
    source, output = write_table(tmp_path / "a.csv"), tmp_path / "b.csv"
    process, workers = start(source, output)
    with process:
        process.send_signal(number)
        assert process.wait(300) == code
        assert "Traceback" not in process.stderr.read()
    assert len(workers) == 2
    assert_gone(workers)
    assert not output.exists() and Path(f"{output}.partial").is_dir()
    done = subprocess.run(command(0, source, "-o", output, "--resume"), check=False, capture_output=True)
    assert done.returncode == 3
    assert outcome(output) == run(source, tmp_path / "c.csv", 1)[1]


@pytest.mark.slow
@pytest.mark.usefixtures("linux")
def test_twenty_random_kills_lose_nothing(tmp_path):
    import random

    rng = random.Random(0)
    source = write_table(tmp_path / "a.csv", TEXTS * 10)
    _, expected = run(source, tmp_path / "quiet.csv", 1)
    output, kills = tmp_path / "b.csv", count()
    resume = ()
    while next(kills) < 20:
        process, workers = start(source, output, *resume, ready=0 if resume else 1)
        with process:
            time.sleep(rng.uniform(0, 3))
            if rng.random() < 0.5 and workers:
                with suppress(ProcessLookupError):
                    os.kill(rng.choice(children(process.pid) or workers), signal.SIGKILL)
                time.sleep(rng.uniform(0, 0.2))
            process.kill()
        if output.exists():
            break
        resume = ("--resume",) if Path(f"{output}.partial", "manifest.json").exists() else ()
    if not output.exists():
        subprocess.run(command(0, source, "-o", output, *resume), check=False)
    assert outcome(output) == expected


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_the_memory_of_workers_stays_flat(tmp_path, monkeypatch, kind):
    monkeypatch.undo()
    memory = []
    for rows in (10_000, 100_000):
        texts = [f"Short text number {i}." for i in range(rows)]
        options = ScoreOptions(workers=2, on_error="skip")
        source = write_table(tmp_path / f"{rows}.{kind}", texts)
        summary = score(source, tmp_path / f"out{rows}.{kind}", FakePipeline(doc=FastDoc), options)
        assert summary.rows == rows
        memory.append(summary.memory)
    assert memory[1] - memory[0] < 40 * 2**20, memory


# How many


@pytest.mark.parametrize(
    ("source", "workers", "message"),
    [
        ("-", 2, "--workers 2: several workers cannot read standard input; name a file"),
        ("a.csv", 0, "workers 0: must be a whole number from 1, or auto"),
        ("a.csv", "many", "workers many: must be a whole number from 1, or auto"),
    ],
)
def test_numbers_of_workers_that_make_no_sense(source, workers, message):
    with pytest.raises(DataError, match=message):
        score(source, "-", FakePipeline(), ScoreOptions(kind="csv", workers=workers))


def test_automatic_workers_are_for_inputs_that_are_large_enough(tmp_path, monkeypatch):
    monkeypatch.setattr(cores, "available_cores", lambda: 4)
    sizes = {0: 1, 1_000_000: 1, 2_200_000: 2, 3_300_000: 3, 90_000_000: 4}
    for size, workers in sizes.items():
        with (tmp_path / "a.csv").open("wb") as stream:
            stream.truncate(size)
        options = ScoreOptions(workers="auto", overwrite=True)
        assert plan.Plan.of(tmp_path / "a.csv", tmp_path / "b.csv", options).workers == workers
    assert plan.Plan.of("-", tmp_path / "b.csv", ScoreOptions(workers="auto")).workers == 1
    assert cores.automatic_workers([tmp_path / "none"]) == 1


def test_the_cores_are_those_that_this_process_may_use():
    assert 1 <= cores.available_cores() <= os.cpu_count()


@pytest.mark.slow
@pytest.mark.usefixtures("one_thread")
def test_workers_that_are_started_anew_open_the_pipeline_by_its_folder(tmp_path, monkeypatch):
    import treesent
    from tests.toy_pipeline import toy_nlp

    monkeypatch.undo()
    monkeypatch.setattr(pool, "start_method", lambda: "spawn")
    source = write_table(tmp_path / "a.csv")
    with pytest.raises(TreesentError, match="this one has none: write it"):
        run(source, tmp_path / "b.csv", 2, toy_nlp())
    toy_nlp().to_disk(tmp_path / "toy")
    nlp = treesent.load(tmp_path / "toy")
    _, expected = run(source, tmp_path / "1.csv", 1, nlp)
    assert run(source, tmp_path / "2.csv", 2, nlp)[1] == expected
