"""What a scoring run is asked to do, and what it did."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from treesent.data.dialect import Dialect
from treesent.data.remote import RemotePath
from treesent.data.tables import LONGEST

Nodes = Literal["none", "sentences", "all", "opinions"]
OnError = Literal["fail", "skip"]


@dataclass(frozen=True, slots=True)
class ScoreOptions:
    """How to score a table; the command line has an option for each field."""

    text_column: str = "text"
    """The column of the texts."""
    id_column: str | None = None
    """A column that names the rows: it must be filled, and rejects carry it."""
    nodes: Nodes = "none"
    """What the column ``sentences`` holds: none, the sentences, or the sentences with each phrase; or ``opinions``, for
    a column of that name."""
    batch_size: int = 64
    """Texts that go through the network together."""
    kind: str | None = None
    """Kind where no suffix tells; None: txt on standard input, jsonl on standard output."""
    input_kind: str | None = None
    """Kind of the input, whatever its name."""
    output_kind: str | None = None
    """Kind of the output, whatever its name."""
    prefix: str = ""
    """Stands before the names of the columns added."""
    on_error: OnError = "fail"
    """Stop at a row that cannot be scored, or put it among the rejects."""
    rejects: Path | str | None = None
    """Where rejects go; ``OUT.rejects.jsonl`` where None."""
    quoted_tsv: bool = False
    """Quotes in tsv mean what they mean in csv."""
    separator: str | None = None
    """What separates the cells of a csv or tsv input; None to tell it by the header."""
    encoding: str | None = None
    """Of a text input; None for UTF-8, or what a byte order mark says."""
    null: tuple[str, ...] = ()
    """Texts that stand for no text, such as ``NULL``: they get empty scores."""
    overwrite: bool = False
    """Replace an output that exists."""
    resume: bool = False
    """Continue where an earlier run stopped."""
    max_row_size: int = LONGEST
    """Bytes of the longest row; a longer one is a bad row and is never held in memory whole."""
    escape_formulas: bool = False
    """In csv and tsv, put ' before a cell that a spreadsheet would run as a formula."""
    workers: int | Literal["auto"] = 1
    """Processes that score, each with one thread of torch; ``auto`` for as many as pay, one on a small input."""

    @property
    def dialect(self) -> Dialect:
        """How the input is written."""
        return Dialect(self.quoted_tsv, self.separator, self.encoding, self.null)


@dataclass(frozen=True, slots=True)
class ScoreSummary:
    """What a run did, including the rows of the runs it continues."""

    rows: int
    """Rows of the input."""
    empty: int
    """Rows without text: written with nulls."""
    rejected: int
    """Rows among the rejects."""
    rejects: Path | RemotePath | None
    """The file of the rejects, or None if there are none."""
    parts: int = 0
    """Parts in which the input was scored."""
    workers: int = 1
    """Processes that scored."""
    memory: int = 0
    """With several workers: bytes of the most memory that one shared with no other; 0 if that is not known."""
