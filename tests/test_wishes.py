"""Notes and pauses: what the user asks of a running session by window or terminal, and how a replay repeats it."""

import os
import pty
import subprocess
import time
from collections import deque
from dataclasses import replace

import numpy as np
import pytest

from analysis.checks import CHECKS, judged
from analysis.evidence import gather
from analysis.replay.compare import first_difference
from analysis.replay.experiment import run_again
from analysis.replay.recorded import open_recorded
from rig.files.reader import read_session
from rig.protocol.adaptive import AdaptiveThreshold
from rig.protocol.trials import FAIL, Baseline, Trials
from rig.screen.wishes import BACKSPACE, ESC, Keyboard
from support.hand import Hand
from support.places import SHORT
from support.runner import Runner, finished, without_time
from support.waiting import at_the_terminal, end, needs, wait_until

PERIOD_S = 0.1
DURATIONS = {"framerate": 10, "seed": 0, "initial_rest_dur": 2, "max_trial_dur": 3, "success_rest_dur": 1}
DURATIONS |= {"fail_rest_dur": 1.5, "total_trials": 3}


def play(trials, paused=(), crossed=(), frames=600):
    """Run through frames, a pause wanted in some of them; return the steps up to the end of the session."""
    steps = []
    for n in range(frames):
        trials.pause(n in paused)
        if trials.is_over(7 + n * PERIOD_S):
            break
        steps.append(trials.step(7 + n * PERIOD_S, n in crossed))
    return steps


@pytest.fixture
def trials_of(settings):
    return lambda **changes: Trials(settings(**DURATIONS | changes).plan())


# Pauses in the protocol


def outcome_frames(steps):
    return [n for n, step in enumerate(steps) if step.outcome]


@pytest.mark.parametrize("begin", [0, 1, 10, 19, 55, 64])
def test_a_pause_in_a_rest_moves_all_that_comes_by_its_length(trials_of, begin):
    usual, paused = play(trials_of()), play(trials_of(), range(begin, begin + 100))
    later = [n + 100 * (n > begin) - (begin == 0) for n in outcome_frames(usual)]
    assert outcome_frames(paused) == pytest.approx(later, abs=1)
    assert len(paused) == pytest.approx(len(usual) + 100, abs=1)


def test_a_pause_is_dark_to_the_mouse_and_earns_nothing(trials_of):
    steps = play(trials_of(), range(5, 105), crossed=range(600))
    assert all(steps[n].paused and not (steps[n].audio or steps[n].water or steps[n].trial) for n in range(5, 105))
    assert not any(step.paused for step in steps[105:])


def test_a_trial_that_runs_is_finished_first(trials_of):
    steps = play(trials_of(), range(30, 100))
    assert steps[50].outcome == FAIL, "3 s after its start"
    assert [n for n, step in enumerate(steps) if step.paused] == list(range(51, 100))


def test_a_pause_in_the_last_rest_keeps_the_session_from_ending(trials_of):
    usual = play(trials_of())
    paused = play(trials_of(), range(len(usual) - 3, len(usual) + 50))
    assert len(paused) == pytest.approx(len(usual) + 53, abs=1)


def test_no_random_water_in_a_pause_and_no_burst_after_it(trials_of):
    random = {"session_type": "no_audio_random_reward", "random_reward_per_min": 30, "total_trials": 20}
    steps = play(trials_of(**random), range(5, 305), frames=1000)
    water = [n for n, step in enumerate(steps) if step.water]
    assert not [n for n in water if 5 <= n < 305]
    usual = [n for n, step in enumerate(play(trials_of(**random), frames=700)) if step.water]
    assert water == pytest.approx([n + 300 * (n >= 5) for n in usual], abs=1)


def test_the_adaptive_threshold_stands_still_in_a_pause(trials_of):
    trials, adaptive = trials_of(), AdaptiveThreshold(0.1, PERIOD_S, step=0.002)
    for step in play(trials, range(5, 400), frames=400):
        adaptive.update(step.time_s, 0)
    assert adaptive.value == 0.1, "30 s are over, but not those of the trials"


def test_without_a_pause_the_clock_of_the_trials_is_that_of_the_frames(trials_of):
    assert [step.time_s for step in play(trials_of())[:50]] == [7 + n * PERIOD_S for n in range(50)]


def test_the_words_of_a_pause(trials_of):
    trials = trials_of()
    trials.step(7, crossed=False)
    trials.pause(True)
    assert trials.describe(trials.step(7.1, crossed=False)) == "PAUSED, 0 of 3 trials done"


def test_a_baseline_has_nothing_to_pause():
    assert Baseline(10, PERIOD_S).pause(True) is False


# Keys


def pressed(*keys):
    """Press keys; return what was asked for, and the keyboard."""
    wishes = deque()
    keyboard = Keyboard(wishes)
    for key in keys:
        keyboard.press(ord(key) if isinstance(key, str) else key)
    return [(wish.what, wish.text) for wish in wishes], keyboard


@pytest.mark.parametrize(
    ("keys", "asked"),
    [
        ([*"npaw cx", BACKSPACE, BACKSPACE, *"ut", 13], [("note", "paw ut")]),
        (["n", 13], [("note", "")]),
        (["n", BACKSPACE, *"a", 10], [("note", "a")]),
        (["p", 255, "p"], [("pause", ""), ("pause", "")]),
        ([*"nab", ESC], []),
        (["x", 13, 255], []),
        (["n", 200, 0, 9, *"a", 13], [("note", "a")]),
    ],
)
def test_keys(keys, asked):
    found, keyboard = pressed(*keys)
    assert found == asked
    assert not keyboard.stop


def test_esc_stops_the_session_but_not_while_a_note_is_typed():
    assert pressed(ESC)[1].stop
    assert not pressed("n", ESC)[1].stop
    assert pressed("n", ESC, ESC)[1].stop


def test_a_note_is_not_longer_than_an_event_can_keep():
    assert pressed("n", *"x" * 300, 13)[0] == [("note", "x" * 100)]


# The terminal

PACED = SHORT | {"framerate": "30", "initial_rest_dur": "1.5", "max_trial_dur": "1.5", "total_trials": "2"}
PACED |= {"success_rest_dur": "1", "fail_rest_dur": "1", "dff_history": "1", "reward_delay": "0.2"}
PACED |= {"max_frame_age_ms": "60000", "adaptive_threshold": "1"}


@pytest.fixture(scope="module")
def typed(tmp_path_factory):
    """A session into whose terminal two notes are typed, the second with a pause around it."""
    run = Runner(tmp_path_factory.mktemp("typed"))
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        run.command(settings=PACED, fast=False),
        cwd=run.tmp_path, stdin=theirs, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        preexec_fn=lambda: at_the_terminal(theirs),
    )  # fmt: skip
    try:
        run.wait_for_rows(10)
        os.write(ours, b"\n")
        os.write(ours, ("Fellpflege, ölig " * 10 + "\n").encode())
        os.write(ours, b"p\n")
        run.wait_for_rows(150)
        os.write(ours, b"p\n")
        _, errors = process.communicate(timeout=60)
    finally:
        end(process)
        os.close(ours)
        os.close(theirs)
    assert process.returncode == 0, errors
    return run.session()


def test_lines_of_the_terminal_are_notes(typed):
    first, *rest = [event.detail for event in typed.of("note")]
    assert first == ""
    assert " ".join(rest) == " ".join(["Fellpflege, ölig"] * 10)


def test_a_pause_is_in_the_log(typed):
    assert [event.detail for event in typed.of("pause")] == ["asked for", "begins", "goes on"]
    _, begins, goes_on = (event.frame for event in typed.of("pause"))
    assert goes_on > begins
    ((start_s, end_s),) = typed.pauses
    assert end_s > start_s


def test_nothing_is_heard_in_a_pause(typed):
    _, begins, goes_on = (event.frame for event in typed.of("pause"))
    assert not typed.columns["audio"][begins:goes_on].any()
    assert not typed.columns["trial"][begins:goes_on].any()
    assert typed.columns["trial"].max() == 2, "and it went on"


def test_a_replay_repeats_the_pause(typed, run):
    replay = {"vid_source": "VideoStream", "vid_root": str(typed.folder)}
    finished(run("--config", str(typed.folder / "config.ini"), settings=replay, mouse="replay", seed=None))
    again = run.session("replay")
    assert without_time(again) == without_time(typed)
    assert [event[1:] for event in again.of("pause")] == [event[1:] for event in typed.of("pause")]


def test_what_if_repeats_the_pause(typed):
    again = open_recorded(typed.folder)
    assert first_difference(typed, run_again(again, again.settings({})), len(typed)) is None


def test_the_report_checks_the_rule_around_a_pause(typed):
    evidence = gather(typed.folder)
    lights = {name: judged(CHECKS[name], evidence) for name in ("threshold", "tone as commanded", "trials")}
    assert {light for light, _ in lights.values()} == {"good"}, lights
    raised = typed.columns | {"rew_threshold": typed.columns["rew_threshold"] + (typed.columns["frame"] > 30) * 0.002}
    light, reason = judged(CHECKS["threshold"], replace(evidence, session=replace(evidence.session, columns=raised)))
    assert (light, reason.rpartition("row ")[2]) == ("bad", "31 on")


# The window


@needs("Xvfb", "xdotool")
def test_keys_of_the_window(run, screen):
    process = run.start(settings=PACED, window=True, fast=False, env={"DISPLAY": screen})
    try:
        hand = Hand(screen, process)
        hand.do("sleep", 0.5)
        hand.press("Escape")
        folder = run.wait_for_rows(5)
        hand.press("p")
        time.sleep(0.3)
        hand.press("n")
        time.sleep(0.3)
        hand.do("type", "--window", hand.window, "--delay", 120, "np 1, spout")
        time.sleep(0.3)
        hand.press("Return")
        wait_until(lambda: read_session(folder).of("note"))
        hand.press("p")
        output, _ = process.communicate(timeout=60)
    finally:
        end(process)
        process.stdout.close()
    assert process.returncode == 0, output
    session = run.session()
    assert [event.detail for event in session.of("note")] == ["np 1, spout"]
    assert [event.detail for event in session.of("pause")] == ["asked for", "begins", "goes on"]
    assert session.attributes["ended_by"] == "finished"
    assert np.median(session.frames["output_s"] - session.frames["captured_s"]) < 1
