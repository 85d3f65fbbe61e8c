"""From a recipe to a pipeline folder that ``spacy.load`` opens, or to the folder of another kind of model."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from treesent.errors import OutputError
from treesent.files import check_outputs, recipe_path
from treesent.models.classifier.parsers import CURE, lacks_parser
from treesent.models.registry import FAMILIES
from treesent.nn.device import choose_device
from treesent.training.folder import RunFolder
from treesent.training.processes import own_device, processes
from treesent.training.recipe import read_recipe
from treesent.training.run import Run, Trained

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
    announce: Callable[[str], None] = lambda text: None,
) -> Trained:
    """Train a network and write it: a classifier as a spaCy pipeline, another kind in a folder of its own.

    Under ``torchrun`` the processes compute every batch together, and the first of them writes.

    While it runs, ``OUTPUT.checkpoint`` holds what ``resume`` continues, and a lock that refuses a second training
    of the same output. The folder appears at ``OUTPUT`` when it is complete.

    :param recipe: a ``.cfg``, or the name of a packaged one; see :mod:`treesent.training.recipe`.
    :param output: the folder to write.
    :param overrides: values of the recipe by dotted key.
    :param resume: continue an interrupted run; it ends with the weights of an uninterrupted one.
    :param overwrite: replace the output, but for a README.md in it, and drop the checkpoint of an interrupted
        run. A folder that holds other files than treesent writes is never replaced.
    :param device: ``auto``, ``cpu``, ``cuda``, ``cuda:1`` or ``mps``.
    :param log: a file for a JSON object per step.
    :param gradients: log the norm of each layer's gradient too.
    :param report: called after each epoch with its line of the log.
    :param progress_bar: draw one on stderr.
    :param announce: called with what there is to say after the last epoch.
    :raises TreesentError: the recipe, its data or its vectors cannot be used, the output must not be replaced,
        there is nothing to resume, or the training has diverged.
    """
    path = recipe_path(recipe)
    settings = read_recipe(path, FAMILIES, overrides)
    family, place = settings.family, choose_device(own_device(device))
    files = ("README.md", *(pattern for each in FAMILIES for pattern in each.files))
    folder, inputs = RunFolder(Path(output), files), [path, *_paths(settings.to_dict())]
    reports = {"log": log, "gradients": gradients, "report": report, "progress_bar": progress_bar}
    with processes(place) as team:
        if team.first:
            folder.check(resume, overwrite, inputs)
            _check_log(log, folder, inputs, resume or overwrite)
        with folder.locked(resume, overwrite, inputs) if team.first else nullcontext():
            team.broadcast(None)  # the others wait until the first one has the folder
            run = Run(settings, folder, place, resume, team, reports)
            data = family.task(settings, place)
            model = family.build(settings, data, run.generator()).to(place)
            progress = run.fit(model, data.task, data.signature)
            scores: Any = None
            if team.first:
                announce(f"evaluating the weights of epoch {progress.best_epoch} on dev, as they are saved")
                scores = run.write(lambda made: family.write(settings, data, model, made, run.output.name))
                if lacks_parser(settings, run.output):
                    announce(f"{run.output} has no parser, so raw texts get right-branching trees: {CURE}")
            return Trained(run.output, progress, team.broadcast(scores))


def _check_log(log: str | Path | None, folder: RunFolder, inputs: list[Path], may_exist: bool) -> None:
    check_outputs([log], inputs, overwrite=may_exist, make_folders=True)
    for taken in (folder.output, folder.path):
        if log is not None and Path(log).resolve().is_relative_to(taken.resolve()):
            raise OutputError(f"{log} lies in {taken}, which is replaced; put the log elsewhere")


def _paths(values: Any) -> Iterator[Path]:
    """All files and folders that a recipe names; the paths in it are absolute."""
    if isinstance(values, Mapping):
        values = values.values()
    elif isinstance(values, str | Path):
        path = Path(values)
        if path.is_absolute() and path.exists():
            yield path
        return
    elif not isinstance(values, list | tuple):
        return
    for value in values:
        yield from _paths(value)
