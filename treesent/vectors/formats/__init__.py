"""Read and write word vectors in the formats people have them in.

:func:`read_vectors` tells the format by what is in the file and gives a
:class:`~treesent.vectors.table.VectorTable`; :func:`write_vectors` tells it by the name.
"""

from treesent.vectors.formats.read import read_vectors
from treesent.vectors.formats.select import Selection
from treesent.vectors.formats.write import write_vectors

__all__ = ["Selection", "read_vectors", "write_vectors"]
