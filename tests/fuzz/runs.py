"""What interrupted runs leave: training checkpoints and the parts of a table.

Resumed, they end as an undisturbed run does, or are refused.
"""

import json
import zlib
from contextlib import suppress
from functools import cache
from pathlib import Path
from random import Random
from types import SimpleNamespace
from unittest.mock import patch

import numpy as np
import torch

from tests.fakes import FakePipeline
from tests.fuzz.kinds import Files, Kind, contents
from tests.fuzz.mutate import mutate_json
from treesent.errors import TreesentError
from treesent.scoring import ScoreOptions, parts, score
from treesent.training.loop import fit
from treesent.training.sections import OptimizerConfig, TrainingConfig
from treesent.training.task import Task

TEXTS = ["A fine film.", "", 'Not "good", I say.', "One. Two.", "   ", "Ünï 🙂 ok", "no words, no", "last"]
ROWS = [(f"r{i}", text, i) for i, text in enumerate(TEXTS)]
CSV = "id,text,n\n" + "".join(f'{i},"{text.replace(chr(34), chr(34) * 2)}",{n}\n' for i, text, n in ROWS)
OUTPUTS = ("csv", "jsonl", "parquet")
CHECKPOINT = "run.safetensors"
CONFIG = TrainingConfig(
    max_epochs=2,
    patience=0,
    average=0.9,
    checkpoint_every=2,
    optimizer=OptimizerConfig("adamw", 0.1, momentum=0.5),
)


class _Killed(BaseException):
    """Stands for a kill."""


class _Points(Task):
    """A line through six points: the smallest task that the loop trains."""

    n_train = 6

    def __init__(self, stop):
        self.left = stop

    def order(self, config, epoch):
        return [np.array([i, i + 1]) for i in (0, 2, 4)]

    def batch(self, items, device, non_blocking):
        return SimpleNamespace(x=torch.from_numpy(items).float()[:, None], n_trees=2, n_nodes=2)

    def loss(self, model, batch, *ignored):
        if self.left == 0:
            raise _Killed
        self.left = None if self.left is None else self.left - 1
        return ((model(batch.x) - 2 * batch.x) ** 2).sum()

    def weight(self, batch, config):
        return torch.tensor(2.0)

    def evaluate(self, model, device, batch_size):
        value = float(model.weight.detach().abs().sum())
        return SimpleNamespace(
            figure=lambda name: value, metric=lambda name: value, to_dict=lambda: {"value": value}
        )


def _train(file: Path, resume: bool, stop: int | None = None) -> dict[str, list]:
    torch.manual_seed(0)
    model = torch.nn.Linear(1, 1)
    progress = fit(model, _Points(stop), CONFIG, checkpoint=file, resume=resume)
    return {name: tensor.tolist() for name, tensor in model.state_dict().items()} | {"best": progress.best}


@cache
def _trained() -> dict[str, list]:
    return _train(None, False)


def _checkpoints(folder: Path) -> list[Files]:
    """One of the middle of an epoch and one after its end."""
    _trained()
    seeds = []
    for step in (2, 4):
        with suppress(_Killed):
            _train(folder / CHECKPOINT, False, step)
        seeds.append(contents(folder))
    return seeds


def _resume(folder: Path, files: Files) -> None:
    assert _train(folder / CHECKPOINT, True) == _trained(), "the resumed run ended with other weights"


def _resume_sealed(folder: Path, files: Files) -> None:
    _train(folder / CHECKPOINT, True)


def _seal(files: Files, rng: Random) -> Files:
    """Change a value that the checkpoint carries and write the right checksum beside it."""
    data = files.get(CHECKPOINT, b"")
    try:
        size = int.from_bytes(data[:8], "little")
        header = json.loads(data[8 : 8 + size])
        state = mutate_json(header["__metadata__"]["state"].encode(), rng)
        header["__metadata__"] |= {"state": state.decode(), "crc32": str(zlib.crc32(state))}
    except (ValueError, KeyError, TypeError, AttributeError):
        return files
    new = json.dumps(header).encode()
    return {CHECKPOINT: len(new).to_bytes(8, "little") + new + data[8 + size :]}


@cache
def _scored(kind: str) -> dict[str, bytes]:
    return {}


def _parts(folder: Path) -> list[Files]:
    """What runs that were stopped after two of four parts leave, for three kinds of output."""
    seeds = []
    (folder / "a.csv").write_text(CSV, "utf-8")

    def stop(done: int, total: int | None) -> None:
        if done >= 4:
            raise _Killed

    with patch.object(parts, "PART_TEXTS", dict.fromkeys(parts.PART_TEXTS, 2)):
        for kind in OUTPUTS:
            score(folder / "a.csv", folder / f"whole.{kind}", FakePipeline())
            _scored(kind)["whole"] = (folder / f"whole.{kind}").read_bytes()
            try:
                score(folder / "a.csv", folder / f"b.{kind}", FakePipeline(), progress=stop)
            except _Killed:
                left = contents(folder / f"b.{kind}.partial")
                seeds.append({f"b.{kind}.partial/{name}": data for name, data in left.items()})
    return seeds


def _finish(folder: Path, files: Files) -> None:
    """A run that is resumed writes the very bytes of an undisturbed one, or nothing."""
    kind = next((kind for kind in OUTPUTS if (folder / f"b.{kind}.partial").is_dir()), "csv")
    output = folder / f"b.{kind}"
    (folder / "a.csv").write_text(CSV, "utf-8")
    with patch.object(parts, "PART_TEXTS", dict.fromkeys(parts.PART_TEXTS, 2)):
        try:
            score(folder / "a.csv", output, FakePipeline(), ScoreOptions(resume=True))
        except TreesentError:
            assert not output.exists(), "an output of a run that failed"
            raise
    assert output.read_bytes() == _scored(kind)["whole"], "the resumed run wrote another output"


KINDS = [
    Kind("checkpoint", _checkpoints, _resume),
    Kind("checkpoint sealed", _checkpoints, _resume_sealed, mend=_seal),
    Kind("parts", _parts, _finish, 2),
]
