"""The counts of a session; each is counted in one place and read by everybody."""

from dataclasses import dataclass, field

from rig.protocol.chance import Chance


@dataclass
class Tally:
    """The counts of a session.

    Attributes
    ----------
    trials, fails : int
        Trials that have ended, and those of them that failed.
    rewards, withheld : int
        Rewards given, and rewards that a water cap withheld.
    vetoed : int
        Crossings in trials that were not brain, and did not count.
    frames, unsaved : int
        Frames handed over to be stored, and frames that the disk was too slow for.
    lost, stale : int
        Frames that the camera or the loop lost, and frames on which the decision came too late.
    chance : Chance
        Crossings in trials and in rests.
    """

    trials: int = 0
    fails: int = 0
    rewards: int = 0
    withheld: int = 0
    vetoed: int = 0
    frames: int = 0
    unsaved: int = 0
    lost: int = 0
    stale: int = 0
    chance: Chance = field(default_factory=Chance)

    @property
    def success_rate(self) -> float | None:
        """The share of trials that succeeded; None before the first has ended."""
        return 1 - self.fails / self.trials if self.trials else None
