"""The spaCy component: ``component`` is what spaCy calls, the other modules are what it is made of.

``tree_sources`` says where the trees of a Doc come from, ``predict`` scores them, ``record`` is how the result lies on
the Doc, ``sentiment`` and ``treeview`` are how people read it, ``gold`` and ``example_labels`` are how annotated Docs
train, and ``scorer``, ``evaluation``, ``suite`` and ``cases`` measure.
"""
