"""Run every ``speed_*.py`` of this folder, print what it found and write benchmarks.json."""

import argparse
import importlib
import json
import platform
from pathlib import Path

import torch

from tests.benchmarks.timing import sgemm_rate

HERE = Path(__file__).parent


def main() -> None:
    """Run the benchmarks that the command line names, or all."""
    known = sorted(path.stem.removeprefix("speed_") for path in HERE.glob("speed_*.py"))
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", help=f"which to run, of {', '.join(known)}; all if none is given")
    parser.add_argument("--repeats", type=int, default=5, help="turns that count, after one that warms up")
    parser.add_argument("-o", "--output", type=Path, default=Path("benchmarks.json"))
    options = parser.parse_args()
    if unknown := set(options.names) - set(known):
        parser.error(f"no benchmark {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    torch.set_num_threads(1)
    results = json.loads(options.output.read_text()) if options.output.exists() else {}
    results["machine"] = {
        "processor": platform.processor() or platform.machine(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "sgemm_gflops": round(sgemm_rate(), 1),
    }
    print(f"machine: sgemm {results['machine']['sgemm_gflops']} GFLOP/s on one thread")
    for name in options.names or known:
        module = importlib.import_module(f"tests.benchmarks.speed_{name}")
        results[name] = module.run(options.repeats)
        print(module.report(results[name]), flush=True)
        options.output.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
