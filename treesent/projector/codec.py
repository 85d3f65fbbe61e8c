"""How the vectors travel inside the page: few bits a component, and bytes that survive as text."""

import zlib
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from treesent.types import Float32
from treesent.vectors.principal import principal_axes

RADIX = 127
"""A component too large for a byte is two columns: ``RADIX * high + low``."""

FINEST = 1e-4
"""A finer step would need more than two columns a component."""

UNSAFE = (0, 7, 8, 10, 11, 12, 13, 26, 27, 38, 60, 127)
"""Seven-bit values that HTML, a terminal or a line-ending conversion would change; escaped by `to_text`."""


@dataclass(frozen=True, slots=True)
class Quantised:
    """Unit vectors as whole numbers, column by column.

    Component ``k`` of row ``i`` is the sum of ``scale[c] * columns[c, i]`` over the columns with
    ``component[c] == k``.
    One step serves all components, so it drops out of every cosine.

    :param columns: *Shape:* ``(n_columns, n_words)``, int8.
    :param component: the component each column belongs to. *Shape:* ``(n_columns,)``
    :param scale: 1, or `RADIX` for the high part of a component. *Shape:* ``(n_columns,)``
    :param rotation: from the original space to the page's. *Shape:* ``(width, n_components)``
    :param step: the size of one whole number.
    :param overlap: the fraction of the ten nearest neighbours that are those of the float vectors.
    """

    columns: npt.NDArray[np.int8]
    component: npt.NDArray[np.int32]
    scale: npt.NDArray[np.int32]
    rotation: Float32
    step: float
    overlap: float

    def rows(self) -> Float32:
        """Return the vectors as the page sees them. *Shape:* ``(n_words, n_components)``."""
        out = np.zeros((self.columns.shape[1], self.rotation.shape[1]), np.float32)
        for column, component, scale in zip(self.columns, self.component, self.scale, strict=True):
            out[:, component] += np.float32(scale) * column
        return out


def unit_rows(matrix: Float32) -> Float32:
    """Return the rows at length one; zero rows stay zero.

    :param matrix: *Shape:* ``(n_words, width)``
    """
    length = np.linalg.norm(matrix, axis=1, keepdims=True)
    unit: Float32 = np.divide(matrix, length, out=np.zeros_like(matrix, np.float32), where=length > 0)
    return unit


def neighbour_overlap(exact: Float32, coded: Float32, sample: int = 500, k: int = 10) -> float:
    """Return the fraction of the ``k`` nearest neighbours by cosine that two tables have in common.

    :param exact: unit rows. *Shape:* ``(n_words, width)``
    :param coded: rows of any length. *Shape:* ``(n_words, n_components)``
    :param sample: words to ask, spread evenly over the table.
    """
    n_words = len(exact)
    k = min(k, n_words - 1)
    if k < 1:
        return 1.0
    asked = np.unique(np.linspace(0, n_words - 1, min(sample, n_words)).astype(int))
    nearest = []
    for table in (exact, unit_rows(coded)):
        cosine = table[asked] @ table.T
        cosine[np.arange(len(asked)), asked] = -2
        nearest.append(np.argpartition(-cosine, k - 1, axis=1)[:, :k])
    shared = sum(len(np.intersect1d(a, b)) for a, b in zip(*nearest, strict=True))
    return shared / (k * len(asked))


def quantise(matrix: Float32, target: float = 0.975, step: float = 0.004) -> Quantised:
    """Turn vectors into whole numbers whose nearest neighbours are those of the floats.

    Transform coding: unit rows are rotated to their principal axes (no centring, so cosines stay), and
    every component is rounded with the same step. The entropy coder that follows spends bits where the
    variance is, which is optimal for squared error (reverse water-filling; Gersho & Gray 1992, ch. 8).
    The step is refined until a sample of words keeps ``target`` of its ten neighbours.

    :param matrix: *Shape:* ``(n_words, width)``
    :param target: the overlap to reach.
    :param step: the first step tried.
    """
    unit = unit_rows(matrix)
    rotation, _ = principal_axes(unit, centre=False)
    rotated = unit @ rotation
    while True:
        whole = np.rint(rotated / step).astype(np.int32)
        overlap = neighbour_overlap(unit, whole.astype(np.float32))
        if overlap >= target or step < FINEST:
            break
        step /= 1.4
    kept = np.abs(whole).max(axis=0, initial=0) > 0
    whole, rotation = whole[:, kept], rotation[:, kept]
    high = np.rint(whole / RADIX).astype(np.int32)
    parts: list[tuple[int, int, npt.NDArray[np.int32]]] = []
    for k in range(whole.shape[1]):
        if np.abs(whole[:, k]).max() <= RADIX:
            parts.append((k, 1, whole[:, k]))
        else:
            parts += [(k, RADIX, high[:, k]), (k, 1, whole[:, k] - RADIX * high[:, k])]
    return Quantised(
        columns=np.array([part[2] for part in parts], np.int8).reshape(len(parts), len(whole)),
        component=np.array([part[0] for part in parts], np.int32),
        scale=np.array([part[1] for part in parts], np.int32),
        rotation=rotation,
        step=step,
        overlap=overlap,
    )


def deflate_columns(columns: npt.NDArray[np.int8]) -> bytes:
    """Compress numbers column by column, each with a Huffman code of its own.

    String matching finds nothing in rounded Gaussians and would only cost bits: Huffman alone.

    :param columns: *Shape:* ``(n_columns, n_words)``
    """
    coder = zlib.compressobj(9, zlib.DEFLATED, -15, 9, zlib.Z_HUFFMAN_ONLY)
    parts = [coder.compress(column.tobytes()) + coder.flush(zlib.Z_PARTIAL_FLUSH) for column in columns]
    return b"".join([*parts, coder.flush()])


def deflate(data: bytes) -> bytes:
    """Compress bytes of any kind (raw deflate, as the page's ``DecompressionStream`` reads it)."""
    coder = zlib.compressobj(9, zlib.DEFLATED, -15, 9)
    return coder.compress(data) + coder.flush()


def to_text(data: bytes) -> str:
    """Write bytes as text, seven bits a character: 8/7 of their size in UTF-8 where base64 takes 4/3.

    A value that would not survive as a character is written, together with the value after it, as ONE
    character of two bytes: its place in `UNSAFE` plus one, times 128, plus the next value. The scheme is
    base-122's (Albertson 2016). The page's ``decode.js`` reads it.
    """
    bits = np.unpackbits(np.frombuffer(data, np.uint8))
    bits = np.concatenate([bits, np.zeros(-len(bits) % 7, np.uint8)])
    values = np.packbits(bits.reshape(-1, 7), axis=1).ravel() >> 1
    place = np.zeros(128, np.uint16)
    place[list(UNSAFE)] = np.arange(1, len(UNSAFE) + 1)
    values = np.append(values, np.uint8(1))  # an unsafe value at the very end needs a partner
    unsafe = place[values] > 0
    # In a run of unsafe values the first takes the second as its partner, the third the fourth, ...
    index = np.arange(len(values))
    run_start = np.maximum.accumulate(np.where(unsafe, -1, index)) + 1
    leads = unsafe & ((index - run_start) % 2 == 0)
    partner = np.concatenate([[False], leads[:-1]])
    follower = np.concatenate([values[1:], [np.uint8(1)]]).astype(np.uint16)
    codes = np.where(leads, place[values] * np.uint16(128) + follower, values.astype(np.uint16))
    last = len(values) - 1
    keep = ~partner
    keep[last] = False  # the added partner is written only inside a pair
    return str(codes[keep].tobytes().decode("utf-16-le"))


def from_text(text: str, size: int) -> bytes:
    """Read what `to_text` wrote.

    :param text: the characters.
    :param size: how many bytes they hold.
    """
    codes = np.frombuffer(text.encode("utf-16-le"), np.uint16)
    pair = codes > 127
    place = np.cumsum(1 + pair) - 1
    values = np.zeros(int((1 + pair).sum()), np.uint8)
    values[place] = codes & 127
    values[place[pair] - 1] = np.array((0, *UNSAFE), np.uint8)[codes[pair] >> 7]
    bits = np.unpackbits((values << np.uint8(1))[:, None], axis=1)[:, :7].ravel()
    return np.packbits(bits[: 8 * size]).tobytes()
