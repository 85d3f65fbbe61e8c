"""What a model attends to in a sentence: its parser symbol by symbol, or its classifier when it pools."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch

from treesent.errors import DataError, ModelError, RecipeError
from treesent.files import data_path
from treesent.models.parser.seq2seq import CLOSE, WORD, Seq2SeqParser
from treesent.models.parser.trainer import ENCODER_DECODER_FILE
from treesent.nn.embedding import VectorEmbedding
from treesent.nn.pooling import AttentionPool
from treesent.pipeline.lookup import PRETRAINED, component_of
from treesent.render.attention import AttentionMap
from treesent.text.opening import load_pipeline
from treesent.trees.structure import Structure

if TYPE_CHECKING:
    from treesent.pipeline.predict import Predictor
    from treesent.pipeline.tree_sources import Batch
    from treesent.text.docs import Sentences, Tokens
    from treesent.vectors.table import Lookup


def attention_map(
    model: str | Path, text: str, *, vectors: str | Path | None = None, pooling: bool = False
) -> AttentionMap:
    """Look at what a model attends to.

    :param model: the folder of an encoder-decoder; or a pipeline, a name or a folder, that has one as its
        parser or whose classifier pools by attention.
    :param text: of its sentences the first one counts.
    :param vectors: what an encoder-decoder without a pipeline reads: a table's folder or a pipeline.
    :param pooling: of a pipeline that has both, show the classifier's attention.
    :returns: weights over the words: of each symbol of the tree that the parser writes, or of the sentence.
    :raises TreesentError: there is no such model, it has no attention, or the text has no words.
    """
    folder = Path(model)
    if (folder / ENCODER_DECODER_FILE).is_file():
        return _of_folder(folder, text, PRETRAINED if vectors is None else vectors)
    nlp = load_pipeline(model)
    predictor = component_of(nlp).predictor
    batch = predictor.read([nlp.make_doc(text)])
    words, lookup = _first(batch.tokens, batch.sentences, batch.lookup, text)
    parser = predictor.model.parser
    if isinstance(parser, Seq2SeqParser) and not pooling:
        embedding: Any = predictor.model.network.embedding
        return of_parser(parser, embedding, words, lookup)
    return of_pooling(predictor, words, batch, str(model))


def _of_folder(folder: Path, text: str, vectors: str | Path) -> AttentionMap:
    import spacy

    from treesent.models.classifier.folder import find_table
    from treesent.text.docs import Sentences
    from treesent.text.reading import DocReader
    from treesent.text.rows import RowFinder

    nlp = spacy.blank("en")
    parser = Seq2SeqParser.load(folder / ENCODER_DECODER_FILE)
    table = find_table(_found(vectors), nlp.vocab)
    if table.width != parser.width:
        raise ModelError(
            f"{folder} reads vectors of width {parser.width}, and {vectors} has {table.width}: "
            "give --vectors, those of the parser's recipe"
        )
    tokens, starts = DocReader()([nlp.make_doc(text)])
    sentences = Sentences.of(tokens, starts)
    words, lookup = _first(tokens, sentences, RowFinder(table).find(tokens, sentences.token), text)
    return of_parser(parser, VectorEmbedding(table.matrix, table.scale), words, lookup)


def _found(vectors: str | Path) -> str | Path:
    """The path of packaged vectors, ``tiny.txt`` for example; others as they are."""
    try:
        return data_path(vectors, Path())
    except RecipeError:
        return vectors


def _first(
    tokens: "Tokens", sentences: "Sentences", lookup: "Lookup", text: str
) -> "tuple[list[str], Lookup]":
    """The words of the first sentence."""
    from treesent.vectors.table import Lookup

    if not len(sentences.lengths):
        raise DataError(f"the text {text!r} has no words; give a sentence")
    n_words = int(sentences.lengths[0])
    words = sentences.words(tokens, as_written=True)[:n_words]
    return words, Lookup(lookup.rows[:n_words], lookup.extra, lookup.unknown[:n_words])


def of_parser(
    parser: Seq2SeqParser, embedding: VectorEmbedding, words: list[str], lookup: "Lookup"
) -> AttentionMap:
    """Parse a sentence and keep what each symbol of its tree attended to.

    :param parser: an encoder-decoder with attention.
    :param embedding: the vectors that it reads.
    :param words: of the sentence.
    :param lookup: their rows.
    :returns: a row for each symbol: a word, or ``)`` with the words of the constituent that it closes.
    :raises TreesentError: it has no attention, or parses so long a sentence in pieces only.
    """
    if parser.network.attention is None:
        raise ModelError("the parser has no attention: its recipe has model.attention = 'none'")
    if len(words) > parser.config.longest:
        raise DataError(
            f"the sentence has {len(words)} words, and the parser cuts those of more than "
            f"{parser.config.longest}; give a shorter one"
        )
    extra = torch.from_numpy(lookup.extra) if len(lookup.extra) else None
    with torch.inference_mode():
        vectors = embedding(torch.from_numpy(lookup.rows), extra)
    n_words = len(words)
    found = parser.search(vectors, torch.arange(n_words), np.array([n_words]), keep_attention=True)
    assert found.attention is not None
    symbols = found.symbols[0, : int(found.lengths[0])]
    tree = Structure.from_leaves(symbols == WORD, [n_words])
    phrases = [" ".join(words[i:j]) for i, j in zip(tree.start.tolist(), tree.end.tolist(), strict=True)]
    rows = [f") {p}" if s == CLOSE else p for s, p in zip(symbols.tolist(), phrases, strict=True)]
    return AttentionMap(words, rows, found.attention[0, : len(rows)])


def of_pooling(predictor: "Predictor", words: list[str], batch: "Batch", name: str) -> AttentionMap:
    """Pool a sentence and keep the weights of its words.

    :param predictor: of a pipeline whose classifier pools by attention.
    :param words: of the first sentence.
    :param batch: the text as the predictor read it.
    :param name: the pipeline's, for messages.
    :returns: one row.
    :raises ModelError: the classifier does not pool by attention.
    """
    network: Any = predictor.model.network
    pool = getattr(network, "attention", None)
    if not isinstance(pool, AttentionPool):
        raise ModelError(
            f"{name} has no attention over words: its parser is not an encoder-decoder, and its classifier "
            "does not pool by attention (train pipelines/seq2seq_parser.cfg or deep_attention_lstm.cfg)"
        )
    seen: list[npt.NDArray[np.float32]] = []

    def keep(module: AttentionPool, inputs: tuple[torch.Tensor, ...]) -> None:
        states, sequence, length = inputs
        weights = module.attention(states, sequence, len(length))
        # The sentence is the longest of the constituents; its rows are in the order of its words.
        seen.append(weights[sequence == length.argmax()].float().cpu().numpy())

    chain = Structure.right_branching([len(words)])
    forest = predictor.to_device(chain, batch, words=np.arange(len(words)))
    hook = pool.register_forward_pre_hook(keep)
    try:
        with torch.inference_mode():
            network.eval()(forest)
    finally:
        hook.remove()
    return AttentionMap(words, ["sentence"], seen[0][None])
