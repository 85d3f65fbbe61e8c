"""A pipeline that scores at once, for tests of what lies around the network."""

import re
import time
from contextlib import contextmanager
from types import SimpleNamespace

import numpy as np

from treesent.pipeline import record
from treesent.pipeline.extensions import doc_sentiment
from treesent.pipeline.record import Record
from treesent.pipeline.sentiment import sentiment_of

LABELS = ("very negative", "negative", "neutral", "positive", "very positive")
POLARITY = np.linspace(-1, 1, 5, dtype=np.float32)


class FakeDoc:
    """Words of a text in one right-branching tree for each full stop; the scores hang on the characters."""

    def __init__(self, text):
        self.text, self.user_data = text, {}
        self._chars = np.array([m.span() for m in re.finditer(r"\S+", text)], np.int32).reshape(-1, 2)
        record.write(self, self._record())

    def _record(self):
        n_words = len(self._chars)
        ends = [i + 1 for i in range(n_words) if self.text[self._chars[i, 1] - 1] == "."]
        words = np.array([0, *ends, *([n_words] if ends[-1:] != [n_words] and n_words else [])], np.int32)
        left, start, end = [], [], []
        for n in np.diff(words).tolist():
            left += [-1] * n + [n - 2 - i if i < n - 1 else 0 for i in range(n - 1)]
            start += [*range(n), *range(n - 2, -1, -1)]
            end += [*range(1, n + 1), *([n] * (n - 1))]
        whole = Record(
            self._chars,
            np.zeros(n_words, np.uint8),
            words,
            *(np.array(values, np.int32) for values in (left, start, end)),
            np.zeros((len(left), 5), np.float32),
            POLARITY,
            list(LABELS),
            "mean",
            len(self.text),
        )
        for tree in range(whole.n_trees):
            nodes = whole.nodes(tree)
            first = int(whole.words[tree])
            begin = self._chars[first + whole.start[nodes], 0]
            sizes = self._chars[first + whole.end[nodes] - 1, 1] - begin
            logits = np.sin(np.outer(sizes + sum(map(ord, self.text[:8])), [1, 2, 3, 4, 5])).astype(
                np.float32
            )
            whole.probs[nodes] = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        return whole

    def __len__(self):
        return len(self._chars)

    def __getitem__(self, index):
        begin, end = self._chars[index].tolist()
        return SimpleNamespace(idx=begin, text_with_ws=self.text[begin:end])

    def to_array(self, name):
        assert name == "IDX"
        return self._chars[:, 0].astype(np.uint64)

    @property
    def _(self):
        return SimpleNamespace(sentiment=doc_sentiment(self))


class FastDoc:
    """Nothing but a sentiment."""

    def __init__(self, text):
        probs = np.full(5, 0.1, np.float32)
        probs[len(text) % 5] = 0.6
        fake = SimpleNamespace(labels=LABELS, polarity=POLARITY)
        self._ = SimpleNamespace(sentiment=sentiment_of(fake, probs, 0.0, text))


class FakePipeline:
    """What scoring asks of a ``spacy.language.Language``."""

    max_length, path, pipe_names = 1_000_000, None, ["treesent"]

    def __init__(self, pause=0.0, doc=FakeDoc):
        self.pause, self.doc, self.texts = pause, doc, []
        self.meta = {"name": "fake"}
        predictor = SimpleNamespace(opinions=False)
        component = SimpleNamespace(labels=LABELS, to=lambda device: None, predictor=predictor)
        self.pipeline = [("treesent", component)]

    def get_pipe_meta(self, name):
        return SimpleNamespace(factory=name)

    @contextmanager
    def memory_zone(self):
        yield

    def pipe(self, texts, batch_size=64):
        for text in texts:
            if self.pause:
                time.sleep(self.pause)
            if self.doc is FakeDoc:
                self.texts.append(text)
            yield self.doc(text)
