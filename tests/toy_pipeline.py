"""A tiny made model, so that the tests of the component need no trained one."""

import numpy as np
import spacy
import torch

from treesent.models.classifier.folder import SentimentModel, default_labels, default_polarity
from treesent.models.classifier.networks import build_network
from treesent.models.parser.chart_parser import ChartParser, ParserConfig
from treesent.nn.embedding import VectorEmbedding
from treesent.vectors.table import VectorTable

SENTENCE = "the plot is thin , but acting superb . a good bad movie was not it and film of great terrible !"
WORDS = SENTENCE.split()
BLOCK = {"@architectures": "treesent.TreeLSTM.v1", "hidden": 12}
TEXT = "The plot is thin, but the acting is superb. A terrible movie!"


def toy_table(width=16, seed=0):
    rng = np.random.default_rng(seed)
    return VectorTable(WORDS, rng.normal(size=(len(WORDS), width)).astype(np.float32))


def toy_model(n_classes=5, parser=True, seed=0):
    table = toy_table()
    generator = torch.Generator().manual_seed(seed)
    embedding = VectorEmbedding(table.matrix, table.scale)
    network = build_network(BLOCK, table.width, n_classes, embedding, generator).eval()
    with torch.no_grad():
        network.weight.mul_(8)
    own = (
        ChartParser(ParserConfig(hidden=8, layers=2, gap=8), table.width, generator).eval()
        if parser
        else None
    )
    labels, polarity = default_labels(n_classes), default_polarity(n_classes)
    return SentimentModel(network, dict(BLOCK), table, labels, polarity, own)


def toy_nlp(n_classes=5, parser=True, seed=0, **config):
    nlp = spacy.blank("en")
    nlp.add_pipe("treesent", config={"pretrained": None, **config})
    nlp.get_pipe("treesent").trained = toy_model(n_classes, parser, seed)
    return nlp
