"""Recipes: what to train, on which vectors, with which numbers, as a confection ``.cfg``.

A recipe has the sections

- ``[vectors]``: a block that resolves to a :class:`~treesent.vectors.table.VectorTable`; see
  :mod:`treesent.training.sources` for the registered ones;
- ``[model]``: the very block that ``[components.treesent.model]`` takes in a spaCy config; and beside it
  ``[model.encoder]``: :class:`EncoderSource`, where a recurrent network's first weights come from;
- ``[corpora]``: :class:`CorporaConfig`; ``[training]``: :class:`TrainingConfig`, with its parts
  ``[training.optimizer]`` and ``[training.schedule]``; ``[labels]``: :class:`LabelsConfig`;
- ``[parser]``: :class:`ParserSource`, the parser that the pipeline gets;
- ``[paths]``: any names, for ``${paths.NAME}`` elsewhere.

``${section.key}`` stands for a value of the recipe and ``${env.NAME}`` for a variable of the environment. A
relative path is looked for in the recipe's folder first and then in the working directory. A command line
overrides values with ``--section.key value``.
"""

import configparser
import os
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from treesent.config import nearest, read_section
from treesent.data import sst
from treesent.data.tables import table_kind
from treesent.data.texts import is_dataset
from treesent.errors import DataError, RecipeError
from treesent.models.language.scheduled_sampling import ScheduledSampling

SECTIONS = ("paths", "vectors", "model", "parser", "corpora", "training", "labels")
CORPORA = ("train", "dev")
METRICS = {
    "bracket_f1": True,
    "exact_match": True,
    "perplexity": False,
    "bits_per_character": False,
    "free_perplexity": False,
}
"""Figures of models other than classifiers, and whether more is better."""
_ENVIRONMENT = re.compile(r"^[ \t]*[#;].*|\$\{env\.(\w+)\}", re.MULTILINE)  # comments stay as they are


@dataclass(frozen=True, slots=True)
class CorporaConfig:
    """``[corpora]``: what to learn from and what to choose the best weights by.

    A corpus is a file of bracketed trees, one a line; or labelled texts: a table (csv, tsv, jsonl, parquet,
    by its suffix; compressed with gz, xz or bz2 too), a folder that ``datasets`` saved, or a dataset
    ``hf:NAME[:CONFIG][:SPLIT]`` of the Hugging Face hub, which is streamed. The trees of texts are those of
    ``[parser]``, right-branching without one, and the loss is on the text's class.
    """

    train: str | tuple[str, ...]
    """A corpus, or a list of them, trees and texts mixed."""
    dev: str | tuple[str, ...] = ()
    """The same; or nothing, with a ``dev_share``."""
    dev_share: float = 0.0
    """Hold out this share of ``train`` for dev. Which trees and texts depends on their number alone, not on
    ``training.seed``: :func:`treesent.models.classifier.corpora.held_out`."""
    dev_last: int = 0
    """Of a language model: hold out this many texts at the end of ``train`` for dev."""
    text_column: str = "text"
    """The column of a table or dataset that holds the texts; rows without text are left out."""
    label_column: str = "label"
    """The column of the classes: their names, or numbers from 0 in the order of ``labels.names``."""
    quoted_tsv: bool = False
    """Read ``"`` in tsv as csv does."""
    reparse: bool = False
    """Learn from every tree of ``train`` twice: in its own tree, and in that of ``[parser]`` with the
    labels of the constituents that both have. Users' texts come in the parser's trees."""
    train_heads: str | tuple[str, ...] = ()
    """Files of heads for the trees of ``train``, which turn them into dependency trees: see
    :mod:`treesent.data.heads`."""
    dev_heads: str | tuple[str, ...] = ()
    """The same for ``dev``."""

    def __post_init__(self) -> None:
        """Refuse a dev that is given twice or not at all."""
        _check(0 <= self.dev_share < 1, "dev_share", self.dev_share, "from 0 to below 1")
        if self.dev_share and self.files("dev"):
            raise RecipeError(f"dev_share is {self.dev_share}, but dev is given too; keep one of them")
        _at_least(self, 0, "dev_last")
        if self.dev_last and (self.dev_share or self.files("dev")):
            other = "dev_share" if self.dev_share else "dev"
            raise RecipeError(f"dev_last is {self.dev_last}, but {other} is given too; keep one of them")
        if not self.dev_share and not self.dev_last and not self.files("dev"):
            raise RecipeError("dev is missing; add it to [corpora], or dev_share = 0.1, say")
        heads = {f"{name}_heads" for name in CORPORA if self.files(f"{name}_heads")}
        for other in ("dev_share", "reparse"):
            if heads and getattr(self, other):
                raise RecipeError(f"{other} is given, but {min(heads)} too; keep one of them")
        if len(heads) == 1:
            missing = {"train_heads", "dev_heads"} - heads
            raise RecipeError(f"{min(heads)} is given without {min(missing)}; give both or neither")

    @property
    def has_texts(self) -> bool:
        """Whether any corpus is of labelled texts."""
        return any(is_labelled(name) for part in CORPORA for name in self.files(part))

    @property
    def has_trees(self) -> bool:
        """Whether any corpus is of bracketed trees."""
        return not all(is_labelled(name) for part in CORPORA for name in self.files(part))

    def files(self, name: str) -> list[str]:
        """List the corpora of a kind.

        :param name: ``train``, ``dev``, ``train_heads`` or ``dev_heads``.
        """
        value: str | tuple[str, ...] = getattr(self, name)
        return [value] if isinstance(value, str) else list(value)


@dataclass(frozen=True, slots=True)
class OptimizerConfig:
    """``[training.optimizer]``."""

    kind: Literal["adamw", "adagrad", "sgd"] = "adamw"
    """AdamW (Loshchilov and Hutter 2019), Adagrad (Duchi et al. 2011) or plain SGD."""
    learn_rate: float = 0.001
    vectors_learn_rate: float | None = None
    """For tuned vectors; null for the same."""
    weight_decay: float = 0.0
    """Decoupled in AdamW, an L2 penalty in the others; not applied to tuned vectors."""
    momentum: float = 0.0
    """SGD only."""
    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-8

    def __post_init__(self) -> None:
        """Refuse numbers that make no sense."""
        _at_least(self, 0.0, "weight_decay", "momentum")
        _check(self.learn_rate > 0, "learn_rate", self.learn_rate, "a number above 0")
        _check((self.vectors_learn_rate or 1) > 0, "vectors_learn_rate", self.vectors_learn_rate, "above 0")
        for name in ("beta1", "beta2"):
            _check(0 <= getattr(self, name) < 1, name, getattr(self, name), "from 0 to below 1")


@dataclass(frozen=True, slots=True)
class ScheduleConfig:
    """``[training.schedule]``: the learning rate over the run."""

    kind: Literal["constant", "linear", "cosine", "exponential"] = "constant"
    """Linear and cosine fall to ``floor`` at the last of ``max_epochs``; exponential falls each epoch."""
    warmup: int = 0
    """Steps over which the rate rises from 0."""
    floor: float = 0.0
    """Share of the rate at the end of linear and cosine."""
    decay: float = 0.95
    """Exponential: what the rate is multiplied by after each epoch."""

    def __post_init__(self) -> None:
        """Refuse numbers that make no sense."""
        _at_least(self, 0, "warmup")
        for name in ("floor", "decay"):
            _check(0 <= getattr(self, name) <= 1, name, getattr(self, name), "from 0 to 1")


@dataclass(frozen=True, slots=True)
class TrainingConfig:
    """``[training]``."""

    seed: int = 0
    """Fixes the first weights, the order of the trees and dropout."""
    max_epochs: int = 20
    patience: int = 5
    """Stop after this many epochs without a better dev figure; 0 to run all ``max_epochs``."""
    metric: str = "root.accuracy"
    """The dev figure that chooses the weights: ``root`` or ``nodes``, a dot, then ``accuracy``,
    ``accuracy_2``, ``accuracy_5`` or ``macro_f1``; of a parser ``bracket_f1`` or ``exact_match``; all in
    percent. Several of a classifier's, joined by ``+``, stand for their mean, as in
    ``root.accuracy_5+root.accuracy_2``. Of a language model ``perplexity`` or ``bits_per_character``."""
    batch_size: int = 25
    """Texts a step; a tree of a treebank is a text."""
    eval_batch_size: int = 256
    window: int = 64
    """Of a language model: symbols of a step in each of ``batch_size`` lanes, through which gradients go back
    (truncated back-propagation through time); states are carried on to the next window."""
    epoch_steps: int = 0
    """Of a language model: windows after which dev is looked at; 0 for all of a pass over the texts."""
    eval_texts: int = 0
    """Of a language model: how many texts of dev are looked at then; 0 for all. At the end all are."""
    scheduled_sampling: ScheduledSampling = field(default_factory=ScheduledSampling)
    """Of a language model: ``[training.scheduled_sampling]``, how often it reads its own draws."""
    free_running: bool = False
    """Of a language model: look at how it does on its own draws, too: ``free_perplexity``."""
    tune_vectors: bool = False
    """Train the word vectors too, row by row."""
    save_precision: Literal["float32", "float16", "int8"] = "float32"
    """Of the vectors in the pipeline that is written; in fewer bits, its weights are in half precision;
    so is all of a language model."""
    clip_norm: float = 5.0
    """Largest norm of all gradients together; 0 for no limit."""
    clip_value: float = 0.0
    """Largest absolute value of one gradient; 0 for no limit."""
    root_weight: float = 1.0
    """How much more than another node a root, or a text, counts in the loss."""
    aggregate: Literal["mean", "words", "last", "product"] = "mean"
    """How a text's sentences make its class, in the loss and in the pipeline that is written."""
    class_weights: Literal["balanced"] | tuple[float, ...] | None = None
    """How much each class counts in the loss: a number for each, or ``balanced`` for the inverse of how often
    it occurs."""
    word_dropout: float = 0.0
    """Share of the words of a batch whose vectors are replaced by zeros (Iyyer et al. 2015, 3.2)."""
    average: float = 0.0
    """Decay of a running average of the weights, 0.999 say; the average is what is evaluated and saved."""
    precision: Literal["float32", "bfloat16", "float16"] = "float32"
    """Of the matrix products: bfloat16 is fast where the processor knows it and slow where it does not;
    float16 is for GPUs without it, and scales the loss so that small gradients are not lost (Micikevicius et
    al. 2018)."""
    checkpoint_every: int = 200
    """Steps between checkpoints; one is also written after each epoch."""
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    schedule: ScheduleConfig = field(default_factory=ScheduleConfig)

    def __post_init__(self) -> None:
        """Refuse numbers that make no sense."""
        _at_least(self, 1, "max_epochs", "batch_size", "eval_batch_size", "window", "checkpoint_every")
        if self.metric == "free_perplexity" and not self.free_running:
            raise RecipeError("metric is 'free_perplexity'; set free_running = true, which measures it")
        _at_least(self, 0, "seed", "patience", "clip_norm", "clip_value", "epoch_steps", "eval_texts")
        _check(self.root_weight > 0, "root_weight", self.root_weight, "a number above 0")
        for name in ("average", "word_dropout"):
            _check(0 <= getattr(self, name) < 1, name, getattr(self, name), "from 0 to below 1")
        if isinstance(self.class_weights, tuple):
            right = min(self.class_weights, default=-1) >= 0 < sum(self.class_weights)
            _check(right, "class_weights", list(self.class_weights), "numbers from 0 up, not all 0")
        one = r"(root|nodes)\.(accuracy(_\d+)?|macro_f1)"
        well_formed = re.fullmatch(rf"{one}(\+{one})*", self.metric)
        expected = (
            f"root. or nodes. and accuracy, accuracy_N or macro_f1, several joined by +, or one of "
            f"{', '.join(METRICS)}; say 'root.accuracy_5'"
        )
        _check(bool(well_formed) or self.metric in METRICS, "metric", self.metric, expected)


def better(metric: str, figure: float, best: float | None) -> bool:
    """Tell whether a dev figure is better than the best so far.

    :param metric: its name.
    :param figure: the figure.
    :param best: None where there was none before.
    """
    return best is None or (figure > best if METRICS.get(metric, True) else figure < best)


@dataclass(frozen=True, slots=True)
class LabelsConfig:
    """``[labels]``: the classes, the most negative first, and what each is worth.

    Without ``names`` the classes are the treebank's where there are trees; else the data name them
    (:func:`treesent.data.labelled.name_classes`), and they have no polarity.
    """

    names: tuple[str, ...] = sst.LABELS
    polarity: tuple[float, ...] | None = sst.POLARITY
    """A number from -1 to 1 for each class, or null for classes that have no polarity."""

    def __post_init__(self) -> None:
        """Refuse classes that cannot be told apart."""
        _check(len(self.names) > 1, "names", list(self.names), "two or more classes")
        _check(len(set(self.names)) == len(self.names), "names", list(self.names), "different names")
        if self.polarity is not None:
            _check(
                len(self.polarity) == len(self.names) and all(-1 <= p <= 1 for p in self.polarity),
                "polarity",
                list(self.polarity),
                f"one number from -1 to 1 for each of the {len(self.names)} names, or null",
            )


@dataclass(frozen=True, slots=True)
class ParserSource:
    """``[parser]``: where the pipeline's own parser comes from; without it the pipeline has none."""

    path: str
    """What ``treesent train pipelines/parser.cfg`` wrote, its folder or the file in it; trained on the same
    ``[vectors]``."""


@dataclass(frozen=True, slots=True)
class EncoderSource:
    """``[model.encoder]`` of a recurrent network: its cells begin as those of a language model.

    See :func:`treesent.models.classifier.copy_cells.copy_cells`.
    """

    init: str
    """What ``treesent train`` wrote of a model of words that reads from left to right; trained on the same
    ``[vectors]``."""
    init_backward: str | None = None
    """The same of one that reads from right to left, for a network of two directions."""
    learn_rate: float = 1.0
    """Share of the learning rate that those cells get (Howard and Ruder 2018, 3.2: discriminative
    fine-tuning)."""

    def __post_init__(self) -> None:
        """Refuse a rate that makes no sense."""
        _check(0 < self.learn_rate <= 1, "learn_rate", self.learn_rate, "above 0 and at most 1")


@dataclass(frozen=True, slots=True)
class Recipe:
    """A recipe that has been read and checked; paths in it are absolute."""

    vectors: dict[str, Any]
    """Empty where the recipe has none: not every model reads vectors."""
    model: dict[str, Any]
    corpora: CorporaConfig
    training: TrainingConfig
    labels: LabelsConfig | None
    """None where the data name the classes."""
    parser: str | None = None
    """The file of the parser."""
    encoder: EncoderSource | None = None

    def to_dict(self) -> dict[str, Any]:
        """Give the recipe as plain values, defaults filled in."""
        return asdict(self)


def read_recipe(path: str | Path, overrides: Mapping[str, Any] | None = None) -> Recipe:
    """Read and check a recipe.

    :param path: the ``.cfg``.
    :param overrides: values by dotted key, ``{"training.seed": 3}``.
    :raises RecipeError: the file cannot be read, or a key or value in it makes no sense.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeError(f"{path}: the recipe cannot be read: {error}") from error
    return parse_recipe(text, overrides, path)


def parse_recipe(
    text: str, overrides: Mapping[str, Any] | None = None, path: Path = Path("recipe.cfg")
) -> Recipe:
    """Check a recipe's text.

    :param text: as in the file.
    :param overrides: values by dotted key.
    :param path: where it stands: for messages, and for relative paths in it.
    :raises RecipeError: a key or value in it makes no sense.
    """
    config = _parse(text, overrides or {}, path)
    for section in config:
        if section not in SECTIONS:
            raise RecipeError(f"{path}: [{section}] is unknown; {nearest(section, SECTIONS)}")
    for section in ("model", "corpora"):
        if section not in config:
            raise RecipeError(f"{path}: the section [{section}] is missing; add it")
    try:
        return _checked(config, path)
    except RecipeError as error:
        raise RecipeError(f"{path}: {error}") from error


def _checked(config: Mapping[str, Any], path: Path) -> Recipe:
    labels = dict(config.get("labels", {}))
    if "names" in labels and "polarity" not in labels:
        labels["polarity"] = None
    # Keys and values before files, so that a slip of the pen is found before anything else.
    training = read_section(TrainingConfig, config.get("training", {}), "training")
    named = "names" in labels
    if labels.get("polarity") is None or named:
        classes = read_section(LabelsConfig, labels, "labels")
    corpora = read_section(CorporaConfig, config["corpora"], "corpora")
    parser = read_section(ParserSource, config["parser"], "parser") if "parser" in config else None
    if corpora.reparse and parser is None:
        raise RecipeError("corpora.reparse is true, but there is no section [parser]; add it with a path")
    vectors = _absolute(config.get("vectors", {}), path)
    model = dict(config["model"])
    encoder = _encoder(model, path)
    train, dev = (tuple(find_corpus(file, path) for file in corpora.files(name)) for name in CORPORA)
    train_heads, dev_heads = (
        tuple(find_file(file, path) for file in corpora.files(f"{name}_heads")) for name in CORPORA
    )
    corpora = replace(corpora, train=train, dev=dev, train_heads=train_heads, dev_heads=dev_heads)
    if train_heads and corpora.has_texts:
        raise RecipeError(
            "train_heads are of bracketed trees, but [corpora] has labelled texts; keep one kind"
        )
    if not named and corpora.has_trees:
        named, classes = True, read_section(LabelsConfig, labels, "labels")
    elif not named and labels.get("polarity") is not None:
        raise RecipeError("labels.polarity is given without labels.names; name the classes in its order")
    return Recipe(
        vectors=vectors,
        model=model,
        corpora=corpora,
        training=training,
        labels=classes if named else None,
        parser=None if parser is None else find_file(parser.path, path),
        encoder=encoder,
    )


def _encoder(model: dict[str, Any], path: Path) -> EncoderSource | None:
    """Take ``[model.encoder]`` out of the model's block; what is no section is a setting of the network."""
    if not isinstance(model.get("encoder"), Mapping):
        return None
    source = read_section(EncoderSource, model.pop("encoder"), "model.encoder")
    backward = None if source.init_backward is None else find_file(source.init_backward, path)
    return replace(source, init=find_file(source.init, path), init_backward=backward)


def is_labelled(corpus: str) -> bool:
    """Tell whether a corpus is of labelled texts, not of bracketed trees.

    :param corpus: as in ``[corpora]``.
    """
    if is_dataset(corpus):
        return True
    try:
        return table_kind(corpus) != "txt"
    except DataError:
        return False


def find_corpus(name: str, recipe: Path) -> str:
    """Make the path in a corpus's name absolute.

    :param name: as in ``[corpora]``.
    :param recipe: the recipe's own path.
    :raises RecipeError: there is nothing there; what stands behind ``hf:`` may be on the hub.
    """
    if not name.startswith("hf:"):
        return find_file(name, recipe)
    folder, colon, rest = name.removeprefix("hf:").partition(":")
    here = recipe.parent / folder
    return f"hf:{here.resolve()}{colon}{rest}" if here.is_dir() else name


def find_file(name: str, recipe: Path) -> str:
    """Make a path of a recipe absolute: it is relative to the recipe's folder, else to the working directory.

    :param name: the path as the recipe has it.
    :param recipe: the recipe's own path.
    :raises RecipeError: there is nothing at either place.
    """
    places = [recipe.parent / name, Path(name)]
    for place in places:
        if place.expanduser().exists():
            return str(place.expanduser().resolve())
    tried = " and ".join(dict.fromkeys(str(place.absolute()) for place in places))
    raise RecipeError(f"there is no file {name!r}; tried {tried}")


def _parse(text: str, overrides: Mapping[str, Any], path: Path) -> dict[str, Any]:
    from confection import Config, ConfigValidationError

    def variable(match: re.Match[str]) -> str:
        if match[1] is None:
            return match[0]
        try:
            return os.environ[match[1]]
        except KeyError:
            raise RecipeError(f"{path}: the environment has no variable {match[1]}; set it") from None

    try:
        config = Config().from_str(_ENVIRONMENT.sub(variable, text), interpolate=False)
        for key, value in overrides.items():
            _override(config, key, value)
        return dict(config.interpolate())
    except (ConfigValidationError, configparser.Error, ValueError, KeyError) as error:
        if isinstance(error, RecipeError):
            raise
        reason = " ".join(str(error).split())
        if isinstance(error, KeyError):  # confection has met [a.b] and no [a]
            reason = f"the section [{error.args[0]}] must stand before its parts; add it"
        raise RecipeError(f"{path}: not a recipe that can be read: {reason}") from error


def _override(config: dict[str, Any], key: str, value: Any) -> None:
    *sections, last = key.split(".")
    if not sections or sections[0] not in SECTIONS:
        raise RecipeError(f"--{key}: there is no such value; {nearest(key.split('.')[0], SECTIONS)}")
    for section in sections:
        config = config.setdefault(section, {})
        if not isinstance(config, dict):
            raise RecipeError(f"--{key}: {section} is a value, not a section")
    config[last] = value


def _absolute(block: Any, recipe: Path, key: str = "") -> Any:
    """Find the files of a block: the text values whose key is ``path`` or ends with ``_path``."""
    if isinstance(block, Mapping):
        return {name: _absolute(value, recipe, str(name)) for name, value in block.items()}
    if isinstance(block, list):
        return [_absolute(value, recipe, key) for value in block]
    return find_file(block, recipe) if isinstance(block, str) and f"_{key}".endswith("_path") else block


def _check(right: bool, name: str, value: Any, expected: str) -> None:
    if not right:
        raise RecipeError(f"{name} is {value!r}; expected {expected}")


def _at_least(config: Any, least: float, *names: str) -> None:
    for name in names:
        _check(getattr(config, name) >= least, name, getattr(config, name), f"at least {least}")
