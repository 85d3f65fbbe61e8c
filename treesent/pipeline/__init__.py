"""The spaCy component: ``pipe`` is what spaCy calls, the other modules are what it is made of.

``docs``, ``sentences`` and ``sources`` say what the trees of a Doc are over, ``predict`` scores them,
``record`` is how the result lies on the Doc, ``sentiment`` and ``treeview`` are how people read it, and
``gold`` is how annotated Docs train.
"""
