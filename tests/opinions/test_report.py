"""Opinions of whole tables: columns, topics, and the page in a headless browser."""

import csv
import json

import pandas as pd
import pyarrow.parquet as pq
import pytest

import treesent
from tests.browser import Opened
from tests.toy_opinions import opinions_nlp
from tests.toy_pipeline import toy_nlp, toy_table
from treesent.errors import DataError, ModelError
from treesent.opinions.gather import QUOTES, gather
from treesent.opinions.report import render
from treesent.opinions.run import write_report
from treesent.opinions.topics import OTHER, grouped_topics, normal, own_topics, read_topics
from treesent.scoring import ScoreOptions, score

TEXTS = [
    "the plot is thin but the acting is superb .",
    "the acting is great but the film is bad .",
    "",
    "the movie is terrible but the plot is good .",
    "the plot is bad but the acting is good .",
]
HOSTILE = "the plot is thin but </script><img src=x onerror=alert(1)> the acting is superb ."


@pytest.fixture(scope="module")
def nlp():
    return opinions_nlp()


@pytest.fixture
def reviews(tmp_path):
    path = tmp_path / "reviews.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["label", "text", "store", "day"])
        for place, text in enumerate([*TEXTS, HOSTILE]):
            writer.writerow(
                [
                    "x",
                    text,
                    "=<b>east</b>" if place % 2 else "west",
                    f"2026-0{place + 1}-03" if place else "?",
                ]
            )
    return path


def test_a_table_gets_a_column_of_opinions(nlp, reviews, tmp_path):
    options = ScoreOptions(nodes="opinions", prefix="t_")
    for kind in ("jsonl", "csv", "parquet"):
        score(reviews, tmp_path / f"out.{kind}", nlp, options)
    rows = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [row["text"] for row in rows] == [*TEXTS, HOSTILE]
    for row in rows:
        for opinion in row["t_opinions"] or ():
            for name in ("target", "words", "clause"):
                span = opinion[name]
                assert span is None or row["text"][span["start"] : span["end"]] == span["text"]
    assert [o["target"]["text"] for o in rows[0]["t_opinions"]] == ["plot", "acting"]
    assert rows[2]["t_opinions"] is None
    assert pq.read_table(tmp_path / "out.parquet").column("t_opinions").to_pylist() == [
        r["t_opinions"] for r in rows
    ]
    with (tmp_path / "out.csv").open(newline="") as file:
        assert [json.loads(row["t_opinions"] or "null") for row in csv.DictReader(file)] == [
            r["t_opinions"] for r in rows
        ]


def test_scores_alone_leave_the_head_out(nlp, monkeypatch):
    def fail(*arguments, **more):
        raise AssertionError("the head ran")

    monkeypatch.setattr(nlp.get_pipe("treesent").trained.opinions, "forward", fail)
    assert treesent.score(TEXTS[:1], nlp).column("label").to_pylist() != [None]
    with pytest.raises(AssertionError, match="the head ran"):
        nlp(TEXTS[0])


def test_a_column_of_pandas(nlp):
    found = treesent.find_opinions(pd.Series(TEXTS, index=list("abcde")), nlp, topics={"players": ["acting"]})
    assert list(found.row) == [0, 0, 1, 1, 3, 3, 4, 4]
    assert list(found.target[:4]) == ["plot", "acting", "acting", "film"]
    assert list(found.topic[:3]) == [OTHER, "players", "players"]
    assert found.label[0] == nlp(TEXTS[0])._.opinions[0].sentiment.label
    assert list(treesent.find_opinions([], nlp).column_names)[:3] == ["row", "target", "topic"]


def test_a_pipeline_without_a_head_is_refused(reviews, tmp_path):
    with pytest.raises(ModelError, match="treesent aspects train"):
        treesent.find_opinions(TEXTS, toy_nlp())
    with pytest.raises(ModelError, match="no head for opinions"):
        write_report(str(reviews), tmp_path / "page.html", toy_nlp(), ScoreOptions())


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("The Waiters", "waiter"),
        ("batteries", "battery"),
        ("glass", "glass"),
        ("the", "the"),
        ("This menu", "menu"),
    ],
)
def test_normal_targets(target, expected):
    assert normal(target) == expected


def test_topics_of_ones_own(tmp_path):
    path = tmp_path / "topics.txt"
    path.write_text("# mine\nplayers: acting, actors\nstory: plot\n")
    topics = read_topics("price", path)
    assert topics == {
        "price": ["price"],
        "players": ["player", "acting", "actor"],
        "story": ["story", "plot"],
    }
    found = own_topics(["the acting", "plot", "plot twist", "film"], topics, toy_table())
    assert [found.topic(t) for t in ("acting", "plots", "plot twist", "film", "xyz")] == [
        "players",
        "story",
        "story",
        OTHER,
        OTHER,
    ]
    with pytest.raises(DataError, match="twice"):
        read_topics("a,a")
    with pytest.raises(DataError, match="no name"):
        read_topics(": b")


def test_near_targets_are_one_topic():
    found = grouped_topics({"film": 5, "film film": 3, "plot": 2, "acting": 1}, toy_table(), most=2)
    assert [found.topic(t) for t in ("film", "film film", "plot", "acting")] == [
        "film",
        "film",
        "plot",
        OTHER,
    ]


def opinion(target, text, label="positive", polarity=0.5):
    start = text.index(target)
    span = {"text": target, "start": start, "end": start + len(target)}
    clause = {"text": text, "start": 0, "end": len(text)}
    return {
        "target": span,
        "label": label,
        "polarity": polarity,
        "confidence": 0.9,
        "words": None,
        "clause": clause,
    }


def test_gathered_counts_and_intervals():
    text = "the plot is thin"
    rows = [
        {"text": text, "label": "x", "opinions": [opinion("plot", text, *values)], "by": by, "date": date}
        for values, by, date in [
            (("positive", 0.5), "a", "2026-01-05"),
            (("very positive", 1.0), "a", "2026-01-31"),
            (("negative", -0.5), "b", "2026-02-01"),
            (("neutral", 0.0), "b", "soon"),
        ]
    ]
    rows += [
        {"text": "", "label": None, "opinions": None},
        {"text": "Hm.", "label": "neutral", "opinions": []},
    ]
    found = gather(lambda: rows, toy_table(), by="by", date="date")
    assert found.counts == {"rows": 6, "empty": 1, "silent": 1, "opinions": 4, "undated": 3}
    (topic,) = [topic.to_dict() for topic in found.topics]
    assert topic["signs"] == [1, 1, 2] and topic["mean"] == 0.25
    assert topic["low"] < 0.25 < topic["high"]
    assert topic["groups"] == {"a": [0, 0, 2], "b": [1, 1, 0]}
    assert topic["dates"] == {"2026-01": [0, 0, 2], "2026-02": [1, 0, 0]}
    assert [quote["polarity"] for quote in topic["quotes"]] == [1.0, 0.5, -0.5, 0.0]


def test_a_page_stays_small_however_long_the_table_is():
    def rows():
        for place in range(20_000):
            text = (
                f"the {['plot', 'film', 'acting', 'movie'][place % 4]} number{place % 3000} "
                + "long words " * 100
            )
            yield {
                "text": text,
                "label": "x",
                "opinions": [opinion(text[4:20].strip(), text, "positive", place / 20_000)],
            }

    found = gather(rows, toy_table())
    assert all(len(topic.quotes[1]) <= QUOTES[1] for topic in found.topics)
    assert len(render(found, "Page")) < 3_000_000


def test_unknown_columns_are_refused_before_the_run(nlp, reviews, tmp_path):
    with pytest.raises(DataError, match=r"no column 'shop'; it has 'label', 'text', 'store', 'day'"):
        write_report(str(reviews), tmp_path / "page.html", nlp, ScoreOptions(), by="shop")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["reviews.csv"]


@pytest.fixture
def page(browser, nlp, reviews, tmp_path):
    path = tmp_path / "page.html"
    summary = write_report(
        str(reviews), path, nlp, ScoreOptions(), by="store", date="day", title="<i>Reviews</i>"
    )
    assert (summary.rows, summary.empty) == (6, 1)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["page.html", "reviews.csv"]
    opened = Opened(browser, path.as_uri(), "() => 0")
    yield opened
    assert opened.faults == [] and opened.requests == [path.as_uri()]
    opened.context.close()


def shown(page):
    return page("() => [...document.querySelectorAll('#topics .label')].map((e) => e.textContent)")


def test_the_page(page, tmp_path):
    assert page("() => document.querySelector('h1').textContent") == "<i>Reviews</i>"
    assert set(shown(page)) >= {"plot", "acting"}
    counts = page("() => document.querySelector('#counts').textContent")
    assert "in 6 texts" in counts and "1 without text" in counts and "1 without a date" in counts
    page.page.get_by_role("button", name="plot").first.click()
    assert page("() => document.querySelector('#name').textContent") == "plot"
    quote = page("() => [...document.querySelectorAll('#quotes li')].map((e) => e.textContent).join()")
    assert "<img src=x" in quote
    assert page("() => document.images.length") == 0
    assert page(
        "() => [...document.querySelectorAll('#quotes strong')].every((e) => e.textContent === 'plot')"
    )


def test_filters_and_search(page):
    page.page.fill("#search", "plot")
    assert "plot" in shown(page)
    page.page.fill("#search", "no such thing")
    assert shown(page) == [] and page("() => !document.querySelector('#none').hidden")
    page.page.fill("#search", "")
    page.page.select_option("#sign", "-1")
    signs = page(
        "() => [...document.querySelectorAll('#quotes small')].map((e) => e.textContent.split(' ')[0])"
    )
    assert signs and set(signs) == {"negative"}
    page.page.select_option("#sign", "")
    page.page.select_option("#group", "==<b>east</b>")
    facts = page("() => [...document.querySelectorAll('#quotes small')].map((e) => e.textContent)")
    assert facts and all("=<b>east</b>" in fact for fact in facts)


def test_the_export_is_what_is_shown(page, tmp_path):
    page.page.select_option("#order", "liked")
    with page.page.expect_download() as waiting:
        page.page.click("#save")
    waiting.value.save_as(tmp_path / "topics.csv")
    with (tmp_path / "topics.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["topic"] for row in rows] == shown(page)
    assert all(
        int(r["opinions"]) == int(r["negative"]) + int(r["neutral"]) + int(r["positive"]) for r in rows
    )


def test_it_fits_a_phone(page):
    page.page.set_viewport_size({"width": 360, "height": 740})
    assert page("() => document.documentElement.scrollWidth <= 360")
