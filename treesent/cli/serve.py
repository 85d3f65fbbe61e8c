"""``treesent serve``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from treesent.cli.options import BatchSize, Device, Threads, open_pipeline

if TYPE_CHECKING:
    from spacy.language import Language


def serve(
    model: Annotated[str, typer.Option(help="A pipeline's folder, or a packaged name.")] = "en_treesent_sm",
    host: Annotated[
        str, typer.Option(help="The address to bind; any but this machine's own needs a token.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 8000,
    token: Annotated[
        str | None,
        typer.Option(envvar="TREESENT_TOKEN", help="What clients must send: Authorization: Bearer TOKEN."),
    ] = None,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(help="A name that requests may be sent to, behind a proxy; may be repeated."),
    ] = None,
    workers: Annotated[int, typer.Option(min=1, help="Processes that share the port and the weights.")] = 1,
    corrections: Annotated[
        Path | None,
        typer.Option(help="Keep labels that people correct on the page in this file of bracketed trees."),
    ] = None,
    max_texts: Annotated[int, typer.Option(min=1, help="Texts of one request.")] = 256,
    max_length: Annotated[int, typer.Option(min=1, help="Characters of the longest text.")] = 20_000,
    max_body: Annotated[int, typer.Option(min=1, help="Bytes of the longest body, or line of a stream.")] = 2
    ** 20,
    max_requests: Annotated[
        int, typer.Option(min=1, help="Requests at work in a worker; more get a 429.")
    ] = 256,
    max_waiting: Annotated[
        int, typer.Option(min=1, help="Characters waiting in a worker; with more, requests get a 429.")
    ] = 200_000,
    max_delay: Annotated[
        float,
        typer.Option(min=0, help="Seconds that what is waiting will take; with more, requests get a 429."),
    ] = 5.0,
    batch_size: BatchSize = 64,
    batch_wait: Annotated[
        float, typer.Option(min=0, max=1000, help="Milliseconds that a text waits for others.")
    ] = 2.0,
    timeout: Annotated[float, typer.Option(min=0.1, help="Seconds until a request is given up.")] = 30.0,
    drain: Annotated[float, typer.Option(min=0, help="Seconds to finish requests after SIGTERM.")] = 30.0,
    threads: Threads = 1,
    device: Device = "auto",
) -> None:
    """Serve scores over HTTP, and a page to try them.

    POST /v1/score scores texts, POST /v1/tree.svg draws a sentence; /openapi.json describes the rest. A log of
    JSON lines without texts goes to standard error. SIGTERM and Ctrl-C finish the requests at work.
    """
    from treesent.errors import MissingExtraError, TreesentError

    try:
        from treesent.serve import ServeOptions
        from treesent.serve.running import serve as run
    except ModuleNotFoundError as error:
        if error.name not in ("starlette", "uvicorn"):
            raise
        raise MissingExtraError(error.name, "serve") from error
    options = ServeOptions(
        host=host,
        port=port,
        workers=workers,
        token=token,
        hosts=tuple(allow_host or ()),
        corrections=corrections,
        max_body=max_body,
        max_texts=max_texts,
        max_length=max_length,
        max_requests=max_requests,
        max_waiting=max_waiting,
        max_delay=max_delay,
        batch_size=batch_size,
        batch_wait=batch_wait / 1000,
        timeout=timeout,
        drain=drain,
    )

    def opened() -> "Language":
        if workers == 1:
            return open_pipeline(model, threads, device)
        if device not in ("auto", "cpu") or threads != 1:
            raise TreesentError(
                f"--workers {workers} with --device {device} and --threads {threads}: forked workers have the "
                "processor and one thread each; leave the two out"
            )
        return open_pipeline(model, threads, "cpu")

    run(opened, options, lambda address: typer.echo(address))
