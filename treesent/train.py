"""From a recipe to a pipeline folder that ``spacy.load`` opens."""

import shutil
import zlib
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from treesent import __version__
from treesent.architectures import KEY, build_network, network_config
from treesent.component import write_pipeline
from treesent.corpora import read_corpora, warn_of_chains, with_parser
from treesent.data.batches import EncodedCorpus
from treesent.errors import ModelError, RecipeError, TreesentError
from treesent.nn.embedding import VectorEmbedding
from treesent.paths import recipe_path
from treesent.pipeline_io import SentimentModel, check_classes
from treesent.train_parser import PARSER, PARSER_FILE, parser_config, read_parser, train_parser, write_parser
from treesent.training.bracket_score import BracketScores
from treesent.training.classifying import Data
from treesent.training.compact import fold_projection, round_table, round_weights
from treesent.training.device import choose_device
from treesent.training.documents import class_weights
from treesent.training.evaluation import evaluate_trees
from treesent.training.loop import Progress, fit, stream
from treesent.training.metrics import TreeScores, score_trees
from treesent.training.processes import Processes, own_device, processes
from treesent.training.recipe import LabelsConfig, Recipe, read_recipe
from treesent.training.reparse import reparsed
from treesent.training.vector_sources import load_vectors
from treesent.training.vectors import WorkingVectors, working_vectors
from treesent.vectors.table import VectorTable

CHECKPOINT = "checkpoint.safetensors"


@dataclass(frozen=True, slots=True, eq=False)
class Trained:
    """What a run gave.

    :param folder: the pipeline.
    :param progress: the run's epochs.
    :param dev: how the pipeline, as it is saved, does on the dev trees.
    """

    folder: Path
    progress: Progress
    dev: TreeScores | BracketScores


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
    """Train a network and write it as a spaCy pipeline; of a parser, write the parser.

    Under ``torchrun`` the processes share every batch, and the first of them writes.

    While it runs, ``OUTPUT.checkpoint`` holds what ``resume`` goes on with; the pipeline appears at
    ``OUTPUT`` when it is whole.

    :param recipe: a ``.cfg``, or the name of a packaged one; see :mod:`treesent.training.recipe`.
    :param output: the folder of the pipeline; one that is there already is replaced at the end, but for the
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
    settings = read_recipe(recipe_path(recipe), overrides)
    if settings.model.get(KEY) == PARSER:
        parser_config(settings.model)
    else:
        network_config(settings.model)
    place = choose_device(own_device(device))
    run: dict[str, Any] = {"log": log, "gradients": gradients, "report": report, "progress_bar": progress_bar}
    with processes(place) as team:
        folder = _checkpoint(Path(output), resume, overwrite) if team.first else None
        checkpoint = team.share(folder)
        assert checkpoint is not None
        return _train(settings, Path(output), checkpoint, place, run | {"processes": team}, resume)


def _train(
    settings: Recipe,
    output: Path,
    checkpoint: Path,
    place: torch.device,
    run: dict[str, Any],
    resume: bool,
) -> Trained:
    """Train with settings that were read; ``run`` holds arguments of :func:`fit`."""
    team: Processes = run["processes"]
    network: Any
    if settings.model.get(KEY) == PARSER:
        network, progress, brackets = train_parser(settings, checkpoint, place, run, resume=resume)
        if team.first:
            write_parser(output, network, brackets)
            shutil.rmtree(checkpoint)
        return Trained(output, progress, team.share(brackets))
    if settings.labels is not None:
        _check_classes(settings, settings.labels)
    corpora = read_corpora(settings)
    labels = corpora.labels
    _check_classes(settings, labels)
    n_classes = len(labels.names)
    table = load_vectors(settings.vectors)
    working, (train_rows, dev_rows) = working_vectors(table, [corpora.train.corpus, corpora.dev.corpus])
    parser = None if settings.parser is None else read_parser(settings.parser, table.width)
    if parser is None:
        warn_of_chains(corpora.train)
    else:
        train_rows = with_parser(train_rows, corpora.train, working.matrix, parser)
        dev_rows = with_parser(dev_rows, corpora.dev, working.matrix, parser)
        if settings.corpora.reparse and corpora.train.n_gold:
            gold = train_rows.take(np.arange(corpora.train.n_gold))
            train_rows += reparsed(gold, working.matrix, parser)
    seed = settings.training.seed
    network = build_network(
        settings.model,
        table.width,
        n_classes,
        VectorEmbedding(working.matrix, tune=settings.training.tune_vectors),
        _generator(seed),
    ).to(place)
    weights = class_weights(settings.training.class_weights, train_rows, n_classes)
    task = Data(
        train_rows,
        dev_rows,
        labels.polarity,
        settings.training.aggregate,
        None if weights is None else torch.from_numpy(weights).to(place),
        settings.training.word_dropout,
        len(working.matrix),
        table.width,
        seed,
    )
    progress = fit(
        network,
        task,
        settings.training,
        checkpoint=checkpoint / CHECKPOINT,
        resume=resume and (checkpoint / CHECKPOINT).exists(),
        signature=_signature(settings, labels, working, train_rows),
        **run,
    )
    if not team.first:  # the first one's figures are those of all
        return Trained(output, progress, team.share(_nothing(labels)))
    network = network.to("cpu")
    if settings.training.tune_vectors:
        table = working.tuned(network.embedding.table.detach().numpy())
    table = round_table(fold_projection(network, table), settings.training.save_precision)
    if table.matrix.dtype != np.float32:
        round_weights(network)
    network.embedding = VectorEmbedding(table.matrix, table.scale)
    dev_trees = replace(corpora.dev.corpus, structure=dev_rows.structure)
    aggregate = settings.training.aggregate
    dev = evaluate_trees(network, table, dev_trees, labels.polarity, aggregate=aggregate)
    model = _model(settings, labels, network, table)
    model.parser = parser
    _write(output, checkpoint, model, dev, aggregate)
    shutil.rmtree(checkpoint)
    return Trained(output, progress, team.share(dev))


def _generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(stream(seed, 0))


def _model(recipe: Recipe, labels: LabelsConfig, network: Any, table: VectorTable) -> SentimentModel:
    block = {**recipe.model, "projection": 0} if "projection" in recipe.model else dict(recipe.model)
    return SentimentModel(network.eval(), block, table, labels.names, labels.polarity)


def _check_classes(recipe: Recipe, labels: LabelsConfig) -> None:
    """Refuse classes, weights and a dev figure that make no sense, before an epoch is spent on them."""
    check_classes(labels.names, labels.polarity)
    weights, n_classes = recipe.training.class_weights, len(labels.names)
    if isinstance(weights, tuple) and len(weights) != n_classes:
        raise RecipeError(
            f"training.class_weights has {len(weights)} numbers for {n_classes} classes "
            f"({', '.join(labels.names)}); give one for each"
        )
    try:
        _nothing(labels).figure(recipe.training.metric)
    except TreesentError as error:
        raise RecipeError(f"training.metric is {recipe.training.metric!r}; {error}") from error


def _nothing(labels: LabelsConfig) -> TreeScores:
    """The figures of no tree at all."""
    none = np.zeros(0, np.int64)
    return score_trees(np.zeros((0, len(labels.names)), np.float32), none, none, labels.polarity)


def _signature(
    recipe: Recipe, labels: LabelsConfig, working: WorkingVectors, trees: EncodedCorpus
) -> dict[str, Any]:
    """What a run that goes on must share with the one that was interrupted, data included."""
    arrays: list[Any] = [working.matrix, trees.rows, trees.label, trees.structure.left]
    if trees.documents is not None:
        arrays += [trees.documents.offsets, trees.documents.target]
    return {
        "model": recipe.model,
        "labels": asdict(labels),
        "vectors": recipe.vectors,
        "corpora": {
            "train": recipe.corpora.train,
            "checksum": [zlib.crc32(np.ascontiguousarray(array).data) for array in arrays],
        },
    }


def _checkpoint(output: Path, resume: bool, overwrite: bool) -> Path:
    """Say where checkpoints go, once it is clear that the run may write there."""
    if (
        output.exists()
        and not (output / "meta.json").is_file()
        and not (output / PARSER_FILE).is_file()
        and (output.is_file() or any(output.iterdir()))
    ):
        raise ModelError(
            f"{output} is there and is neither a pipeline nor a parser; give another output, or delete it"
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


def _write(output: Path, checkpoint: Path, model: SentimentModel, dev: TreeScores, aggregate: str) -> None:
    """Write the pipeline beside the checkpoint and move it to its place when it is whole."""
    partial, old = checkpoint / "pipeline", checkpoint / "replaced"
    for folder in (partial, old):
        shutil.rmtree(folder, ignore_errors=True)
    name = output.name if output.name.isidentifier() else "treesent"
    meta = {
        "name": name.removeprefix("en_"),
        "version": __version__,
        "description": "Sentiment of every phrase",
        "performance": _performance(dev),
    }
    write_pipeline(partial, model, aggregate=aggregate, meta=meta)
    card = output / "README.md"
    if card.is_file():
        shutil.copy(card, partial)
    if output.exists():
        output.rename(old)
    partial.rename(output)


def _performance(dev: TreeScores) -> dict[str, float]:
    """Figures as meta.json holds them: of the dev trees, in percent."""
    return {
        f"dev_{place}_{figure}": round(value, 2)
        for place, figures in dev.to_dict().items()
        for figure, value in figures.items()
        if figure not in ("n", "confusion")
    }
