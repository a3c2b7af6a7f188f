"""Intervals by drawing blocks of a session anew, as many as there are: a bootstrap that keeps what goes together."""

import numpy as np

LEVEL = 0.95
RESAMPLED = 2000  # times
SEED = 0  # the same session has the same interval every time


def resampled(blocks: np.ndarray) -> np.ndarray:
    """Return the sums of the columns for blocks that were drawn anew.

    Parameters
    ----------
    blocks : array (n, m)
        A row of counts for each block.

    Returns
    -------
    array (RESAMPLED, m)
    """
    n = len(blocks)
    times_drawn = np.random.default_rng(SEED).multinomial(n, np.full(n, 1 / n), RESAMPLED)
    sums: np.ndarray = times_drawn @ blocks
    return sums


def limits(lowest: np.ndarray, highest: np.ndarray | None = None) -> tuple[float, float]:
    """Return the interval in which LEVEL of the values lie; they may be infinite.

    Parameters
    ----------
    lowest : array (n,)
    highest : array (n,), optional
        For the upper limit, where a value that is not known may be anything.
    """
    return quantile(lowest, (1 - LEVEL) / 2), quantile(lowest if highest is None else highest, (1 + LEVEL) / 2)


def quantile(values: np.ndarray, share: float) -> float:
    """Return the value below which this share lies."""
    return float(np.sort(values)[round(share * (len(values) - 1))])
