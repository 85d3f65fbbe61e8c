"""Digests by which a resumed run recognises its input and its model."""

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from spacy.language import Language


def file_digest(path: Path) -> str:
    """SHA-256 of a file's content."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def model_digest(nlp: "Language") -> str:
    """SHA-256 of all files of a pipeline's folder; of its description where it came from no folder."""
    whole = hashlib.sha256(json.dumps(nlp.meta, sort_keys=True, default=str).encode())
    if nlp.path is not None:
        for path in sorted(path for path in Path(nlp.path).rglob("*") if path.is_file()):
            whole.update(f"{path.relative_to(nlp.path)}:{file_digest(path)}\n".encode())
    return whole.hexdigest()
