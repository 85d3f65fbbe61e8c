"""Score the texts of a table, whatever its length, and lose no row.

Start reading at ``run.py``. ``parts.py`` scores one part of the input, ``results.py`` turns a Doc into columns,
``writing.py``, ``rendering.py`` and ``arrow.py`` turn rows into files, ``spool.py`` keeps finished parts on disk.
``shared.py`` has the parts made by the workers of ``pool.py``.
"""

from treesent.scoring.options import ScoreOptions, ScoreSummary
from treesent.scoring.plan import check
from treesent.scoring.run import score

__all__ = ["ScoreOptions", "ScoreSummary", "check", "score"]
