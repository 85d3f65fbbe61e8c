"""From a recipe to a pipeline folder that ``spacy.load`` opens, or to the folder of another kind of model."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from treesent.files import recipe_path
from treesent.models.registry import FAMILIES
from treesent.nn.device import choose_device
from treesent.training.processes import own_device, processes
from treesent.training.recipe import read_recipe
from treesent.training.run import Run, Trained, checkpoint_folder

__all__ = ["Trained", "train"]


def train(
    recipe: str | Path,
    output: str | Path,
    *,
    overrides: Mapping[str, Any] | None = None,
    resume: bool = False,
    overwrite: bool = False,
    device: str = "auto",
    log: str | Path | None = None,
    gradients: bool = False,
    report: Callable[[dict[str, Any]], None] | None = None,
    progress_bar: bool = False,
) -> Trained:
    """Train a network and write it: a classifier as a spaCy pipeline, another kind in a folder of its own.

    Under ``torchrun`` the processes share every batch, and the first of them writes.

    While it runs, ``OUTPUT.checkpoint`` holds what ``resume`` goes on with; the folder appears at ``OUTPUT``
    when it is whole.

    :param recipe: a ``.cfg``, or the name of a packaged one; see :mod:`treesent.training.recipe`.
    :param output: the folder to write; one that is there already is replaced at the end, but for the
        README.md in it.
    :param overrides: values of the recipe by dotted key.
    :param resume: go on with a run that was interrupted, to the same weights as if it had not been.
    :param overwrite: drop the checkpoint of an interrupted run.
    :param device: ``auto``, ``cpu``, ``cuda``, ``cuda:1`` or ``mps``.
    :param log: a file for a JSON object a step.
    :param gradients: log the norm of each layer's gradient too.
    :param report: called after each epoch with its figures.
    :param progress_bar: draw one on stderr.
    :raises TreesentError: the recipe, its data or its vectors cannot be used, or the output is in the way.
    """
    settings = read_recipe(recipe_path(recipe), FAMILIES, overrides)
    family, place, output = settings.family, choose_device(own_device(device)), Path(output)
    reports = {"log": log, "gradients": gradients, "report": report, "progress_bar": progress_bar}
    with processes(place) as team:
        checkpoint = team.share(checkpoint_folder(output, resume, overwrite) if team.first else None)
        assert checkpoint is not None
        run = Run(settings, output, checkpoint, place, resume, team, reports)
        data = family.task(settings, place)
        model = family.build(settings, data, run.generator()).to(place)
        progress = run.fit(model, data.task, data.signature)
        scores: Any = None
        if team.first:
            scores = run.write(lambda folder: family.write(settings, data, model, folder, output.name))
        return Trained(output, progress, team.share(scores))
