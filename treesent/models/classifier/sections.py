"""The sections of a recipe that only classifiers have."""

from typing import Annotated

from pydantic import Field, NonNegativeInt, PositiveFloat

from treesent.config import Dropout, File, section
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


@section
class TransformerSource:
    """``[transformer]``: the pretrained transformer under a network with ``encoder = "transformer"``."""

    path: File
    """A folder with ``config.json``, ``tokenizer.json`` and safetensors, or ``hf:`` and a name on the
    Hugging Face hub, such as ``hf:sentence-transformers/all-mpnet-base-v2``."""
    learn_rate: Annotated[float, Field(gt=0, le=1)] = 0.03
    """Factor of the learning rate of its top layer."""
    layer_decay: Annotated[float, Field(gt=0, le=1)] = 0.9
    """Each layer learns at the rate of the one above times this (Howard and Ruder 2018, arXiv:1801.06146, 3.2)."""
    freeze_layers: NonNegativeInt = 0
    """The lowest layers that stay as they are, the embeddings of pieces among them."""
    freeze_embeddings: bool = True
    """Leave the embeddings of pieces as they are: most of a small model's weights, and slow to update."""
    dropout: Dropout | None = None
    """Dropout rate inside the transformer; null for its own."""
    gradient_checkpointing: bool = False
    """Compute the states of each layer again in the backward pass: less memory, a third more time."""


@section
class TeacherSource:
    """``[teacher]``: a trained pipeline whose probabilities of every phrase the network learns too.

    Distillation (Hinton et al. 2015, arXiv:1503.02531; for sentiment Tang et al. 2019, arXiv:1903.12136). The teacher
    scores the trees that the network learns from, those of ``corpora.unlabelled`` included.
    """

    path: File
    """The folder of a pipeline with the same classes."""
    share: Annotated[float, Field(gt=0, le=1)] = 0.5
    """Weight of the teacher's probabilities in the loss of a phrase; that of its label is 1 less this."""
    temperature: PositiveFloat = 1.0
    """Above 1 evens the teacher's probabilities out."""
    max_trees: NonNegativeInt = 0
    """Have it score at most so many of the trees, those without labels first, then others drawn at random; 0 for all.
    What it does not score has its labels alone."""
