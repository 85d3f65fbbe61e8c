"""``treesent vectors download``."""

import sys
from pathlib import Path
from typing import Annotated

import typer


def download(
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="Which vectors; without it, all are listed.")
    ] = None,
    folder: Annotated[
        Path, typer.Option("--output", "-o", metavar="FOLDER", help="The folder to write to.")
    ] = Path("embeddings/downloads"),
    sources: Annotated[Path | None, typer.Option(help="A file like embeddings/sources.toml.")] = None,
) -> None:
    """Download public vectors. An interrupted download continues where it stopped."""
    from treesent.vectors.download import download_source, find_source, read_sources

    if name is None:
        for source in read_sources(sources).values():
            typer.echo(f"{source.name:26} {source.n_words:>9,} x {source.width:<3}  {source.licence}")
        return
    source = find_source(name, sources)
    with _Bar(name) as bar:
        done = download_source(source, folder, bar.report)
    checked = "as expected" if done.verified else "recorded beside the file; none was known"
    typer.echo(f"sha256 {done.sha256} ({checked})", err=True)
    member = f" --member {source.member}" if source.member else ""
    typer.echo(f"{done.path}{member}")


class _Bar:
    """A progress bar of bytes on standard error, if that is a terminal."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __enter__(self) -> "_Bar":
        from tqdm import tqdm

        hide = not sys.stderr.isatty()
        self.bar = tqdm(desc=self.name, unit="B", unit_scale=True, unit_divisor=1024, disable=hide)
        return self

    def __exit__(self, *_: object) -> None:
        self.bar.close()

    def report(self, done: int, total: int | None) -> None:
        self.bar.total = total
        self.bar.update(done - self.bar.n)
