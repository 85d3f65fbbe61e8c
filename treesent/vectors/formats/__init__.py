"""Read and write word vectors in the formats people have them in.

:func:`read_vectors` tells the format by the content of the file and returns a
:class:`~treesent.vectors.table.VectorTable`; :func:`write_vectors` tells it by the name.
"""

from treesent.vectors.formats.arrays import files_of
from treesent.vectors.formats.read import read_vectors
from treesent.vectors.formats.select import Selection
from treesent.vectors.formats.write import check_vectors_output, write_vectors

__all__ = ["Selection", "check_vectors_output", "files_of", "read_vectors", "write_vectors"]
