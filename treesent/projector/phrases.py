"""The phrases of a text as points: what a recursive network sees of them is their hidden state."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from treesent.data.dialect import PLAIN, Dialect
from treesent.data.tables import read_rows
from treesent.errors import DataError
from treesent.metrics.classes import predicted_classes
from treesent.pipeline import record as store
from treesent.pipeline.lookup import component_of
from treesent.pipeline.record import Record
from treesent.projector.points import MOST, Column, Points
from treesent.types import Float32

if TYPE_CHECKING:
    from spacy.language import Language
    from spacy.tokens import Doc

    from treesent.pipeline.predict import Predictor

TOGETHER = 256
"""Texts scored at once."""


def read_texts(path: str | Path, dialect: Dialect = PLAIN) -> Iterator[str]:
    """Read the texts of a file: a line each of ``.txt``, or the column ``text`` of a table.

    :param path: the file.
    :param dialect: how the table is written; null and what stands for it give an empty text.
    :raises DataError: a row that cannot be read.
    """
    for row in read_rows(path, need=("text",), dialect=dialect):
        if row.fault:
            raise DataError(f"{path}:{row.line}: {row.fault}")
        yield str(dialect.text(row.values["text"]))


def phrases(nlp: "Language", texts: Iterable[str], most: int = 20_000) -> Points:
    """Return every distinct phrase of some texts with the hidden state of its node.

    A phrase that stands in several places is one point, with the state of its first place and the number of
    places. Short phrases of strong sentiment come first, since they tell most as names on a map.

    :param nlp: a pipeline with a component ``treesent``.
    :param texts: documents.
    :param most: stop after so many distinct phrases.
    :raises ModelError: a pipeline without the component.
    :raises VectorsError: texts with fewer than three phrases.
    """
    predictor = component_of(nlp).predictor
    place: dict[str, int] = {}
    names: list[str] = []
    counts: list[int] = []
    states: list[Float32] = []
    probs: list[Float32] = []
    sizes: list[int] = []
    values = np.zeros(predictor.model.n_classes, np.float32)
    docs = nlp.pipe(texts)
    while len(names) < min(most, MOST) and (batch := list(islice(docs, TOGETHER))):
        hidden, records = hidden_states(predictor, batch)
        begin = 0
        for doc, record in zip(batch, records, strict=True):
            values = record.polarity
            for i, text in enumerate(_texts(doc, record)):
                key = text.lower()
                if key in place:
                    counts[place[key]] += 1
                elif len(names) < min(most, MOST):
                    place[key] = len(names)
                    names.append(text)
                    counts.append(1)
                    states.append(hidden[begin + i])
                    probs.append(record.probs[i])
                    sizes.append(int(record.end[i] - record.start[i]))
            begin += len(record.left)
    return _points(names, counts, states, probs, sizes, values, predictor.model.labels)


def hidden_states(predictor: "Predictor", docs: "Sequence[Doc]") -> tuple[Float32, list[Record]]:
    """Return the hidden state of every node of scored Docs, in the order of their records.

    :param predictor: of the component that scored them.
    :param docs: Docs with a record each.
    :returns: the states, *Shape:* ``(n_nodes, hidden)``, and the records.
    """
    from thinc.api import ArgsKwargs

    records = [store.read(doc)[0][1] for doc in docs]
    structure = store.structure_of(records)
    if not structure.n_trees:
        return np.zeros((0, 1), np.float32), records
    forest = predictor.to_device(structure, predictor.read(docs))
    states = predictor.shim.predict(ArgsKwargs((forest,), {}))
    return states.hidden.index_select(0, forest.order).float().cpu().numpy(), records


def _texts(doc: "Doc", record: Record) -> Iterator[str]:
    for tree in range(record.n_trees):
        first = int(record.words[tree])
        nodes = record.nodes(tree)
        begin = record.chars[first + record.start[nodes], 0]
        end = record.chars[first + record.end[nodes] - 1, 1]
        for a, b in zip(begin.tolist(), end.tolist(), strict=True):
            yield " ".join(doc.text[a:b].split())


def _points(
    names: list[str],
    counts: list[int],
    states: list[Float32],
    probs: list[Float32],
    sizes: list[int],
    values: Float32,
    labels: Sequence[str],
) -> Points:
    table = np.array(probs, np.float32).reshape(len(names), -1)
    words = np.array(sizes, np.float32)
    polarity = table @ values if len(names) else np.zeros(0, np.float32)
    strength = np.abs(np.nan_to_num(polarity))
    order = np.lexsort((-strength, words > 6))
    columns = [
        Column("sentiment", polarity[order].astype(np.float32), scale="diverging"),
        Column(
            "class",
            predicted_classes(table[order], values).astype(np.int32)
            if len(names)
            else words.astype(np.int32),
            tuple(labels),
        ),
        Column("confidence", table[order].max(axis=1, initial=0)),
        Column("words", words[order]),
        Column("places", np.array(counts, np.float32)[order]),
    ]
    if np.isnan(values).any():
        columns = columns[1:]
    matrix = np.array(states, np.float32).reshape(len(names), -1)[order]
    return Points(tuple(names[i] for i in order), matrix, tuple(columns), kind="phrases")
