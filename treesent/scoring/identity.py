"""Digests by which a resumed run recognises its input and its model."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from treesent.data.remote import RemotePath

if TYPE_CHECKING:
    from spacy.language import Language


def file_digest(path: Path) -> str:
    """SHA-256 of a file's content."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def files_digest(files: Sequence[Path | RemotePath]) -> str:
    """SHA-256 of the content of files; of many with their names. A remote file has what its store says of its version."""
    digests = [path.version() if isinstance(path, RemotePath) else file_digest(path) for path in files]
    if len(files) == 1:
        return digests[0]
    named = (f"{path}:{digest}\n" for path, digest in zip(files, digests, strict=True))
    return hashlib.sha256("".join(named).encode()).hexdigest()


def folder_digest(folder: Path) -> str:
    """SHA-256 of all files of a folder and their names."""
    whole = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        whole.update(f"{path.relative_to(folder).as_posix()}:{file_digest(path)}\n".encode())
    return whole.hexdigest()


def model_digest(nlp: "Language") -> str:
    """SHA-256 of all files of a pipeline's folder; of its description where it came from no folder."""
    meta = json.dumps(nlp.meta, sort_keys=True, default=str)
    files = "" if nlp.path is None else folder_digest(Path(nlp.path))
    return hashlib.sha256(f"{meta}{files}".encode()).hexdigest()
