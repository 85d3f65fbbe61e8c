"""``treesent score``: rows a second through the whole pipeline, and what reading and writing alone cost.

Without a network (a pipeline that answers at once), over each kind of table; then with the packaged pipeline,
or the one that TREESENT_MODEL names, beside its own ``nlp.pipe``.
"""

import os
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.benchmarks.timing import interleave, summary, timed

KINDS = ("txt", "csv", "jsonl", "parquet")
ROWS, SCORED = 20_000, 4_000
SENTENCE = "the plot is thin but acting superb and nobody who saw this film will ever forget its end"


def run(repeats: int) -> dict[str, Any]:
    """Time it.

    :param repeats: how often each counts.
    """
    import treesent
    from tests.fakes import FakePipeline, FastDoc
    from treesent.errors import ModelError

    with TemporaryDirectory() as name:
        folder = Path(name)
        fake: Any = FakePipeline(doc=FastDoc)
        runs = {kind: _scoring(_table(folder, kind, ROWS), fake) for kind in KINDS}
        seconds = interleave(runs, repeats)
        results: dict[str, Any] = {f"{kind}_alone": summary(seconds[kind], ROWS) for kind in KINDS}
        try:
            nlp = treesent.load(os.environ.get("TREESENT_MODEL", "en_treesent_sm"))
        except ModelError as error:
            return {**results, "skipped": str(error)}
        texts = _texts(SCORED)
        work: dict[str, Callable[[], object]] = {"nlp.pipe": lambda: list(nlp.pipe(texts, batch_size=64))}
        runs = {name: timed(function) for name, function in work.items()}
        runs["score"] = _scoring(_table(folder, "csv", SCORED), nlp)
        runs["score_nodes_all"] = _scoring(_table(folder, "jsonl", SCORED), nlp, "all")
        return results | {name: summary(taken, SCORED) for name, taken in interleave(runs, repeats).items()}


def report(results: dict[str, Any]) -> str:
    """The results for people.

    :param results: of :func:`run`.
    """
    lines = [
        f"scoring: {name:16} {rates['per_second']:>10,.0f} rows/s"
        for name, rates in results.items()
        if isinstance(rates, dict)
    ]
    if "skipped" in results:
        lines.append(f"scoring: without a network only: {results['skipped']}")
    else:
        share = 1 - results["score"]["per_second"] / results["nlp.pipe"]["per_second"]
        lines.append(f"scoring: beside nlp.pipe, {share:.0%} of score's time goes to rows and files")
    return "\n".join(lines)


def _texts(n_rows: int) -> list[str]:
    """Sentences of 5 to 24 words, the same every time."""
    words = SENTENCE.split()
    return [" ".join(words[(i * k) % len(words)] for k in range(5 + i % 20)) + "." for i in range(n_rows)]


def _table(folder: Path, kind: str, n_rows: int) -> Path:
    import pyarrow as pa
    import pyarrow.csv
    import pyarrow.parquet as pq

    table = pa.table({"id": list(range(n_rows)), "text": _texts(n_rows)})
    path = folder / f"{n_rows}.{kind}"
    if kind == "parquet":
        pq.write_table(table, path)
    elif kind == "csv":
        pyarrow.csv.write_csv(table, path)
    elif kind == "jsonl":
        table.to_pandas().to_json(path, orient="records", lines=True)
    else:
        path.write_text("\n".join(table["text"].to_pylist()))
    return path


def _scoring(source: Path, nlp: Any, nodes: Any = "none") -> Callable[[], float]:
    from treesent.scoring import ScoreOptions, score

    kind = "jsonl" if source.suffix == ".txt" else source.suffix[1:]
    output = source.with_name(f"out-{source.name}-{nodes}.{kind}")
    options = ScoreOptions(nodes=nodes, overwrite=True)
    return timed(lambda: score(source, output, nlp, options))
