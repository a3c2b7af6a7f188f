"""Was the session sound?  A traffic light for each thing that can be checked, with its reason."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from analysis.derived.aligned import rows_of_then
from analysis.derived.artefacts import bits_of_rewards, in_words
from analysis.derived.learning import counted
from analysis.derived.licks import TAKEN_WITHIN_S, lick_times_s, share_taken
from analysis.evidence import Evidence, Missing, as_number
from analysis.frame_sample import brain_mask, brightness
from analysis.outcomes import threshold_column
from analysis.replay.compare import different
from rig.devices.image_check import roi_trouble
from rig.files.paid import gives_water
from rig.protocol.adaptive import open_threshold
from rig.protocol.session_types import RULES
from rig.protocol.trials import NONE
from rig.settings.clmf import MM_COLUMN, STEP_MM_S, STEP_PX, ClmfSettings
from rig.settings.common import RigSettings

GOOD, FAIR, BAD, UNKNOWN = "good", "fair", "bad", "unknown"
LOST_BAD, LATE_BAD = 0.001, 0.01  # shares of the frames
DRIFT_FAIR, DRIFT_BAD = 0.05, 0.15  # of the light, from the first tenth of the session to the last
MOVED_FAIR_PX, MOVED_BAD_PX = 0.5, 2.0
SUSPICIOUS_FAIR, SUSPICIOUS_BAD = 0.02, 0.1  # of the rewards
TAKEN_FAIR, TAKEN_BAD = 0.9, 0.5  # of the rewards
UNDERFLOWS_BAD = 10
EQUAL = 1e-9
STEPS = {"roi_dff": 0.002, "cj_speed": STEP_PX, MM_COLUMN: STEP_MM_S}  # of the threshold, by the column of the signal


class Check(NamedTuple):
    """One traffic light: its name, 'good', 'fair', 'bad' or 'unknown', and the reason in words."""

    name: str
    light: str
    reason: str


Judge = Callable[[Evidence], tuple[str, str]]


def all_checks(evidence: Evidence) -> list[Check]:
    """Return all traffic lights of a session."""
    return [Check(name, *judged(judge, evidence)) for name, judge in CHECKS.items()]


def judged(judge: Judge, evidence: Evidence) -> tuple[str, str]:
    """Return light and reason; 'unknown' where the session lacks what is needed."""
    try:
        return judge(evidence)
    except Missing as reason:
        return UNKNOWN, str(reason)


def need(is_there: object, reason: str) -> None:
    """Raise Missing with the reason unless something is there."""
    if not is_there:
        raise Missing(reason)


def light_of(value: float, fair: float, bad: float) -> str:
    """Return the light of a value that is better the smaller it is: good up to `fair`, bad above `bad`."""
    return GOOD if value <= fair else FAIR if value <= bad else BAD


def frames_lost(evidence: Evidence) -> tuple[str, str]:
    """Count the numbers that are missing between the frames."""
    numbers = evidence.session.columns.get("frame", np.zeros(0))
    need(len(numbers) > 1, "there are no rows")
    lost = int(np.maximum(np.diff(numbers) - 1, 0).sum()) - len(evidence.session.of("log"))
    share = lost / (len(numbers) + lost)
    return light_of(share, 0, LOST_BAD), f"{counted(lost, 'frame')} of {len(numbers) + lost} lost by camera or loop"


def frames_unsaved(evidence: Evidence) -> tuple[str, str]:
    """Count the frames that the disk was too slow for."""
    need(evidence.session.events, "the session has no /events")
    unsaved = len(evidence.session.of("log"))
    return (BAD if unsaved else GOOD), f"{counted(unsaved, 'frame')} not stored because the disk was too slow"


def frames_late(evidence: Evidence) -> tuple[str, str]:
    """Count the frames whose decision came too late to give water."""
    frames, settings = evidence.session.frames, evidence.settings
    need(len(frames), "the session has no /frames")
    need(settings, "the limit is not known: config.ini cannot be used")
    assert settings is not None
    late = int(np.count_nonzero(frames["age_s"] > settings.max_frame_age_s()))
    limit = f"{settings.max_frame_age_s() * 1e3:.0f} ms"
    return light_of(late / len(frames), 0, LATE_BAD), f"{counted(late, 'frame')} decided later than {limit}"


def tone_underflows(evidence: Evidence) -> tuple[str, str]:
    """Look at how often the loudspeaker ran out of samples."""
    underflows = evidence.session.attributes.get("tone_underflows")
    need(underflows is not None, "the session does not say")
    count = int(as_number(str(underflows), 0))
    return light_of(count, 0, UNDERFLOWS_BAD), f"the loudspeaker ran out of samples {count} times"


def is_linear(evidence: Evidence) -> tuple[str, str]:
    """Look at whether the pictures were linear in light."""
    said = str(evidence.session.attributes.get("linear", "unknown"))
    words = {
        "yes": (GOOD, "each colour of a pixel is proportional to its light"),
        "no": (FAIR, "processed pictures: compare ΔF/F with sessions of the same kind only"),
    }
    return words.get(said, (UNKNOWN, "the camera does not say whether its pictures are linear in light"))


def image_levels(evidence: Evidence) -> tuple[str, str]:
    """Look at whether the light can be measured in the ROIs."""
    sample, settings = evidence.sample, evidence.settings
    need(settings is not None, "the ROIs are not known: config.ini cannot be used")
    assert settings is not None
    rois = settings.light_rois()
    if not rois:
        peak = int(sample.frame.max())
        return (GOOD if peak >= 10 else BAD), f"the brightest pixel is {peak} of 255"
    troubles = [trouble for roi in rois if (trouble := roi_trouble(sample.frame, roi, settings.max_saturated))]
    means = ", ".join(
        f"{roi.name} green {roi.crop(sample.mean)[..., 1].mean():.0f}, blue {roi.crop(sample.mean)[..., 0].mean():.0f}"
        for roi in rois
    )
    return (BAD, "; ".join(troubles)) if troubles else (GOOD, f"mean of 255: {means}")


def drift(evidence: Evidence) -> tuple[str, str]:
    """Compare the brightness at the end with that at the start."""
    sample = evidence.sample
    need(len(sample.time_s) > 1, "the session is too short")
    blue, green = (change(each) for each in brightness(sample, brain_mask(sample.mean)))
    reason = f"from start to end blue {in_percent(blue)}, green {in_percent(green)}"
    return light_of(max(abs(blue), abs(green)), DRIFT_FAIR, DRIFT_BAD), reason


def change(light: np.ndarray) -> float:
    """Return by how much the last tenth of a series differs from the first, relative to it."""
    tenth = max(1, len(light) // 10)
    first, last = float(light[:tenth].mean()), float(light[-tenth:].mean())
    return last / first - 1 if first else 0.0


def in_percent(share: float) -> str:
    """Return a share in per cent, with its sign; never -0.0."""
    return f"{round(100 * share, 1) + 0.0:+.1f} %"


def moved(evidence: Evidence) -> tuple[str, str]:
    """Look at how far the brain moved in the image."""
    need(not isinstance(evidence.settings, ClmfSettings), "the picture is of a mouse that moves")
    shifts = np.hypot(*evidence.shifts.T)
    need(not np.isnan(shifts).all(), "the images cannot be laid over each other")
    farthest = float(np.nanmax(shifts))
    return light_of(farthest, MOVED_FAIR_PX, MOVED_BAD_PX), f"at most {farthest:.2f} px from the first second"


def rewards_taken(evidence: Evidence) -> tuple[str, str]:
    """Look at whether the mouse licked after its rewards."""
    session = evidence.session
    need(gives_water(session), "no water is given in this arm")
    need(has_licks(evidence), "there was no lick sensor (lick = none), or it felt nothing")
    licks_s = lick_times_s(session.columns["lick"], evidence.time_s)
    share = share_taken(licks_s, evidence.time_s[evidence.rewards])
    light = light_of(1 - share, 1 - TAKEN_FAIR, 1 - TAKEN_BAD)
    return light, f"a lick within {TAKEN_WITHIN_S:g} s of {100 * share:.0f} % of {len(evidence.rewards)} rewards"


def has_licks(evidence: Evidence) -> bool:
    """Return whether there was a lick sensor, or a lick."""
    licks = evidence.session.columns.get("lick", np.zeros(0))
    return len(licks) > 0 and (bool(licks.any()) or evidence.session.settings.get("lick", "none") != "none")


def rows_are_frames(evidence: Evidence) -> tuple[str, str]:
    """Compare how many rows, images and times of frames there are."""
    session = evidence.session
    need(session.images is not None, "there are no frames to compare with")
    need(len(session), "there are no rows")
    counts = {"rows": len(session), "images": len(session.images or ())}
    counts |= {"times of frames": len(session.frames)} if len(session.frames) else {}
    same = len(set(counts.values())) == 1
    return (GOOD if same else BAD), ", ".join(f"{count} {what}" for what, count in counts.items())


def rewards_not_suspicious(evidence: Evidence) -> tuple[str, str]:
    """Count the rewards whose crossing fell on a flicker, a movement, spent pixels or a moving paw."""
    needs_settings(evidence)
    bits = bits_of_rewards(evidence)
    suspicious, vetoed = bits[bits > 0], evidence.session.of("veto")
    reason = f"{len(suspicious)} of {len(bits)} rewards were suspicious{in_words(suspicious)}"
    vetoed_bits = np.array([int(event.value) for event in vetoed], int)
    reason += f"; {counted(len(vetoed), 'crossing')} vetoed{in_words(vetoed_bits)}" if vetoed else ""
    return light_of(len(suspicious) / len(bits), SUSPICIOUS_FAIR, SUSPICIOUS_BAD), reason


def trials_add_up(evidence: Evidence) -> tuple[str, str]:
    """See that trial numbers rise by one, and that each trial that is over has one outcome."""
    trials = evidence.trials
    steps = np.diff(trials["number"], prepend=0)
    open_ones = np.flatnonzero(trials["outcome"] == NONE)
    is_right = (steps == 1).all() and (not len(open_ones) or open_ones.tolist() == [len(trials) - 1])
    cut = ", the last one cut short" if len(open_ones) else ""
    return (GOOD if is_right else BAD), f"{counted(len(trials), 'trial')}, numbered one after the other{cut}"


def rewards_are_crossings(evidence: Evidence) -> tuple[str, str]:
    """See that the signal was above the threshold when each reward was decided: reward_delay before."""
    settings, threshold = needs_settings(evidence), evidence.threshold
    need(RULES[settings.session_type].water, f"rewards do not follow the signal ({settings.session_type.name})")
    need(threshold is not None, "no threshold was logged")
    assert threshold is not None
    rows = evidence.rewards
    then = rows_of_then(evidence.time_s, rows, settings.reward_delay)
    below = rows[~(evidence.trusted[then] > threshold[rows])]
    first = f"; the first on row {below[0]}" if len(below) else ""
    return (BAD if len(below) else GOOD), f"{len(rows) - len(below)} of {len(rows)} rewards follow a crossing{first}"


def threshold_obeys(evidence: Evidence) -> tuple[str, str]:
    """Compare the threshold with the one that the rule makes of the logged rewards."""
    settings, logged = needs_settings(evidence), evidence.threshold
    need(len(evidence.session.frames), "the times of the frames were not stored (/frames)")
    need(logged is not None, "no threshold was logged")
    assert logged is not None
    expected = threshold_by_the_rule(evidence, settings, logged)
    n = min(len(expected), len(logged))
    wrong = np.flatnonzero(np.abs(expected[:n] - logged[:n]) > EQUAL)
    n_steps = int(np.count_nonzero(np.diff(logged)))
    what = f"{counted(n_steps, 'step')}, {logged[0]:g} to {logged[-1]:g}" if n_steps else f"{logged[0]:g} throughout"
    return (BAD, f"{what}; not by the rule from row {wrong[0]} on") if len(wrong) else (GOOD, what)


def threshold_by_the_rule(evidence: Evidence, settings: RigSettings, logged: np.ndarray) -> np.ndarray:
    """Return the threshold that each row must have, from the rewards; by running again where the rule stood still."""
    if evidence.session.pauses:
        again = threshold_column(evidence.again)
        need(again is not None, "no threshold was logged")
        assert again is not None
        return again
    step = STEPS.get(settings.signal_column, 0.0)
    adaptive = open_threshold(settings.adaptive_threshold, float(logged[0]), settings.frame_period_s(), step=step)
    # On the clock of the experiment, as the rig counted: half a period decides.
    times_s, rewards = evidence.session.row_times_s(), evidence.session.columns["reward"]
    after = [adaptive.update(time_s, reward) for time_s, reward in zip(times_s.tolist(), rewards.tolist(), strict=True)]
    return np.concatenate([logged[:1], after[:-1]])


def signal_recomputed(evidence: Evidence) -> tuple[str, str]:
    """Compare the signal with the one computed again from the frames, or from the logged pose."""
    again, name = evidence.again, evidence.signal_name
    n = min(len(again), len(evidence.session))
    need(n, "the session has no frame that can be run again")
    largest = float(np.abs(again.columns[name][:n] - evidence.signal[:n]).max())
    source = "the logged pose" if isinstance(evidence.settings, ClmfSettings) else "the frames"
    return (
        GOOD if largest <= EQUAL else BAD
    ), f"differs from {source} by at most {largest:.2g} {evidence.unit}, {n} rows"


def tone_as_commanded(evidence: Evidence) -> tuple[str, str]:
    """Compare the logged tone with the one that signal and trials ask for."""
    row = different(evidence.session.columns, evidence.again.columns, "freq")
    need("freq" in evidence.session.columns, "no tone was logged")
    if row is None:
        return GOOD, f"the tone of all {len(evidence.again)} rows is the one that the signal asks for"
    return BAD, f"from row {row} on another tone than the signal asks for"


def needs_settings(evidence: Evidence) -> RigSettings:
    """Return the settings; Missing without them, and for a baseline."""
    need(not evidence.is_baseline, "the session is a baseline: nothing could be earned")
    need(evidence.settings is not None, evidence.why_not)
    assert evidence.settings is not None
    return evidence.settings


CHECKS: dict[str, Judge] = {
    "frames lost": frames_lost,
    "frames late": frames_late,
    "frames unsaved": frames_unsaved,
    "rows = frames": rows_are_frames,
    "trials": trials_add_up,
    "rewards are crossings": rewards_are_crossings,
    "rewards are brain": rewards_not_suspicious,
    "threshold": threshold_obeys,
    "signal recomputed": signal_recomputed,
    "tone as commanded": tone_as_commanded,
    "tone underflows": tone_underflows,
    "rewards taken": rewards_taken,
    "linear in light": is_linear,
    "image levels": image_levels,
    "drift of the light": drift,
    "movement": moved,
}
