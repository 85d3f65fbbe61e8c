"""Find the component ``treesent`` in a spaCy pipeline."""

from typing import TYPE_CHECKING, Any

from treesent.errors import ModelError

if TYPE_CHECKING:
    from spacy.language import Language

    from treesent.pipeline.component import TreeSentiment

FACTORY = "treesent"
PRETRAINED = "en_treesent_sm"
"""The packaged pipeline."""


def components_of(nlp: "Language") -> "dict[str, TreeSentiment]":
    """Give all enabled components ``treesent`` by their names, in the order of the pipeline.

    A component whose class is derived from ``TreeSentiment`` under another factory is not one of them.

    :param nlp: the pipeline.
    """
    found: dict[str, Any] = {
        name: pipe for name, pipe in nlp.pipeline if nlp.get_pipe_meta(name).factory == FACTORY
    }
    return found


def component_of(nlp: "Language") -> "TreeSentiment":
    """Give the first component ``treesent`` of a pipeline.

    :param nlp: the pipeline.
    :raises ModelError: if it has none.
    """
    for component in components_of(nlp).values():
        return component
    raise ModelError(
        f"the pipeline {nlp.meta.get('name')!r} has no component 'treesent' (it has {nlp.pipe_names}); "
        'add it: nlp.add_pipe("treesent")'
    )
