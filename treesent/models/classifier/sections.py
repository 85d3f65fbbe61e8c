"""The sections of a recipe that only classifiers have."""

from typing import Annotated

from pydantic import Field

from treesent.config import File, section
from treesent.errors import RecipeError


@section
class ParserSource:
    """``[parser]``: the parser that the pipeline gets."""

    path: File | None = None
    """What ``treesent train parser`` wrote, the folder or the file in it; trained on the same ``[vectors]``. Null
    for the parser of the pipeline whose vectors these are."""
    use: bool = True
    """Whether the pipeline gets a parser; without one, texts get right-branching trees unless a dependency parser
    stands before the component."""

    def __post_init__(self) -> None:
        """Refuse a parser that is named and not used."""
        if self.path is not None and not self.use:
            raise RecipeError("use is false, but path is set too; remove one of them")


@section
class EncoderSource:
    """``[model.encoder]`` of a recurrent network: initialise its cells from a language model.

    See :func:`treesent.models.classifier.pretrained.copy_cells`.
    """

    init: File
    """Folder of a language model of words that reads from left to right; trained on the same ``[vectors]``."""
    init_backward: File | None = None
    """Folder of one that reads from right to left, for a bidirectional network."""
    learn_rate: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Factor of the learning rate of these cells: discriminative fine-tuning (Howard and Ruder 2018, 3.2)."""
