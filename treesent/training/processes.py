"""Data-parallel training: each of several processes computes a part of every batch (``torchrun``)."""

import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from treesent.errors import TreesentError
from treesent.types import Int64

Item = TypeVar("Item")
PATIENCE = timedelta(hours=2)
"""How long the other processes wait while the first one reads, evaluates or writes."""


@dataclass(frozen=True, slots=True)
class Processes:
    """The processes of a run, seen from one of them.

    :param rank: the number of this process, from 0.
    :param world_size: the number of processes; with one, every method returns at once.
    """

    rank: int = 0
    world_size: int = 1

    @property
    def first(self) -> bool:
        """Whether this is the process that evaluates, writes and reports."""
        return self.rank == 0

    def shard(self, texts: Int64) -> tuple[Int64, bool]:
        """Return this process's part of a batch.

        :param texts: the whole batch, at least one. *Shape:* ``(batch,)``.
        :returns: the part, and whether it counts: if there are fewer texts than processes, some processes get
            the first text with weight 0, so that every process takes every step.
        """
        shard = texts[self.rank :: self.world_size]
        return (shard, True) if len(shard) else (texts[:1], False)

    def wrap(self, step: nn.Module) -> nn.Module:
        """Average the gradients of a module over the processes.

        :param step: a module whose forward returns a loss.
        """
        if self.world_size == 1:
            return step
        # DistributedDataParallel knows row-wise gradients of torch's own embeddings only; see add_rows.
        tuned = [
            f"{name}.{own}"
            for name, module in step.named_modules()
            if getattr(module, "tune", False)
            for own, _ in module.named_parameters(recurse=False)
        ]
        parallel: Any = nn.parallel.DistributedDataParallel
        parallel._set_params_and_buffers_to_ignore_for_model(step, tuned)
        # A batch may not use all parameters: those of the composition, if all its trees are single words.
        wrapped: nn.Module = parallel(step, broadcast_buffers=False, find_unused_parameters=True)
        return wrapped

    def add_rows(self, parameters: Iterable[nn.Parameter]) -> None:
        """Average the row-wise gradients, those of tuned vectors, over the processes.

        :param parameters: all of them, the same in every process.
        """
        if self.world_size == 1:
            return
        for parameter in parameters:
            if parameter.grad is not None and parameter.grad.is_sparse:
                gradient = parameter.grad.coalesce()
                torch.distributed.all_reduce(gradient)
                parameter.grad = gradient / self.world_size

    def sum(self, value: Tensor) -> Tensor:
        """Sum a tensor over the processes, without a gradient.

        :param value: of any shape; it is not changed.
        """
        if self.world_size == 1:
            return value.detach()
        total = value.detach().clone()
        torch.distributed.all_reduce(total)
        return total

    def broadcast(self, value: Item) -> Item:
        """Return the first process's value in all processes.

        :param value: a plain value; those of the other processes are ignored.
        """
        if self.world_size == 1:
            return value
        box: list[Any] = [value]
        torch.distributed.broadcast_object_list(box, 0)
        return box[0]  # type: ignore[no-any-return]

    def gather(self, value: Item) -> list[Item]:
        """Collect the values of all processes in the first one.

        :param value: anything that can be pickled; it never leaves the run's own processes.
        :returns: the value of each rank in the first process, an empty list in the others.
        """
        if self.world_size == 1:
            return [value]
        box: list[Any] | None = [None] * self.world_size if self.first else None
        torch.distributed.gather_object(value, box, 0)
        return box or []


@contextmanager
def processes(device: torch.device) -> Iterator[Processes]:
    """Join the processes that ``torchrun`` started; without torchrun there is one.

    They communicate over gloo, which supports every device.

    :param device: where this process trains.
    :raises TreesentError: the device cannot be used by several processes.
    """
    world_size = int(os.environ.get("WORLD_SIZE", "1"))
    if world_size == 1 or "RANK" not in os.environ:
        yield Processes()
        return
    if device.type == "mps":
        raise TreesentError("--device mps: several processes cannot share this device; use --device cpu")
    torch.distributed.init_process_group("gloo", timeout=PATIENCE)
    try:
        yield Processes(torch.distributed.get_rank(), world_size)
        # No process may leave while another still communicates with it.
        torch.distributed.barrier()
    finally:
        torch.distributed.destroy_process_group()


def leave() -> None:
    """End this process at once if ``torchrun`` started it, when its work is done.

    gloo's threads may outlive their group, and an interpreter that exits while they run sometimes aborts
    ("terminate called without an active exception"), which torchrun reports as a failed run.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) > 1 and "RANK" in os.environ:
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:
                stream.flush()
        os._exit(0)


def is_first() -> bool:
    """Whether this process is the only one, or the first of those that ``torchrun`` started."""
    return os.environ.get("RANK", "0") == "0"


def own_device(device: str) -> str:
    """Choose the device of this process: each process on a machine takes its own GPU.

    :param device: as on the command line.
    """
    local = os.environ.get("LOCAL_RANK")
    if local is None or not torch.cuda.is_available() or device not in ("auto", "cuda"):
        return device
    return f"cuda:{int(local) % torch.cuda.device_count()}"
