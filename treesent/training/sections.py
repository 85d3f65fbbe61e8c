"""The sections of a recipe that every kind of model reads; a family may extend them with settings of its own."""

import re
from dataclasses import field
from typing import Annotated, Literal

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt

from treesent.config import Dropout, File, Fraction, section
from treesent.data import sst
from treesent.data.dialect import Dialect
from treesent.data.row_rules import RowRules
from treesent.data.texts import is_labelled
from treesent.errors import RecipeError

CORPORA = ("train", "dev")
METRICS = {
    "bracket_f1": True,
    "exact_match": True,
    "perplexity": False,
    "bits_per_character": False,
    "free_perplexity": False,
}
"""Metrics of models other than classifiers, and whether more is better."""


@section
class CorporaConfig:
    """``[corpora]``: what to train on, and what to choose the best weights by.

    A corpus is a file of bracketed trees, one per line, or labelled texts: a table (csv, tsv, jsonl or parquet
    by its suffix, also compressed with gz, xz or bz2), a folder that ``datasets`` saved, or a dataset
    ``hf:NAME[:CONFIG][:SPLIT]`` of the Hugging Face hub, which is streamed. Texts get the trees of
    the pipeline's parser, or right-branching trees without one, and the loss is on the class of the text.
    """

    train: File | tuple[File, ...]
    """The corpora to train on: one, or a list in which trees and texts may be mixed."""
    dev: File | tuple[File, ...] = ()
    """The corpora to evaluate on; leave it out if ``dev_share`` holds out a part of ``train``."""
    dev_share: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Fraction of ``train`` to hold out for dev. The choice depends on the number of trees and texts, not on
    ``training.seed``."""
    dev_last: NonNegativeInt = 0
    """Language models only: number of texts at the end of ``train`` to hold out for dev; a fifth of them
    if that is more than half."""
    text_column: str = "text"
    """Column of a table or dataset that holds the texts; rows without text are skipped."""
    label_column: str = "label"
    """Column of the classes: their names, or numbers from 0 in the order of ``labels.names``."""
    quoted_tsv: bool = False
    """Treat ``"`` in tsv files as in csv files."""
    separator: str = ""
    """What separates the cells of csv and tsv files; empty to tell it by the header."""
    encoding: str = "utf-8"
    """Of text tables; a byte order mark says otherwise."""
    null: tuple[str, ...] = ()
    """Texts of tables that stand for no text, such as ``NULL``."""
    scale_column: str = ""
    """Column of a table with the number of classes that the row's label was chosen from: with 3 or fewer, "positive"
    stands for positive and very positive, and the loss is on both together."""
    split_column: str = ""
    """Column of a table with the part that the row is of, ``train`` or ``dev``; the others are not read."""
    skip_column: str = ""
    """Column of a table that is true in rows to leave out."""
    skip_unlabelled: bool = False
    """Leave rows of a table without a label out; else they are an error."""
    max_texts: NonNegativeInt = 0
    """Train on at most so many texts of one table, drawn at random; 0 for all."""
    unlabelled: File | tuple[File, ...] = ()
    """Tables of texts without labels, which a ``[teacher]`` labels."""
    max_unlabelled: NonNegativeInt = 0
    """Train on at most so many texts of one of them, drawn at random; 0 for all."""
    templates: File | tuple[File, ...] = ()
    """Files of templates, whose texts are learned from too: see :mod:`treesent.data.templates`."""
    reparse: bool = False
    """Train on every tree twice: as it is, and as the pipeline's parser has it, with the labels of the
    constituents that both trees have. Users' texts will have the parser's trees."""
    train_heads: File | tuple[File, ...] = ()
    """Files of dependency heads for the trees of ``train``, which turn them into dependency trees."""
    dev_heads: File | tuple[File, ...] = ()
    """Files of dependency heads for the trees of ``dev``."""

    def __post_init__(self) -> None:
        """Refuse a dev set that is given twice or not at all, and heads that do not fit."""
        held_out = [key for key in ("dev_share", "dev_last") if getattr(self, key)]
        given = [*held_out, *(["dev"] if self.files("dev") else [])]
        if len(given) > 1:
            first, second = given[:2]
            raise RecipeError(
                f"{first} is {getattr(self, first)}, but {second} is set too; remove one of them"
            )
        if not given:
            raise RecipeError("dev is missing; add it to [corpora], or hold texts out with dev_share = 0.1")
        heads = {f"{name}_heads" for name in CORPORA if self.files(f"{name}_heads")}
        for other in ("dev_share", "reparse"):
            if heads and getattr(self, other):
                raise RecipeError(f"{other} is set, but {min(heads)} is set too; remove one of them")
        if len(heads) == 1:
            missing = {"train_heads", "dev_heads"} - heads
            raise RecipeError(f"{min(heads)} is set without {min(missing)}; set both or neither")

    @property
    def dialect(self) -> Dialect:
        """How the tables are written."""
        return Dialect(self.quoted_tsv, self.separator or None, self.encoding, self.null)

    def row_rules(self, name: str) -> RowRules:
        """Say which rows of a table are read, and how.

        :param name: ``train`` or ``dev``.
        """
        most = self.max_texts if name == "train" else 0
        return RowRules(
            self.scale_column, self.split_column, name, self.skip_column, self.skip_unlabelled, most
        )

    @property
    def has_texts(self) -> bool:
        """Whether any corpus holds labelled texts."""
        return any(is_labelled(name) for part in CORPORA for name in self.files(part))

    @property
    def has_trees(self) -> bool:
        """Whether any corpus holds bracketed trees."""
        return not all(is_labelled(name) for part in CORPORA for name in self.files(part))

    def files(self, name: str) -> list[str]:
        """List the corpora of a key.

        :param name: ``train``, ``dev``, ``unlabelled``, ``templates``, ``train_heads`` or ``dev_heads``.
        """
        value: str | tuple[str, ...] = getattr(self, name)
        return [value] if isinstance(value, str) else list(value)


@section
class OptimizerConfig:
    """``[training.optimizer]``."""

    kind: Literal["adamw", "adagrad", "sgd"] = "adamw"
    """AdamW (Loshchilov and Hutter 2019), Adagrad (Duchi et al. 2011) or plain SGD."""
    learn_rate: PositiveFloat = 0.001
    """Learning rate at the start of the schedule."""
    vectors_learn_rate: PositiveFloat | None = None
    """Learning rate of tuned word vectors; null for ``learn_rate``."""
    weight_decay: NonNegativeFloat = 0.0
    """Decoupled in AdamW, an L2 penalty in the others; not applied to tuned vectors."""
    momentum: NonNegativeFloat = 0.0
    """Momentum of SGD."""
    beta1: Annotated[float, Field(ge=0, lt=1)] = 0.9
    """Decay of AdamW's average of the gradients."""
    beta2: Annotated[float, Field(ge=0, lt=1)] = 0.999
    """Decay of AdamW's average of the squared gradients."""
    eps: NonNegativeFloat = 1e-8
    """Added to the denominator of AdamW and Adagrad."""


@section
class ScheduleConfig:
    """``[training.schedule]``: the learning rate over the run."""

    kind: Literal["constant", "linear", "cosine", "exponential"] = "constant"
    """Linear and cosine fall to ``floor`` by the last of ``max_epochs``; exponential falls every epoch."""
    warmup: NonNegativeInt = 0
    """Number of steps over which the rate rises from 0."""
    floor: Fraction = 0.0
    """Final rate of linear and cosine, as a fraction of ``learn_rate``."""
    decay: Fraction = 0.95
    """Exponential: factor of the rate after each epoch."""


@section
class TrainingConfig:
    """``[training]``."""

    seed: NonNegativeInt = 0
    """Fixes the initial weights, the order of the trees, and dropout."""
    max_epochs: PositiveInt = 20
    """Largest number of epochs."""
    patience: NonNegativeInt = 5
    """Stop after this many epochs without a better result on dev; 0 runs all ``max_epochs``."""
    metric: str = "root.accuracy"
    """The dev metric that chooses the best weights. Classifiers: ``root`` or ``nodes``, a dot, then
    ``accuracy``, ``accuracy_2``, ``accuracy_5`` or ``macro_f1``; several joined by ``+`` stand for their mean.
    Parsers: ``bracket_f1`` or ``exact_match``. Language models: ``perplexity``, ``bits_per_character`` or
    ``free_perplexity``."""
    batch_size: PositiveInt = 25
    """Texts per step; a tree of a treebank is one text."""
    accumulate: PositiveInt = 1
    """Parts that the texts of a step are computed in, one after the other: less memory, the same gradient."""
    eval_batch_size: PositiveInt = 256
    """Texts per batch in evaluation."""
    tune_vectors: bool = False
    """Train the word vectors too, row by row."""
    save_precision: Literal["float32", "float16", "int8"] = "float32"
    """Precision of the vectors in the saved model. With float16 or int8 the weights are saved in half
    precision; so is all of a language model."""
    clip_norm: NonNegativeFloat = 5.0
    """Largest norm of all gradients together; 0 for no limit."""
    clip_value: NonNegativeFloat = 0.0
    """Largest absolute value in a gradient; 0 for no limit."""
    root_weight: PositiveFloat = 1.0
    """Weight of a root, or of a text, in the loss; other nodes have weight 1."""
    node_fraction: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Fraction of the labelled nodes below the roots that a step learns from, drawn for each batch."""
    aggregate: Literal["mean", "words", "last", "product"] = "mean"
    """How the classes of a text's sentences make the class of the text, in the loss and in the saved
    pipeline."""
    class_weights: Literal["balanced"] | tuple[NonNegativeFloat, ...] | None = None
    """Weight of each class in the loss: one number per class, or ``balanced`` for the inverse of its
    frequency."""
    calibrate: bool = False
    """Classifiers: fit a temperature on the dev texts at the end, so that of all results with a confidence of 0.8 about
    eight in ten are right (Guo et al. 2017)."""
    word_dropout: Dropout = 0.0
    """Fraction of the words of a batch whose vectors are set to zero (Iyyer et al. 2015, 3.2)."""
    average: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Decay of a running average of the weights, for example 0.999; the average is evaluated and saved."""
    precision: Literal["float32", "bfloat16", "float16"] = "float32"
    """Precision of matrix products. bfloat16 is fast if the processor supports it, and slow otherwise; float16
    is for GPUs without bfloat16, and scales the loss so that small gradients are kept (Micikevicius et al.
    2018)."""
    checkpoint_every: PositiveInt = 200
    """Steps between checkpoints; one is also written after each epoch."""
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    schedule: ScheduleConfig = field(default_factory=ScheduleConfig)

    def __post_init__(self) -> None:
        """Refuse class weights that are all zero, and an unknown metric."""
        if isinstance(self.class_weights, tuple) and not sum(self.class_weights) > 0:
            raise RecipeError(f"class_weights is {list(self.class_weights)}; at least one must be above 0")
        one = r"(root|nodes)\.(accuracy(_\d+)?|macro_f1)"
        if self.metric not in METRICS and not re.fullmatch(rf"{one}(\+{one})*", self.metric):
            raise RecipeError(
                f"metric is {self.metric!r}; must be {', '.join(METRICS)}, or root. or nodes. followed by "
                "accuracy, accuracy_N or macro_f1, several joined by +, for example 'root.accuracy_5'"
            )


@section
class LabelsConfig:
    """``[labels]``: the classes, the most negative first, and their polarity.

    If ``names`` is left out, treebanks have the five classes of the Stanford Sentiment Treebank, and tables
    have the classes in their label column, without polarity.
    """

    names: tuple[str, ...] = sst.LABELS
    """Names of the classes, two or more."""
    polarity: tuple[Annotated[float, Field(ge=-1, le=1)], ...] | None = sst.POLARITY
    """One number from -1 to 1 per class, or null if the classes have no polarity."""

    def __post_init__(self) -> None:
        """Refuse classes that cannot be told apart."""
        names = list(self.names)
        if len(names) < 2:
            raise RecipeError(f"names is {names}; must have two or more classes")
        if len(set(names)) < len(names):
            raise RecipeError(f"names is {names}; each name must be different")
        if self.polarity is not None and len(self.polarity) != len(names):
            raise RecipeError(
                f"polarity is {list(self.polarity)}; must be null, or one number from -1 to 1 for each of the "
                f"{len(names)} names"
            )


def better(metric: str, value: float, best: float | None) -> bool:
    """Tell whether a dev metric is better than the best so far.

    :param metric: its name.
    :param value: its value.
    :param best: the best value so far, or None.
    """
    return best is None or (value > best if METRICS.get(metric, True) else value < best)
