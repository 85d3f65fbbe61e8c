"""The N-ary Tree-LSTM in DyNet with automatic batching: a process of its own, in an environment of its own.

Reads the work as one line of JSON, then a command a line (``score`` or ``train``); answers each with the
seconds that it took. Imports nothing of treesent, which need not be installed where DyNet is.
"""

import json
import random
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

    def states(self, tree: dict) -> list:
        """Hidden states of every node of one tree."""
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
        return h

    def logits(self, batch: list) -> dy.Expression:
        """Logits of every node of a batch; one product for all is a little faster than one for each."""
        states = dy.concatenate_to_batch([state for tree in batch for state in self.states(tree)])
        return dy.affine_transform([self.bias_output, self.output, states])

    def score(self, batch: list) -> None:
        """Logits of a batch."""
        dy.renew_cg()
        self.logits(batch).npvalue()

    def train(self, batch: list) -> None:
        """One step on a batch."""
        dy.renew_cg()
        labels = [label for tree in batch for label in tree["label"]]
        loss = dy.sum_batches(dy.pickneglogsoftmax_batch(self.logits(batch), labels))
        loss.forward()
        loss.backward()
        self.trainer.update()


def main() -> None:
    """Serve commands until the input ends."""
    work = json.loads(sys.stdin.readline())
    network = Network(work["n_words"], work["width"], work["hidden"], work["n_classes"])
    shuffle = random.Random(0).shuffle
    for command in map(str.strip, sys.stdin):
        size, trees = work[command]
        step = network.score if command == "score" else network.train
        if command == "train":
            shuffle(trees)
        start = time.process_time()
        for first in range(0, len(trees), size):
            step(trees[first : first + size])
        print(time.process_time() - start, flush=True)


if __name__ == "__main__":
    main()
