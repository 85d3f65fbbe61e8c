"""The map of an embedding: one self-contained page that explores words or phrases."""

from treesent.projector.map import MapOptions, project, project_phrases

__all__ = ["MapOptions", "project", "project_phrases"]
