"""Every recurrent cell beside torch's kernels, and the networks that read all phrases beside torch.nn.LSTM.

300-d vectors, hidden 150, float32, one thread, the treebank's dev sentences in batches of 25, forward and
backward. ``sentences``: a cell over the sentences in one direction, once with a vector for each row and once
with vectors that equal words share. ``phrases``: a whole network, five classes on every node, beside a
torch.nn.LSTM over one packed sequence for each node.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from tests.benchmarks.timing import interleave, summary, timed
from treesent.models.classifier.gru import GRUConfig
from treesent.models.classifier.lstm import LSTMConfig
from treesent.models.classifier.node_states import node_loss
from treesent.models.classifier.recurrent_config import build
from treesent.models.classifier.rnn import RNNConfig
from treesent.nn import cells
from treesent.nn.batch import ForestBatch
from treesent.nn.embedding import VectorEmbedding
from treesent.nn.sequences import Steps
from treesent.trees.brackets import read_trees
from treesent.trees.forest import Forest
from treesent.trees.structure import Structure

ROOT = Path(__file__).parents[2]
WIDTH, HIDDEN, CLASSES, BATCH = 300, 150, 5, 25
CELLS = {
    "Elman": cells.Elman,
    "Leaky": cells.Leaky,
    "Clockwork": cells.Clockwork,
    "LSTM": cells.LSTM,
    "PeepholeLSTM": cells.PeepholeLSTM,
    "CoupledLSTM": cells.CoupledLSTM,
    "GRU": cells.GRU,
    "MinimalGatedUnit": cells.MinimalGatedUnit,
}
NETWORKS = {
    "one-output RNN": RNNConfig(hidden=HIDDEN),
    "one-output LSTM": LSTMConfig(hidden=HIDDEN),
    "one-output GRU": GRUConfig(hidden=HIDDEN),
    "bidirectional LSTM": LSTMConfig(hidden=HIDDEN, bidirectional=True),
    "attention over it": LSTMConfig(hidden=HIDDEN, bidirectional=True, pooling="attention"),
}
TORCH = {"torch.nn.RNN": nn.RNN, "torch.nn.LSTM": nn.LSTM, "torch.nn.GRU": nn.GRU}


def run(repeats: int) -> dict[str, Any]:
    """Time all of them.

    :param repeats: turns that count.
    """
    folder = Path(os.environ.get("TREESENT_SST", ROOT.parent / "shared" / "data" / "sst"))
    if not (folder / "dev.txt").exists():
        return {"skipped": f"no treebank: {folder / 'dev.txt'} is missing; set TREESENT_SST to its folder"}
    trees = list(read_trees(folder / "dev.txt"))
    vocabulary = {word: row for row, word in enumerate(sorted({w for tree in trees for w in tree.words}))}
    table = np.random.default_rng(0).normal(size=(len(vocabulary), WIDTH)).astype(np.float32)
    batches = [
        ForestBatch.from_forest(
            Forest.build(
                Structure.from_trees(part),
                np.array([vocabulary[word] for tree in part for word in tree.words]),
                np.concatenate([tree.label for tree in part]),
            )
        )
        for part in (trees[i : i + BATCH] for i in range(0, len(trees), BATCH))
    ]
    vectors = torch.from_numpy(table)
    works = {name: timed(kernel(kind(WIDTH, HIDDEN), batches, vectors)) for name, kind in TORCH.items()}
    for name, kind in CELLS.items():
        cell = kind(WIDTH, HIDDEN)
        works[name] = timed(steps(cell, batches, vectors, share=False))
        works[f"{name}, words shared"] = timed(steps(cell, batches, vectors, share=True))
    networks = {"torch.nn.LSTM": timed(every_phrase(batches, vectors))}
    for name, config in NETWORKS.items():
        network = build(config, WIDTH, CLASSES, VectorEmbedding(table))
        networks[name] = timed(train(network, batches))
    return {
        "trees": len(trees),
        "repeats": repeats,
        "sentences": rates(works, repeats, len(trees)),
        "phrases": rates(networks, repeats, len(trees)),
    }


def rates(works: dict[str, Callable[[], float]], repeats: int, trees: int) -> dict[str, Any]:
    """Trees per second."""
    return {name: summary(taken, trees) for name, taken in interleave(works, repeats).items()}


def report(result: dict[str, Any]) -> str:
    """Lines to read of what :func:`run` found.

    :param result: its result.
    """
    if "skipped" in result:
        return f"cells: skipped, {result['skipped']}"
    lines = [
        f"cells: {result['trees']} dev trees, one thread (trees/s: median, slowest, fastest of "
        f"{result['repeats']}, times torch.nn.LSTM)"
    ]
    for kind in ("sentences", "phrases"):
        lines.append(f"  {kind}, forward and backward, batches of {BATCH}")
        found = result[kind]
        for name, rate in found.items():
            ratio = rate["per_second"] / found["torch.nn.LSTM"]["per_second"]
            numbers = "".join(f"{rate[key]:9.0f}" for key in ("per_second", "slowest", "fastest"))
            lines.append(f"    {name:32}{numbers}{ratio:8.2f}")
    return "\n".join(lines)


def kernel(network: nn.RNNBase, batches: list[ForestBatch], vectors: Tensor) -> Callable[[], None]:
    """Torch's own over the sentences."""

    def work() -> None:
        for batch in batches:
            rows = vectors.index_select(0, batch.distinct.index_select(0, packed_words(batch)))
            network(PackedSequence(rows, batch.batch_sizes))[0].data.sum().backward()

    return work


def steps(cell: cells.Cell, batches: list[ForestBatch], vectors: Tensor, share: bool) -> Callable[[], None]:
    """A cell's own steps over the sentences, never torch's kernel."""

    def work() -> None:
        for batch in batches:
            words, sizes = packed_words(batch), Steps(batch.sizes, batch.batch_sizes)
            rows = vectors.index_select(0, batch.distinct)
            gates = (
                cell.project(rows).index_select(0, words)
                if share
                else cell.project(rows.index_select(0, words))
            )
            cell.run(gates, sizes).sum().backward()

    return work


def every_phrase(batches: list[ForestBatch], vectors: Tensor) -> Callable[[], None]:
    """Torch's LSTM over one sequence for each node."""
    network = nn.ModuleDict({"lstm": nn.LSTM(WIDTH, HIDDEN), "head": nn.Linear(HIDDEN, CLASSES)})

    def work() -> None:
        for batch in batches:
            nodes = batch.constituents.node_sequences()
            words = batch.distinct.index_select(0, batch.inverse.index_select(0, nodes.word))
            rows = PackedSequence(vectors.index_select(0, words), nodes.steps.batch_sizes)
            last = network["lstm"](rows)[1][0][0].index_select(0, nodes.rank)
            node_loss(network["head"](last), batch.label).backward()

    return work


def train(network: nn.Module, batches: list[ForestBatch]) -> Callable[[], None]:
    """One of our networks, every phrase."""

    def work() -> None:
        for batch in batches:
            node_loss(network(batch).logits, batch.label).backward()

    return work


def packed_words(batch: ForestBatch) -> Tensor:
    """The distinct word at each place of the packed sentences."""
    return batch.inverse.index_select(0, batch.packed)
