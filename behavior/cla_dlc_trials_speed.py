#!/usr/bin/env python3
"""CLMF: a mouse learns to move one paw faster, tracked by DeepLabCut-Live.

Protocol (Gupta & Murphy, eLife 105070)
  1. Preview: see that the paw is tracked, place the circles; Esc starts the session.
  2. Rest, silent.  Then the trial waits until the paw is still, or in the start circle, as trial_start says.
  3. Trial: the tone's pitch follows the speed of the control point.
  4. Speed above the threshold, reward_delay ago: success.  Water, then a short rest.
     No success within max_trial_dur: failure.  Failure LED, then a long rest.
  5. An adaptive threshold rises after more than one reward in 30 s, and falls after none.
  6. After total_trials the last rest is recorded, the light goes off, and two seconds later the session ends.
"""

import math
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # so that it runs from any folder

import helper as clh
from rig import cli
from rig.devices import Recording, Rig, open_rig, place_rois, recording
from rig.pose import Pose, Tracking, open_pose
from rig.preflight import check_rig
from rig.preview_paw import PawPreview, PoseMarks, make_circles
from rig.settings import ClmfSettings
from rig.tones import get_bins
from rig.trials import FAIL, SUCCESS, AdaptiveThreshold, DelayLine, Stillness, open_trials
from roi_manager import Circle

COLUMNS = ("frame", "time", "cj_speed", "freq", "reward", "trial", "audio", "lick")
THRESHOLD_STEP = 2.0  # px/frame; also the least that the threshold falls to
STILL_BELOW = 1.0  # px/frame, on average over joint_history_sec
SIGNAL = "px/frame"


def run_session(
    cfg: ClmfSettings, rig: Rig, dlc: Pose, start_roi_manager: Circle, marks: PoseMarks, books: Recording
) -> str:
    """Run one session, a pass of the loop for each frame; return why it ended."""
    period_s = cfg.frame_period_s()
    trials = open_trials(cfg, cfg.seed, rig.options.baseline_s)
    tone_delay, reward_delay = DelayLine(cfg.audio_delay, period_s), DelayLine(cfg.reward_delay, period_s)
    adaptive = AdaptiveThreshold(cfg.speed_threshold, THRESHOLD_STEP, THRESHOLD_STEP, cfg.adaptive_threshold, period_s)
    freqs, control_point_ix = clh.get_freqs(cfg.n_tones), dlc.body_parts.index(cfg.control_point)
    stillness = Stillness(cfg.joint_history_sec, STILL_BELOW, period_s)
    tracking = Tracking(cfg.min_likelihood, cfg.max_jump_px, books.log.notes)
    speed_threshold, tracked_speed, previous = adaptive.value, 0.0, None

    for frame in rig.frames():
        # The signal
        pose = dlc.get_pose(frame.image)
        x, y, likelihood = pose[control_point_ix]
        cj_speed = 0.0 if previous is None else math.dist((x, y), previous)
        previous = x, y
        tracked = tracking.trusts(frame.number, likelihood, cj_speed)
        tracked_speed = cj_speed if tracked else tracked_speed  # a paw out of sight changes no tone, and earns nothing

        # What it means
        age_s = frame.age_s()
        fresh = age_s <= cfg.max_frame_age_s()  # a late decision pays nothing
        crossed = reward_delay.push(frame.time_s, cj_speed if tracked else 0.0) > speed_threshold
        heard = tone_delay.push(frame.time_s, tracked_speed)
        may_start = {
            "stable": stillness.push(frame.time_s, cj_speed),  # the paw has been still
            "start_roi": tracked and start_roi_manager.contains(x, y),  # the paw is where it shall be
            "immediate": True,  # the rest is over
        }[cfg.trial_start]
        step = trials.step(frame.time_s, crossed, fresh, may_start)
        if step.finished:  # with the frame before
            return "finished"

        # Act first
        freq = trials.arm.tone_hz(heard, get_bins(speed_threshold, cfg.n_tones), freqs) if step.audio else 0.0
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
            cj_speed=cj_speed, freq=round(rig.tone.hz), audio=int(rig.tone.hz > 0), lick=int(rig.lick.touched()),
            **marks.take(pose), speed_threshold=speed_threshold, tracked=int(tracked),
        )  # fmt: skip
        speed_threshold = adaptive.update(frame.time_s, step.reward == SUCCESS)
        books.show(frame, step, trials, cj_speed, speed_threshold)
        if books.end:
            return books.end
    return "the recording ended"


def main() -> int:
    """Prepare, load the model, preview, run."""
    options = cli.prepare(ClmfSettings, __doc__)
    if options.check:
        return check_rig(options)
    with open_pose(options.settings) as dlc, open_rig(options) as rig:
        marks = PoseMarks(options.settings, dlc.body_parts)
        start_roi_manager, target_roi_manager = make_circles(options.settings)
        circles = [start_roi_manager, target_roi_manager]
        if not place_rois(rig, circles, PawPreview(options.settings, dlc, marks)):
            print("The window was closed: no session.")
            return 0
        columns = (*COLUMNS, *marks.columns, "speed_threshold", "tracked")
        with recording(rig, circles, columns, SIGNAL, [marks]) as books:
            books.log.ended_by = run_session(options.settings, rig, dlc, start_roi_manager, marks, books)
    return 0


if __name__ == "__main__":
    cli.run(main)
