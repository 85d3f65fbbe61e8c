"""Train the teacher on a treebank."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from treesent.metrics.brackets import BracketScores, score_brackets
from treesent.models.parser.silver.hints import hints_of
from treesent.models.parser.silver.teacher import Names, Teacher, batches
from treesent.trees.brackets import read_trees
from treesent.trees.notation import unescape
from treesent.trees.structure import Structure
from treesent.trees.tree import Tree


def train_teacher(
    trees: Iterable[str | Path],
    dev: str | Path,
    transformer: str | Path,
    hints: str,
    *,
    epochs: int = 2,
    learn_rate: float = 1.5e-4,
    n_words: int = 1000,
    seed: int = 0,
    report: Callable[[int, BracketScores], None] | None = None,
) -> tuple[Teacher, BracketScores]:
    """Train a teacher on bracketed trees, and keep the weights that do best on dev.

    :param trees: the files to learn from.
    :param dev: the file to choose by.
    :param transformer: a model folder.
    :param hints: the name of a spaCy pipeline.
    :param epochs: number of passes over the trees.
    :param learn_rate: of the transformer; the layers on top have seven times that rate.
    :param n_words: approximate number of words in a batch.
    :param seed: fixes order, initial weights and dropout.
    :param report: called after each epoch with its number, from 1, and its scores on dev.
    :returns: the teacher, and its scores on dev.
    """
    torch.manual_seed(seed)
    generator = np.random.default_rng(seed)
    gold = [tree for path in trees for tree in read_trees(path)]
    train_words, dev_trees = [_words(tree) for tree in gold], list(read_trees(dev))
    train_hints = list(hints_of(hints, train_words))
    teacher = Teacher(transformer, Names.of(train_hints))
    train = [teacher.encode(*pair) for pair in zip(train_words, train_hints, strict=True)]
    dev_words = [_words(tree) for tree in dev_trees]
    dev_sentences = [
        teacher.encode(*pair) for pair in zip(dev_words, hints_of(hints, dev_words), strict=True)
    ]
    structure, expected = Structure.from_trees(gold), Structure.from_trees(dev_trees)
    encoder = [p for p in teacher.encoder.parameters() if p.requires_grad]
    known = set(map(id, teacher.encoder.parameters()))
    top = [p for p in teacher.parameters() if id(p) not in known]
    optimizer = torch.optim.AdamW(
        [{"params": encoder, "lr": learn_rate}, {"params": top, "lr": 7 * learn_rate}], betas=(0.9, 0.98)
    )
    plan = [list(batches(structure.lengths, n_words, generator)) for _ in range(epochs)]
    total, step = sum(map(len, plan)), 0
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min(1.0, (step + 1) / (0.08 * total)) * max(0.02, 1 - step / total)
    )
    best: tuple[float, dict[str, Any], BracketScores] | None = None
    for epoch, runs in enumerate(plan, start=1):
        teacher.train()
        for run in runs:
            with torch.autocast("cpu", torch.bfloat16):
                loss = teacher.loss([train[tree] for tree in run.tolist()], structure.take(run))
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(teacher.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            step += 1
        scores = score_brackets(expected, teacher.parse(dev_sentences))
        if report is not None:
            report(epoch, scores)
        if best is None or scores.f1 > best[0]:
            best = scores.f1, {k: v.clone() for k, v in teacher.state_dict().items()}, scores
    assert best is not None
    teacher.load_state_dict(best[1])
    return teacher, best[2]


def _words(tree: Tree) -> list[str]:
    return [unescape(word) for word in tree.words]
