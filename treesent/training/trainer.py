"""The state of a run, and what one step and the end of an epoch do to it."""

import json
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pydantic import TypeAdapter
from torch import Tensor, nn

from treesent.data.batches import prefetch
from treesent.errors import DivergenceError, ModelError, RecipeError, TreesentError
from treesent.training.averaging import WeightAverage
from treesent.training.checkpoint import Checkpoint, prefixed, write_checkpoint
from treesent.training.gradients import RecordsSteps, layer_norms, layers
from treesent.training.log import Norms, divergence
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
from treesent.training.seeds import stream
from treesent.training.task import StreamState, Task

ALONE = Processes()


@dataclass(slots=True)
class Progress:
    """How far a run is; all of it goes into a checkpoint."""

    step: int = 0
    """Steps done."""
    epochs: int = 0
    """Epochs done and evaluated."""
    best: float | None = None
    """The best value of the metric on dev."""
    best_epoch: int = 0
    history: list[dict[str, Any]] = field(default_factory=list)
    """Of each epoch: its number, mean loss and metrics on dev."""


class _Loss(nn.Module):
    """The loss as a module, which is what DistributedDataParallel wraps."""

    def __init__(self, model: nn.Module, task: Task, config: TrainingConfig) -> None:
        super().__init__()
        self.model, self.task, self.config = model, task, config

    def forward(
        self, batch: Any, state: StreamState, generator: torch.Generator
    ) -> tuple[Tensor, StreamState]:
        return self.task.stream_loss(self.model, batch, state, generator, self.config)


@dataclass(frozen=True, slots=True)
class Shard:
    """What a process learns from at a step.

    :param batches: made by the task; several with ``training.accumulate``.
    :param counts: False if the whole batch had fewer items than there are processes, and none is left for this one.
    """

    batches: tuple[Any, ...]
    counts: bool


def on_thread(device: torch.device) -> bool:
    """Whether batches are made on another thread: only where the device computes beside the host.

    :param device: where the network is.
    """
    return device.type != "cpu"


class Trainer:
    """The state of a run, and what one step and the end of an epoch do to it.

    :param model: the network, on the device to train on.
    :param task: what it learns.
    :param config: the recipe's ``[training]``.
    :param signature: plain values that a checkpoint must have in common with the run that resumes it.
    :param processes: those that compute every batch together.
    """

    def __init__(
        self,
        model: nn.Module,
        task: Task,
        config: TrainingConfig,
        signature: dict[str, Any],
        processes: Processes = ALONE,
    ) -> None:
        self.model, self.task, self.config, self.processes = model, task, config, processes
        self.loss_module = processes.wrap(_Loss(model, task, config))
        self.signature = {**signature, "training": asdict(config)}
        self.device = next(model.parameters()).device
        self.optimizers = build_optimizers(model, config.optimizer)
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=config.precision == "float16")
        self.average = WeightAverage(model, config.average)
        self.parameters = [p for p in model.parameters() if p.requires_grad]
        self.generator = torch.Generator(self.device)
        self.steps_per_epoch = len(task.order(config, 0))
        self.progress = Progress()
        self.stream_state: StreamState = {}
        self.saved: int | None = None
        self.best: dict[str, Tensor] = {}
        self.epoch_loss = torch.zeros((), device=self.device)
        self.began = time.perf_counter()
        self.layers: dict[str, list[nn.Parameter]] = {}
        self.norms = Norms()

    def watch(self, gradients: bool) -> None:
        """Set whether the gradients of each layer are measured."""
        self.layers = layers(self.model) if gradients else {}
        if isinstance(self.model, RecordsSteps):
            self.model.record_steps = gradients

    def _measure(self) -> Norms:
        """Norms of the gradients as they are."""
        if not self.layers:
            return Norms()
        steps = self.model.state_gradient_norms() if isinstance(self.model, RecordsSteps) else None
        return Norms(tuple(self.layers), layer_norms(self.layers), steps)

    def out_of_patience(self) -> bool:
        """Whether ``training.patience`` epochs have passed without a better one."""
        waited = self.progress.epochs - self.progress.best_epoch
        return bool(self.config.patience) and waited >= self.config.patience

    def rest_of_epoch(self) -> Iterator[Shard]:
        """Make the batches of the epoch that are still to be learned from."""
        config, progress = self.config, self.progress
        batches = self.task.order(config, progress.epochs)
        batches = batches[progress.step - progress.epochs * self.steps_per_epoch :]
        ahead = on_thread(self.device)

        def make() -> Iterator[Shard]:
            for items in batches:
                own, counts = self.processes.shard(items)
                parts = np.array_split(own, min(config.accumulate, len(own)))
                made = (self.task.batch(part, self.device, non_blocking=ahead) for part in parts)
                yield Shard(tuple(made), counts)

        self.model.train()
        return prefetch(make) if ahead else make()

    def step(self, shard: Shard) -> tuple[dict[str, Any], Tensor, Tensor]:
        """Learn from a batch; return the line of the log, and on the device the loss and the gradient's norm."""
        config, step = self.config, self.progress.step
        factor = rate_factor(config.schedule, step, self.steps_per_epoch, config.max_epochs)
        set_rate(self.optimizers, factor)
        loss = torch.zeros((), device=self.device)
        for part, (batch, share) in enumerate(zip(shard.batches, self._shares(shard), strict=True)):
            loss += self._learn(batch, share, part)
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
        if self.processes.world_size > 1:
            loss = self.processes.sum(loss) / self.processes.world_size
        self.epoch_loss += loss
        self.progress.step += 1
        record = {
            "step": step + 1,
            "epoch": self.progress.epochs + 1,
            "learn_rate": config.optimizer.learn_rate * factor,
            "trees": sum(batch.n_trees for batch in shard.batches),
            "nodes": sum(batch.n_nodes for batch in shard.batches),
            "seconds": round(time.perf_counter() - self.began, 3),
        }
        return record, loss, norm

    def _shares(self, shard: Shard) -> list[Tensor | None]:
        """Give what to multiply the mean loss of each part by; None for the whole batch in one part."""
        world = self.processes.world_size
        if world == len(shard.batches) == 1:
            return [None]
        weights = (
            torch.stack([self.task.weight(batch, self.config) for batch in shard.batches]) * shard.counts
        )
        total = self.processes.sum(weights.sum()) if world > 1 else weights.sum()
        # Gradients are averaged over processes; with these weights, their mean is the whole batch's.
        return list(weights / total.clamp(min=torch.finfo(weights.dtype).tiny) * world)

    def _learn(self, batch: Any, share: Tensor | None, part: int) -> Tensor:
        """Add the gradient of a part of a batch; return its part of the loss."""
        config = self.config
        own = (self.processes.rank,) if self.processes.world_size > 1 else ()
        place = (self.progress.step, *own, *((part,) if part else ()))
        self.generator.manual_seed(stream(config.seed, 1, *place))
        reduced = config.precision != "float32"
        kind = getattr(torch, config.precision) if reduced else None
        with torch.autocast(self.device.type, kind, enabled=reduced):
            loss, self.stream_state = self.loss_module(batch, self.stream_state, self.generator)
        if share is not None:
            loss = loss * share
        self.scaler.scale(loss).backward()
        learnt: Tensor = loss.detach()
        return learnt

    def end_epoch(self) -> dict[str, Any]:
        """Evaluate on dev, keep the weights if they are the best so far, and return the line of the log."""
        progress = self.progress
        self.check_weights()
        with self.average.applied():
            value, metrics = self.processes.broadcast(self._evaluate() if self.processes.first else (0.0, {}))
            if better(self.config.metric, value, progress.best):
                progress.best, progress.best_epoch = value, progress.epochs + 1
                self.best = {name: t.detach().clone() for name, t in self.model.state_dict().items()}
        progress.epochs += 1
        record = {
            "step": progress.step,
            "epoch": progress.epochs,
            "mean_loss": float(self.epoch_loss) / self.steps_per_epoch,
            "dev": metrics,
            "best": progress.best_epoch == progress.epochs,
        }
        progress.history.append(record)
        self.epoch_loss.zero_()
        return {**record, "seconds": round(time.perf_counter() - self.began, 3)}

    def _evaluate(self) -> tuple[float, dict[str, Any]]:
        """The metric that chooses the best epoch, and all metrics."""
        scores = self.task.evaluate(self.model, self.device, self.config.eval_batch_size)
        return scores.metric(self.config.metric), scores.to_dict()

    def save(self, path: Path) -> None:
        """Have the first process write a checkpoint, with the stream state of each of them.

        :raises DivergenceError: the weights are not finite; the previous checkpoint stays.
        """
        self.check_weights()
        states = self.processes.gather({name: t.cpu() for name, t in self.stream_state.items()})
        if self.processes.first:
            write_checkpoint(path, self._checkpoint(states))
        self.saved = self.progress.step

    def check_weights(self) -> None:
        """Refuse weights that are not finite: an update can overflow though the loss and the gradient did not.

        :raises DivergenceError: a weight is NaN or infinite.
        """
        extremes = [torch.stack(torch.aminmax(p.detach())) for p in self.parameters if p.numel()]
        if extremes and not bool(torch.stack([pair.isfinite().all() for pair in extremes]).all()):
            step = self.progress.step
            factor = rate_factor(self.config.schedule, step - 1, self.steps_per_epoch, self.config.max_epochs)
            raise divergence(
                {
                    "step": step,
                    "epoch": (step - 1) // self.steps_per_epoch + 1,
                    "learn_rate": self.config.optimizer.learn_rate * factor,
                },
                "a weight is not finite",
            )

    @contextmanager
    def naming_checkpoint(self, path: Path | None) -> Iterator[None]:
        """Have a divergence say which checkpoint it left."""
        try:
            yield
        except DivergenceError as error:
            kept = (
                "No checkpoint had been written yet: start the training again"
                if path is None or self.saved is None
                else f"The checkpoint of step {self.saved} is kept: continue it with --resume and a lower value"
            )
            raise DivergenceError(f"{error}. {kept}") from error

    def _checkpoint(self, states: list[StreamState]) -> Checkpoint:
        tensors = prefixed("model.", self.model.state_dict())
        tensors |= prefixed("best.", self.best) | prefixed("average.", self.average.state_dict())
        for rank, state in enumerate(states):
            tensors |= prefixed(f"stream{rank}.", state)
        tensors["loss"] = self.epoch_loss
        values: dict[str, Any] = {
            "progress": asdict(self.progress),
            "signature": self.signature,
            "n_streams": len(states) if any(states) else 0,
            "scaler": self.scaler.state_dict(),
        }
        for i, optimizer in enumerate(self.optimizers):
            state, plain = optimizer_state(optimizer)
            tensors |= prefixed(f"optimizer{i}.", state)
            values[f"optimizer{i}"] = plain
        return Checkpoint(tensors, values)

    def restore(self, checkpoint: Checkpoint, may_change: Collection[str] = ()) -> None:
        """Continue from a checkpoint.

        :param checkpoint: made by a run with the same signature.
        :param may_change: dotted keys of the signature that may have changed since then.
        :raises RecipeError: the signature is another one.
        :raises ModelError: a part is missing, or of another type or shape.
        """
        try:
            self._restore(checkpoint, may_change)
        except TreesentError:
            raise
        # What a checkpoint of another program can lack or hold differs in many places.
        except (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError) as error:
            raise ModelError(
                f"the checkpoint does not fit this run ({error}); start the training again with --overwrite "
                "instead of --resume"
            ) from error

    def _restore(self, checkpoint: Checkpoint, may_change: Collection[str]) -> None:
        own_signature = json.loads(json.dumps(self.signature))
        _check_signature(checkpoint.values["signature"], own_signature, may_change)
        self.model.load_state_dict(checkpoint.part("model."))
        self.best = {name: t.to(self.device) for name, t in checkpoint.part("best.").items()}
        self.average.load_state_dict(checkpoint.part("average."))
        world_size, n_streams = self.processes.world_size, checkpoint.values["n_streams"]
        if n_streams not in (0, world_size):
            raise RecipeError(
                f"the interrupted run had {n_streams} processes, each with a stream state, but there are "
                f"{world_size} now; resume it with {n_streams}, or start again with --overwrite"
            )
        own = checkpoint.part(f"stream{self.processes.rank}.")
        self.stream_state = {name: t.to(self.device) for name, t in own.items()}
        self.epoch_loss.copy_(checkpoint.tensors["loss"])
        for i, optimizer in enumerate(self.optimizers):
            name = f"optimizer{i}"
            restore_optimizer(optimizer, checkpoint.part(f"{name}."), checkpoint.values[name])
        self.scaler.load_state_dict(checkpoint.values["scaler"])
        progress = checkpoint.values["progress"]
        if set(progress) != {part.name for part in fields(Progress)}:
            raise ModelError(f"its progress has the parts {sorted(progress)}")
        self.progress = TypeAdapter(Progress).validate_json(json.dumps(progress), strict=True)
        shapes = {name: weight.shape for name, weight in self.model.state_dict().items()}
        if self.progress.best_epoch and {name: t.shape for name, t in self.best.items()} != shapes:
            raise ModelError("the best weights in the checkpoint are not this network's")
        self.saved = self.progress.step


_FREE = ("training.max_epochs", "training.patience", "training.checkpoint_every", "training.eval_batch_size")
"""Settings that say how long a run lasts, not what it learns: they may change when it is resumed."""


def _check_signature(saved: Any, own: Any, may_change: Collection[str], name: str = "") -> None:
    """Refuse to continue with another recipe."""
    if isinstance(saved, dict) and isinstance(own, dict):
        for key in sorted(saved.keys() | own.keys()):
            place = f"{name}.{key}".lstrip(".")
            if place not in _FREE and place not in may_change:
                _check_signature(saved.get(key), own.get(key), may_change, place)
    elif saved != own:
        raise RecipeError(
            f"{name} is {own!r}, but {saved!r} in the run to resume; change it back, or start again with "
            "--overwrite"
        )
