"""The N-ary Tree-LSTM in DyNet with automatic batching: a process of its own, in an environment of its own.

Reads the work as one line of JSON, then a command a line (``score`` or ``train``); answers each with the
seconds that it took. Imports nothing of treesent, which need not be installed where DyNet is.
"""

import json
import sys
import time

import dynet_config

dynet_config.set(autobatch=1, mem=2048, random_seed=1)

import dynet as dy  # noqa: E402


class Network:
    """The same network as the others: words at the leaves, forget matrices for each pair of children."""

    def __init__(self, n_words: int, width: int, hidden: int, n_classes: int) -> None:
        self.model, self.vectors = dy.ParameterCollection(), dy.ParameterCollection()
        self.table = self.vectors.add_lookup_parameters((n_words, width))
        self.hidden = hidden
        self.input = self.model.add_parameters((3 * hidden, width))
        self.recurrent = self.model.add_parameters((5 * hidden, 2 * hidden))
        self.bias_leaf = self.model.add_parameters(3 * hidden)
        self.bias = self.model.add_parameters(5 * hidden)
        self.output = self.model.add_parameters((n_classes, hidden))
        self.bias_output = self.model.add_parameters(n_classes)
        self.trainer = dy.AdagradTrainer(self.model, 0.01)
        self.trainer.set_sparse_updates(False)

    def nodes(self, tree: dict) -> list:
        """Logits of every node of one tree."""
        h, c, k, word = [], [], self.hidden, 0
        for left, right in zip(tree["left"], tree["right"], strict=True):
            if left < 0:
                vector = dy.lookup(self.table, tree["rows"][word], update=False)
                word += 1
                gates = dy.affine_transform([self.bias_leaf, self.input, vector])
                i, o = (dy.logistic(dy.pick_range(gates, j * k, j * k + k)) for j in (0, 1))
                cell = dy.cmult(i, dy.tanh(dy.pick_range(gates, 2 * k, 3 * k)))
            else:
                children = dy.concatenate([h[left], h[right]])
                gates = dy.affine_transform([self.bias, self.recurrent, children])
                f, g, i, o = (dy.logistic(dy.pick_range(gates, j * k, j * k + k)) for j in range(4))
                new = dy.cmult(i, dy.tanh(dy.pick_range(gates, 4 * k, 5 * k)))
                cell = new + dy.cmult(f, c[left]) + dy.cmult(g, c[right])
            c.append(cell)
            h.append(dy.cmult(o, dy.tanh(cell)))
        return [dy.affine_transform([self.bias_output, self.output, state]) for state in h]

    def score(self, batch: list) -> None:
        """Logits of a batch."""
        dy.renew_cg()
        dy.concatenate_to_batch([node for tree in batch for node in self.nodes(tree)]).npvalue()

    def train(self, batch: list) -> None:
        """One step on a batch."""
        dy.renew_cg()
        losses = [
            dy.pickneglogsoftmax(node, label)
            for tree in batch
            for node, label in zip(self.nodes(tree), tree["label"], strict=True)
        ]
        loss = dy.esum(losses)
        loss.forward()
        loss.backward()
        self.trainer.update()


def main() -> None:
    """Serve commands until the input ends."""
    work = json.loads(sys.stdin.readline())
    network = Network(work["n_words"], work["width"], work["hidden"], work["n_classes"])
    for command in map(str.strip, sys.stdin):
        size, trees = work[command]
        step = network.score if command == "score" else network.train
        start = time.process_time()
        for first in range(0, len(trees), size):
            step(trees[first : first + size])
        print(time.process_time() - start, flush=True)


if __name__ == "__main__":
    main()
