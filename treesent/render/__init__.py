"""Pictures of scored trees."""

from treesent.render.svg import Picture, to_svg

__all__ = ["Picture", "to_svg"]
