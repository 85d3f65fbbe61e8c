"""What a bag of words makes of a table of labelled texts: the figure that a network is measured beside.

    python -m tests.benchmarks.bag_of_words ../shared/data/imdb/train.jsonl.xz --dev-share 0.2

Logistic regression on counts of words and pairs of words, weighted by tf-idf, with the dev rows that
``corpora.dev_share`` holds out; the regularisation is chosen on a tenth of the others. Needs treesent[viz].
"""

import argparse
import time
from pathlib import Path

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from treesent.data.labelled import name_classes, read_labelled_rows
from treesent.models.classifier.corpora import held_out

STRENGTHS = (1.0, 4.0, 16.0)


def measure(path, dev_share, text_column="text", label_column="label", pairs=True):
    """Accuracy on dev in percent, and the seconds that training took."""
    rows = read_labelled_rows(path, text_column, label_column)
    labels = np.array(rows.numbers(name_classes([rows])))
    dev = held_out(len(labels), dev_share)
    tune = held_out(int((~dev).sum()), 0.1)
    began = time.perf_counter()
    counter = TfidfVectorizer(ngram_range=(1, 2 if pairs else 1), sublinear_tf=True, min_df=2)
    texts = np.array(rows.texts, object)
    train, gold = counter.fit_transform(texts[~dev]), labels[~dev]

    def fitted(strength, which):
        return LogisticRegression(C=strength, max_iter=1000).fit(train[which], gold[which])

    tried = {c: fitted(c, ~tune).score(train[tune], gold[tune]) for c in STRENGTHS}
    best = fitted(max(tried, key=tried.get), np.ones(len(gold), bool))
    seconds = time.perf_counter() - began
    accuracy = 100 * best.score(counter.transform(texts[dev]), labels[dev])
    return {"accuracy": accuracy, "n": int(dev.sum()), "features": train.shape[1], "seconds": seconds}


def main():
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.bag_of_words", description=__doc__)
    parser.add_argument("table", type=Path)
    parser.add_argument("--dev-share", type=float, default=0.2)
    parser.add_argument("--text-column", default="text")
    parser.add_argument("--label-column", default="label")
    options = parser.parse_args()
    for name, pairs in (("words", False), ("words and pairs", True)):
        found = measure(options.table, options.dev_share, options.text_column, options.label_column, pairs)
        print(
            f"{name}: {found['accuracy']:.2f} % of {found['n']} dev texts, {found['features']} features, "
            f"{found['seconds']:.0f} s"
        )


if __name__ == "__main__":
    main()
