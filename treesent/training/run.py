"""A run: what any kind of model is trained with, and how its folder comes to its place."""

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from treesent.errors import ModelError, RecipeError
from treesent.training.loop import Progress, fit, stream
from treesent.training.processes import Processes
from treesent.training.recipe import Recipe
from treesent.training.task import Scored, Task

CHECKPOINT = "checkpoint.safetensors"
MARKS = ("meta.json", "parser.safetensors", "language_model.safetensors", "encoder_decoder.safetensors")
"""Files by which a folder that a run wrote is known: such a folder may be replaced."""


@dataclass(frozen=True, slots=True, eq=False)
class Trained:
    """What a run gave.

    :param folder: the pipeline, or the model of another kind.
    :param progress: the run's epochs.
    :param dev: how the model, as it is saved, does on dev.
    """

    folder: Path
    progress: Progress
    dev: Scored


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """What a kind of model is trained with.

    :param recipe: read and checked.
    :param output: the folder to write.
    :param checkpoint: the folder to work in, which is beside it.
    :param device: where to train.
    :param resume: go on from a checkpoint.
    :param team: the processes that share every batch.
    :param reports: arguments of :func:`~treesent.training.loop.fit` that tell how it goes: ``log``,
        ``gradients``, ``report`` and ``progress_bar``.
    """

    recipe: Recipe
    output: Path
    checkpoint: Path
    device: torch.device
    resume: bool
    team: Processes
    reports: Mapping[str, Any]

    def generator(self) -> torch.Generator:
        """Where a network's first weights come from: the seed fixes them."""
        return torch.Generator().manual_seed(stream(self.recipe.training.seed, 0))

    def fit(self, model: nn.Module, task: Task, signature: dict[str, Any]) -> Progress:
        """Train, and leave the best weights in the model.

        :param model: on the device.
        :param task: what it learns.
        :param signature: what a run that goes on must share with the one that was interrupted.
        """
        file = self.checkpoint / CHECKPOINT
        return fit(
            model,
            task,
            self.recipe.training,
            checkpoint=file,
            resume=self.resume and file.exists(),
            signature=signature,
            processes=self.team,
            **self.reports,
        )

    def write(self, make: Callable[[Path], Scored]) -> Scored:
        """Have a folder made beside the checkpoint, and move it to its place when it is whole.

        What was at the place is replaced, but for its README.md.

        :param make: writes the folder, which does not exist yet, and gives the scores on dev.
        """
        partial, old = self.checkpoint / "made", self.checkpoint / "replaced"
        for folder in (partial, old):
            shutil.rmtree(folder, ignore_errors=True)
        scores = make(partial)
        card = self.output / "README.md"
        if card.is_file():
            shutil.copy(card, partial)
        if self.output.exists():
            self.output.rename(old)
        partial.rename(self.output)
        shutil.rmtree(self.checkpoint)
        return scores


def checkpoint_folder(output: Path, resume: bool, overwrite: bool) -> Path:
    """Say where checkpoints go, once it is clear that the run may write there.

    :param output: the folder that the run will write.
    :param resume: whether the run goes on with an interrupted one.
    :param overwrite: whether it drops that one.
    :raises TreesentError: there is something else at the output, or an interrupted run.
    """
    written = any((output / mark).is_file() for mark in MARKS)
    if output.exists() and not written and (output.is_file() or any(output.iterdir())):
        raise ModelError(
            f"{output} is there and is neither a pipeline nor a model; give another output, or delete it"
        )
    checkpoint = output.with_name(output.name + ".checkpoint")
    if checkpoint.exists() and not resume:
        if not overwrite and (checkpoint / CHECKPOINT).exists():
            raise RecipeError(
                f"{checkpoint} is left from a run that was interrupted; go on with it by --resume, or drop "
                "it by --overwrite"
            )
        shutil.rmtree(checkpoint)
    return checkpoint
