"""From many dimensions to two or three: PCA, t-SNE and UMAP."""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from treesent.errors import MissingExtraError, VectorsError
from treesent.projector.codec import unit_rows
from treesent.projector.points import Points
from treesent.types import Float32
from treesent.vectors.principal import principal_axes

FEWEST = 5
"""t-SNE and UMAP place so few distinct points as PCA does: there is nothing to unfold."""
KEPT = 50
"""Principal components that t-SNE, UMAP and k-means work on."""


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """Where each point stands.

    :param key: short name.
    :param title: as the page shows it.
    :param places: within -1 and 1. *Shape:* ``(n_points, 2 or 3)``
    :param after: the places of the second table's vectors. *Shape:* as ``places``
    :param note: one sentence on what the picture keeps.
    """

    key: str
    title: str
    places: Float32
    after: Float32 | None = None
    note: str = ""


def lay_out(points: Points, keys: Sequence[str] = ("pca",), seed: int = 0) -> tuple[Layout, ...]:
    """Compute layouts of unit vectors.

    Both tables of a comparison are laid out together, so that a way on the map is a way in the space.

    :param points: what to place.
    :param keys: of ``pca``, ``tsne``, ``umap``; ``pca`` is always made and comes first.
    :param seed: fixes t-SNE and UMAP.
    :raises VectorsError: an unknown layout.
    :raises MissingExtraError: t-SNE or UMAP without the extra ``viz``.
    """
    for key in keys:
        if key not in LAYOUTS:
            raise VectorsError(f"no layout {key!r}; known: {', '.join(LAYOUTS)}")
    both = points.matrix if points.after is None else np.concatenate([points.matrix, points.after])
    axes, ratios = principal(unit_rows(both), KEPT)
    out = []
    for key in dict.fromkeys(("pca", *keys)):
        title, make = LAYOUTS[key]
        places = _fit(
            _finite(make(axes, seed), axes) if len(np.unique(axes, axis=0)) > FEWEST else axes[:, :3]
        )
        n_points = len(points.names)
        note = NOTES[key]
        if key == "pca":
            note = f"The first three axes hold {100 * ratios[:3].sum():.0f}% of the variance. {note}"
        after = None if points.after is None else places[n_points:]
        out.append(Layout(key, title, places[:n_points], after, note))
    return tuple(out)


def principal(matrix: Float32, n_components: int) -> tuple[Float32, Float32]:
    """Return the rows' coordinates on their principal axes, and the explained variance ratio of each axis.

    :param matrix: *Shape:* ``(n_points, width)``
    :param n_components: number of axes, at most ``width``; if there are fewer than three, zeros are added.
    :returns: coordinates, *Shape:* ``(n_points, n_components)``, and ratios, *Shape:* ``(n_components,)``.
    """
    axes, variance = principal_axes(matrix)
    rate = variance / (variance.sum() or 1.0)
    scores = (matrix - matrix.mean(axis=0)) @ axes[:, :n_components]
    missing = max(0, 3 - scores.shape[1])
    rate = np.pad(rate[:n_components], (0, missing)).astype(np.float32)
    return np.pad(scores, ((0, 0), (0, missing))), rate


def _pca(axes: Float32, seed: int) -> Float32:
    return axes[:, :3]


def _tsne(axes: Float32, seed: int) -> Float32:
    try:
        from openTSNE import TSNE
    except ImportError as error:
        raise MissingExtraError("openTSNE", "viz") from error
    perplexity = min(30.0, max(1.0, (len(axes) - 1) / 3))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fitted = TSNE(perplexity=perplexity, initialization="pca", random_state=seed, n_jobs=-1).fit(axes)
    return np.asarray(fitted, np.float32)


def _umap(axes: Float32, seed: int) -> Float32:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # umap warns of an absent TensorFlow, which nobody needs here
            from umap import UMAP
    except ImportError as error:
        raise MissingExtraError("umap-learn", "viz") from error
    few = len(axes) < 20  # the spectral start needs more points than it has dimensions
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fitted = UMAP(
            n_neighbors=min(15, len(axes) - 1),
            metric="cosine",
            random_state=seed,
            n_jobs=1,
            init="random" if few else "spectral",
        ).fit_transform(axes)
    return np.asarray(fitted, np.float32)


def _finite(places: Float32, axes: Float32) -> Float32:
    """Places of t-SNE or UMAP, with those of PCA where a point got none."""
    if np.isfinite(places).all():
        return places
    return axes[:, : places.shape[1]]


def _fit(places: Float32) -> Float32:
    """Centre and scale to -1 .. 1, the same scale on every axis."""
    low, high = places.min(axis=0), places.max(axis=0)
    half = float((high - low).max()) / 2 or 1.0
    fitted: Float32 = ((places - (low + high) / 2) / half).astype(np.float32)
    return fitted


LAYOUTS: dict[str, tuple[str, Callable[[Float32, int], Float32]]] = {
    "pca": ("PCA", _pca),
    "tsne": ("t-SNE", _tsne),
    "umap": ("UMAP", _umap),
}
NOTES = {
    "pca": "Distances are true along the axes shown and blind to all others.",
    "tsne": "Near points are alike; the size of a group and the gap between two groups mean little.",
    "umap": "Near points are alike; the gap between two groups is a rough guide only.",
}
