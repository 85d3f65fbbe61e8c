"""The course: its commands run, and its figures show what its pages say."""

import runpy
import shutil
import time
from pathlib import Path

import numpy as np
import pytest

from treesent.render.log import read_log

ROOT = Path(__file__).parents[1]
COURSE = ROOT / "docs" / "course"
RUN = runpy.run_path(str(COURSE / "run.py"))


@pytest.fixture(scope="module")
def workplace(tmp_path_factory):
    """A folder with the course in it, where its commands write."""
    folder = tmp_path_factory.mktemp("course")
    shutil.copytree(COURSE, folder / "docs" / "course")
    return folder


@pytest.mark.slow
def test_the_figure_of_the_course_shows_gradients_that_vanish_and_explode(workplace, monkeypatch):
    monkeypatch.chdir(workplace)
    start = time.perf_counter()
    RUN["main"](["vanishing"])
    assert time.perf_counter() - start < 240  # two minutes on two cores of its own
    out = workplace / "out" / "course"
    assert (out / "vanishing.svg").is_file()
    logs = {path.stem: read_log(path) for path in out.glob("*.jsonl")}
    passed = {name: np.nanmedian(log.passed(), 0)[-1] for name, log in logs.items()}
    assert passed["lstm"] < 0.1
    assert passed["elman"] < 0.5
    assert passed["exploding"] > 10
    assert 0.1 < passed["clockwork"] < 10
    best = {name: max(e["dev"]["root"]["accuracy_2"] for e in log.epochs[2:]) for name, log in logs.items()}
    assert best["clipped"] == 100
    assert best["unclipped"] < 80
    assert np.nanmax(logs["unclipped"].column("gradient_norm")) > 10
