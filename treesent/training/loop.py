"""The training loop: minibatches of trees, a loss on every labelled node, the best weights on dev."""

import json
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from treesent.data.batches import prefetch
from treesent.errors import RecipeError
from treesent.training.averaging import WeightAverage
from treesent.training.checkpoint import Checkpoint, prefixed, read_checkpoint, write_checkpoint
from treesent.training.gradients import RecordsSteps, layer_norms, layers
from treesent.training.log import Norms, StepLog
from treesent.training.optimizers import (
    build_optimizers,
    clip,
    optimizer_state,
    rate_factor,
    restore_optimizer,
    set_rate,
)
from treesent.training.processes import Processes
from treesent.training.sections import TrainingConfig, better
from treesent.training.task import Task

ALONE = Processes()


@dataclass(slots=True)
class Progress:
    """How far a run has come; all of it goes into a checkpoint."""

    step: int = 0
    """Steps done."""
    epochs: int = 0
    """Epochs done and evaluated."""
    best: float | None = None
    """The best dev figure."""
    best_epoch: int = 0
    history: list[dict[str, Any]] = field(default_factory=list)
    """Of each epoch: its number, mean loss and dev figures."""


def fit(
    model: nn.Module,
    data: Task,
    config: TrainingConfig,
    *,
    checkpoint: Path | None = None,
    resume: bool = False,
    signature: dict[str, Any] | None = None,
    log: str | Path | None = None,
    gradients: bool = False,
    processes: Processes | None = None,
    report: Callable[[dict[str, Any]], None] | None = None,
    progress_bar: bool = False,
) -> Progress:
    """Train a network and leave its best weights in it.

    Equal seeds, settings, machine and number of threads give equal weights, bit for bit, whether or not the
    run was killed and resumed in between: the order of the trees and the dropout masks of a step depend on
    the seed and the step's number alone.

    :param model: the network, on the device to train on.
    :param data: the task.
    :param config: the recipe's ``[training]``.
    :param checkpoint: the file to write while training; None for none.
    :param resume: go on from that file.
    :param signature: plain values that a checkpoint must share with the run that resumes it.
    :param log: a file for a JSON object a step.
    :param processes: share every batch with other processes; the first one evaluates, and only it writes and
        reports. Without dropout the losses are those of one process with the whole batch.
    :param gradients: log the norm of each layer's gradient too, see :mod:`treesent.training.gradients`.
    :param report: called after each epoch with its figures.
    :param progress_bar: draw one on stderr.
    :raises TreesentError: the loss is not a number any more, or the checkpoint does not fit.
    """
    run = _Run(model, data, config, signature or {}, processes or ALONE)
    run.watch(gradients)
    if resume and checkpoint is not None:
        run.restore(read_checkpoint(checkpoint))
    if not run.processes.first:
        log, report, progress_bar = None, None, False
    done, may_skip = (run.progress.step, run.progress.epochs), config.precision == "float16"
    with StepLog(log, *done, may_skip) as steps, _bar(run, progress_bar) as bar:
        while run.progress.epochs < config.max_epochs and not run.out_of_patience():
            for batch in run.rest_of_epoch():
                steps.step(*run.step(batch), run.norms)
                bar.update()
                if checkpoint is not None and run.progress.step % config.checkpoint_every == 0:
                    steps.flush()
                    run.save(checkpoint)
            steps.flush()
            record = run.end_epoch()
            steps.epoch(record)
            if checkpoint is not None:
                run.save(checkpoint)
            if report is not None:
                report(record)
    model.load_state_dict(run.best)
    model.eval()
    return run.progress


class _Loss(nn.Module):
    """The loss as a module, which is what torch shares among processes."""

    def __init__(self, model: nn.Module, data: Task, config: TrainingConfig) -> None:
        super().__init__()
        self.model, self.data, self.config = model, data, config

    def forward(self, batch: Any, generator: torch.Generator) -> Tensor:
        return self.data.loss(self.model, batch, generator, self.config)


@dataclass(frozen=True, slots=True)
class _Share:
    """What a process learns from at a step, and whether it counts."""

    batch: Any
    counts: bool


class _Run:
    """The state of a run, and what one step and the end of an epoch do to it."""

    def __init__(
        self,
        model: nn.Module,
        data: Task,
        config: TrainingConfig,
        signature: dict[str, Any],
        processes: Processes = ALONE,
    ) -> None:
        self.model, self.data, self.config, self.processes = model, data, config, processes
        self.lossy = processes.wrap(_Loss(model, data, config))
        self.signature = {**signature, "training": asdict(config)}
        self.device = next(model.parameters()).device
        self.optimizers = build_optimizers(model, config.optimizer)
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=config.precision == "float16")
        self.average = WeightAverage(model, config.average)
        self.parameters = [p for p in model.parameters() if p.requires_grad]
        self.generator = torch.Generator(self.device)
        self.steps_per_epoch = len(data.order(config, 0))
        self.progress = Progress()
        self.best: dict[str, Tensor] = {}
        self.loss = torch.zeros((), device=self.device)  # of the epoch so far
        self.began = time.perf_counter()
        self.layers: dict[str, list[nn.Parameter]] = {}
        self.norms = Norms()

    def watch(self, gradients: bool) -> None:
        """Look at gradients layer by layer, or do not."""
        self.layers = layers(self.model) if gradients else {}
        if isinstance(self.model, RecordsSteps):
            self.model.record_steps = gradients

    def _measure(self) -> Norms:
        """Norms of the gradients as they are."""
        if not self.layers:
            return Norms()
        steps = self.model.step_gradient_norms() if isinstance(self.model, RecordsSteps) else None
        return Norms(tuple(self.layers), layer_norms(self.layers), steps)

    def out_of_patience(self) -> bool:
        waited = self.progress.epochs - self.progress.best_epoch
        return bool(self.config.patience) and waited >= self.config.patience

    def rest_of_epoch(self) -> Iterator[Any]:
        """Batches of the epoch that steps have not seen yet."""
        config, progress = self.config, self.progress
        batches = self.data.order(config, progress.epochs)
        batches = batches[progress.step - progress.epochs * self.steps_per_epoch :]
        wait = self.device.type == "cpu"

        def make() -> Iterator[Any]:
            for trees in batches:
                share, counts = self.processes.part(trees)
                yield _Share(self.data.batch(share, self.device, non_blocking=not wait), counts)

        self.model.train()
        return make() if wait else prefetch(make)

    def step(self, share: "_Share") -> tuple[dict[str, Any], Tensor, Tensor]:
        """Learn from a batch; give the step's figures, those on the device as tensors."""
        config, step, batch = self.config, self.progress.step, share.batch
        factor = rate_factor(config.schedule, step, self.steps_per_epoch, config.max_epochs)
        set_rate(self.optimizers, factor)
        own = (self.processes.rank,) if self.processes.size > 1 else ()
        self.generator.manual_seed(stream(config.seed, 1, step, *own))
        reduced = config.precision != "float32"
        kind = getattr(torch, config.precision) if reduced else None
        with torch.autocast(self.device.type, kind, enabled=reduced):
            loss = self.lossy(batch, self.generator)
        if self.processes.size > 1:
            # Gradients are averaged over processes: scaled so, their mean is that of the whole batch.
            weight = self.data.weight(batch, config) * share.counts
            total = self.processes.sum(weight).clamp(min=torch.finfo(weight.dtype).tiny)
            loss = loss * (weight / total * self.processes.size)
        self.scaler.scale(loss).backward()
        self.processes.add_rows(self.parameters)
        for optimizer in self.optimizers:
            self.scaler.unscale_(optimizer)
        self.norms = self._measure()
        norm = clip(self.parameters, config.clip_norm, config.clip_value)
        for optimizer in self.optimizers:
            self.scaler.step(optimizer)
            optimizer.zero_grad()
        self.scaler.update()
        self.average.update(step)
        if self.processes.size > 1:
            loss = self.processes.sum(loss) / self.processes.size
        self.loss += loss.detach()
        self.progress.step += 1
        record = {
            "step": step + 1,
            "epoch": self.progress.epochs + 1,
            "learn_rate": config.optimizer.learn_rate * factor,
            "trees": batch.n_trees,
            "nodes": batch.n_nodes,
            "seconds": round(time.perf_counter() - self.began, 3),
        }
        return record, loss, norm

    def end_epoch(self) -> dict[str, Any]:
        """Evaluate on dev, keep the weights where they are the best, and give the epoch's figures."""
        progress = self.progress
        with self.average.applied():
            figure, figures = self.processes.share(self._evaluate() if self.processes.first else (0.0, {}))
            if better(self.config.metric, figure, progress.best):
                progress.best, progress.best_epoch = figure, progress.epochs + 1
                self.best = {name: t.detach().clone() for name, t in self.model.state_dict().items()}
        progress.epochs += 1
        record = {
            "step": progress.step,
            "epoch": progress.epochs,
            "mean_loss": float(self.loss) / self.steps_per_epoch,
            "dev": figures,
            "best": progress.best_epoch == progress.epochs,
        }
        progress.history.append(record)
        self.loss.zero_()
        return {**record, "seconds": round(time.perf_counter() - self.began, 3)}

    def _evaluate(self) -> tuple[float, dict[str, Any]]:
        """The figure that chooses, and all others."""
        scores = self.data.evaluate(self.model, self.device, self.config.eval_batch_size)
        return scores.figure(self.config.metric), scores.to_dict()

    def save(self, path: Path) -> None:
        """Have the first process write a checkpoint, with what each of them carries along its stream."""
        carried = self.processes.gather({name: t.cpu() for name, t in self.data.state().items()})
        if self.processes.first:
            write_checkpoint(path, self._checkpoint(carried))

    def _checkpoint(self, carried: list[dict[str, Tensor]]) -> Checkpoint:
        tensors = prefixed("model.", self.model.state_dict())
        tensors |= prefixed("best.", self.best) | prefixed("average.", self.average.state())
        for rank, state in enumerate(carried):
            tensors |= prefixed(f"task{rank}.", state)
        tensors["loss"] = self.loss
        values: dict[str, Any] = {
            "progress": asdict(self.progress),
            "signature": self.signature,
            "carried": len(carried) if any(carried) else 0,
            "scaler": self.scaler.state_dict(),
        }
        for i, optimizer in enumerate(self.optimizers):
            state, plain = optimizer_state(optimizer)
            tensors |= prefixed(f"optimizer{i}.", state)
            values[f"optimizer{i}"] = plain
        return Checkpoint(tensors, values)

    def restore(self, checkpoint: Checkpoint) -> None:
        _check_signature(checkpoint.values["signature"], json.loads(json.dumps(self.signature)))
        self.model.load_state_dict(checkpoint.part("model."))
        self.best = {name: t.to(self.device) for name, t in checkpoint.part("best.").items()}
        self.average.restore(checkpoint.part("average."))
        size, carried = self.processes.size, checkpoint.values["carried"]
        if carried not in (0, size):
            raise RecipeError(
                f"the run to resume had states of {carried} processes, and there are {size} now; go on with "
                "as many, or begin with --overwrite"
            )
        own = checkpoint.part(f"task{self.processes.rank}.")
        self.data.restore({name: t.to(self.device) for name, t in own.items()})
        self.loss.copy_(checkpoint.tensors["loss"])
        for i, optimizer in enumerate(self.optimizers):
            name = f"optimizer{i}"
            restore_optimizer(optimizer, checkpoint.part(f"{name}."), checkpoint.values[name])
        self.scaler.load_state_dict(checkpoint.values["scaler"])
        self.progress = Progress(**checkpoint.values["progress"])


def stream(seed: int, *what: int) -> int:
    """Make the seed of one of the independent random streams of a run.

    :param seed: the run's seed.
    :param what: which stream, and which step of it.
    """
    return int(np.random.SeedSequence([seed, *what]).generate_state(1, np.uint64)[0] >> np.uint64(1))


def _bar(run: _Run, wanted: bool) -> Any:
    from tqdm import tqdm

    total = run.config.max_epochs * run.steps_per_epoch
    return tqdm(
        total=total,
        initial=run.progress.step,
        unit="step",
        disable=not wanted,
        file=sys.stderr,
        mininterval=0.5,
    )


_FREE = ("max_epochs", "patience", "checkpoint_every", "eval_batch_size")


def _check_signature(saved: Any, own: Any, name: str = "") -> None:
    """Refuse to go on with another recipe; how long a run may last is the exception."""
    if isinstance(saved, dict) and isinstance(own, dict):
        for key in sorted(saved.keys() | own.keys()):
            if key not in _FREE:
                _check_signature(saved.get(key), own.get(key), f"{name}.{key}".lstrip("."))
    elif saved != own:
        raise RecipeError(
            f"{name} is {own!r}, but {saved!r} in the run to resume; put it back, or begin with --overwrite"
        )
