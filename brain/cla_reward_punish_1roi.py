#!/usr/bin/env python3
"""CLNF, one ROI: a mouse learns to raise the activity of one cortical site.

Protocol (Gupta & Murphy, eLife 105070)
  1. Preview: place the ROI over its site; Esc starts the session.
  2. Rest, silent.
  3. Trial: the tone's pitch follows the ΔF/F of the ROI, green less blue_coefficient times blue.
  4. ΔF/F above the threshold, reward_delay ago: success.  Water, then a short rest.
     No success within max_trial_dur: failure.  Failure LED, then a long rest.
  5. An adaptive threshold rises after more than one reward in 30 s, and falls after none.
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
from rig.protocol.tones import get_bins
from rig.screen.preview_cortex import CortexPreview, make_rois
from rig.session import Rig, open_rig, place_rois
from rig.settings.one_roi import OneRoiSettings
from roi_manager import Circle, Rect

COLUMNS = ("frame", "time", "roi_dff", "freq", "rew_threshold", "reward", "trial", "audio", "lick")
THRESHOLD_STEP = 0.002  # ΔF/F; also the least that the threshold falls to


def run_session(cfg: OneRoiSettings, rig: Rig, rois: list[Rect | Circle], books: Books) -> None:
    """Run one session, a pass of the loop for each frame."""
    trials, period_s, reward_threshold = rig.trials, cfg.frame_period_s(), cfg.reward_threshold
    adaptive = open_threshold(cfg.adaptive_threshold, reward_threshold, period_s, step=THRESHOLD_STEP)
    tone_delay, reward_delay = DelayLine(cfg.audio_delay, period_s), DelayLine(cfg.reward_delay, period_s)
    runningImgQuROI, haemodynamics = [RoiHistory(cfg.history_frames())], cfg.haemodynamics()
    artefacts = Artefacts(cfg, rig, rois)

    for frame in rig.frames():
        # The signal
        blue, green = runningImgQuROI[0].dff(rois[0].crop(frame.image))
        relAvgDff = rois[0].avgDff = green - haemodynamics(rois[0].name, blue, green)

        # What earns, what is heard
        dff_bins = get_bins(reward_threshold, cfg.n_tones)
        crossed = reward_delay.push(frame.time_s, relAvgDff) > reward_threshold and not artefacts.veto(frame)
        heard = tone_delay.push(frame.time_s, relAvgDff)
        step = trials.step(frame.time_s, crossed, rig.is_fresh(frame))

        # Act first, then keep books
        act = rig.act(frame, step, trials.tone_hz(step, heard, dff_bins))
        further = haemodynamics.columns() | artefacts.columns(act)
        books.write(act, roi_dff=relAvgDff, rew_threshold=reward_threshold, **further)
        books.notes |= haemodynamics.learn(step, relAvgDff > reward_threshold, further["veto"])
        reward_threshold = adaptive.update(step.time_s, act.reward)


def main() -> int:
    """Prepare, preview, run."""
    options = prepare(OneRoiSettings, __doc__)
    cfg = options.settings
    if options.check:
        return check_rig(options)
    with open_rig(options) as rig:
        rois = place_rois(rig, make_rois(cfg), CortexPreview(cfg))
        columns = [*COLUMNS, *columns_of_colours(cfg.roi_names()), *ARTEFACT_COLUMNS]
        with recording(rig, rois, columns) as books:
            run_session(rig.options.settings, rig, rois, books)
    if options.baseline_s is not None:
        print_baseline(books.folder, cfg, cfg.spontaneous_rate)
    return 0


if __name__ == "__main__":
    run(main)
