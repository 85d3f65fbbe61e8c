"""A run: what a model of any family is trained with, and how its folder is written."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from treesent.errors import DivergenceError, OutputError
from treesent.training.folder import RunFolder
from treesent.training.loop import fit
from treesent.training.processes import Processes
from treesent.training.recipe import Recipe
from treesent.training.seeds import stream
from treesent.training.task import Scored, Task
from treesent.training.trainer import Progress

MAY_CHANGE = ("training.optimizer.learn_rate", "training.clip_norm", "training.clip_value")
"""Settings that may change when a run is resumed that has diverged: with the old ones it would diverge again."""


@dataclass(frozen=True, slots=True, eq=False)
class Trained:
    """The result of a run.

    :param folder: the pipeline, or the model of another family.
    :param progress: the run's epochs.
    :param dev: metrics on dev of the model as it is saved.
    """

    folder: Path
    progress: Progress
    dev: Scored


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """What a model of any family is trained with.

    :param recipe: read and checked.
    :param folder: the output, and the folder of the checkpoint beside it.
    :param device: where to train.
    :param resume: continue from the checkpoint.
    :param team: the processes that compute every batch together.
    :param reports: arguments of :func:`~treesent.training.loop.fit` that say how it reports: ``log``,
        ``gradients``, ``report`` and ``progress_bar``.
    """

    recipe: Recipe
    folder: RunFolder
    device: torch.device
    resume: bool
    team: Processes
    reports: Mapping[str, Any]

    @property
    def output(self) -> Path:
        """The folder to write."""
        return self.folder.output

    def generator(self) -> torch.Generator:
        """The source of a network's initial weights: the seed fixes them."""
        return torch.Generator().manual_seed(stream(self.recipe.training.seed, 0))

    def fit(self, model: nn.Module, task: Task, signature: dict[str, Any]) -> Progress:
        """Train, and leave the best weights in the model.

        :param model: on the device.
        :param task: what it learns.
        :param signature: what a resumed run must have in common with the interrupted one.
        :raises DivergenceError: the loss, the gradient or a weight is not finite; the last checkpoint is kept.
        """
        try:
            return fit(
                model,
                task,
                self.recipe.training,
                checkpoint=self.folder.checkpoint,
                resume=self.resume,
                may_change=MAY_CHANGE if self.folder.diverged else (),
                signature=signature,
                processes=self.team,
                **self.reports,
            )
        except DivergenceError as error:
            if self.team.first:
                self.folder.note_divergence(error)
            raise

    def write(self, make: Callable[[Path], Scored]) -> Scored:
        """Write the output: a new folder takes the place of the old one when it is whole.

        The README.md of the old one is kept. The checkpoint is removed at the end.

        :param make: writes the folder, which does not exist yet, and returns the scores on dev.
        :raises OutputError: it cannot be written; the checkpoint stays.
        """
        from safetensors import SafetensorError

        try:
            with self.folder.replacing_output() as partial:
                return make(partial)
        except SafetensorError as error:
            raise OutputError(f"{self.output} cannot be written: {error}") from error
