"""Points of which a layout could make nothing but NaN."""

import warnings

import numpy as np
import pytest

from treesent.projector.layouts import lay_out
from treesent.projector.points import Points

rng = np.random.default_rng(0)
TABLES = {
    "all equal": np.ones((12, 5)),
    "zero": np.zeros((12, 5)),
    "two places": np.repeat(np.eye(2, 5), 20, axis=0),
    "four places": np.repeat(np.eye(4, 5), 10, axis=0),
    "seven places": np.repeat(np.eye(7), 8, axis=0),
    "one column": np.outer(np.arange(30), np.eye(1, 5)[0]),
    "a zero row": np.vstack([np.zeros((1, 5)), rng.standard_normal((40, 5))]),
    "three points": rng.standard_normal((3, 5)),
}


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize("layout", ["tsne", "umap"])
def test_degenerate_points_get_places_without_a_warning(name, layout):
    pytest.importorskip("openTSNE" if layout == "tsne" else "umap")
    matrix = TABLES[name].astype(np.float32)
    points = Points([str(i) for i in range(len(matrix))], matrix, [])
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        for made in lay_out(points, (layout,)):
            assert np.isfinite(made.places).all()
            assert np.abs(made.places).max() <= 1 + 1e-5
