"""Find the opinions in a column of texts in Python: one row for each."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from treesent.errors import DataError
from treesent.opinions.run import require_head
from treesent.opinions.topics import Topics, normal, own_topics
from treesent.pipeline.lookup import component_of
from treesent.scoring.frames import opened, table_like, text_of, values_of

if TYPE_CHECKING:
    from spacy.language import Language

COLUMNS = ("row", "target", "topic", "label", "polarity", "confidence", "words", "clause", "start", "end")


def opinions_of_texts(
    texts: "Iterable[str | None]",
    model: "str | Path | Language" = "en_treesent_sm",
    *,
    topics: Mapping[str, Sequence[str]] | None = None,
    batch_size: int = 64,
) -> Any:
    """Find the opinions in texts.

    :param texts: a column of pandas or polars, an Arrow array, or any iterable; missing texts have no opinions.
    :param model: a packaged pipeline's name, a folder, or an open pipeline, with a head for opinions.
    :param topics: topics of your own with their synonyms: ``{"service": ["waiter", "staff"]}``. Without them a topic is
        the target in lower case, without an article or a plural.
    :param batch_size: texts that go through the network together.
    :returns: a table of the library that the texts came in, with a row for each opinion: ``row`` (the place of the text,
        from 0), ``target``, ``topic``, ``label``, ``polarity``, ``confidence``, ``words``, ``clause``, and ``start`` and
        ``end`` (the target's characters).
    :raises DataError: an element is no text.
    :raises ModelError: there is no such pipeline, or it has no head for opinions.
    """
    if isinstance(texts, str):
        raise DataError(f"one text is given, {texts[:40]!r}; give a list of texts or a column")
    nlp = opened(str(model)) if isinstance(model, str | Path) else model
    require_head(nlp)
    plain = [text_of(value, f"element {place}") for place, value in enumerate(values_of(texts))]
    rows: list[list[Any]] = []
    with nlp.memory_zone():
        for place, doc in enumerate(nlp.pipe(plain, batch_size=batch_size)):
            for opinion in doc._.opinions:
                values = opinion.to_dict()
                target, words = values["target"], values["words"]
                scores = [values[name] for name in ("label", "polarity", "confidence")]
                said = None if words is None else words["text"]
                rows.append(
                    [
                        place,
                        target["text"],
                        "",
                        *scores,
                        said,
                        values["clause"]["text"],
                        target["start"],
                        target["end"],
                    ]
                )
    table = component_of(nlp).trained.table
    names = [row[1] for row in rows]
    found = (
        own_topics(names, topics, table) if topics else Topics({normal(name): normal(name) for name in names})
    )
    for row in rows:
        row[2] = found.topic(row[1])
    columns = [list(column) for column in zip(*rows, strict=True)] or [[] for _ in COLUMNS]
    return table_like(texts, dict(zip(COLUMNS, columns, strict=True)), indexed=False)
