"""A yoked session has the trials, tones and rewards of another one, whatever its own signal does."""

import os
import pty
import shutil
import subprocess

import numpy as np
import pytest

from analysis.evidence import gather
from analysis.replay.experiment import run_again
from analysis.replay.recorded import open_recorded
from analysis.report_files import make
from analysis.what_if_session import try_session
from analysis.yoked import in_words
from helper import SessionType
from rig.errors import SettingsError
from rig.files.reader import read_session
from rig.files.yokes import HEADER, YOKE_FILE, own_yoke, score_of, text_of
from rig.protocol.trials import FAIL, NONE, SUCCESS, Plan
from rig.protocol.yoked import Moment, Score, Yoked, course_of
from support.places import SHORT, SPEED_SCRIPT
from support.runner import Runner, SpeedRunner, finished, without_time
from support.waiting import at_the_terminal, end

PLAYED = ("freq", "reward", "trial", "audio")
YOKED = SHORT | {"session_type": "yoked", "yoked_to": "m1"}


def plan(**changes):
    """Return the plan of a yoked session with three trials, at 10 frames/s."""
    known = {"session_type": SessionType.yoked, "total_trials": 3, "tail_dur": 0.0, "frame_period_s": 0.1, "seed": 1}
    durations = dict.fromkeys(("max_trial_dur", "initial_rest_dur", "success_rest_dur", "fail_rest_dur"), 1.0)
    return Plan(**(known | durations | {"audio": 1.0, "n_tones": 18, "random_reward_per_min": 0.0} | changes))


SCORE = Score(
    (
        Moment(0.0, 0, 0.0, NONE, False),
        Moment(1.0, 1, 1000.0, NONE, False),
        Moment(1.5, 1, 2000.0, NONE, False),
        Moment(2.0, 1, 0.0, SUCCESS, True),
        Moment(2.1, 0, 0.0, NONE, False),
        Moment(2.5, 0, 0.0, NONE, True),
        Moment(3.0, 2, 0.0, NONE, False),
        Moment(4.0, 2, 0.0, FAIL, False),
        Moment(4.1, 0, 0.0, NONE, False),
        Moment(5.0, 3, 1189.0, NONE, False),
        Moment(5.2, 3, 0.0, SUCCESS, True),
        Moment(5.3, 0, 0.0, NONE, False),
    ),
    6.0,
)


def play(course, times_s, late=(), pause=(), crossed=False):
    """Run through frames; return [(time, step, tone)] up to the end."""
    steps = []
    for i, time_s in enumerate(times_s):
        course.pause(i in pause)
        if course.is_over(time_s):
            break
        step = course.step(time_s, crossed, i not in late)
        steps.append((time_s, step, course.tone_hz(step, 1.0, np.zeros(17))))
    return steps


def outcomes(steps):
    return [(step.trial, step.outcome) for _, step, _ in steps if step.outcome != NONE]


def paid_at(steps):
    return [round(time_s, 2) for time_s, step, _ in steps if step.water]


def at(rate, seconds=10.0):
    return [n / rate for n in range(round(seconds * rate))]


@pytest.mark.parametrize("crossed", [False, True])
def test_what_is_played_does_not_heed_the_signal(crossed):
    steps = play(Yoked(plan(), SCORE), at(10), crossed=crossed)
    assert outcomes(steps) == [(1, SUCCESS), (2, FAIL), (3, SUCCESS)]
    assert paid_at(steps) == [2.0, 2.5, 5.2], "two successes, and a free reward in the rest"
    assert [hz for _, _, hz in steps[9:22]] == [0] + [1000] * 5 + [2000] * 5 + [0, 0]
    assert len(steps) == 60, "up to the end of the last rest"


@pytest.mark.parametrize("rate", [7, 9.9, 10, 10.1, 30, 100])
def test_every_moment_is_played_once_at_any_frame_rate(rate):
    period_s = 1 / rate
    steps = play(Yoked(plan(frame_period_s=period_s), SCORE), at(rate))
    assert outcomes(steps) == [(1, SUCCESS), (2, FAIL), (3, SUCCESS)]
    assert paid_at(steps) == [pytest.approx(each, abs=period_s) for each in (2.0, 2.5, 5.2)]
    assert steps[-1][0] == pytest.approx(6.0, abs=1.5 * period_s)
    for number in (1, 2, 3):
        assert sum(step.running for _, step, _ in steps if step.trial == number) >= 1
    at_an_outcome = [i for i, (_, step, _) in enumerate(steps) if step.outcome != NONE]
    assert not any(steps[i + 1][1].running for i in at_an_outcome), "a trial that has ended does not go on"


def test_a_reward_waits_two_frames_for_one_that_is_not_late():
    steps = play(Yoked(plan(), SCORE), at(10), late={20, 21})
    assert paid_at(steps)[0] == 2.2
    assert outcomes(steps)[0] == (1, SUCCESS), "on the frame that paid it"
    assert steps[21][1].running, "until then the trial goes on"


def test_a_reward_on_late_frames_is_missed_and_counted_and_its_trial_is_a_success_all_the_same():
    course = Yoked(plan(), SCORE)
    steps = play(course, at(10), late=range(20, 24))
    assert paid_at(steps) == [2.5, 5.2]
    assert course.missed_rewards == 1
    assert [(round(t, 1), step.missed) for t, step, _ in steps if step.outcome == SUCCESS] == [
        (2.3, True),
        (5.2, False),
    ]


def test_after_a_gap_nothing_comes_in_a_burst_and_no_trial_is_lost():
    course = Yoked(plan(), SCORE)
    steps = play(course, [t for t in at(10) if not 0.95 < t < 4.95])
    assert outcomes(steps) == [(1, SUCCESS), (2, FAIL), (3, SUCCESS)]
    assert paid_at(steps) == [5.3], "the others lie in the gap; this one waits for its turn"
    assert course.missed_rewards == 2


def test_a_pause_stops_the_score_between_trials():
    steps = play(Yoked(plan(), SCORE), at(10), pause=range(15, 60))
    assert outcomes(steps[:21]) == [(1, SUCCESS)], "the trial that runs is finished first"
    # The clock runs until the frame of the outcome, 2.0 s, and goes on from there at frame 60.
    assert all(step.paused and hz == 0 for _, step, hz in steps[21:60])
    assert paid_at(steps) == [2.0, pytest.approx(2.5 + 3.9), pytest.approx(5.2 + 3.9)]
    assert outcomes(steps) == [(1, SUCCESS), (2, FAIL), (3, SUCCESS)]


def test_the_light_goes_off_after_the_last_rest():
    steps = play(Yoked(plan(tail_dur=2.0), SCORE), at(10))
    assert [round(time_s, 2) for time_s, step, _ in steps if step.goes_dark] == [6.0]
    assert len(steps) == 80


def test_what_is_said_of_where_it_stands():
    course = Yoked(plan(), SCORE)
    said = [course.describe(course.step(time_s, False)) for time_s in at(10, 6)]
    assert (said[0], said[12], said[22]) == ("rest, 0 of 3 trials done", "trial 1 of 3", "rest, 1 of 3 trials done")
    assert course.seconds_left(5.0) == pytest.approx(1.0)


def test_a_baseline_is_never_yoked():
    assert course_of(plan(), 5.0, SCORE).session_type == "baseline"


@pytest.fixture(scope="module")
def rig_with_m1(tmp_path_factory):
    """Run a session of m1 once; return its runner."""
    run = Runner(tmp_path_factory.mktemp("master"))
    finished(run())
    return run


@pytest.fixture
def run(rig_with_m1, tmp_path):
    """Run sessions in a copy of a data root with one session of m1."""
    shutil.copytree(rig_with_m1.data, tmp_path / "data")
    return Runner(tmp_path)


def test_a_score_goes_through_its_file_unchanged(run):
    session = run.session()
    score = score_of(session, 4)
    (session.folder / YOKE_FILE).write_text(text_of(score))
    assert own_yoke(session.folder).score == score
    assert sum(moment.water for moment in score.moments) == (session.columns["reward"] == 1).sum() > 0


def test_another_mouse_hears_and_gets_what_the_first_one_did(run):
    finished(run(mouse="m2", seed=2, settings=YOKED))
    master, yoked = run.session(), run.session("m2")
    for name in PLAYED:
        np.testing.assert_array_equal(yoked.columns[name], master.columns[name], name)
    assert (yoked.columns["roi_dff"] != master.columns["roi_dff"]).any()
    given = [[event.frame for event in each.of("reward", "commanded")] for each in (master, yoked)]
    failures = [[event.frame for event in each.of("fail", "commanded")] for each in (master, yoked)]
    assert given[0] == given[1] != []
    assert failures[0] == failures[1]
    assert yoked.attributes["yoked_to_session"] == f"m1/{master.folder.name}"
    assert yoked.attributes["session_type"] == "yoked"


def test_another_frame_rate_changes_nothing_but_the_frames(run):
    finished(run(mouse="m2", settings=YOKED | {"framerate": "16"}))
    master, yoked = run.session(), run.session("m2")
    assert yoked.trials["outcome"].tolist() == master.trials["outcome"].tolist()
    assert len(yoked.of("reward", "commanded")) == len(master.of("reward", "commanded"))
    np.testing.assert_allclose(yoked.trials["end_s"], master.trials["end_s"], rtol=0, atol=1 / 15)


def test_it_is_replayed_from_its_own_copy(run):
    finished(run(mouse="m2", seed=2, settings=YOKED))
    folder = run.session("m2").folder
    shutil.rmtree(run.data / "m1")
    settings = {"vid_source": "VideoStream", "vid_root": folder}
    finished(run("--config", folder / "config.ini", mouse="m2", seed=None, settings=settings))
    again = run.session("m2")
    assert again.attributes["replay_of"]
    assert without_time(again) == without_time(read_session(folder))
    assert (again.folder / YOKE_FILE).read_text() == (folder / YOKE_FILE).read_text()


def test_what_if_and_report_run_it_again(run):
    finished(run(mouse="m2", seed=2, settings=YOKED))
    folder = run.session("m2").folder
    shutil.rmtree(run.data / "m1")
    assert try_session(folder, []).is_same
    (page,) = make(folder, False)
    text = page.read_text()
    assert "whatever the signal of this mouse did" in text
    assert "the tone of all" in text, "tone as commanded: good"
    assert "rewards do not follow the signal (yoked)" in text


def test_what_if_says_what_the_mouse_would_have_earned_by_itself(run):
    finished(run(mouse="m2", seed=2, settings=YOKED))
    own = {"session_type": "normal_audio_normal_reward", "yoked_to": ""}
    recorded = open_recorded(run.session("m2").folder)
    again = run_again(recorded, recorded.settings(own))
    dff, threshold = again.columns["roi_dff"], again.columns["rew_threshold"]
    won = np.flatnonzero(again.columns["reward"] == SUCCESS)
    assert len(won)
    assert (dff[won - 15] > threshold[won]).all(), "its own crossings, a second before"


def test_a_session_that_was_not_yoked_cannot_be_yoked_afterwards(run):
    recorded = open_recorded(run.session().folder)
    with pytest.raises(SettingsError, match=r"cannot be tried, as yoke.csv is missing"):
        run_again(recorded, recorded.settings({"session_type": "yoked", "yoked_to": "m2"}))


def test_water_is_capped_as_always(run):
    finished(run(mouse="m2", settings=YOKED | {"max_rewards_per_min": "1"}))
    master, yoked = run.session(), run.session("m2")
    wanted = len(master.of("reward", "commanded"))
    assert len(yoked.of("reward", "commanded")) + len(yoked.of("water", "withheld")) == wanted
    assert yoked.of("water", "withheld")


def test_it_may_be_shorter_than_the_other_one(run):
    finished(run(mouse="m2", settings=YOKED | {"total_trials": "2"}))
    session = run.session("m2")
    assert session.columns["trial"].max() == 2
    assert len(session) == np.flatnonzero(run.session().columns["trial"] == 3)[0], "the rest after trial 2 is whole"


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"yoked_to": ""}, "yoked_to is missing"),
        ({"session_type": "no_audio_no_reward"}, "is yoked to nothing"),
        ({"yoked_to": "m7"}, "there is no such session, and no such mouse"),
        ({"total_trials": "5"}, "has 4 trials, and this session is to have 5; set total_trials = 4"),
        ({"max_trial_dur": "9"}, "was run with max_trial_dur = 8 s"),
        ({"adaptive_threshold": "staircase:0.7"}, "in yoked no trial ends with success"),
    ],
    ids=["to nothing", "not yoked", "unknown", "too short", "other durations", "staircase"],
)
def test_what_cannot_be_is_refused_before_anything_is_opened(run, settings, sentence):
    done = run(mouse="m2", settings=YOKED | settings)
    assert done.returncode == 2
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr
    assert not (run.data / "m2").exists()


def test_of_a_mouse_the_newest_session_that_will_do_is_taken(run):
    longer = run.session()
    finished(run(settings=SHORT | {"total_trials": "1"}))
    finished(run(mouse="m2", settings=YOKED))
    assert run.session("m2").attributes["yoked_to_session"] == f"m1/{longer.folder.name}"


def say(folder, **attributes):
    """Let a session say something else of itself."""
    import h5py

    with h5py.File(folder / "image_stream.hdf5", "a") as file:
        file.attrs.update(attributes)


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ({"mouse_id": "m2"}, "is a session of m2 itself"),
        ({"session_type": "baseline"}, "is a baseline"),
        ({"session_type": "yoked"}, "is a yoked session itself"),
        ({"replay_of": "/elsewhere"}, "is a replay"),
        ({"ended_by": "stopped with Esc"}, "was not finished (ended by: stopped with Esc)"),
    ],
    ids=lambda each: each if isinstance(each, str) else "",
)
def test_a_session_that_no_other_can_be_yoked_to_is_refused(run, said, reason):
    say(run.session().folder, **said)
    done = run(mouse="m2", settings=YOKED)
    assert done.returncode == 2
    assert reason in done.stderr
    assert "name a real session of the same experiment" in done.stderr


def test_a_real_session_cannot_be_yoked_to_a_simulated_one(run, settings):
    from rig.files.yokes import This, master_of

    ours = settings(**YOKED, data_root=str(run.data))
    with pytest.raises(SettingsError, match=r"is not real \(simulated: camera, outputs, tone, lick\)"):
        master_of(This(ours, "m2", is_simulated=False))
    say(run.session().folder, simulated="no")
    assert master_of(This(ours, "m2", is_simulated=False)).name.startswith("m1/")


def test_of_a_mouse_the_newest_session_that_can_be_is_taken(run):
    first = run.session().folder
    for name, said in (("20300101000000", {"session_type": "yoked"}), ("20300102000000", {"replay_of": "x"})):
        shutil.copytree(first, first.with_name(name))
        say(first.with_name(name), **said)
    done = finished(run(mouse="m2", settings=YOKED))
    assert f"yoked to m1/{first.name}: 4 trials" in done.stdout


def test_a_session_can_be_named_by_mouse_and_name_and_by_its_folder(run, tmp_path):
    elsewhere = shutil.copytree(run.session().folder, tmp_path / "elsewhere" / "theirs")
    for yoked_to in (f"m1/{run.session().folder.name}", str(elsewhere)):
        finished(run(mouse="m2", settings=YOKED | {"yoked_to": yoked_to}))


@pytest.mark.parametrize("broken", ["", "time,trial\n", ",".join(HEADER) + "\n1.0,x,0,0,0\n"])
def test_a_copy_that_is_broken_is_said_in_a_sentence(tmp_path, broken):
    (tmp_path / YOKE_FILE).write_text(broken)
    with pytest.raises(SettingsError, match="what this session was yoked to cannot be read"):
        own_yoke(tmp_path)


@pytest.mark.parametrize("times", ["1.0 0.5 2.0", "1.0 nan 2.0", "1.0 2.0 inf", "-1.0 0.0 1.0", "1.0 2.0 1.5"])
def test_a_copy_whose_times_are_none_is_refused(tmp_path, times):
    lines = [f"{time_s},0,0,0,0" for time_s in times.split()]
    (tmp_path / YOKE_FILE).write_text("\n".join([",".join(HEADER), *lines]) + "\n")
    with pytest.raises(SettingsError, match="the times in it are no numbers, or go back"):
        own_yoke(tmp_path)


def test_the_report_says_how_many_rewards_followed_a_crossing_of_its_own(run):
    finished(run(mouse="m2", seed=2, settings=YOKED))
    session = run.session("m2")
    dff, threshold, reward = (session.columns[name] for name in ("roi_dff", "rew_threshold", "reward"))
    rows = np.flatnonzero(reward == SUCCESS)
    crossed = int((dff[rows - 15] > threshold[rows]).sum())
    assert in_words(gather(session.folder)).endswith(
        f"Of {len(rows)} rewards, {crossed} came when its own signal had crossed the threshold."
    )


def test_a_check_says_what_it_is_yoked_to(run):
    done = run("--check", mouse=None, settings=YOKED)
    assert "yoked to m1/" in done.stdout
    assert "there is no such session" in run("--check", mouse=None, settings=YOKED | {"yoked_to": "m9"}).stdout


def test_a_mouse_can_be_yoked_in_the_movement_experiment_too(tmp_path):
    run = SpeedRunner(tmp_path)
    shared = run.short | {"video_file": "", "pose": "simulated"}
    finished(run(settings=shared))
    finished(
        run(mouse="m2", seed=2, script=SPEED_SCRIPT, settings=shared | {"session_type": "yoked", "yoked_to": "m1"})
    )
    for name in PLAYED:
        np.testing.assert_array_equal(run.session("m2").columns[name], run.session().columns[name], name)


PACED = {"framerate": "30", "initial_rest_dur": "1.5", "max_trial_dur": "1.5", "total_trials": "2"}
PACED |= {"success_rest_dur": "1", "fail_rest_dur": "1", "dff_history": "1", "reward_delay": "0.2"}
PACED |= {"max_frame_age_ms": "60000"}


def run_with_a_pause(run, settings):
    """Run a session of m2 at its own pace, and type a pause into its terminal; return its folder."""
    ours, theirs = pty.openpty()
    command = run.command(mouse="m2", seed=2, settings=settings, fast=False)
    process = subprocess.Popen(
        command, cwd=run.tmp_path, stdin=theirs, stdout=subprocess.DEVNULL, preexec_fn=lambda: at_the_terminal(theirs)
    )
    try:
        run.wait_for_rows(10, "m2")
        os.write(ours, b"p\n")
        run.wait_for_rows(80, "m2")
        os.write(ours, b"p\n")
        assert process.wait(60) == 0
    finally:
        end(process)
        os.close(ours)
        os.close(theirs)
    return run.session("m2").folder


def test_after_a_pause_it_goes_on_where_it_was_and_is_replayed_bit_for_bit(tmp_path):
    run = Runner(tmp_path)
    finished(run(settings=SHORT | PACED))
    folder = run_with_a_pause(run, YOKED | PACED)
    master, yoked = run.session(), read_session(folder)
    ((begins_s, goes_on_s),) = yoked.pauses
    assert goes_on_s - begins_s > 1
    assert not yoked.columns["trial"][yoked.of("pause")[1].frame : yoked.of("pause")[2].frame].any()
    for name in ("trial", "reward"):  # the same rows, but for those of the pause
        events = [[row for row in each.columns[name].tolist() if row] for each in (master, yoked)]
        assert events[0] == events[1]
    assert len(yoked) - len(master) == pytest.approx((goes_on_s - begins_s) * 30, abs=2)
    replay = {"vid_source": "VideoStream", "vid_root": folder}
    finished(run("--config", folder / "config.ini", mouse="replay", seed=None, settings=replay))
    assert without_time(run.session("replay")) == without_time(yoked)
    assert try_session(folder, []).is_same
