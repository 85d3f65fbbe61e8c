"""Fit the vectors of word pieces to a table, and measure how well they predict held-out words."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from treesent.errors import VectorsError
from treesent.types import Float32
from treesent.vectors.subwords import NO_PIECE, SubwordVectors, pieces_of
from treesent.vectors.table import VectorTable


@dataclass(frozen=True, slots=True)
class SubwordSettings:
    """How pieces are chosen and fitted.

    :param pieces: number of pieces to keep, those that occur in most words.
    :param shortest: characters of the shortest n-gram, boundary marks included.
    :param longest: characters of the longest n-gram.
    :param penalty: ridge penalty, in words: a piece seen in that many words keeps about half of its effect.
    :param iterations: of conjugate gradients.
    """

    pieces: int = 20_000
    shortest: int = 2
    longest: int = 5
    penalty: float = 10.0
    iterations: int = 30


@dataclass(frozen=True, slots=True)
class HeldOut:
    """How close the predicted vectors of held-out words are to the true ones.

    :param n: number of held-out words.
    :param cosine: mean cosine of prediction and true vector.
    :param mean_cosine: the same for the mean of all words as the prediction, a baseline.
    """

    n: int
    cosine: float
    mean_cosine: float


def with_fitted_subwords(
    table: VectorTable, settings: SubwordSettings | None = None, weights: Float32 | None = None
) -> VectorTable:
    """Fit word pieces to a table's own vectors.

    Zhao et al. 2018, equation 2 (the squared distance between each word's vector and the sum of its pieces),
    with a ridge penalty, solved by conjugate gradients over all columns at once.

    :param table: the table.
    :param settings: how the pieces are chosen and fitted.
    :param weights: the weight of each word; equal by default, since unknown words resemble rare words more
        than frequent ones. *Shape:* ``(n_words,)``
    :returns: the table with the pieces.
    :raises VectorsError: there is not one weight for each word.
    """
    settings = settings or SubwordSettings()
    if weights is None:
        weights = np.ones(len(table), np.float32)
    if weights.shape != (len(table),):
        raise VectorsError(f"weights of shape {weights.shape} for {len(table)} words: give one for each word")
    hashes = _most_common(table, settings)
    matrix = np.zeros((len(hashes), table.width), np.float32)
    subwords = SubwordVectors(hashes, matrix, None, settings.shortest, settings.longest)
    target = table.dense()
    mean = np.average(target, axis=0, weights=weights).astype(np.float32)
    matrix[0] = mean
    matrix[1:] = _solve(_incidence(table, subwords), target - mean, weights, settings)
    return table.with_subwords(subwords)


def held_out(
    table: VectorTable, settings: SubwordSettings | None = None, fraction: float = 0.05, seed: int = 0
) -> HeldOut:
    """Hold out some words, fit the pieces to the rest, and compare prediction and true vector.

    :param table: the table.
    :param settings: how the pieces are chosen and fitted.
    :param fraction: fraction of the words to hold out.
    :param seed: of the choice of words.
    :returns: the mean cosines.
    """
    out = np.random.default_rng(seed).random(len(table)) < fraction
    out[0], out[-1] = True, False
    fitted = with_fitted_subwords(table.take(np.flatnonzero(~out)), settings)
    rows = np.flatnonzero(out)
    true = table.dense(rows)
    guessed = fitted.guess([table.words[row] for row in rows.tolist()])
    mean = np.broadcast_to(fitted.dense().mean(axis=0), true.shape)
    return HeldOut(len(rows), _cosine(true, guessed), _cosine(true, mean))


def _cosine(a: Float32, b: Float32) -> float:
    lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    return float(((a * b).sum(axis=1) / np.maximum(lengths, 1e-12)).mean())


def _most_common(table: VectorTable, settings: SubwordSettings) -> npt.NDArray[np.uint32]:
    found = pieces_of(table.words, settings.shortest, settings.longest).hashes
    hashes, counts = np.unique(found, return_counts=True)
    kept = np.argsort(-counts, kind="stable")[: settings.pieces - 1]
    kept = np.sort(hashes[kept[counts[kept] > 1]])
    return np.concatenate([[NO_PIECE], kept]).astype(np.uint32)


def _incidence(table: VectorTable, subwords: SubwordVectors) -> Any:
    from scipy.sparse import csr_matrix

    word, piece = subwords.known(table.words)
    shape = (len(table), len(subwords) - 1)
    return csr_matrix((np.ones(len(word), np.float32), (word, piece - 1)), shape)


def _solve(incidence: Any, target: Float32, weights: Float32, settings: SubwordSettings) -> Float32:
    """Conjugate gradients with a diagonal preconditioner on the normal equations, every column on its own."""
    transposed = incidence.T.tocsr().multiply(weights[None, :]).tocsr().astype(np.float32)
    squares = np.asarray(transposed.multiply(incidence.T).sum(axis=1), np.float32)
    diagonal = squares.reshape(-1, 1) + settings.penalty
    residual: Float32 = transposed @ target
    solution = np.zeros_like(residual)
    scaled = residual / diagonal
    direction = scaled.copy()
    power = (residual * scaled).sum(axis=0)
    for _ in range(settings.iterations):
        image = transposed @ (incidence @ direction) + settings.penalty * direction
        step = power / np.maximum((direction * image).sum(axis=0), 1e-30)
        solution += step * direction
        residual -= step * image
        scaled = residual / diagonal
        previous, power = power, (residual * scaled).sum(axis=0)
        direction = scaled + power / np.maximum(previous, 1e-30) * direction
    return solution
