"""The parser that a pipeline gets: one that the recipe names, or the one that was trained on its vectors."""

from pathlib import Path
from typing import TYPE_CHECKING

from treesent.models.classifier.folder import CONFIG, PARSER, VECTORS, WEIGHTS
from treesent.models.classifier.sections import ParserSource
from treesent.models.parser.trainer import read_parser
from treesent.training.recipe import Recipe

if TYPE_CHECKING:
    from treesent.models.parser.kinds import Parser

CURE = (
    "train a parser on the same vectors (treesent train parser -o out/parser --paths.vectors TABLE) and name it "
    "with --parser.path out/parser, or say --parser.use false if you mean it"
)


def find_parser(recipe: Recipe, width: int) -> "Parser | None":
    """Find the parser of a recipe's pipeline.

    Without a ``path`` it is the parser of the pipeline whose vectors the recipe reads: a parser reads the vectors
    that it was trained on, and no others. Tuning them leaves it as good (bracket F1 80.4 before and after two epochs
    of ``bidirectional_lstm``).

    :param recipe: a classifier's.
    :param width: of its vectors.
    :returns: None if there is none, or if the recipe wants none.
    :raises ModelError: the parser cannot be read, or reads other vectors.
    """
    source = recipe.sections.get("parser", ParserSource())
    path = source.path or _beside(recipe)
    return read_parser(path, width) if source.use and path is not None else None


def lacks_parser(recipe: Recipe, folder: Path) -> bool:
    """Tell whether a trained pipeline has no parser of its own, though its recipe wants one.

    :param recipe: of any family.
    :param folder: what it has made.
    """
    if not recipe.sections.get("parser", ParserSource()).use or recipe.corpora.files("train_heads"):
        return False
    component = folder / "treesent"
    return _has(component, WEIGHTS) and not _has(component, PARSER)


def _beside(recipe: Recipe) -> Path | None:
    """The parser in the pipeline whose vectors a recipe reads and does not replace by others."""
    replaced = getattr(recipe.settings, "projection", 0) or set(recipe.vectors) != {"@misc", "path"}
    if replaced or recipe.corpora.files("train_heads"):
        return None
    vectors = Path(str(recipe.vectors["path"]))
    places = [vectors / "treesent", *([vectors.parent] if vectors.name == VECTORS else [])]
    return next((place / PARSER for place in places if _has(place, PARSER)), None)


def _has(component: Path, file: str) -> bool:
    return (component / CONFIG).is_file() and (component / file).is_file()
