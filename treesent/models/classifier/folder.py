"""The folder of a trained component: write it, check it and read it.

It holds ``config.json`` (the network's settings, the classes, a checksum of every other file and of itself),
``weights.safetensors``, ``vectors/`` and, where there are such, the parser, ``parser.safetensors``, the head for
opinions, ``opinions.safetensors``, and the transformer's settings and tokenizer
(:mod:`treesent.models.classifier.transformer_files`). Nothing in it is ever unpickled.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from treesent.errors import ModelError, TreesentError
from treesent.files import replacing
from treesent.models.classifier.transformer_files import SETTINGS, TOKENIZER
from treesent.vectors.open import open_vectors
from treesent.vectors.table import FILE, VectorTable
from treesent.version import __version__

if TYPE_CHECKING:
    import torch

    from treesent.models.classifier.opinion_head import OpinionHead
    from treesent.models.parser.kinds import Parser
    from treesent.text.pieces import PieceReader

FORMAT = 1
CONFIG, WEIGHTS, VECTORS, PARSER = "config.json", "weights.safetensors", "vectors", "parser.safetensors"
OPINIONS = "opinions.safetensors"
NAMES = (CONFIG, WEIGHTS, PARSER, OPINIONS, f"{VECTORS}/{FILE}", SETTINGS, TOKENIZER)
"""All files that a model's folder can hold. A name inside a file becomes a path only if it is one of these."""
FIVE = ("very negative", "negative", "neutral", "positive", "very positive")
TWO = ("negative", "positive")


@dataclass(slots=True)
class SentimentModel:
    """All that scores a sentence.

    :param network: the classifier, its ``embedding`` that of ``table``.
    :param block: the ``[model]`` block that describes it.
    :param table: the vectors.
    :param labels: the classes, the most negative first.
    :param polarity: the value of each class, from -1 to 1; None if they have none.
    :param parser: makes trees for sentences, where there is one.
    :param pieces: cuts words for the network's transformer, where there is one.
    :param opinions: finds what is talked about and the sentiment towards it, where there is such a head.
    """

    network: "torch.nn.Module"
    block: dict[str, Any]
    table: VectorTable
    labels: tuple[str, ...]
    polarity: tuple[float, ...] | None
    parser: "Parser | None" = None
    pieces: "PieceReader | None" = None
    opinions: "OpinionHead | None" = None

    @property
    def n_classes(self) -> int:
        """How many classes there are."""
        return len(self.labels)

    @property
    def parsed(self) -> 'Literal["learned", "seq2seq"] | None':
        """What trees of the model's own parser are called; None if it has none."""
        return None if self.parser is None else self.parser.trees


def default_labels(n_classes: int) -> tuple[str, ...]:
    """Names of the classes where nobody gave any: words for two, three and five of them, else numbers."""
    named = {2: TWO, 3: FIVE[1:4], 5: FIVE}
    return named.get(n_classes, tuple(map(str, range(n_classes))))


def default_polarity(n_classes: int) -> tuple[float, ...]:
    """Values of the classes where nobody gave any: evenly from -1 to 1."""
    return tuple(float(value) for value in np.linspace(-1, 1, n_classes))


def save_model(folder: str | Path, model: SentimentModel) -> None:
    """Write a component's folder; ``config.json``, which vouches for the rest, comes last.

    :param folder: made where it does not exist.
    """
    from treesent.models.classifier.transformer_files import write_transformer
    from treesent.models.classifier.weights import weights_to_bytes

    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / CONFIG).unlink(missing_ok=True)
    # A table in fewer bits says that size matters.
    half = model.table.matrix.dtype != np.float32
    with replacing(folder / WEIGHTS) as file:
        file.write(weights_to_bytes(model.network, half))
    optional = {PARSER: model.parser, OPINIONS: model.opinions}
    for name, part in optional.items():
        (folder / name).unlink(missing_ok=True)
        if part is not None:
            part.save(folder / name)
    _current_table(model).save(folder / VECTORS)
    files = [WEIGHTS, *(name for name, part in optional.items() if part is not None), f"{VECTORS}/{FILE}"]
    if model.pieces is not None:
        files += write_transformer(folder, model.network, model.pieces)
    config = {
        "format": FORMAT,
        "treesent": __version__,
        "model": model.block,
        "labels": list(model.labels),
        "polarity": None if model.polarity is None else list(model.polarity),
        "files": {name: _file_digest(folder / name) for name in files},
    }
    with replacing(folder / CONFIG, "w", encoding="utf-8") as file:
        file.write(json.dumps({**config, "sha256": _config_digest(config)}, indent=1) + "\n")


def _current_table(model: SentimentModel) -> VectorTable:
    """The vectors as training left them."""
    embedding: Any = getattr(model.network, "embedding", None)
    if embedding is None or not embedding.tune:
        return model.table
    rows = embedding.table.detach().cpu().numpy()
    return VectorTable(model.table.words, rows, None, model.table.subwords)


def load_model(folder: str | Path) -> SentimentModel:
    """Read a component's folder.

    :raises ModelError: where a file is missing, cut short, changed or of another version; the message names
        it.
    """
    from treesent.models.classifier.networks import build_network
    from treesent.models.classifier.opinion_head import OpinionHead
    from treesent.models.classifier.transformer_files import read_transformer
    from treesent.models.classifier.weights import EMBEDDING
    from treesent.models.parser.kinds import load_parser
    from treesent.nn.embedding import VectorEmbedding
    from treesent.nn.recurrent_layer import current_names
    from treesent.nn.transformer import Transformer
    from treesent.nn.weights import build, read_weights

    folder = Path(folder)
    config = _read_config(folder)
    _check_files(folder, config["files"])
    try:
        check_classes(config["labels"], config["polarity"])
        table = VectorTable.load(folder / VECTORS)
        embedding = VectorEmbedding(table.matrix, table.scale)
        _, weights = read_weights(folder / WEIGHTS)
        settings, pieces = read_transformer(folder, config["files"])

        def make() -> Any:
            transformer = None
            if pieces is not None:
                transformer = Transformer.of_config(settings, config["model"].get("word_pieces", "first"))
            n_classes = len(config["labels"])
            return build_network(config["model"], table.width, n_classes, embedding, None, transformer)

        network = build(
            make, current_names(weights), folder / WEIGHTS, {**settings, **config["model"]}, without=EMBEDDING
        )
        parser = load_parser(folder / PARSER) if PARSER in config["files"] else None
        if parser is not None and parser.width != table.width:
            raise ModelError(f"the parser reads vectors of width {parser.width}, the table has {table.width}")
        opinions = OpinionHead.load(folder / OPINIONS) if OPINIONS in config["files"] else None
        if opinions is not None:
            opinions.check_fits(network, table.width, len(config["labels"]))
    except TreesentError as error:
        raise ModelError(f"{folder}: {error}") from error
    return SentimentModel(
        network.eval(),
        config["model"],
        table,
        tuple(config["labels"]),
        None if config["polarity"] is None else tuple(config["polarity"]),
        parser,
        pieces,
        opinions,
    )


def find_table(vectors: "str | Path | VectorTable | None", vocab: Any) -> VectorTable:
    """Find the vectors for a new network.

    :param vectors: as for :func:`~treesent.vectors.open.open_vectors`; None for those of the vocab.
    :param vocab: a spaCy vocab.
    :returns: the table.
    :raises ModelError: there are no vectors.
    :raises VectorsError: the table cannot be read, or no network can learn sentiment on it.
    """
    if vectors is None and not len(vocab.vectors):
        raise ModelError(
            "a new network needs word vectors: set vectors in [initialize.components.treesent] to a folder "
            "that `treesent vectors` wrote or to a pipeline, or give the vocab vectors ([initialize] vectors)"
        )
    return open_vectors(vocab if vectors is None else vectors)


def _read_config(folder: Path) -> dict[str, Any]:
    path = folder / CONFIG
    if not path.is_file():
        raise ModelError(
            f"{path} is missing: give the folder of a pipeline that treesent or spaCy wrote whole"
        )
    try:
        config = json.loads(path.read_bytes())
        stated = config.pop("sha256", None)
        version = config["format"]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, OSError) as error:
        raise ModelError(f"{path} is damaged ({error}): copy or train the model again") from error
    if version != FORMAT:
        raise ModelError(
            f"{path} is of format {version!r}, and treesent {__version__} reads format {FORMAT}: "
            f"install the treesent that wrote it ({config.get('treesent', 'unknown')}), or train again"
        )
    if stated != _config_digest(config):
        raise ModelError(
            f"{path} was changed after it was written (its checksum differs): copy the model again"
        )
    _check_types(config, path)
    return dict(config)


def _check_types(config: Mapping[str, Any], path: Path) -> None:
    """Refuse a value of another type: a checksum can be right in a file that treesent did not write."""
    polarity = config.get("polarity")
    right = {
        "model": isinstance(config.get("model"), dict),
        "labels": _all_are(config.get("labels"), str),
        "polarity": polarity is None or _all_are(polarity, int | float),
        "files": isinstance(config.get("files"), dict),
    }
    wrong = next((name for name, fits in right.items() if name not in config or not fits), None)
    if wrong is not None:
        value = f"{config[wrong]!r:.80}" if wrong in config else "missing"
        raise ModelError(f"{path} is damaged ({wrong} is {value}): copy or train the model again")


def _all_are(values: Any, kind: Any) -> bool:
    """Whether a value is a list with members of one type."""
    return isinstance(values, list) and all(isinstance(v, kind) and not isinstance(v, bool) for v in values)


def _check_files(folder: Path, files: Mapping[str, str]) -> None:
    for name, stated in files.items():
        _check_name(name)
        path = folder / name
        if not path.is_file():
            raise ModelError(f"{path} is missing: copy the whole model again")
        if _file_digest(path) != stated:
            raise ModelError(f"{path} is cut short or damaged (its checksum differs): copy the model again")


def _check_name(name: object) -> None:
    if name not in NAMES:
        raise ModelError(f"the model names a file {name!r}; it can hold {', '.join(NAMES)} only")


def _file_digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _config_digest(config: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(config, sort_keys=True).encode()).hexdigest()


def model_to_bytes(model: SentimentModel) -> dict[str, bytes]:
    """The files of a component's folder by name."""
    with TemporaryDirectory() as folder:
        save_model(folder, model)
        paths = [path for path in sorted(Path(folder).rglob("*")) if path.is_file()]
        return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def model_from_bytes(files: Mapping[str, bytes]) -> SentimentModel:
    """The model of :func:`model_to_bytes`.

    :raises ModelError: a file is missing or damaged, or is none of a model's.
    """
    if not isinstance(files, Mapping) or not all(isinstance(data, bytes) for data in files.values()):
        raise ModelError("these bytes are not a component of treesent's: give what to_bytes returned")
    for name in files:
        _check_name(name)
    with TemporaryDirectory() as folder:
        for name, data in files.items():
            path = Path(folder, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        return load_model(folder)


def check_classes(labels: Sequence[str], polarity: Sequence[float] | None) -> None:
    """Refuse classes that make no sense.

    :raises ModelError: where names and values disagree, a name stands twice or values do not rise within
        -1..1.
    """
    if len(labels) < 2 or len(set(labels)) != len(labels):
        raise ModelError(f"labels = {list(labels)}: give at least two different names")
    if polarity is None:
        return
    if len(labels) != len(polarity):
        raise ModelError(f"{len(labels)} labels and {len(polarity)} polarity values: give one value for each")
    if any(a > b for a, b in pairwise(polarity)) or max(map(abs, polarity)) > 1:
        raise ModelError(
            f"polarity = {list(polarity)}: the values rise from the most negative, within -1 to 1"
        )
