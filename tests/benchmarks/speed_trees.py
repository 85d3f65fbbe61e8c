"""The N-ary Tree-LSTM beside pytorch-tree-lstm, DyNet and a bidirectional torch.nn.LSTM.

300-d vectors, hidden 150, five classes on every node, float32, one thread, the treebank's dev trees: scoring
in batches of 256, training in batches of 25 (vectors frozen: forward, loss on every node, backward, Adagrad
step) that are drawn anew for each turn, as in real training: what is made once for a shape is paid for there.
What depends on the trees alone is made before the clock starts for all: batches of features, node
orders and adjacency there, forests here (``forests`` says how fast those are built). DyNet has no such form:
it builds its graphs from index lists inside the clock, as its users do.
"""

import json
import os
import random
import subprocess
import sys
import venv
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from tests.benchmarks.timing import interleave, sgemm_rate, summary, timed
from treesent.models.classifier.node_states import node_loss
from treesent.models.classifier.recursive_config import build
from treesent.models.classifier.tree_lstm import TreeLSTMConfig
from treesent.nn.batch import ForestBatch
from treesent.nn.embedding import VectorEmbedding
from treesent.trees.brackets import read_trees
from treesent.trees.forest import Forest
from treesent.trees.structure import Structure
from treesent.trees.tree import Tree

ROOT = Path(__file__).parents[2]
WIDTH, HIDDEN, CLASSES = 300, 150, 5
SIZES = {"score": 256, "train": 25}
WANTED = {"pytorch-tree-lstm": {"score": 4.0, "train": 2.2}, "dynet": {"score": 3.8, "train": 1.5}}
Work = dict[str, Callable[[], float]]


def run(repeats: int) -> dict[str, Any]:
    """Time all implementations.

    :param repeats: turns that count.
    """
    try:
        trees, rows, table = treebank()
    except FileNotFoundError as error:
        return {"skipped": str(error)}
    works: dict[str, Work] = {"treesent": ours(trees, rows, table)}
    skipped: dict[str, str] = {}
    for name, make in (("pytorch-tree-lstm", tree_lstm), ("torch.nn.LSTM", sequence), ("dynet", dynet)):
        try:
            works[name] = make(trees, rows, table)
        except (ImportError, OSError, subprocess.SubprocessError) as error:
            skipped[name] = f"{type(error).__name__}: {error}"
    result: dict[str, Any] = {"trees": len(trees), "repeats": repeats, "skipped_peers": skipped}
    result["forests"] = {
        kind: summary([timed(lambda size=size: all_forests(trees, rows, size))()], len(trees))["per_second"]
        for kind, size in SIZES.items()
    }
    rate = sgemm_rate()
    for kind in SIZES:
        seconds = interleave({name: work[kind] for name, work in works.items()}, repeats)
        found: dict[str, Any] = {name: summary(taken, len(trees)) for name, taken in seconds.items()}
        mine = found["treesent"]["per_second"]
        result[kind] = found
        result[f"{kind}_ratio"] = {
            name: round(mine / found[name]["per_second"], 2) for name in found if name != "treesent"
        }
        flops = naive_flops(trees) * (1 if kind == "score" else 3)
        result[f"{kind}_share_of_sgemm"] = round(mine * flops / len(trees) / (rate * 1e9), 3)
    result["sgemm_gflops"] = round(rate, 1)
    return result


def report(result: dict[str, Any]) -> str:
    """Lines to read of what :func:`run` found.

    :param result: its result.
    """
    if "skipped" in result:
        return f"trees: skipped, {result['skipped']}"
    lines = [f"trees: {result['trees']} dev trees, sgemm {result['sgemm_gflops']} GFLOP/s, one thread"]
    for kind, size in SIZES.items():
        lines.append(
            f"  {kind}, batches of {size} (trees/s: median, slowest, fastest of {result['repeats']})"
        )
        for name, rate in result[kind].items():
            line = f"    {name:20}{rate['per_second']:9.0f}{rate['slowest']:9.0f}{rate['fastest']:9.0f}"
            if name != "treesent":
                wanted = WANTED.get(name, {}).get(kind)
                line += f"   ours is {result[f'{kind}_ratio'][name]:.2f} times as fast"
                line += f" (wanted: {wanted})" if wanted else ""
            lines.append(line)
        share = result[f"{kind}_share_of_sgemm"]
        lines.append(
            f"    {share:.0%} of what sgemm alone would allow without sharing work between equal words"
        )
    lines += [f"  {name}: skipped, {reason}" for name, reason in result["skipped_peers"].items()]
    return "\n".join(lines)


def naive_flops(trees: list[Tree]) -> float:
    """Multiplications and additions of the matmuls of one forward pass, every node computed once."""
    leaves = sum(tree.n_words for tree in trees)
    nodes = sum(tree.n_nodes for tree in trees)
    inner = (nodes - leaves) * 2 * HIDDEN * 5 * HIDDEN
    return 2.0 * (leaves * WIDTH * 3 * HIDDEN + inner + nodes * HIDDEN * CLASSES)


def treebank() -> tuple[list[Tree], list[np.ndarray], np.ndarray]:
    """The dev trees, rows of their words, and a table of vectors for these.

    :raises FileNotFoundError: there are none.
    """
    folder = Path(os.environ.get("TREESENT_SST", ROOT.parent / "shared" / "data" / "sst"))
    if not (folder / "dev.txt").exists():
        raise FileNotFoundError(
            f"no treebank: {folder / 'dev.txt'} is missing; set TREESENT_SST to its folder"
        )
    trees = list(read_trees(folder / "dev.txt"))
    vocabulary = {word: row for row, word in enumerate(sorted({w for tree in trees for w in tree.words}))}
    rows = [np.array([vocabulary[word] for word in tree.words]) for tree in trees]
    return trees, rows, np.random.default_rng(0).normal(size=(len(vocabulary), WIDTH)).astype(np.float32)


def all_forests(trees: list[Tree], rows: list[np.ndarray], size: int) -> list[ForestBatch]:
    """All trees in batches of treesent's."""
    return [forest(trees, rows, part) for part in parts(range(len(trees)), size)]


def forest(trees: list[Tree], rows: list[np.ndarray], part: Sequence[int]) -> ForestBatch:
    """One batch of treesent's."""
    chosen = [trees[i] for i in part]
    return ForestBatch.from_forest(
        Forest.build(
            Structure.from_trees(chosen),
            np.concatenate([rows[i] for i in part]),
            np.concatenate([tree.label for tree in chosen]),
        )
    )


def parts(order: Sequence[int], size: int) -> list[Sequence[int]]:
    """Cut an order of trees into batches."""
    return [order[first : first + size] for first in range(0, len(order), size)]


def works_of(
    network: nn.Module,
    logits: Callable[[Any], Tensor],
    label: Callable[[Any], Tensor],
    n_trees: int,
    batch: Callable[[Sequence[int]], Any],
) -> Work:
    """Scoring and training with a torch network, the same loop for all of them."""
    weights = [weight for weight in network.parameters() if weight.requires_grad]
    optimizer = torch.optim.Adagrad(weights, 0.01, fused=True)
    to_score = [batch(part) for part in parts(range(n_trees), SIZES["score"])]
    order, shuffle = list(range(n_trees)), random.Random(0).shuffle

    def score() -> None:
        network.eval()
        with torch.inference_mode():
            for part in to_score:
                logits(part)

    def train() -> float:
        network.train()
        shuffle(order)
        batches = [batch(part) for part in parts(order, SIZES["train"])]
        return timed(lambda: steps(batches))()

    def steps(batches: list[Any]) -> None:
        for part in batches:
            optimizer.zero_grad()
            node_loss(logits(part), label(part)).backward()
            optimizer.step()

    return {"score": timed(score), "train": train}


def ours(trees: list[Tree], rows: list[np.ndarray], table: np.ndarray) -> Work:
    """Treesent."""
    network = build(TreeLSTMConfig(hidden=HIDDEN), WIDTH, CLASSES, VectorEmbedding(table))
    return works_of(
        network,
        lambda batch: network(batch).logits,
        lambda batch: batch.label,
        len(trees),
        lambda part: forest(trees, rows, part),
    )


def tree_lstm(trees: list[Tree], rows: list[np.ndarray], table: np.ndarray) -> Work:
    """pytorch-tree-lstm (Child-Sum), batched with its own functions; zero vectors at inner nodes."""
    import treelstm

    network = nn.ModuleDict({"tree": treelstm.TreeLSTM(WIDTH, HIDDEN), "head": nn.Linear(HIDDEN, CLASSES)})
    items = []
    for tree, words in zip(trees, rows, strict=True):
        leaf = tree.left < 0
        features = torch.zeros(tree.n_nodes, WIDTH)
        features[torch.from_numpy(leaf)] = torch.from_numpy(table[words])
        inner = np.flatnonzero(~leaf)
        edges = np.stack([inner.repeat(2), np.stack([tree.left, tree.right], 1)[inner].ravel()], 1).astype(
            int
        )
        orders = treelstm.calculate_evaluation_orders(edges, tree.n_nodes)
        items.append(
            {
                "features": features,
                "node_order": torch.from_numpy(orders[0]),
                "edge_order": torch.from_numpy(orders[1]),
                "adjacency_list": torch.from_numpy(edges),
                "label": torch.from_numpy(tree.label).long(),
            }
        )

    def batch(part: Sequence[int]) -> dict:
        chosen = [items[i] for i in part]
        return {**treelstm.batch_tree_input(chosen), "label": torch.cat([item["label"] for item in chosen])}

    def logits(part: dict) -> Tensor:
        h, _ = network["tree"](
            part["features"], part["node_order"], part["adjacency_list"], part["edge_order"]
        )
        return network["head"](h)

    return works_of(network, logits, lambda part: part["label"], len(trees), batch)


def sequence(trees: list[Tree], rows: list[np.ndarray], table: np.ndarray, hidden: int = HIDDEN) -> Work:
    """A bidirectional LSTM over the words, packed, with a loss on the root alone: for scale."""
    vectors = torch.from_numpy(table)
    network = nn.ModuleDict(
        {"lstm": nn.LSTM(WIDTH, hidden, bidirectional=True), "head": nn.Linear(2 * hidden, CLASSES)}
    )

    def batch(part: Sequence[int]) -> tuple:
        words = nn.utils.rnn.pack_sequence([torch.from_numpy(rows[i]) for i in part], enforce_sorted=False)
        return words, torch.tensor([trees[i].label[-1] for i in part]).long()

    def logits(part: tuple) -> Tensor:
        words = part[0]
        packed = nn.utils.rnn.PackedSequence(
            functional.embedding(words.data, vectors),
            words.batch_sizes,
            words.sorted_indices,
            words.unsorted_indices,
        )
        last = network["lstm"](packed)[1][0]
        return network["head"](torch.cat([last[0], last[1]], 1))

    return works_of(network, logits, lambda part: part[1], len(trees), batch)


def dynet(trees: list[Tree], rows: list[np.ndarray], table: np.ndarray) -> Work:
    """DyNet, asked over a pipe."""
    items = [
        {
            "rows": words.tolist(),
            "left": tree.left.tolist(),
            "right": tree.right.tolist(),
            "label": tree.label.tolist(),
        }
        for tree, words in zip(trees, rows, strict=True)
    ]
    work: dict[str, Any] = {"n_words": len(table), "width": WIDTH, "hidden": HIDDEN, "n_classes": CLASSES}
    work |= {kind: [size, items] for kind, size in SIZES.items()}
    script = Path(__file__).with_name("dynet_peer.py")
    process = subprocess.Popen(
        [dynet_python(), script],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdin is not None and process.stdout is not None
    stdin, stdout = process.stdin, process.stdout
    ask(stdin, json.dumps(work))

    def asked(command: str) -> float:
        ask(stdin, command)
        answer = stdout.readline()
        if not answer:
            raise RuntimeError(f"the DyNet process ended while it should {command}")
        return float(answer)

    return {kind: lambda kind=kind: asked(kind) for kind in SIZES}


def ask(stdin: IO[str], line: str) -> None:
    """Write one line to another process."""
    stdin.write(line + "\n")
    stdin.flush()


def dynet_python() -> str:
    """Python of an environment with DyNet: TREESENT_DYNET_PYTHON, or one made in out/dynet with pip."""
    if given := os.environ.get("TREESENT_DYNET_PYTHON"):
        return given
    folder = ROOT / "out" / "dynet"
    python = folder / "bin" / "python"
    if not python.exists():
        venv.create(folder, with_pip=True)
    if subprocess.run([python, "-c", "import dynet"], stderr=subprocess.DEVNULL).returncode:
        subprocess.run(
            [python, "-m", "pip", "install", "-q", "dynet38==2.2", "numpy<2", "cython"],
            check=True,
            stdout=sys.stderr,
        )
    return str(python)
