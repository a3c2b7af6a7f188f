#!/usr/bin/env python3
"""CLNF, a rule on several ROIs: a mouse learns to raise the value of `roi_operation`, as in BC_L-BC_R.

Protocol (Gupta & Murphy, eLife 105070)
  1. Preview: place the ROIs over their sites; Esc starts the session.
  2. Rest, silent.
  3. Trial: the tone's pitch follows the rule on the ROIs' ΔF/F, green minus blue.
  4. The rule above the threshold, reward_delay ago: success.  Water, then a short rest.
     No success within max_trial_dur: failure.  Failure LED, then a long rest.
  5. An adaptive threshold rises after more than one reward in 30 s, and falls after none.
  6. After total_trials the last rest is recorded, and the session ends.
"""

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # so that it runs from any folder

import helper as clh
from rig import cli
from rig.baseline import print_baseline
from rig.devices import Recording, Rig, open_rig, place_rois, recording
from rig.dff import RoiHistory, average_dff
from rig.preflight import check_rig
from rig.preview_cortex import CortexPreview, make_rois
from rig.rule import Rule
from rig.settings import TwoRoiSettings
from rig.tones import get_bins
from rig.trials import FAIL, SUCCESS, AdaptiveThreshold, DelayLine, open_trials
from roi_manager import Rect

COLUMNS = ("frame", "time", "roi_dff", "freq", "rew_threshold", "reward", "trial", "audio", "lick")
THRESHOLD_STEP = 0.002  # ΔF/F; also the least that the threshold falls to
SIGNAL = "ΔF/F"


def run_session(cfg: TwoRoiSettings, rig: Rig, rois: list[Rect], books: Recording) -> str:
    """Run one session, a pass of the loop for each frame; return why it ended."""
    period_s = cfg.frame_period_s()
    trials = open_trials(cfg, cfg.seed, rig.options.baseline_s)
    tone_delay, reward_delay = DelayLine(cfg.audio_delay, period_s), DelayLine(cfg.reward_delay, period_s)
    adaptive = AdaptiveThreshold(cfg.reward_threshold, THRESHOLD_STEP, THRESHOLD_STEP, cfg.adaptive_threshold, period_s)
    freqs = clh.get_freqs(cfg.n_tones)
    runningImgQuROI = [RoiHistory(cfg.history_frames()) for _ in rois]
    reward_threshold = adaptive.value
    rule = Rule(cfg.roi_operation)

    for frame in rig.frames():
        # The signal
        for roi, history in zip(rois, runningImgQuROI, strict=True):
            roi.avgDff = average_dff(roi.crop(frame.image), history)
        relAvgDff = rule({roi.name: roi.avgDff for roi in rois})

        # What it means
        age_s = frame.age_s()
        fresh = age_s <= cfg.max_frame_age_s()  # a late decision pays nothing
        dff_bins = get_bins(reward_threshold, cfg.n_tones)
        crossed = reward_delay.push(frame.time_s, relAvgDff) > reward_threshold
        heard = tone_delay.push(frame.time_s, relAvgDff)
        step = trials.step(frame.time_s, crossed, fresh)
        if step.finished:  # with the frame before
            return "finished"

        # Act first
        freq = trials.arm.tone_hz(heard, dff_bins, freqs) if step.audio else 0.0
        if fresh:
            rig.tone.play(freq)
        if step.water:
            step = rig.water.give(step, frame.time_s)
        if step.outcome == FAIL:
            rig.outputs.fail.pulse(cfg.fail_s)
        if step.goes_dark:
            rig.outputs.light.off()
        acted_s = time.monotonic()

        # Then keep books
        books.write(
            frame, step, fresh, age_s, acted_s,
            roi_dff=relAvgDff, freq=round(rig.tone.hz), rew_threshold=reward_threshold,
            audio=int(rig.tone.hz > 0), lick=int(rig.lick.touched()),
            **{f"{roi.name}_dff": roi.avgDff for roi in rois},
        )  # fmt: skip
        books.log.notes["divisions_by_zero"] = rule.divisions_by_zero
        reward_threshold = adaptive.update(frame.time_s, step.reward == SUCCESS)
        books.show(frame, step, trials, relAvgDff, reward_threshold)
        if books.end:
            return books.end
    return "the recording ended"


def main() -> int:
    """Prepare, preview, run."""
    options = cli.prepare(TwoRoiSettings, __doc__)
    if options.check:
        return check_rig(options)
    with open_rig(options) as rig:
        rois = make_rois(options.settings)
        if not place_rois(rig, rois, CortexPreview(options.settings)):
            print("The window was closed: no session.")
            return 0
        columns = (*COLUMNS, *(f"{roi.name}_dff" for roi in rois))
        with recording(rig, rois, columns, SIGNAL) as books:
            books.log.ended_by = run_session(options.settings, rig, rois, books)
    if options.baseline_s is not None:
        print_baseline(books.log.folder, options.settings)
    return 0


if __name__ == "__main__":
    cli.run(main)
