"""The spaCy component ``treesent``: text goes in, and every phrase comes out with a sentiment."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from threading import RLock
from typing import Any, Self

import numpy as np
import srsly
import torch
from spacy.attrs import SENT_START
from spacy.language import Language
from spacy.pipeline import TrainablePipe
from spacy.tokens import Doc
from spacy.training import Example, validate_examples, validate_get_examples
from spacy.vocab import Vocab
from thinc.api import Model

from treesent.config import KEY
from treesent.errors import ModelError
from treesent.files import pipeline_path
from treesent.metrics.aggregation import check_aggregate
from treesent.models.classifier import folder as pipeline_io
from treesent.models.classifier.folder import SentimentModel
from treesent.models.classifier.networks import build_network
from treesent.models.classifier.transformer_source import transformer_for
from treesent.nn.embedding import VectorEmbedding
from treesent.pipeline import gold
from treesent.pipeline import record as store
from treesent.pipeline import scorer as scoring
from treesent.pipeline.architectures import attach, network_model
from treesent.pipeline.extensions import register_extensions
from treesent.pipeline.lookup import FACTORY, PRETRAINED
from treesent.pipeline.predict import Prediction, Predictor
from treesent.pipeline.reasons import explain
from treesent.pipeline.spans import write_spans
from treesent.pipeline.startup import calm_children, warn_of_language
from treesent.pipeline.tree_sources import check_trees
from treesent.text.runs import keep_long_runs
from treesent.types import Float32
from treesent.vectors.table import VectorTable

FOLDER = "treesent"


class TreeSentiment(TrainablePipe):  # type: ignore[misc]
    """Scores every constituent of every sentence of a Doc.

    What it leaves on the Doc is read through ``doc._.sentiment`` and its kin, see
    :mod:`treesent.pipeline.extensions`.
    """

    def __init__(
        self,
        vocab: Vocab,
        name: str = "treesent",
        *,
        model: "Model[Any, Any] | None" = None,
        pretrained: str | Path | None = PRETRAINED,
        trees: str = "auto",
        aggregate: str = "mean",
        spans_key: str | None = None,
        opinions: bool = True,
        scorer: Callable[..., dict[str, Any]] | None = scoring.score,
    ) -> None:
        """Make the component; weights are read when they are first needed.

        :param vocab: the pipeline's.
        :param name: the component's name in the pipeline.
        :param model: an untrained network, from a ``[components.treesent.model]`` block.
        :param pretrained: without ``model``, the pipeline whose network this is: a name or a folder. None for
            one that ``from_disk`` or ``from_bytes`` will bring.
        :param trees: where trees come from: ``auto``, ``constituency``, ``dependency``, ``learned``,
            ``seq2seq`` or ``right-branching``.
        :param aggregate: how sentences make the document's sentiment: ``mean``, ``words``, ``strongest``,
            ``last`` or ``product``.
        :param spans_key: write the scored phrases to ``doc.spans`` under this key, see
            :func:`treesent.pipeline.spans.write_spans`; None to leave ``doc.spans`` alone.
        :param opinions: find opinions too, with a model that has a head for them; false saves their time.
        :param scorer: what ``nlp.evaluate`` calls.
        :raises TreesentError: where one of these makes no sense, or there is no such pipeline.
        """
        self.vocab = vocab
        self.name = name
        self.cfg: dict[str, Any] = {}
        self.scorer = scorer
        self.trees = check_trees(trees)
        self.aggregate = check_aggregate(aggregate)
        self.spans_key = spans_key
        self.opinions = opinions
        self._source = pipeline_path(pretrained) if model is None and pretrained is not None else None
        if self._source is not None:
            warn_of_language(self._source, vocab.lang)
        self.model = network_model({KEY: "treesent.TreeLSTM.v1"}) if model is None else model
        self._untrained = model is not None
        self._predictor: Predictor | None = None
        self._lock = RLock()
        register_extensions(replace=True)
        calm_children()

    @property
    def predictor(self) -> Predictor:
        """What scores Docs; the first use reads the weights.

        :raises ModelError: there are none.
        """
        if self._predictor is None:
            with self._lock:
                if self._predictor is None:
                    self._take(self._pretrained())
        assert self._predictor is not None
        return self._predictor

    def _pretrained(self) -> SentimentModel:
        if self._source is None:
            raise ModelError(
                f"the component {self.name!r} has no weights yet: call nlp.initialize(), open a trained "
                f"pipeline with spacy.load, or give pretrained = {PRETRAINED!r}"
            )
        return pipeline_io.load_model(self._source / FOLDER)

    @property
    def trained(self) -> SentimentModel:
        """All that scores a sentence: network, vectors, classes and parser."""
        return self.predictor.model

    @trained.setter
    def trained(self, model: SentimentModel) -> None:
        self._take(model)

    def to(self, device: torch.device) -> Self:
        """Move what scores to a device; other components stay where spaCy has put them.

        :param device: see :func:`treesent.nn.device.choose_device`.
        """
        self._take(self.trained, device)
        return self

    def _take(self, model: SentimentModel, device: torch.device | None = None) -> None:
        pipeline_io.check_classes(model.labels, model.polarity)
        self.model.name = str(model.block[KEY])
        self.model.attrs["block"] = dict(model.block)
        shim = attach(self.model, model.network, device)
        if model.parser is not None:
            model.parser.to(shim.device)  # it reads the network's vectors
        if model.opinions is not None:
            model.opinions.to(shim.device)  # it reads the network's states
        self._predictor = Predictor(model, shim, self.trees, self.aggregate, self.opinions)

    @property
    def labels(self) -> tuple[str, ...]:
        """The classes, the most negative first; none before there are weights."""
        if self._predictor is None and self._source is None:
            return ()
        return self.trained.labels

    @property
    def label_data(self) -> list[str]:
        """The classes, as ``spacy init labels`` writes them."""
        return list(self.labels)

    def predict(self, docs: Iterable[Doc]) -> list[Prediction]:
        """Score Docs without changing them.

        :param docs: the Docs.
        :returns: one prediction for each.
        """
        return self.predictor.predict(list(docs))

    def explain(self, docs: Iterable[Doc]) -> list[Doc]:
        """Find out what each word adds to its sentence's sentiment, for ``doc._.sentiment_reasons``.

        A sentence of n words is scored n times more, see :mod:`treesent.pipeline.reasons`.

        :param docs: Docs; those that have not been scored are scored first.
        :returns: the Docs.
        """
        docs = list(docs)
        fresh = [doc for doc in docs if not store.read(doc)]
        self.set_annotations(fresh, self.predict(fresh))
        explain(self.predictor, docs)
        return docs

    def set_annotations(self, docs: Iterable[Doc], scores: Sequence[Prediction]) -> None:
        """Write predictions on their Docs.

        Sentence boundaries are written too, where the Doc has none.

        :param docs: the Docs.
        :param scores: what :meth:`predict` gave for them.
        """
        for doc, prediction in zip(docs, scores, strict=True):
            store.write(doc, prediction.record)
            if prediction.starts is not None:
                # By the array: the setter of a token looks each time whether the whole Doc was parsed.
                starts: Any = np.where(prediction.starts, 1, -1).astype(np.int64).view(np.uint64)
                doc.from_array([SENT_START], starts)
            if self.spans_key is not None:
                write_spans(doc, self.spans_key)

    def initialize(
        self,
        get_examples: Callable[[], Iterable[Example]],
        *,
        nlp: Language | None = None,
        labels: Sequence[str] | None = None,
        polarity: Sequence[float] | None = None,
        vectors: str | Path | VectorTable | None = None,
        transformer: str | None = None,
    ) -> None:
        """Make the network ready for training.

        A pretrained component keeps its weights. A new network takes its classes from ``labels`` or the
        examples, and its vectors from ``vectors`` or the vocab.

        :param get_examples: gives examples; see :mod:`treesent.pipeline.gold` for how they hold trees.
        :param nlp: the pipeline.
        :param labels: the classes, the most negative first.
        :param polarity: the value of each class from -1 to 1; evenly spaced by default.
        :param vectors: a table, the folder of one, or a pipeline whose vectors to use; by default those of
            the pipeline's vocab.
        :param transformer: for a network with ``encoder = "transformer"``: a folder, or ``hf:`` and a name on the
            Hugging Face hub.
        :raises ModelError: where classes or vectors are missing or disagree with the pretrained ones.
        """
        validate_get_examples(get_examples, "TreeSentiment.initialize")
        if not self._untrained:
            if labels is not None and tuple(labels) != self.labels:
                raise ModelError(
                    f"labels = {list(labels)}, but the pretrained network has {list(self.labels)}: leave "
                    "labels out, or give the component a new [model]"
                )
            return
        names = gold.classes(get_examples, labels)
        values = pipeline_io.default_polarity(len(names)) if polarity is None else tuple(polarity)
        table = pipeline_io.find_table(vectors, self.vocab)
        embedding = VectorEmbedding(table.matrix, table.scale)
        block = dict(self.model.attrs["block"])
        under, pieces = transformer_for(block, transformer)
        network = build_network(block, table.width, len(names), embedding, None, under)
        self._take(SentimentModel(network, block, table, names, values, None, pieces))

    def get_loss(self, examples: Iterable[Example], scores: Float32) -> tuple[float, Float32]:
        """Mean cross-entropy over the labelled nodes, and its gradient.

        :param examples: the examples.
        :param scores: logits of their nodes in forest order. *Shape:* ``(n_nodes, n_classes)``.
        :returns: the loss and the gradient of ``scores``.
        """
        batch = gold.batch(self.predictor, list(examples))
        return gold.cross_entropy(scores, batch, self.aggregate)

    def update(
        self,
        examples: Iterable[Example],
        *,
        drop: float = 0.0,
        sgd: Any = None,
        losses: dict[str, float] | None = None,
    ) -> dict[str, float]:
        """Learn from examples.

        :param examples: see :mod:`treesent.pipeline.gold` for how they hold trees.
        :param drop: not used: the ``[model]`` block has a rate for each place.
        :param sgd: the optimiser; None to leave the gradients where they are.
        :param losses: the loss is added under the component's name.
        """
        losses = {} if losses is None else losses
        losses.setdefault(self.name, 0.0)
        examples = list(examples)
        validate_examples(examples, "TreeSentiment.update")
        if not any(len(example.predicted) for example in examples):
            return losses
        batch = gold.batch(self.predictor, examples)
        scores, backprop = self.model.begin_update(batch.forest)
        loss, gradient = gold.cross_entropy(scores, batch, self.aggregate)
        backprop(gradient)
        if sgd is not None:
            self.finish_update(sgd)
        losses[self.name] += loss
        return losses

    def to_disk(self, path: str | Path, *, exclude: Sequence[str] = ()) -> None:
        """Write the component's folder; see :mod:`treesent.models.classifier.folder`.

        :param path: the folder.
        :param exclude: not used: the vocab is never written.
        """
        pipeline_io.save_model(path, self.trained)

    def from_disk(self, path: str | Path, *, exclude: Sequence[str] = ()) -> "TreeSentiment":
        """Read the component's folder.

        :param path: the folder.
        :param exclude: not used.
        :raises ModelError: where a file of it is missing, damaged or of another version.
        """
        self._take(pipeline_io.load_model(path))
        return self

    def to_bytes(self, *, exclude: Sequence[str] = ()) -> bytes:
        """The files of the component's folder.

        :param exclude: not used: the vocab is never written.
        """
        return bytes(srsly.msgpack_dumps(pipeline_io.model_to_bytes(self.trained)))

    def from_bytes(self, bytes_data: bytes, *, exclude: Sequence[str] = ()) -> "TreeSentiment":
        """Read what :meth:`to_bytes` gave.

        :param bytes_data: the bytes.
        :param exclude: not used.
        :raises ModelError: they are damaged, or hold a file that is none of a model's.
        """
        try:
            files = srsly.msgpack_loads(bytes_data)
        except Exception as error:  # msgpack has an error of its own for each kind of damage
            raise ModelError(f"these bytes are not a component of treesent's ({error})") from error
        self._take(pipeline_io.model_from_bytes(files))
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        # For the workers of nlp.pipe(n_process=2) that are started by spawn.
        names = ("trees", "aggregate", "spans_key", "opinions", "scorer")
        settings = {name: getattr(self, name) for name in names}
        loaded = self._predictor is not None
        files = pipeline_io.model_to_bytes(self.trained) if loaded else None
        block = dict(self.model.attrs["block"]) if self._untrained else None
        return _rebuild, (self.vocab, self.name, settings, self._source, block, files)


def _rebuild(
    vocab: Vocab,
    name: str,
    settings: dict[str, Any],
    source: Path | None,
    block: dict[str, Any] | None,
    files: Mapping[str, bytes] | None,
) -> TreeSentiment:
    model = None if block is None else network_model(block)
    component = TreeSentiment(vocab, name, model=model, pretrained=source, **settings)
    if files is not None:
        component.trained = pipeline_io.model_from_bytes(files)
    return component


@Language.factory(
    FACTORY,
    assigns=[
        "doc._.sentiment",
        "doc._.sentiments",
        "doc._.opinions",
        "span._.sentiment",
        "span._.tree",
        "token._.sentiment",
    ],
    default_config={
        "model": None,
        "pretrained": PRETRAINED,
        "trees": "auto",
        "aggregate": "mean",
        "spans_key": None,
        "opinions": True,
        "scorer": {"@scorers": "treesent.scorer.v1"},
    },
    default_score_weights=scoring.SCORE_WEIGHTS,
)
def make_treesent(
    nlp: Language,
    name: str,
    model: "Model[Any, Any] | None",
    pretrained: str | None,
    trees: str,
    aggregate: str,
    spans_key: str | None,
    opinions: bool,
    scorer: "Callable[..., dict[str, Any]] | None",
) -> TreeSentiment:
    """Make the component for a pipeline; the arguments are those of :class:`TreeSentiment`.

    The pipeline's tokeniser is told to keep very long runs without a blank whole: see
    :func:`treesent.text.runs.keep_long_runs`.
    """
    keep_long_runs(nlp)
    return TreeSentiment(
        nlp.vocab,
        name,
        model=model,
        pretrained=pretrained,
        trees=trees,
        aggregate=aggregate,
        spans_key=spans_key,
        opinions=opinions,
        scorer=scorer,
    )


def make_scorer() -> Callable[..., dict[str, Any]]:
    """What ``@scorers = "treesent.scorer.v1"`` stands for."""
    return scoring.score
