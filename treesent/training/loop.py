"""The training loop: steps over batches, evaluation after each epoch, the best weights on dev at the end."""

import sys
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

from torch import nn

from treesent.training.checkpoint import read_checkpoint
from treesent.training.log import StepLog
from treesent.training.processes import Processes
from treesent.training.sections import TrainingConfig
from treesent.training.task import Task
from treesent.training.trainer import ALONE, Progress, Trainer


def fit(
    model: nn.Module,
    task: Task,
    config: TrainingConfig,
    *,
    checkpoint: Path | None = None,
    resume: bool = False,
    may_change: Collection[str] = (),
    signature: dict[str, Any] | None = None,
    log: str | Path | None = None,
    gradients: bool = False,
    processes: Processes | None = None,
    report: Callable[[dict[str, Any]], None] | None = None,
    progress_bar: bool = False,
) -> Progress:
    """Train a network and leave its best weights in it.

    Equal seeds, settings, machine and number of threads give equal weights, bit for bit, whether or not the
    run was killed and resumed in between: the order of the items and the dropout masks of a step depend on
    the seed and the step's number alone.

    :param model: the network, on the device to train on.
    :param task: what it learns.
    :param config: the recipe's ``[training]``.
    :param checkpoint: the file to write while training; None for none.
    :param resume: continue from that file.
    :param may_change: dotted keys of the signature, such as ``training.clip_norm``, that may have changed since.
    :param signature: plain values that a checkpoint must have in common with the run that resumes it.
    :param log: a file for a JSON object per step.
    :param gradients: log the norm of each layer's gradient too, see :mod:`treesent.training.gradients`.
    :param processes: those that compute every batch together; the first one evaluates, and only it writes and
        reports. Without dropout the losses are those of one process with the whole batch.
    :param report: called after each epoch with its line of the log.
    :param progress_bar: draw one on stderr.
    :raises DivergenceError: the loss, the gradient or a weight is not finite; the last checkpoint is kept.
    :raises TreesentError: the checkpoint is damaged or of another run.
    """
    run = Trainer(model, task, config, signature or {}, processes or ALONE)
    run.watch(gradients)
    if resume and checkpoint is not None:
        run.restore(read_checkpoint(checkpoint), may_change)
    if not run.processes.first:
        log, report, progress_bar = None, None, False
    done, may_skip = (run.progress.step, run.progress.epochs), config.precision == "float16"
    with (
        run.naming_checkpoint(checkpoint),
        StepLog(log, *done, may_skip) as steps,
        _bar(run, progress_bar) as bar,
    ):
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


def _bar(run: Trainer, wanted: bool) -> Any:
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
