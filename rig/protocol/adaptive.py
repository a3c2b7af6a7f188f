"""The adaptive threshold: it follows what the mouse earns."""

from rig.protocol.delays import Interval

EPOCH_S = 30.0


class AdaptiveThreshold:
    """Every 30 s, more than one reward raises the threshold, and none lowers it.

    Parameters
    ----------
    value : float
        The threshold at the start, in the unit of the signal.
    frame_period_s : float
    step : float
        By how much it rises and falls, 0.002 ΔF/F in CLNF, 2 px/frame in CLMF; it never falls below one step.
    enabled : bool
        Otherwise the threshold stays.

    Attributes
    ----------
    value : float
        The threshold now.
    """

    def __init__(self, value: float, frame_period_s: float, *, step: float, enabled: bool) -> None:
        self.value = value
        self._step, self._enabled = step, enabled
        self._interval = Interval(frame_period_s)
        self._epoch_began_s: float | None = None
        self._rewards = 0

    def update(self, time_s: float, reward: int) -> float:
        """Count the `reward` column of this frame (1 is a reward), and return the threshold for the next frame."""
        if self._epoch_began_s is None:
            self._epoch_began_s = time_s
        self._rewards += reward == 1
        if self._enabled and self._interval.over(self._epoch_began_s, EPOCH_S, time_s):
            change = self._step if self._rewards > 1 else -self._step if self._rewards == 0 else 0.0
            # Nine decimals keep 0.075 + 0.002 at 0.077; a threshold given below one step stays where it is.
            self.value = round(max(self.value + change, min(self._step, self.value)), 9)
            self._epoch_began_s, self._rewards = time_s, 0
        return self.value
