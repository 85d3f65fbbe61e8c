"""The independent random streams of a run."""

import numpy as np


def stream(seed: int, *what: int) -> int:
    """Return the seed of one of the independent random streams of a run.

    :param seed: the run's seed.
    :param what: which stream, and the step.
    """
    return int(np.random.SeedSequence([seed, *what]).generate_state(1, np.uint64)[0] >> np.uint64(1))
