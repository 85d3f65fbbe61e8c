"""Scores over HTTP: a server on starlette and uvicorn.

Start reading at ``app.py``. A request passes the gate (``gate.py``), is read and checked (``reading.py``), and its
texts join those of other requests in the batches of one scoring thread (``batching.py``). ``running.py`` binds the
address and runs the workers.
"""

from treesent.serve.options import ServeOptions

__all__ = ["ServeOptions"]
