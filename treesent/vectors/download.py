"""Download the public vectors in ``embeddings/sources.toml``: resumable, verified, complete or not at all."""

import hashlib
import re
import tomllib
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, fields
from difflib import get_close_matches
from http.client import HTTPException
from pathlib import Path
from typing import Any

from treesent.errors import OutputError, VectorsError
from treesent.files import embeddings_path, replacing

BLOCK = 1 << 20
Report = Callable[[int, int | None], None]


@dataclass(frozen=True, slots=True)
class Source:
    """One entry of ``sources.toml``.

    :param name: the name of the source.
    :param address: an http or https URL; empty if ``gensim`` has the file.
    :param gensim: its name for ``gensim.downloader``; empty if it has none.
    :param file: the name of the local file.
    :param width: dimension of the vectors.
    :param n_words: number of words.
    :param licence: as its makers state it.
    :param member: which file of an archive holds the vectors.
    :param sha256: of the file; empty if none is published.
    """

    name: str
    width: int
    n_words: int
    licence: str
    address: str = ""
    gensim: str = ""
    file: str = ""
    member: str = ""
    sha256: str = ""


@dataclass(frozen=True, slots=True)
class Downloaded:
    """A downloaded file.

    :param path: where.
    :param sha256: of the file.
    :param verified: whether ``sources.toml`` (or the first download) had this hash; False for the first
        download of a source without one.
    """

    path: Path
    sha256: str
    verified: bool


def read_sources(path: str | Path | None = None) -> dict[str, Source]:
    """The public sources by name.

    :param path: a file like ``sources.toml``; the packaged one by default.
    :returns: the sources by name.
    :raises VectorsError: a key is missing, unknown or of the wrong type; the entry is named.
    """
    path = Path(path) if path is not None else embeddings_path("sources.toml")
    try:
        entries = tomllib.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise VectorsError(f"{path} cannot be read: {error}") from error
    known = {field.name for field in fields(Source)}
    sources = {}
    for name, entry in entries.items():
        if not isinstance(entry, dict):
            raise VectorsError(f"{path}: {name} is {entry!r}; expected a section, [{name}]")
        for key, value in entry.items():
            kind = int if key in ("width", "n_words") else str
            if key in known and not isinstance(value, kind):
                raise VectorsError(f"{path}: [{name}] {key} is {value!r}; expected {kind.__name__}")
        unknown = set(entry) - known
        if unknown:
            raise VectorsError(f"{path}: [{name}] has unknown keys {sorted(unknown)}; known: {sorted(known)}")
        try:
            source = sources[name] = Source(name=name, **entry)
        except TypeError as error:
            raise VectorsError(f"{path}: [{name}] lacks a key: {error}") from error
        if source.file != Path(source.file).name or source.file in (".", ".."):
            raise VectorsError(f"{path}: [{name}] file is {source.file!r}; give a name without a folder")
        if source.address and not source.file:
            raise VectorsError(f"{path}: [{name}] has an address and no file; add file = NAME")
    return sources


def find_source(name: str, path: str | Path | None = None) -> Source:
    """The source of a name; the error names the nearest ones."""
    sources = read_sources(path)
    if name not in sources:
        near = get_close_matches(name, sources, 3, 0.4) or list(sources)
        raise VectorsError(f"no source is called {name!r}; there are {', '.join(near)}")
    return sources[name]


def download_source(source: Source, folder: str | Path, report: Report | None = None) -> Downloaded:
    """Download a source into a folder, through gensim if it has no address."""
    folder = Path(folder)
    if source.address:
        return download(source.address, folder / source.file, source.sha256, report)
    import gensim.downloader

    try:
        path = Path(gensim.downloader.load(source.gensim, return_path=True))
    except (OSError, ValueError, HTTPException) as error:
        raise VectorsError(
            f"gensim.downloader cannot fetch {source.gensim!r} ({error}). Without a network, run "
            f"gensim.downloader.load({source.gensim!r}) where there is one, and copy its "
            f"{gensim.downloader.BASE_DIR} (information.json and the vectors' folder) to the same place here"
        ) from error
    digest = file_hash(path)
    _compare(path, digest, source.sha256)
    return Downloaded(path, digest, bool(source.sha256))


def download(address: str, target: Path, sha256: str = "", report: Report | None = None) -> Downloaded:
    """Fetch a file; it appears under its name only when it is whole and its hash is right.

    What an interrupted run fetched stays in ``NAME.part`` and is gone on from, if the file at the address is
    still the same. The first download of a file whose hash nobody knows writes it into ``NAME.sha256``; from
    then on it is held to that.

    :param address: https, or http with a known hash.
    :param target: the local file.
    :param sha256: the expected hash; empty if it is unknown.
    :param report: called with the bytes received and, if known, the total.
    :raises VectorsError: where the address cannot be reached (what to put where is said), the file comes out
        short, or its hash differs.
    """
    if not address.startswith(("http://", "https://")):
        raise VectorsError(f"{address!r} is not an http or https address")
    record = target.with_name(f"{target.name}.sha256")
    expected = (sha256 or _recorded(record)).lower()
    if not expected:
        _check_secure(address)
    if not target.is_file():
        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.with_name(f"{target.name}.part")
        try:
            _fetch(address, part, report or (lambda done, total: None), bool(expected))
        except (urllib.error.URLError, HTTPException, TimeoutError, ConnectionError, ValueError) as error:
            raise VectorsError(
                f"{address} cannot be fetched ({error}). Run again to continue where it stopped. Without a "
                f"network: fetch that address elsewhere and put the file here: {target.absolute()}"
            ) from error
        except OSError as error:
            raise OutputError(
                f"{part} cannot be written: {error.strerror}; make room and run again to continue"
            ) from error
        digest = file_hash(part)
        if expected and digest != expected:
            part.unlink()
            raise VectorsError(f"{address}: the file has sha256 {digest}, not {expected}: it was deleted")
        if not expected:
            with replacing(record, "w", encoding="utf-8") as file:
                file.write(f"{digest}  {target.name}\n")
        part.replace(target)
        _tag(part).unlink(missing_ok=True)
    else:
        digest = file_hash(target)
        _compare(target, digest, expected)
    return Downloaded(target, digest, bool(expected))


def file_hash(path: Path) -> str:
    """The sha256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _compare(path: Path, digest: str, expected: str) -> None:
    if expected and digest != expected:
        raise VectorsError(f"{path} has sha256 {digest}, not {expected}: remove it and fetch it again")


def _check_secure(address: str) -> None:
    """Refuse an address whose answer others could change on the way."""
    parts = urllib.parse.urlsplit(address)
    if parts.scheme != "https" and parts.hostname not in ("localhost", "127.0.0.1", "::1"):
        raise VectorsError(
            f"{address}: plain http can be changed on the way, and no sha256 is known: use https, or give "
            "the sha256"
        )


def _recorded(record: Path) -> str:
    """The hash that an earlier download wrote beside the file."""
    if not record.is_file():
        return ""
    found = re.match(rb"([0-9a-fA-F]{64})\s", record.read_bytes())
    if found is None:
        raise VectorsError(f"{record} does not begin with a sha256 of 64 digits: mend or delete it")
    return found[1].decode()


def _tag(part: Path) -> Path:
    return part.with_name(f"{part.name}.tag")


def _fetch(address: str, part: Path, report: Report, vouched: bool) -> None:
    have = part.stat().st_size if part.is_file() else 0
    tag = _tag(part).read_bytes().decode("latin-1") if _tag(part).is_file() else ""
    if not tag.isprintable():
        tag = ""
    request = urllib.request.Request(address, headers={"User-Agent": "treesent"})
    if have and tag:
        # If-Range: a file that has changed since is sent whole, and never glued to the old one's start.
        request.add_header("Range", f"bytes={have}-")
        request.add_header("If-Range", tag)
    try:
        answer = urllib.request.urlopen(request, timeout=60)
    except urllib.error.HTTPError as error:
        if error.code != 416:
            raise
        # Nothing is left to send: all of it is here, or the part is longer than the file and useless.
        total = error.headers.get("Content-Range", "").rpartition("/")[2]
        if total == str(have):
            return
        part.unlink(missing_ok=True)
        _fetch(address, part, report, vouched)
        return
    with answer:
        if not vouched:
            _check_secure(answer.geturl())  # after redirections
        start = _start_of(answer, have)
        if start is None:
            # Another part than what was asked for: never glued to what is here.
            part.unlink()
            _fetch(address, part, report, vouched)
            return
        _tag(part).write_text(_validator(answer.headers), "latin-1")
        _copy(answer, part, start, report)


def _start_of(answer: Any, have: int) -> int | None:
    """Where in the file an answer begins; None if it is not the part that was asked for."""
    if answer.status != 206:
        return 0
    if not have:
        raise ConnectionError("the server sent a part of the file, and all of it was asked for")
    sent = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", answer.headers.get("Content-Range", "").strip())
    return have if sent is not None and int(sent[1]) == have else None


def _copy(answer: Any, part: Path, have: int, report: Report) -> None:
    length = answer.headers.get("Content-Length")
    if length is not None and not length.strip().isdecimal():
        raise ConnectionError(f"the server says Content-Length: {length!r}")
    total = have + int(length) if length is not None else None
    with part.open("ab" if have else "wb") as file:
        report(have, total)
        while block := answer.read(BLOCK):
            file.write(block)
            have += len(block)
            report(have, total)
    if total is not None and have != total:
        raise ConnectionError(f"{have} of {total} bytes came")


def _validator(headers: Any) -> str:
    tag = headers.get("ETag", "")
    value = str(tag if tag and not tag.startswith("W/") else headers.get("Last-Modified", ""))
    return value.strip() if value.isprintable() and value.isascii() else ""
