"""The map of 20,000 words in 300 dimensions: size, opening, neighbours, redraw, and what rounding costs.

The vectors are those of ``TREESENT_VECTORS`` (any format; reduced by PCA where they are wider than 300), else
made ones. The page is opened in headless Chromium; needs ``playwright`` and ``chromium`` on PATH.
"""

import os
import shutil
import statistics
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from treesent.projector import MapOptions, project
from treesent.projector.codec import neighbour_overlap, quantise, unit_rows
from treesent.projector.layouts import Layout, lay_out
from treesent.projector.page import render
from treesent.projector.points import Points
from treesent.vectors.combine import reduce
from treesent.vectors.open import open_vectors
from treesent.vectors.table import VectorTable

N_WORDS, WIDTH = 20_000, 300
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
MEASURE = """async () => {
  const app = await projector.ready;
  const median = (values) => values.sort((a, b) => a - b)[values.length >> 1];
  const time = (work, times = 60) => median(Array.from({ length: times }, (_, k) => {
    const begun = performance.now();
    work(k);
    return performance.now() - begun;
  }));
  const redraw = () => { app.stale = true; app.draw(); };
  const out = { opened: app.times.opened, complete: app.times.complete };
  out.neighbours = time((k) => app.neighboursOf(37 * k));
  out.formula = time((k) => app.answer([3, 5, 7].map((step) => app.names[step * k]).join(" + ")));
  for (const key of ["pca", "pca3d", "axes"]) {
    app.setView(key, true);
    out[`redraw ${key}`] = time(redraw);
  }
  app.setView("pca", true);
  app.select(100, false);
  out["redraw focus"] = time(redraw);
  out["redraw hover"] = time(() => app.draw());
  return out;
}"""


def table() -> VectorTable:
    """The vectors to draw."""
    if path := os.environ.get("TREESENT_VECTORS"):
        found = open_vectors(path).most_frequent(N_WORDS)
        return reduce(found, WIDTH) if found.width > WIDTH else found
    # Groups within groups, and a spectrum that falls as those of trained tables do.
    rng = np.random.default_rng(0)
    spectrum = np.arange(1, WIDTH + 1) ** -0.35
    centres = rng.normal(size=(400, WIDTH)) + 1.5 * rng.normal(size=(40, WIDTH))[np.arange(400) % 40]
    matrix = (centres[rng.integers(0, 400, N_WORDS)] + rng.normal(size=(N_WORDS, WIDTH))) * spectrum
    return VectorTable([f"word{i}" for i in range(N_WORDS)], matrix.astype(np.float32))


def run(repeats: int) -> dict[str, Any]:
    """Make the page, open it ``repeats`` times, take medians."""
    words = table()
    points = Points(tuple(words.words), words.dense())
    coded = quantise(points.matrix)
    out: dict[str, Any] = {
        "words": len(words),
        "width": words.width,
        "step": coded.step,
        "overlap": neighbour_overlap(unit_rows(points.matrix), coded.rows(), sample=2000),
    }
    with tempfile.TemporaryDirectory() as folder:
        plain = project(words, Path(folder) / "map.html", options=MapOptions(sentiment="none"))
        (pca,) = lay_out(points)
        flat = [Layout(key, key, pca.places[:, :2]) for key in ("tsne", "umap")]
        out["megabytes"] = plain.stat().st_size / 1e6
        three = render(points, (pca, *flat), "Map")
        out["megabytes with three layouts"] = len(three.encode()) / 1e6
        opened = [_open(plain) for _ in range(repeats)] if CHROMIUM else []
    for name in opened[0] if opened else ():
        out[name] = statistics.median(one[name] for one in opened)
    return out


def _open(page: Path) -> dict[str, float]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        tab = browser.new_page(viewport={"width": 1440, "height": 900}, reduced_motion="reduce")
        tab.goto(page.as_uri())
        found: dict[str, float] = tab.evaluate(MEASURE)
        browser.close()
    return found


def report(result: dict[str, Any]) -> str:
    """What was found, against what is wanted."""
    wanted = {"megabytes": 6, "megabytes with three layouts": 6, "opened": 1500, "complete": 1500}
    wanted |= {"neighbours": 30} | {name: 16 for name in result if name.startswith("redraw")}
    lines = [f"map of {result['words']} words x {result['width']}"]
    lines.append(f"  {'overlap of ten neighbours':32}{result['overlap']:10.4f}  (at least 0.97)")
    for name, value in result.items():
        if name in ("words", "width", "overlap", "step"):
            continue
        unit = "MB" if name.startswith("mega") else "ms"
        limit = f"  (at most {wanted[name]})" if name in wanted else ""
        lines.append(f"  {name:32}{value:10.1f} {unit}{limit}")
    return "\n".join(lines)
