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

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # so that it runs from any folder

from rig.books import Books, recording
from rig.devices.pose import Pose, columns_of, open_pose
from rig.ending import run
from rig.options import prepare
from rig.preflight import check_rig
from rig.protocol.adaptive import open_threshold
from rig.protocol.delays import DelayLine
from rig.protocol.tones import get_bins
from rig.protocol.tracking import Motion, Stillness, Tracking
from rig.screen.preview_paw import PawPreview, PoseMarks, make_circles
from rig.session import Rig, open_rig, place_rois
from rig.settings.clmf import MM_COLUMN, ClmfSettings
from roi_manager import Circle

COLUMNS = ("frame", "time", "cj_speed", "freq", "reward", "trial", "audio", "lick")
STILL_BELOW = 1.0  # px/frame, on average over joint_history_sec


def run_session(
    cfg: ClmfSettings, rig: Rig, dlc: Pose, start_roi_manager: Circle, marks: PoseMarks, books: Books
) -> None:
    """Run one session, a pass of the loop for each frame."""
    control_point_ix, pose_columns = dlc.body_parts.index(cfg.control_point), columns_of(dlc.body_parts)
    period_s, speed_threshold = cfg.frame_period_s(), cfg.speed_threshold
    tracking, stillness = (
        Tracking(cfg.min_likelihood, cfg.max_jump_px, per_second=cfg.is_in_mm),
        Stillness(cfg.joint_history_sec, STILL_BELOW, period_s),
    )
    tone_delay, reward_delay = DelayLine(cfg.audio_delay, period_s), DelayLine(cfg.reward_delay, period_s)
    adaptive = open_threshold(cfg.adaptive_threshold, speed_threshold, period_s, step=cfg.threshold_step)
    motion, tracked_speed = Motion(cfg.ppmm), 0.0

    for frame in rig.frames():
        # The signal
        pose = dlc.get_pose(frame.image)
        x, y, likelihood = pose[control_point_ix]
        cj_speed, cj_speed_mm_s = motion.push(frame.time_s, x, y)
        speed = cj_speed_mm_s if cfg.is_in_mm else cj_speed
        tracked = tracking.trusts(frame.number, likelihood, cj_speed)
        tracked_speed = speed if tracked else tracked_speed  # a paw out of sight changes no tone, and earns nothing

        # What earns, what is heard, when a trial may begin
        crossed = reward_delay.push(frame.time_s, speed if tracked else 0.0) > speed_threshold
        heard = tone_delay.push(frame.time_s, tracked_speed)
        may_start = {
            "stable": stillness.push(frame.time_s, cj_speed),  # the paw has been still
            "start_roi": tracked and start_roi_manager.contains(x, y),  # the paw is in the start circle
            "immediate": True,  # the rest is over
        }[cfg.trial_start]
        step = rig.trials.step(frame.time_s, crossed, rig.is_fresh(frame), may_start)

        # Act first, then keep books
        act = rig.act(frame, step, rig.trials.tone_hz(step, heard, get_bins(speed_threshold, cfg.n_tones)))
        marks.pose, books.notes["untracked_frames"] = pose, tracking.untracked_frames
        measured = dict(zip(pose_columns, pose.ravel().tolist(), strict=True))
        measured |= {MM_COLUMN: cj_speed_mm_s} if cfg.is_in_mm else {}
        books.write(act, cj_speed=cj_speed, speed_threshold=speed_threshold, tracked=int(tracked), **measured)
        speed_threshold = adaptive.update(step.time_s, act.reward)


def main() -> int:
    """Prepare, load the model, preview, run."""
    options = prepare(ClmfSettings, __doc__)
    finder = open_pose(options.settings, sees_a_mouse="camera" not in options.simulated)
    if options.check:
        return check_rig(options, finder)
    with finder as dlc, open_rig(options) as rig:
        marks, circles = PoseMarks(options.settings, dlc.body_parts), make_circles(options.settings)
        preview = PawPreview(options.settings, dlc, marks)
        start_roi_manager, target_roi_manager = place_rois(rig, circles, preview)
        columns = [*COLUMNS, *columns_of(dlc.body_parts), "speed_threshold", "tracked"]
        columns += [MM_COLUMN] * options.settings.is_in_mm
        with recording(rig, [start_roi_manager, target_roi_manager], columns, [marks]) as books:
            books.notes["pose_runs_on"] = dlc.runs_on
            run_session(options.settings, rig, dlc, start_roi_manager, marks, books)
    return 0


if __name__ == "__main__":
    run(main)
