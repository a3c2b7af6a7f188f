#!/usr/bin/env python3
"""CLNF, a rule on several ROIs: a mouse learns to raise the value of `roi_operation`, as in BC_L-BC_R.

Protocol (Gupta & Murphy, eLife 105070)
  1. Preview: place the ROIs over their sites; Esc starts the session.
  2. Rest, silent.
  3. Trial: the tone's pitch follows the rule on the ROIs' ΔF/F, green less blue_coefficient times blue.
  4. The rule above the threshold, reward_delay ago: success.  Water, then a short rest.
     Still none after max_trial_dur: failure.  Failure LED, then a long rest.
  5. With adaptive_threshold the threshold rises after more than one reward in 30 s, and falls after none.
  6. After total_trials the last rest is recorded, and the session ends.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # so that it runs from any folder

from rig.artefacts import ARTEFACT_COLUMNS, Artefacts
from rig.baseline import print_baseline
from rig.books import Books, recording
from rig.ending import run
from rig.options import prepare
from rig.preflight import check_rig
from rig.protocol.adaptive import open_threshold
from rig.protocol.delays import DelayLine
from rig.protocol.dff import RoiHistory
from rig.protocol.haemodynamics import columns_of_colours
from rig.protocol.roi_operation import RoiOperation
from rig.protocol.tones import get_bins
from rig.screen.preview_cortex import CortexPreview, make_rois
from rig.session import Rig, open_rig, place_rois
from rig.settings.two_roi import TwoRoiSettings
from roi_manager import Circle, Rect

THRESHOLD_STEP = 0.002  # ΔF/F; also the least that the threshold falls to
COLUMNS = ("frame", "time", "roi_dff", "freq", "rew_threshold", "reward", "trial", "audio", "lick")


def run_session(cfg: TwoRoiSettings, rig: Rig, rois: list[Rect | Circle], books: Books) -> None:
    """Run one session, a pass of the loop for each frame."""
    period_s = cfg.frame_period_s()
    tone_delay, reward_delay = DelayLine(cfg.audio_delay, period_s), DelayLine(cfg.reward_delay, period_s)
    rule, runningImgQuROI = RoiOperation(cfg.roi_operation), [RoiHistory(cfg.history_frames()) for _ in rois]
    reward_threshold, haemodynamics = cfg.reward_threshold, cfg.haemodynamics()
    adaptive = open_threshold(cfg.adaptive_threshold, reward_threshold, period_s, step=THRESHOLD_STEP)
    artefacts = Artefacts(cfg, rig, rois)
    for frame in rig.frames():
        # The signal
        for roi, history in zip(rois, runningImgQuROI, strict=True):
            blue, green = history.dff(roi.crop(frame.image))
            roi.avgDff = green - haemodynamics(roi.name, blue, green)
        relAvgDff = rule({roi.name: roi.avgDff for roi in rois})

        # What earns, what is heard
        dff_bins = get_bins(reward_threshold, cfg.n_tones)
        crossed = reward_delay.push(frame.time_s, relAvgDff) > reward_threshold and not artefacts.veto(frame)
        heard = tone_delay.push(frame.time_s, relAvgDff)
        step = rig.trials.step(frame.time_s, crossed, rig.is_fresh(frame))

        # Act first, then keep books
        act = rig.act(frame, step, rig.trials.tone_hz(step, heard, dff_bins))
        dff_of_rois = {f"{roi.name}_dff": roi.avgDff for roi in rois}
        columns = dff_of_rois | haemodynamics.columns() | artefacts.columns(act)
        books.write(act, roi_dff=relAvgDff, rew_threshold=reward_threshold, **columns)
        books.notes["divisions_by_zero"] = rule.divisions_by_zero
        books.notes |= haemodynamics.learn(step, relAvgDff > reward_threshold, columns["veto"])
        reward_threshold = adaptive.update(step.time_s, act.reward)


def main() -> int:
    """Prepare, preview, run."""
    options = prepare(TwoRoiSettings, __doc__)
    if options.check:
        return check_rig(options)
    rois = make_rois(options.settings)
    columns = [*COLUMNS, *(f"{roi.name}_dff" for roi in rois), *columns_of_colours(roi.name for roi in rois)]
    columns += ARTEFACT_COLUMNS
    with open_rig(options) as rig:
        rois = place_rois(rig, rois, CortexPreview(options.settings))
        with recording(rig, rois, columns) as books:
            run_session(rig.options.settings, rig, rois, books)
    if options.baseline_s is not None:
        print_baseline(books.folder, options.settings, options.settings.spontaneous_rate)
    return 0


if __name__ == "__main__":
    run(main)
