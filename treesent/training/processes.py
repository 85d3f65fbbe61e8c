"""Several processes that train one network: each learns from a share of every batch (``torchrun``)."""

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
"""How long the others wait while the first process reads, evaluates or writes."""


@dataclass(frozen=True, slots=True)
class Processes:
    """The processes of a run, seen from one of them.

    :param rank: which one this is, from 0.
    :param size: how many there are; with one, nothing here does anything.
    """

    rank: int = 0
    size: int = 1

    @property
    def first(self) -> bool:
        """Whether this is the one that evaluates, writes and speaks."""
        return self.rank == 0

    def part(self, texts: Int64) -> tuple[Int64, bool]:
        """Give this process's share of a batch.

        :param texts: the whole batch, at least one. *Shape:* ``(batch,)``.
        :returns: the share, and whether it counts: where there are fewer texts than processes, one text
            stands in for nothing, so that every process takes every step.
        """
        share = texts[self.rank :: self.size]
        return (share, True) if len(share) else (texts[:1], False)

    def wrap(self, step: nn.Module) -> nn.Module:
        """Make backward passes through a module add up over the processes.

        :param step: a module whose forward gives a loss.
        """
        if self.size == 1:
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
        # A batch may leave parameters out: those of the composition where all its trees are single words.
        wrapped: nn.Module = parallel(step, broadcast_buffers=False, find_unused_parameters=True)
        return wrapped

    def add_rows(self, parameters: Iterable[nn.Parameter]) -> None:
        """Average the row-wise gradients, those of tuned vectors, over the processes.

        :param parameters: all of them, the same in every process.
        """
        if self.size == 1:
            return
        for parameter in parameters:
            if parameter.grad is not None and parameter.grad.is_sparse:
                gradient = parameter.grad.coalesce()
                torch.distributed.all_reduce(gradient)
                parameter.grad = gradient / self.size

    def sum(self, value: Tensor) -> Tensor:
        """Add a tensor up over the processes, without a gradient.

        :param value: of any shape; it is left as it is.
        """
        if self.size == 1:
            return value.detach()
        total = value.detach().clone()
        torch.distributed.all_reduce(total)
        return total

    def share(self, value: Item) -> Item:
        """Give all processes what the first one has.

        :param value: a plain value; what the others give is not looked at.
        """
        if self.size == 1:
            return value
        box: list[Any] = [value]
        torch.distributed.broadcast_object_list(box, 0)
        return box[0]  # type: ignore[no-any-return]

    def gather(self, value: Item) -> list[Item]:
        """Give the first process what each of them has.

        :param value: what can be pickled.
        :returns: of each process, in their order; nothing in the others.
        """
        if self.size == 1:
            return [value]
        box: list[Any] | None = [None] * self.size if self.first else None
        torch.distributed.gather_object(value, box, 0)
        return box or []


@contextmanager
def processes(device: torch.device) -> Iterator[Processes]:
    """Join the processes that ``torchrun`` started; without it there is one.

    They speak over gloo, which knows every device.

    :param device: where this process trains.
    :raises TreesentError: what torchrun has set makes no sense.
    """
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1 or "RANK" not in os.environ:
        yield Processes()
        return
    if device.type == "mps":
        raise TreesentError("--device mps: there is one such device, and several processes; use --device cpu")
    torch.distributed.init_process_group("gloo", timeout=PATIENCE)
    try:
        yield Processes(torch.distributed.get_rank(), size)
        # None leaves while another still speaks to it.
        torch.distributed.barrier()
    finally:
        torch.distributed.destroy_process_group()


def leave() -> None:
    """End this process at once where ``torchrun`` started it and its work is done.

    gloo's threads may outlive the group they served, and an interpreter that is taken down around them aborts
    now and then ("terminate called without an active exception"), which torchrun calls a failed run.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) > 1 and "RANK" in os.environ:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)


def is_first() -> bool:
    """Whether this process is the only one, or the first of those that ``torchrun`` started."""
    return os.environ.get("RANK", "0") == "0"


def own_device(device: str) -> str:
    """Name the device of this process: of several on one machine, each takes its own GPU.

    :param device: as on the command line.
    """
    local = os.environ.get("LOCAL_RANK")
    if local is None or not torch.cuda.is_available() or device not in ("auto", "cuda"):
        return device
    return f"cuda:{int(local) % torch.cuda.device_count()}"
