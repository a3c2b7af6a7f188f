"""A whole session heard: what a real sound server played, next to what the log says."""

import numpy as np
import pytest

from rig.devices.tone_process import RAMP_S, RATE_HZ
from support.places import SHORT
from support.runner import finished
from support.sound import needs_sound, pitch

pytestmark = [pytest.mark.alone, needs_sound]
AUDIBLE = 1e-3
MARGIN_S = 0.08  # of each change: the tone is heard 9 ms after its command, and the recorder has blocks of its own


def steady(changes, end_s):
    """Yield (begin s, end s, Hz) of every part that lasts long enough to be measured, without its margins."""
    for (begin_s, hz), (until_s, _) in zip(changes, [*changes[1:], (end_s, 0.0)], strict=True):
        if until_s - begin_s > 2 * MARGIN_S + 0.06:
            yield begin_s + MARGIN_S, until_s - MARGIN_S, hz


def dropouts(samples):
    """Return how many gaps of at least 1 ms of digital silence there are inside a tone."""
    quiet = np.abs(samples) < 1e-6
    edges = np.flatnonzero(np.diff(np.concatenate([[0], quiet.astype(int), [0]])))
    return int(((edges[1::2] - edges[::2]) >= RATE_HZ // 1000).sum())


def hear_a_session(run, loudspeaker):
    """Run a session; return it, and what was heard of it.

    On a busy machine the sound stutters, and then nothing is where it belongs: such a session is run again, twice at
    most.
    """
    settings = SHORT | {"tone": "pyaudio", "total_trials": "3", "initial_rest_dur": "2", "max_trial_dur": "5"}
    settings |= {"fail_rest_dur": "2", "framerate": "4"}  # a tone lasts a frame at least, long enough to be measured
    for _ in range(3):
        before = len(loudspeaker.samples())
        finished(run(settings=settings, fast=False, env=loudspeaker.env))
        session = run.session()
        if session.attributes["tone_underflows"] == 0:
            break
    return session, loudspeaker.samples()[before:]


def test_a_session_sounds_as_its_log_says(run, loudspeaker):
    session, samples = hear_a_session(run, loudspeaker)
    changes = [(event.time_s, event.value) for event in session.of("tone")]  # silence included
    underflows, commanded = int(session.attributes["tone_underflows"]), {round(hz) for _, hz in changes}
    assert len(commanded) >= 6, "the tone follows the signal up and down"
    assert set(session.columns["freq"].tolist()) <= commanded | {0}, "the log has only tones that were commanded"

    first = next(i for i, (_, hz) in enumerate(changes) if hz > 0)
    onset = int(np.flatnonzero(np.abs(samples) > AUDIBLE)[0])
    start_s = changes[first][0] - onset / RATE_HZ  # of the recording, on the clock of the session
    measured, gaps = set(), 0
    for begin_s, end_s, hz in steady(changes[first:], changes[-1][0] + 1.0):
        part = samples[round((begin_s - start_s) * RATE_HZ) : round((end_s - start_s) * RATE_HZ)]
        if hz == 0:
            assert len(part) == 0 or np.abs(part).max() < AUDIBLE, "silence in rests"
            continue
        gaps += dropouts(part)
        if dropouts(part) == 0:
            assert pitch(part) == pytest.approx(hz, rel=0.005)
            measured.add(round(hz))
    assert len(measured) >= 5, "tones of many pitches were heard without a dropout, and measured"
    if underflows == 0:
        assert gaps == 0, "a dropout that nobody has reported"
        steepest = 0.5 * 2 * np.pi * max(hz for _, hz in changes) / RATE_HZ + 0.5 / (RAMP_S * RATE_HZ)
        assert np.abs(np.diff(samples)).max() <= steepest * 1.01, "no click at any change"
