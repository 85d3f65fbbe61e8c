"""Rows of pipelines/README.md, from folders made by hand."""

import json

import numpy as np
import pytest
from safetensors.numpy import save_file

from tests.benchmarks import figures


@pytest.fixture
def runs(tmp_path):
    folders = []
    for seed, (root, seconds) in enumerate([((46.0, 85.0), (9.0, 21.0)), ((48.0, 86.0), (11.0, 21.0))]):
        folder = tmp_path / f"one_output_lstm_{seed}"
        (folder / "treesent").mkdir(parents=True)
        names = ("dev_root_accuracy_5", "dev_root_accuracy_2", "dev_root_macro_f1", "dev_nodes_accuracy_5")
        performance = dict(zip(names, (*root, 40.0, 80.0), strict=True))
        (folder / "meta.json").write_text(json.dumps({"performance": performance}), encoding="utf-8")
        weights = {"weight": np.zeros((5, 200), np.float32), "bias": np.zeros(5, np.float32)}
        save_file(weights, folder / "treesent" / "weights.safetensors")
        lines = [{"step": 1, "seconds": 0.5}]
        lines += [{"epoch": n, "dev": {}, "seconds": each} for n, each in enumerate(seconds, 1)]
        log = "".join(json.dumps(line) + "\n" for line in lines)
        folder.with_name(folder.name + ".jsonl").write_text(log, encoding="utf-8")
        folders.append(folder)
    return folders


def test_a_row_is_the_mean_over_the_runs(runs):
    ((name, folders),) = figures.recipes(runs).items()
    cells = ["`one_output_lstm`", "2", "47.0 ± 1.4 / 85.5 ± 0.7", "80.0 ± 0.0", "1,005", "9"]
    assert figures.row(name, folders) == cells


def test_one_run_has_no_spread_and_may_have_no_log(runs):
    runs[0].with_name(runs[0].name + ".jsonl").unlink()
    cells = ["`one_output_lstm`", "1", "46.0 / 85.0", "80.0", "1,005", ""]
    assert figures.row("one_output_lstm", runs[:1]) == cells
