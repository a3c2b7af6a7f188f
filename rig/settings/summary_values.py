"""What the summary of a session can hold besides the settings: one row per session, below data_root."""

from typing import NamedTuple


class SummaryValues(NamedTuple):
    """The values of a session, as text; `rig.files.summary` computes them.

    Attributes
    ----------
    mouse_id, session, data_path : str
        Whose session, the name of its folder, and its path.
    start, end : str
        Wall clock.
    duration, fps : str
        From the first to the last frame, s; frames per second.
    session_type, ended_by : str
    trials, rewards, fails, success_rate : str
    crossings_per_min, chance_per_min : str
        Crossings of a quiet signal in trials and in rests; '' where no time counts.
    chance_ratio, chance_low, chance_high : str
        The first over the second, and its 95 % interval; '' where it is not known, inf without a crossing in rests.
    frames, lost_frames, unsaved_frames, stale_frames : str
        Stored, lost by camera or loop, not stored by a slow disk, decided too late.
    linear : str
        Whether the pictures were linear in light, as the camera said: yes, no, or unknown.
    simulated : str
        What is not real: no, replay, or the devices.
    rig : str
        The name of the rig, from [lab].
    vetoed_crossings : str
        Crossings in trials that were not brain, and did not count.
    withheld_rewards, water_ul, water_day_ul : str
        Rewards above a water cap; water of the session and of the day, µl, or 'uncalibrated'.
    latency_median_ms, latency_p99_ms, latency_of_first_frames_ms : str
        From capture to commanded output.
    """

    mouse_id: str
    session: str
    data_path: str
    start: str
    end: str
    duration: str
    fps: str
    session_type: str
    trials: str
    rewards: str
    fails: str
    success_rate: str
    crossings_per_min: str
    chance_per_min: str
    chance_ratio: str
    chance_low: str
    chance_high: str
    frames: str
    lost_frames: str
    unsaved_frames: str
    stale_frames: str
    linear: str
    simulated: str
    rig: str
    vetoed_crossings: str
    withheld_rewards: str
    water_ul: str
    water_day_ul: str
    latency_median_ms: str
    latency_p99_ms: str
    latency_of_first_frames_ms: str
    ended_by: str
