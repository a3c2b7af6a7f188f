#!/usr/bin/env python3
"""A fourth experiment, to see how cheap one is: a mouse learns to lick faster.

Protocol
  Rest, silent.  Trial: the tone's pitch follows the lick rate.  Above the threshold: success and water; else failure.
"""

import sys
from pathlib import Path
from typing import ClassVar

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # so that it runs from any folder

from rig.baseline import print_baseline
from rig.books import Books, recording
from rig.ending import run
from rig.options import prepare
from rig.preflight import check_rig
from rig.protocol.delays import DelayLine
from rig.protocol.tones import get_bins
from rig.session import Rig, open_rig
from rig.settings.common import RigSettings
from rig.settings.fields import TRIALS, setting

COLUMNS = ("frame", "time", "lick_rate", "freq", "lick_threshold", "reward", "trial", "audio", "lick")
OVER_S = 2.0  # the lick rate is averaged over


class LickRateSettings(RigSettings):
    """The lick rate is trained."""

    section: ClassVar[str] = "lick_rate"
    label: ClassVar[str] = "lick rate"
    own_key: ClassVar[str] = "lick_threshold"
    scene: ClassVar[str] = "paws"
    has_baseline: ClassVar[bool] = True
    signal_column: ClassVar[str] = "lick_rate"
    threshold_column: ClassVar[str] = "lick_threshold"
    threshold_setting: ClassVar[str] = "lick_threshold"
    signal_unit: ClassVar[str] = "licks/s"
    lick_threshold: float = setting(TRIALS, "a lick rate above it is a success", "licks/s", gt=0, le=20)


def run_session(cfg: LickRateSettings, rig: Rig, books: Books) -> None:
    """Run one session, a pass of the loop for each frame."""
    reward_delay, lick_rate, licked = DelayLine(cfg.reward_delay, cfg.frame_period_s()), 0.0, False
    bins = get_bins(cfg.lick_threshold, cfg.n_tones)
    for frame in rig.frames():
        lick_rate += (licked * cfg.framerate - lick_rate) / (OVER_S * cfg.framerate)
        crossed = reward_delay.push(frame.time_s, lick_rate) > cfg.lick_threshold
        step = rig.trials.step(frame.time_s, crossed, rig.is_fresh(frame))
        act = rig.act(frame, step, rig.trials.tone_hz(step, lick_rate, bins))
        licked = act.licked
        books.write(act, lick_rate=lick_rate, lick_threshold=cfg.lick_threshold)


def main() -> int:
    """Prepare and run."""
    options = prepare(LickRateSettings, __doc__)
    if options.check:
        return check_rig(options)
    with open_rig(options) as rig, recording(rig, [], COLUMNS) as books:
        run_session(options.settings, rig, books)
    if options.baseline_s is not None:
        print_baseline(books.folder, options.settings, rate_per_min=2)
    return 0


if __name__ == "__main__":
    run(main)
