"""A recurrent classifier step by step over a sentence: its states, its gates, and what it says after each word."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from treesent.errors import DataError, ModelError
from treesent.models.classifier.recurrent import RecurrentClassifier
from treesent.nn.cells import Cell, State
from treesent.pipeline.lookup import component_of
from treesent.render.attention import AttentionMap
from treesent.render.unrolled import Unrolled
from treesent.trees.structure import Structure

if TYPE_CHECKING:
    from spacy.language import Language

    from treesent.nn.batch import ForestBatch
    from treesent.pipeline.predict import Predictor


@dataclass(frozen=True, slots=True, eq=False)
class Row:
    """One direction of a layer over the sentence.

    :param name: of the layer.
    :param forwards: whether it reads from left to right.
    :param norms: of its states, in the order of reading.
    :param gates: how open each gate is, the mean over its units, in the order of reading.
    """

    name: str
    forwards: bool
    norms: list[float] = field(default_factory=list)
    gates: list[list[float]] = field(default_factory=list)

    def in_order(self, values: list[Any]) -> list[Any]:
        """Put values in the order of the words.

        :param values: in the order of reading.
        """
        return values if self.forwards else values[::-1]


def unrolled(nlp: "Language", text: str) -> Unrolled:
    """Run the recurrent classifier of a pipeline over a sentence.

    :param nlp: the pipeline.
    :param text: of its sentences the first one counts.
    :raises TreesentError: the classifier is not recurrent, or the text has no words.
    """
    network, batch, words, predictor = _prepared(nlp, text)
    rows = _rows(network, batch)
    model = predictor.model
    probs = np.full((len(words), model.n_classes), np.nan, np.float32)
    with torch.inference_mode():
        if network.bidirectional or network.pooling not in ("last", "outputs"):
            probs[-1] = network(batch).logits[batch.roots].softmax(1)[0].numpy()
        else:
            probs[:] = network.prefixes(batch).softmax(1).numpy()
    polarity = np.array(model.polarity or [np.nan] * model.n_classes, np.float32)
    norms = np.array([row.in_order(row.norms) for row in rows], np.float32)
    return Unrolled(words, [(row.name, row.forwards) for row in rows], norms, probs, model.labels, polarity)


def gate_map(nlp: "Language", text: str) -> AttentionMap:
    """Measure how open the gates of a recurrent classifier are at each word: the means over their units.

    :param nlp: the pipeline.
    :param text: of its sentences the first one counts.
    :raises TreesentError: the classifier is not recurrent or has no gates, or the text has no words.
    """
    network, batch, words, _ = _prepared(nlp, text)
    names = network.stack()[0].forward_cell.gate_names
    if not names:
        raise ModelError("the cells have no gates to show; take a network of LSTM or GRU cells")
    rows = _rows(network, batch)
    several = len(rows) > 1
    labels = [f"{row.name}, {name}" if several else name for row in rows for name in names]
    weights = [np.array(row.in_order(row.gates), np.float32).T for row in rows]
    return AttentionMap(words, labels, np.concatenate(weights), "openness of the gates")


def _prepared(nlp: "Language", text: str) -> "tuple[RecurrentClassifier, ForestBatch, list[str], Predictor]":
    predictor = component_of(nlp).predictor
    network = predictor.model.network
    if not isinstance(network, RecurrentClassifier):
        raise ModelError(
            "only recurrent networks can be unrolled; train one (pipelines/one_output_lstm.cfg) and name it with "
            "--model"
        )
    batch = predictor.read([nlp.make_doc(text)])
    if not len(batch.sentences.lengths):
        raise DataError(f"the text {text!r} has no words; give a sentence")
    n_words = int(batch.sentences.lengths[0])
    words = batch.sentences.words(batch.tokens, as_written=True)[:n_words]
    chain = Structure.right_branching([n_words])
    trees = predictor.to_device(chain, batch, words=np.arange(n_words))
    return network.eval(), trees, words, predictor


def _rows(network: RecurrentClassifier, batch: "ForestBatch") -> list[Row]:
    """Run the network and keep what its cells do over the whole sentence, which is the longest sequence."""
    rows, wrapped = [], []
    stack = network.stack()
    for number, layer in enumerate(stack, 1):
        name = "state" if len(stack) == 1 else f"layer {number}"
        for cell, forwards in ((layer.forward_cell, True), (layer.backward_cell, False)):
            if cell is not None:
                rows.append(Row(name + ("" if forwards else ", backwards"), forwards))
                _watch(cell, rows[-1])
                wrapped.append(cell)
    try:
        with torch.inference_mode():
            network(batch)
    finally:
        for cell in wrapped:
            del cell.step  # the class's own is seen again
    return rows


def _watch(cell: Cell, row: Row) -> None:
    step = cell.step

    def watched(
        preactivations: torch.Tensor, h_prev: torch.Tensor, state: State, recurrent: torch.Tensor, t: int
    ) -> State:
        new = step(preactivations, h_prev, state, recurrent, t)
        row.norms.append(float(new[0][0].norm()))
        gates = cell.gates(preactivations[:1], h_prev[:1], recurrent)
        row.gates.append([float(gate.mean()) for gate in gates])
        return new

    cell.step = watched  # type: ignore[method-assign]
