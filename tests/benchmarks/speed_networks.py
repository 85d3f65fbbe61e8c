"""Every network beside a bidirectional torch.nn.LSTM of the same width over the same sentences.

300-d vectors, float32, one thread, the treebank's dev trees: scoring in batches of 256, training in batches
of 25 with a loss on every node (the LSTM has one on each sentence; a recurrent network reads every phrase).
The RNTN has width 30, since its tensor has the cube of it; the others 150. The share of sgemm counts the
multiplications that a network really does.
"""

from dataclasses import replace
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from tests.benchmarks.speed_trees import CLASSES, SIZES, WIDTH, forest, parts, sequence, treebank, works_of
from tests.benchmarks.timing import interleave, sgemm_rate, summary
from treesent.config import KEY
from treesent.models.classifier.networks import build_network
from treesent.models.classifier.node_states import node_loss
from treesent.nn.batch import ForestBatch
from treesent.nn.embedding import VectorEmbedding

BOTH = {"bidirectional": True}
NETWORKS: dict[str, dict[str, Any]] = {
    "recursive net": {KEY: "treesent.RecursiveNet.v1"},
    "RNTN": {KEY: "treesent.RNTN.v1", "hidden": 30},
    "Tree-GRU": {KEY: "treesent.TreeGRU.v1"},
    "N-ary Tree-LSTM": {KEY: "treesent.TreeLSTM.v1"},
    "Child-Sum Tree-LSTM": {KEY: "treesent.ChildSumTreeLSTM.v1"},
    "one-output RNN": {KEY: "treesent.RNN.v1"},
    "leaky units": {KEY: "treesent.LeakyRNN.v1"},
    "clockwork RNN": {KEY: "treesent.ClockworkRNN.v1"},
    "one-output LSTM": {KEY: "treesent.LSTM.v1"},
    "bidirectional LSTM": {KEY: "treesent.LSTM.v1", **BOTH},
    "peephole LSTM": {KEY: "treesent.PeepholeLSTM.v1"},
    "coupled LSTM": {KEY: "treesent.CoupledLSTM.v1"},
    "bidirectional GRU": {KEY: "treesent.GRU.v1", **BOTH},
    "minimal gated unit": {KEY: "treesent.MinimalGatedUnit.v1"},
    "deep attention LSTM": {KEY: "treesent.LSTM.v1", **BOTH, "layers": 2, "pooling": "attention"},
}
NETWORKS = {name: {"hidden": 150, **block} for name, block in NETWORKS.items()}
WANTED = {"RNTN": 0.5, "N-ary Tree-LSTM": 0.5}


def run(repeats: int) -> dict[str, Any]:
    """Time all networks.

    :param repeats: turns that count.
    """
    try:
        trees, rows, table = treebank()
    except FileNotFoundError as error:
        return {"skipped": str(error)}
    rate, result = sgemm_rate(), {"trees": len(trees), "repeats": repeats}
    for width in sorted({block["hidden"] for block in NETWORKS.values()}):
        works = {f"torch.nn.LSTM {width}": sequence(trees, rows, table, width)}
        flops: dict[str, dict[str, float]] = {}
        for name, block in NETWORKS.items():
            if block["hidden"] != width:
                continue
            network = build_network(block, WIDTH, CLASSES, VectorEmbedding(table))
            heads = "ChildSum" in block[KEY]

            def batch(part: Any, heads: bool = heads) -> ForestBatch:
                made = forest(trees, rows, part)
                return with_heads(made) if heads else made

            works[name] = works_of(
                network,
                lambda part, network=network: network(part).logits,
                lambda part: part.label,
                len(trees),
                batch,
            )
            flops[name] = {
                kind: work(network, [batch(part) for part in parts(range(len(trees)), size)], kind)
                for kind, size in SIZES.items()
            }
        for kind in SIZES:
            seconds = interleave({name: made[kind] for name, made in works.items()}, repeats)
            peer = summary(seconds[f"torch.nn.LSTM {width}"], len(trees))
            for name, taken in seconds.items():
                found: dict[str, Any] = summary(taken, len(trees))
                found["ratio"] = round(found["per_second"] / peer["per_second"], 2)
                if name in flops:
                    share = found["per_second"] / len(trees) * flops[name][kind] / (rate * 1e9)
                    found["share_of_sgemm"] = round(share, 3)
                result.setdefault(kind, {})[name] = found
    result["sgemm_gflops"] = round(rate, 1)
    return result


def report(result: dict[str, Any]) -> str:
    """Lines to read of what :func:`run` found.

    :param result: its result.
    """
    if "skipped" in result:
        return f"networks: skipped, {result['skipped']}"
    lines = [f"networks: {result['trees']} dev trees, sgemm {result['sgemm_gflops']} GFLOP/s, one thread"]
    for kind, size in SIZES.items():
        lines.append(f"  {kind}, batches of {size} (trees/s: median, slowest, fastest)")
        for name, found in result[kind].items():
            line = f"    {name:20}{found['per_second']:9.0f}{found['slowest']:9.0f}{found['fastest']:9.0f}"
            if "share_of_sgemm" in found:
                line += f"   {found['ratio']:.2f} times the LSTM, {found['share_of_sgemm']:.0%} of sgemm"
            if kind == "train" and name in WANTED:
                line += f" (wanted: {WANTED[name]} times)"
            lines.append(line)
    return "\n".join(lines)


def with_heads(batch: ForestBatch) -> ForestBatch:
    """The same trees as if they were dependency trees, each node's head in its right child."""
    return replace(batch, head=torch.ones(len(batch.children), dtype=torch.int64))


def work(network: Any, batches: list[ForestBatch], kind: str) -> float:
    """Multiplications and additions in the matmuls of one pass."""

    def fused(rows: Any, weight: Any, *_: Any, **__: Any) -> int:
        return 2 * rows[0] * rows[1] * weight[0]

    network.train(kind == "train")
    counter = FlopCounterMode(display=False, custom_mapping={torch.ops.mkldnn._linear_pointwise: fused})
    with counter, torch.set_grad_enabled(kind == "train"):
        for batch in batches:
            loss = node_loss(network(batch).logits, batch.label)
            if kind == "train":
                loss.backward()
    network.zero_grad()
    return float(counter.get_total_flops())
