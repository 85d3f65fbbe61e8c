"""Print a row for pipelines/README.md: what the runs of a recipe with different seeds came to on dev.

    for seed in 0 1 2; do
      python -m treesent train NAME -o out/NAME_$seed --log out/NAME_$seed.jsonl --training.seed $seed
    done
    python -m tests.benchmarks.figures out/NAME_0 out/NAME_1 out/NAME_2

Folders that differ in the number after the last ``_`` alone are runs of one recipe. The figures are those of
the saved pipelines, in percent: five-class / binary, the mean and the standard deviation (of a sample) over
the runs. Seconds an epoch are those of the fastest one in the logs, ``FOLDER.jsonl``, where they are: what
the others took longer was the machine's other work. Parameters are without the vectors.
"""

import argparse
import json
import re
import statistics
from pathlib import Path

HEAD = ["recipe", "runs", "root", "all nodes", "parameters", "seconds an epoch"]
FIGURES = re.compile(r"dev_(root|nodes)_accuracy_\d+")


def recipes(folders):
    """Put the folders of each recipe together: its name, then the folders."""
    found = {}
    for folder in folders:
        found.setdefault(re.sub(r"_\d+$", "", folder.name), []).append(folder)
    return found


def spread(values, digits=1):
    """The mean, and the standard deviation where there is one."""
    mean = f"{statistics.mean(values):.{digits}f}"
    return mean if len(values) < 2 else f"{mean} ± {statistics.stdev(values):.{digits}f}"


def performance(folder):
    """The figures that a run wrote with its pipeline."""
    return json.loads((folder / "meta.json").read_text(encoding="utf-8"))["performance"]


def parameters(folder):
    """Numbers in the network, its vectors apart."""
    from safetensors import safe_open

    with safe_open(folder / "treesent" / "weights.safetensors", "np") as weights:
        return sum(weights.get_tensor(name).size for name in weights.keys())  # noqa: SIM118


def epoch_seconds(folders):
    """Seconds of every epoch in the logs of some runs; of a run that went on later, since then."""
    seconds = []
    for folder in folders:
        log = folder.with_name(folder.name + ".jsonl")
        lines = log.read_text(encoding="utf-8").splitlines() if log.is_file() else []
        ends = [record["seconds"] for record in map(json.loads, lines) if "dev" in record]
        steps = [end - begin for begin, end in zip([0.0, *ends], ends, strict=False)]
        seconds += [step for step in steps if step > 0]
    return seconds


def row(name, folders):
    """The cells of a recipe."""
    runs = [performance(folder) for folder in folders]
    cells = {"root": [], "nodes": []}
    for key in runs[0]:
        if place := FIGURES.fullmatch(key):
            cells[place[1]].append(spread([run[key] for run in runs]))
    seconds = epoch_seconds(folders)
    spent = f"{min(seconds):.0f}" if seconds else ""
    accuracies = map(" / ".join, cells.values())
    return [f"`{name}`", str(len(folders)), *accuracies, f"{parameters(folders[0]):,}", spent]


def main():
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.figures", description=__doc__)
    parser.add_argument("folders", nargs="+", type=Path, help="what treesent train wrote")
    options = parser.parse_args()
    for cells in (HEAD, ["---"] * len(HEAD)):
        print(f"| {' | '.join(cells)} |")
    for name, folders in recipes(options.folders).items():
        print(f"| {' | '.join(row(name, folders))} |")


if __name__ == "__main__":
    main()
