"""``treesent vectors evaluate`` and ``info``."""

import json
from dataclasses import asdict
from typing import Annotated, Any

import typer

from treesent.cli.vectors.options import AsJson, Member, Most, TextColumn, TrustPickle, Vectors, Words


def evaluate(
    vectors: Vectors,
    corpus: Annotated[
        list[str] | None, typer.Option(help="Measure coverage of it; may be given several times.")
    ] = None,
    analogies: Annotated[bool, typer.Option(help="Answer gensim's analogy questions.")] = True,
    similarity: Annotated[bool, typer.Option(help="WordSim-353 and SimLex-999.")] = True,
    most_frequent: Most = None,
    text_column: TextColumn = "text",
    words: Words = None,
    member: Member = None,
    trust_pickle: TrustPickle = False,
    as_json: AsJson = False,
) -> None:
    """Evaluate vectors: health, analogies, similarity, coverage of a corpus.

    If no sentiment can be learned on them, the exit code is 1 and the reason is printed.
    """
    from treesent.data.texts import read_texts
    from treesent.vectors import evaluate as judge
    from treesent.vectors.health import check_health
    from treesent.vectors.open import open_vectors
    from treesent.vectors.train import tokenise

    table = open_vectors(
        vectors,
        judge=False,
        most_frequent=most_frequent,
        words=words,
        member=member,
        trust_pickle=trust_pickle,
    )
    health = check_health(table)
    found: dict[str, Any] = {"health": asdict(health) | {"problem": health.problem}}
    if similarity:
        found["similarity"] = [asdict(result) for result in judge.similarity(table)]
    if analogies:
        found["analogies"] = asdict(judge.analogies(table))
    if corpus:
        texts = read_texts(corpus, text_column)
        found["coverage"] = asdict(judge.coverage(table, tokenise(texts)))
    typer.echo(json.dumps(found) if as_json else _in_words(found))
    if health.problem is not None:
        typer.echo(f"treesent: error: {vectors}: {health.problem}", err=True)
        raise typer.Exit(1)


def info(
    vectors: Vectors,
    words: Words = None,
    member: Member = None,
    trust_pickle: TrustPickle = False,
    as_json: AsJson = False,
) -> None:
    """Show what a file of vectors holds."""
    from treesent.vectors.health import check_health
    from treesent.vectors.open import open_vectors

    table = open_vectors(vectors, judge=False, words=words, member=member, trust_pickle=trust_pickle)
    health = check_health(table)
    found = {
        "words": len(table),
        "width": table.width,
        "numbers": str(table.matrix.dtype),
        "subwords": 0 if table.subwords is None else len(table.subwords),
        "first": table.words[:8],
        "zero rows": health.zero_rows,
        "shared rows": health.shared_rows,
        "problem": health.problem,
    }
    typer.echo(json.dumps(found) if as_json else "\n".join(f"{key}: {value}" for key, value in found.items()))


def _in_words(found: dict[str, Any]) -> str:
    health = found["health"]
    shared = (
        f"{health['zero_rows']:,} zero rows; {health['shared_rows']:,} words with the same row as another"
    )
    cosines = [f"{pair} {value:.2f}" for pair, value in health["cosines"].items()]
    lines = [f"{health['n_words']:,} words; {shared}", f"cosines: {', '.join(cosines[:6])}"]
    for result in found.get("similarity", []):
        known = f"{result['n']} of {result['n_pairs']} pairs"
        lines.append(f"{result['name']}: Spearman {result['spearman']:.1f} ({known})")
    if "analogies" in found:
        answers = found["analogies"]
        known = f"{answers['n']:,} of {answers['n_questions']:,} questions"
        lines.append(f"analogies: {answers['accuracy']:.1f} % ({known})")
    if "coverage" in found:
        cover = found["coverage"]
        missing = ", ".join(f"{word} ({n})" for word, n in cover["missing"][:10])
        words = f"{cover['words']:.2f} % of {cover['n_words']:,} words"
        types = f"{cover['types']:.2f} % of {cover['n_types']:,} distinct ones"
        lines.append(f"coverage: {words}, {types}; missing most: {missing}")
    return "\n".join(lines)
