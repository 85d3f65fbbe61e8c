"""Damaged and hostile files for every reader: each input ends in a result or in one of treesent's errors.

``make fuzz SECONDS=60 SEED=1`` runs it. Start reading at ``kinds.py``. ``mutate.py`` damages the seed files,
``guard.py`` catches what a reader must not do, ``worker.py`` runs inputs, ``session.py`` looks after workers.
"""
