"""Whole sessions, run as a user runs them."""

import contextlib
import csv
import json
import os
import pty
import shlex
import signal
import subprocess
import sys
import termios
import time
from datetime import datetime

import numpy as np
import pytest
import tables

import helper as clh
from rig.ending import AT_ONCE_AFTER_S
from rig.files.frame_file import FrameFile, Header, extended
from rig.files.reader import read_session
from rig.files.rows import ROWS_FILE
from rig.files.session_tables import GrowingTables
from support.checks import LOGGED, check_protocol, direct_dff
from support.pins import all_low, gpio_env
from support.places import DRIVERS, ROOT, SCRIPT, SHORT
from support.processes import child_of, command
from support.runner import Runner, finished, frames_of, without_time
from support.waiting import end, wait_until

SHIPPED_SIZE = {key: value for key, value in SHORT.items() if key not in ("resolution", "bregma", "ppmm")}
BRIEF = SHORT | {"total_trials": "1", "initial_rest_dur": "2", "max_trial_dur": "2"}
FINISHED_FOLDER = [ROWS_FILE, SCRIPT.name, "config.ini", "image_stream.hdf5"]


def whole(session):
    """Return a session of whose rows none is cut short; the reader would leave such a row out."""
    text = (session.folder / ROWS_FILE).read_text(encoding="utf-8")
    assert text.endswith("\n")
    assert {line.count("\t") for line in text.splitlines()} == {len(session.columns) - 1}
    return session


def stored_table(session, name):
    """Return /frames or /events as the HDF5 file holds it."""
    with tables.open_file(str(session.folder / "image_stream.hdf5")) as file:
        return file.get_node(f"/{name}")[:]


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


# A session that nothing disturbs


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """A session of the shipped size to its end: the finished process, and the session."""
    run = Runner(tmp_path_factory.mktemp("undisturbed"))
    return finished(run(settings=SHIPPED_SIZE)), whole(run.session())


@pytest.fixture
def normal(undisturbed):
    """The session of `undisturbed`."""
    return undisturbed[1]


def test_a_session_follows_the_protocol(normal):
    outcomes, reward = check_protocol(normal)
    assert len(outcomes) == 4
    assert (reward == 1).any(), "the simulated mouse earns water"


def test_files_of_a_finished_session(normal):
    assert names_in(normal.folder) == FINISHED_FOLDER
    assert not normal.was_cut_short
    assert normal.missing == []


def test_every_frame_has_a_row_and_an_image(normal):
    assert list(normal.columns) == LOGGED
    assert normal.columns["frame"].tolist() == list(range(len(normal)))
    assert normal.images.shape == (len(normal), 256, 256, 3)


def test_rows_carry_the_wall_clock(normal):
    for text in normal.columns["time"]:
        datetime.strptime(text, "%Y-%m-%d %H:%M:%S.%f")


def test_the_simulated_mouse_licks(normal):
    assert normal.columns["lick"].any()


def test_the_terminal_says_how_it_went(undisturbed):
    done, session = undisturbed
    assert "SIMULATED" in done.stdout
    for word in ("ended by", "finished", "trials", "rewards", "success rate", "latency", str(session.folder)):
        assert word in done.stdout


def test_times_of_the_frames(normal):
    frames = normal.frames
    assert frames["number"].tolist() == normal.columns["frame"].tolist()
    np.testing.assert_allclose(frames["time_s"], frames["number"] / 15, atol=1e-9)
    assert ((frames["age_s"] >= 0) & (frames["output_s"] >= frames["captured_s"] + frames["age_s"])).all()


def test_events_of_the_trials(normal):
    reward = normal.columns["reward"]
    assert [event.value for event in normal.of("trial", "start")] == [1, 2, 3, 4]
    ends = {1: "end: success", -1: "end: time is over"}
    for outcome, text in ends.items():
        assert [event.frame for event in normal.of("trial", text)] == np.flatnonzero(reward == outcome).tolist()
    assert {event.detail for event in normal.of("trial")} <= {"start", *ends.values()}


def test_events_of_the_outputs(normal):
    rewards = np.flatnonzero(normal.columns["reward"] == 1)
    commanded = [event for event in normal.of("reward") if event.detail != "driven"]
    assert [(event.value, event.detail) for event in commanded] == [(1, "commanded: 0.3 s")] * len(rewards)
    assert [event.frame for event in commanded] == rewards.tolist()
    for name in ("light", "trigger"):
        assert [event.value for event in normal.of(name, "driven")] == [1, 0]


def test_events_of_the_tone(normal):
    freq = normal.columns["freq"]
    changes = np.flatnonzero(np.diff(freq, prepend=0))
    assert len(changes) > 0
    assert [round(event.value) for event in normal.of("tone")] == freq[changes].tolist()


def test_events_are_stored_in_order_of_time(normal):
    assert (np.diff(stored_table(normal, "events")["time_s"]) >= 0).all()


def test_attributes_of_the_session(normal):
    attributes = normal.attributes
    expected = {"mouse_id": "m1", "session_type": "normal_audio_normal_reward", "ended_by": "finished"}
    assert {name: attributes[name] for name in expected} == expected
    assert len(attributes["code_version"]) >= len("1234567"), "git's short form of a commit"
    assert attributes["version_of_numpy"] == np.__version__


# What the protocol does


def test_a_session_that_fails(run):
    finished(run(settings=SHORT | {"reward_threshold": "5", "max_trial_dur": "2"}))
    outcomes, reward = check_protocol(run.session())
    assert (reward[outcomes] == -1).all()


def test_threshold_follows_the_rewards(run):
    finished(run(settings=SHORT | {"total_trials": "16", "initial_rest_dur": "31"}))
    threshold, reward = (run.session().columns[name] for name in ("rew_threshold", "reward"))
    epoch = 30 * 15
    assert threshold[0] == 0.04
    for k, begin in enumerate(range(0, len(threshold) - epoch - 1, epoch)):
        # The first epoch is frames 0 to 450: the clock starts with the first frame.
        counted = (reward[begin + (k > 0) : begin + epoch + 1] == 1).sum()
        change = 0.002 if counted > 1 else -0.002 if counted == 0 else 0.0
        assert threshold[begin + epoch + 1] - threshold[begin + epoch] == pytest.approx(change, abs=1e-9)
    assert threshold.max() > threshold[epoch + 1], "and it rose again with the rewards"
    assert threshold[epoch + 1] == 0.038, "nothing was earned in the initial rest"


def test_threshold_stays_when_it_is_not_adaptive(run):
    finished(run(settings=SHORT | {"adaptive_threshold": "0", "initial_rest_dur": "31"}))
    assert set(run.session().columns["rew_threshold"]) == {0.04}


def test_the_mouse_learns(run):
    finished(run(settings=SHORT | {"total_trials": "40", "max_trial_dur": "10", "adaptive_threshold": "0"}, seed=2))
    reward = run.session().columns["reward"]
    outcomes = reward[reward != 0]
    assert (outcomes[20:] == 1).sum() > (outcomes[:20] == 1).sum()


def test_half_of_the_trials_are_silent(run):
    finished(run(settings=SHORT | {"total_trials": "8", "audio": "0.5", "max_trial_dur": "2"}))
    trial, audio = (run.session().columns[name] for name in ("trial", "audio"))
    heard = {n for n in range(1, 9) if audio[trial == n].any()}
    assert len(heard) == 4


def test_a_real_mouse(run, real_recording):
    real = {
        "vid_source": "VideoStream", "vid_root": str(real_recording), "bregma": "120, 128", "ppmm": "20",
        "roi": "M1_R", "reward_threshold": "0.015", "initial_rest_dur": "5", "success_rest_dur": "2",
        "fail_rest_dur": "3", "max_trial_dur": "6", "total_trials": "10",
    }  # fmt: skip
    for mouse in ("a", "b"):
        finished(run(settings=real, mouse=mouse, seed=None))
    outcomes, reward = check_protocol(run.session("a"))
    assert (reward[outcomes] == 1).mean() >= 0.5, "its spontaneous activity crosses the threshold in most trials"
    assert without_time(run.session("a")) == without_time(run.session("b"))


# The same again


def test_two_runs_with_one_seed_are_alike_and_another_is_not(run):
    for seed, mouse in ((7, "a"), (7, "b"), (8, "c")):
        finished(run(mouse=mouse, seed=seed))
    a, b, c = (without_time(run.session(mouse)) for mouse in "abc")
    assert a == b
    assert a != c


def test_replay_with_its_own_configuration_is_bit_exact(run):
    finished(run(seed=None, settings=SHORT | {"audio": "0.5"}))
    recorded = run.session()
    replay = {"vid_source": "VideoStream", "vid_root": str(recorded.folder)}
    finished(run("--config", str(recorded.folder / "config.ini"), settings=replay, mouse="replay", seed=None))
    replayed = run.session("replay")
    assert without_time(replayed) == without_time(recorded), "licks of the simulated mouse included"
    assert (replayed.images[:] == recorded.images[:]).all()


def test_paced_and_fast_give_the_same_rows(run):
    brief = SHORT | {"framerate": "60", "initial_rest_dur": "1", "max_trial_dur": "1.5", "total_trials": "2"}
    brief |= {"success_rest_dur": "0.5", "fail_rest_dur": "0.5", "dff_history": "1", "reward_delay": "0.2"}
    brief |= {"max_frame_age_ms": "60000"}  # on a busy machine a paced frame may be late, and then earns nothing
    finished(run(settings=brief, mouse="fast"))
    began = time.monotonic()
    finished(run(settings=brief, mouse="paced", fast=False))
    took_s = time.monotonic() - began
    paced = run.session("paced")
    assert took_s > paced.frames["time_s"][-1] >= 2, "it took its time"
    assert without_time(run.session("fast")) == without_time(paced)


def test_replay_of_late_frames_is_bit_exact(run):
    """Frames that were decided too late in the session are so in its replay, too."""
    process = run.start(settings=SHORT | {"framerate": "60", "total_trials": "2", "lick": "none"}, fast=False)
    try:
        folder = run.wait_for_rows(300)
        stop_for(0.6, process)
        run.wait_for_rows(600)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
    finally:
        end(process)
    recorded = whole(read_session(folder))
    assert len(recorded.of("stale frame")) >= 0.6 * 60 / 2, "at least half of the frames that had to wait"
    replay = {"vid_source": "VideoStream", "vid_root": str(folder), "lick": "none"}
    finished(run("--config", str(folder / "config.ini"), settings=replay, mouse="replay", seed=None))
    assert without_time(run.session("replay")) == without_time(recorded)


def stop_for(seconds, process):
    """Let a process do nothing for a while."""
    process.send_signal(signal.SIGSTOP)
    time.sleep(seconds)
    process.send_signal(signal.SIGCONT)


def test_recording_that_is_too_short_ends_the_session(run):
    finished(run())
    folder = run.session().folder
    replay = {"vid_source": "VideoStream", "vid_root": str(folder), "initial_rest_dur": "60"}
    done = finished(run("--config", str(folder / "config.ini"), settings=replay, mouse="replay", seed=None))
    assert "the recording ended" in done.stdout
    assert run.session("replay").attributes["ended_by"] == "the recording ended"


def test_a_recording_is_shown_from_the_command_line(run):
    finished(run(settings=BRIEF))
    session = run.session()
    show = [sys.executable, "-W", "error", ROOT / "VideoStream.py", "--frames", "30"]
    show += ["--set", f"vid_root={session.folder}", "--set", "resolution=128, 128"]
    done = finished(subprocess.run(show, cwd=run.tmp_path, capture_output=True, text=True, timeout=60))
    assert "30 of 128 x 128 px, 0 lost" in done.stdout
    blue, green, red = session.images[:30].mean(axis=(0, 1, 2))
    assert f"blue {blue:.1f}, green {green:.1f}, red {red:.1f}" in done.stdout


# Frames that come late, and a camera that stops


@pytest.fixture(scope="module")
def held_up(tmp_path_factory):
    """A session that is stopped for 0.7 s in the middle and is easily rewarded: its output, and the session."""
    run = Runner(tmp_path_factory.mktemp("held_up"))
    greedy = SHORT | {"framerate": "60", "initial_rest_dur": "0.5", "success_rest_dur": "0.1", "total_trials": "40"}
    greedy |= {"reward_threshold": "0.000001", "reward_delay": "0", "adaptive_threshold": "0"}
    process = run.start(settings=greedy | {"max_frame_age_ms": "100"}, fast=False)
    try:
        folder = run.wait_for_rows(90)
        stop_for(0.7, process)
        output, _ = process.communicate(timeout=60)
    finally:
        end(process)
    assert process.returncode == 0, output
    return output, whole(read_session(folder))


def test_stale_frames_earn_nothing_and_change_no_tone(held_up):
    _, session = held_up
    reward, freq = session.columns["reward"], session.columns["freq"]
    stale = np.flatnonzero(session.frames["age_s"] > 0.1)
    assert len(stale) >= 0.7 * 60 / 2, "at least half of the frames that had to wait"
    assert not (reward[stale] == 1).any()
    assert (freq[stale] == freq[stale - 1]).all(), "no tone change"


def test_fresh_frames_earn_water_after_stale_ones(held_up):
    _, session = held_up
    assert (session.columns["reward"] == 1).sum() == 40, "every trial waits for a fresh frame, and is rewarded then"


def test_stale_frames_are_noted_and_reported(held_up):
    output, session = held_up
    stale = np.flatnonzero(session.frames["age_s"] > 0.1)
    assert [event.frame for event in session.of("stale frame")] == stale.tolist()
    assert f"{len(stale)} frames, which gave no water" in output


def test_lost_camera_ends_the_session_with_everything_on_disk(run):
    done = run(settings=SHORT | {"sim_camera_fails_at_s": "9"})
    assert done.returncode == 1
    assert done.stderr == "the camera gave no new frame for 1 s; check its cable, then start again\n"
    session = whole(run.session())
    assert frames_of(session) == {9 * 15}
    assert "no new frame" in session.attributes["ended_by"]


def test_lost_camera_ends_in_silence_and_darkness(run):
    run(settings=SHORT | {"sim_camera_fails_at_s": "9"})
    session = run.session()
    assert {name: session.of(name)[-1].value for name in ("light", "trigger", "tone")} == {
        "light": 0,
        "trigger": 0,
        "tone": 0,
    }


# Signals


@pytest.mark.parametrize(
    ("number", "status", "name"),
    [(signal.SIGINT, 130, "Ctrl-C"), (signal.SIGTERM, 143, "SIGTERM"), (signal.SIGHUP, 129, "SIGHUP")],
)
def test_signals_end_the_session_in_order(run, tmp_path, number, status, name):
    log = tmp_path / "edges"
    process = run.start(settings=SHORT | {"outputs": "gpio"}, fast=False, env=gpio_env(log))
    try:
        folder = run.wait_for_rows(10)
        process.send_signal(number)
        process.send_signal(number)  # an impatient second one changes nothing
        output, _ = process.communicate(timeout=20)
    finally:
        end(process)
    assert process.returncode == status, output
    assert "Traceback" not in output
    session = whole(read_session(folder))
    assert_complete(session, 10)
    assert session.attributes["ended_by"] == name
    assert all_low(log)


def assert_complete(session, at_least):
    """See that all files of a session hold the same frames, and at least so many."""
    (n_frames,) = frames_of(session)
    assert n_frames >= at_least
    assert not session.was_cut_short
    assert names_in(session.folder) == FINISHED_FOLDER


def signalled(run, **env):
    """Run a session that gets Ctrl-C and SIGTERM when SignallingStream is told to send them; return the session."""
    env |= {"PYTHONPATH": str(DRIVERS)}
    done = run("--set", "vid_source=SignallingStream", settings=SHORT | {"total_trials": "1"}, env=env)
    # Sent from another thread, the two may reach the main thread in either order.
    assert done.returncode in ((130,) if env["SIGNALS_COME"] == "reading" else (130, 143)), done.stdout + done.stderr
    assert done.stderr == ""
    session = whole(run.session())
    assert_complete(session, 20)
    assert len((run.data / "expt_1roi_trial_summary.csv").read_text().splitlines()) == 2, "a header and a row"
    return session


def test_signals_while_the_camera_reads_spoil_nothing(run):
    assert signalled(run, SIGNALS_COME="reading").attributes["ended_by"] == "Ctrl-C"


@pytest.mark.parametrize("seed", range(3))
def test_signals_while_the_session_is_closed_spoil_nothing(run, seed):
    after_s = np.random.default_rng(seed).uniform(0, 0.02)  # closing takes longer on any computer
    session = signalled(run, SIGNALS_COME="closing", SIGNALS_AFTER_S=str(after_s))
    assert session.attributes["ended_by"] == "the recording ended"


@pytest.mark.parametrize("when", ["joining", "joined"])
def test_signals_while_the_files_are_finished_spoil_nothing(run, when):
    assert signalled(run, SIGNALS_COME=when).attributes["ended_by"] == "the recording ended"


@pytest.mark.parametrize("seed", range(4))
def test_a_frame_that_is_decided_on_is_stored_whenever_signals_come(run, seed):
    """The ROI is so large that most of the time goes into deciding on frames."""
    process = run.start(settings=SHORT | {"m1_l": "1, 1, 126, 126", "total_trials": "100"})
    try:
        folder = run.wait_for_rows(20)
        time.sleep(np.random.default_rng(seed).uniform(0, 0.05))
        for number in (signal.SIGINT, signal.SIGTERM):
            process.send_signal(number)
        output, _ = process.communicate(timeout=20)
    finally:
        end(process)
    assert process.returncode == 130, output
    assert "Traceback" not in output
    session = whole(read_session(folder))
    assert_complete(session, 20)
    assert session.events[-1].frame == len(session) - 1, "outputs go low on the last frame that is stored"


@pytest.mark.parametrize("seed", range(3))
def test_more_signals_during_the_closing_change_nothing(run, seed):
    """Somebody presses Ctrl-C again and again, and closes the terminal."""
    moments = np.random.default_rng(seed)
    process = run.start(fast=False)
    try:
        folder = run.wait_for_rows(20)
        process.send_signal(signal.SIGINT)
        first_s = time.monotonic()
        while list(folder.glob("*.part")) and time.monotonic() - first_s < AT_ONCE_AFTER_S - 1:
            time.sleep(moments.exponential(0.005))
            process.send_signal(moments.choice([signal.SIGINT, signal.SIGTERM, signal.SIGHUP]))
        output, _ = process.communicate(timeout=20)
    finally:
        end(process)
    assert process.returncode == 130, output
    assert "Traceback" not in output
    assert_complete(whole(read_session(folder)), 20)
    assert len((run.data / "expt_1roi_trial_summary.csv").read_text().splitlines()) == 2, "a header and a row"


# Killed


@pytest.fixture
def killed(run, tmp_path):
    """The folder of a session that was killed (-9) after 20 rows; its pins are logged to the file `edges`."""
    return run.killed(20, settings=SHORT | {"outputs": "gpio"}, env=gpio_env(tmp_path / "edges"))


def test_killed_script_leaves_pins_low(killed, tmp_path):
    wait_until(lambda: all_low(tmp_path / "edges"))


def test_killed_session_has_a_row_for_every_frame(killed):
    session = whole(read_session(killed))
    assert 0 < len(session.images) <= len(session)


def test_next_session_finishes_a_killed_one(run, killed):
    n_frames = len(read_session(killed).images)
    done = finished(run())
    assert f"{killed}: this session was cut short; its files are finished now" in done.stdout
    session = whole(read_session(killed))
    assert len(session.frames) == len(session.images) == n_frames
    assert session.frames["number"].tolist() == session.columns["frame"][:n_frames].tolist()
    assert {"light", "trigger"} <= {event.device for event in session.events}
    assert session.attributes["ended_by"] == "cut short; joined afterwards"
    assert session.attributes["mouse_id"] == "m1"
    assert names_in(killed) == FINISHED_FOLDER


def test_a_killed_session_is_finished_only_once(run, killed):
    assert f"{killed}: this session was cut short" in run().stdout
    assert "cut short" not in run().stdout


@pytest.mark.parametrize("seed", range(6))
def test_killed_at_any_moment_every_kept_frame_is_there(run, seed):
    """kill -9: the HDF5 file opens as it is, every kept frame has its row, and at most the last second is missing."""
    after_s = float(np.random.default_rng(seed).uniform(0.3, 1.8))
    folder = run.killed(1, settings=SHORT | {"framerate": "60"}, after_s=after_s)
    session = whole(read_session(folder))
    images, a_second = session.images[:], 60
    assert len(images) <= len(session) <= len(images) + a_second
    assert session.columns["frame"].tolist() == list(range(len(session)))
    box = [int(v) for v in session.settings["m1_l"].split(",")]
    history = round(float(session.settings["dff_history"]) * 60)
    dff = session.columns["roi_dff"][: len(images)]
    np.testing.assert_allclose(dff, direct_dff(images, box, history), rtol=0, atol=1e-12)
    finished(command("finish", folder))
    assert len(read_session(folder).frames) == len(images)


def test_a_killed_baseline_stays_a_baseline(run):
    folder = run.killed(20, "--baseline", "60")
    assert f"{folder}: finished" in finished(command("finish", folder)).stdout
    session = read_session(folder)
    assert not session.was_cut_short
    assert session.attributes["session_type"] == "baseline"


@pytest.fixture
def running(run):
    """The folder of a running session, which is ended in order."""
    process = run.start(fast=False)
    try:
        yield run.wait_for_rows(5)
    finally:
        end(process)
        process.stdout.close()


def test_a_running_session_is_not_finished_by_another(run, running):
    assert "cut short" not in finished(run(mouse="other")).stdout
    assert len(list(running.glob("*.part"))) == 3


def test_a_running_session_is_not_finished_by_hand(running):
    by_hand = command("finish", running)
    assert (by_hand.returncode, "still running" in by_hand.stderr) == (1, True)
    assert len(list(running.glob("*.part"))) == 3


def test_a_folder_without_open_sessions_needs_no_finishing(run):
    finished(run(settings=BRIEF))
    assert "nothing to do" in finished(command("finish", run.data)).stdout


def test_dead_guard_ends_the_session(run):
    process = run.start(fast=False)
    try:
        folder = run.wait_for_rows(10)
        os.kill(child_of(process.pid, "rig.devices.valve_guard"), signal.SIGKILL)
        output, _ = process.communicate(timeout=20)
    finally:
        end(process)
    assert process.returncode == 1
    assert "the guard of the output pins has died" in output
    assert "Traceback" not in output
    session = whole(read_session(folder))
    assert_complete(session, 10)
    assert session.attributes["ended_by"].startswith("the guard")


# Files, disks and terminals that are not as they should be


class PowerCutError(Exception):
    """The computer loses power."""


def test_a_session_that_lost_power_while_its_tables_were_joined(run):
    """The disk holds a half-written file, with the header and the records next to it: all is put right."""
    finished(run())
    before = run.session()
    with pytest.raises(PowerCutError):
        join_again(before)
    stream = before.folder / "image_stream.hdf5"
    assert stream.with_name("image_stream.hdf5.header").exists()
    stream.write_bytes(stream.read_bytes()[:-3000])
    done = finished(run())
    assert f"{before.folder}: this session was cut short; its files are finished now" in done.stdout
    session = read_session(before.folder)
    assert frames_of(session) == {len(before)}
    assert names_in(session.folder) == FINISHED_FOLDER


def join_again(session):
    """Take a finished session back to the moment before its tables are joined, and fail in the middle of joining."""
    stream, images = session.folder / "image_stream.hdf5", session.images[:]
    stream.unlink()
    growing = FrameFile(stream, Header(images.shape[1:]))
    for image in images:
        growing.append(image)
    growing.close()
    parts = GrowingTables(session.folder, stream.name, {"mouse_id": "m1"})
    for record in session.frames:
        parts.add_frame(tuple(record))
    parts.close()
    with extended(stream), tables.open_file(str(stream), "a") as file:
        file.create_table("/", "frames", session.frames)
        raise PowerCutError


def test_a_reader_that_has_the_file_open_does_not_keep_it_from_being_finished(run):
    process = run.start(fast=False, settings=BRIEF)
    reader = None
    try:
        folder = run.wait_for_rows(10)
        code = f"import tables; f = tables.open_file({str(folder / 'image_stream.hdf5')!r}); print('open'); input()"
        reader = subprocess.Popen([sys.executable, "-uc", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert reader.stdout.readline() == b"open\n"
        assert process.poll() is None, "the reader came in time"
        output, _ = process.communicate(timeout=60)
    finally:
        end(process)
        if reader is not None:
            reader.communicate(b"\n", timeout=20)
    assert process.returncode == 0, output
    assert_complete(read_session(folder), 10)


def test_files_that_do_not_agree_are_reported(run):
    process = run.start(fast=False, settings=BRIEF)
    try:
        folder = run.wait_for_rows(10)
        with (folder / ROWS_FILE).open("a") as file:
            file.write("99\tan extra row\n")
        output, _ = process.communicate(timeout=60)
    finally:
        end(process)
    assert process.returncode == 1
    assert "do not agree with" in output
    assert "Traceback" not in output


@pytest.fixture
def small_disk(run):
    """A file system of 60 MB for the data."""
    if os.geteuid() != 0:
        pytest.skip("needs root to mount a small file system")
    run.data.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=60m", "none", str(run.data)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("a small file system cannot be mounted here")
    yield run.data
    subprocess.run(["umount", str(run.data)], check=True)


def fill(folder):
    """Fill the disk to the last byte."""
    with (folder / "ballast").open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(b"x" * 4096)


def test_disk_that_fills_up_in_the_middle(run, small_disk):
    process = run.start(fast=False)
    try:
        folder = run.wait_for_rows(20)
        fill(small_disk)
        output, _ = process.communicate(timeout=60)
    finally:
        end(process)
    assert process.returncode == 1, output
    assert f"the disk of {folder} is full; the session ends" in output
    assert "Traceback" not in output
    session = whole(read_session(folder))
    assert len(session.images) >= 20
    assert len(session.images) <= len(session) <= len(session.images) + 1, "the last frame may not have fitted"
    assert f"{len(session.images)} frames are safe" in output


def test_disk_that_is_full_at_the_start(run, small_disk):
    fill(small_disk)
    done = run(settings=SHORT | {"total_trials": "1"})
    assert done.returncode == 2
    assert "the session may need" in done.stderr
    assert "0.00 GB are free" in done.stderr
    assert not list(small_disk.glob("m1/*"))


BYTES_OF_A_FRAME = 128 * 128 * 3 + 500  # of SHORT: the image, its row, and what the tables hold of it


def gigabytes(seconds):
    """Return the space that a session of 15 frames/s needs, as a message has it."""
    return f"{(seconds * 15 * BYTES_OF_A_FRAME + 4 * 2**20) / 1e9:.2f} GB"


def test_a_session_that_would_not_fit_is_refused(run, small_disk):
    done = run(settings=SHORT | {"total_trials": "100"})
    assert done.returncode == 2
    longest_s = 7 + 100 * (8 + 3)  # initial rest; trials without success, each with its rest
    needed = f"the session may need {gigabytes(longest_s)}, 0.06 GB are free; free some, or lower total_trials"
    assert needed in done.stderr
    assert not list(small_disk.iterdir())


def test_a_baseline_needs_no_space_for_trials(run, small_disk):
    finished(run("--baseline", "3", settings=SHORT | {"total_trials": "10000"}))


def test_a_baseline_that_would_not_fit_is_refused(run, small_disk):
    done = run("--baseline", "8000")
    assert done.returncode == 2
    assert f"the session may need {gigabytes(8000)}" in done.stderr


def test_a_replay_needs_no_more_space_than_its_recording(run, small_disk):
    finished(run("--baseline", "3"))
    folder = run.session().folder
    replay = {"vid_source": "VideoStream", "vid_root": str(folder), "total_trials": "10000"}
    done = finished(run("--config", str(folder / "config.ini"), settings=replay, mouse="replay", seed=None))
    assert "the recording ended" in done.stdout


def test_a_terminal_that_goes_away_does_not_end_the_session(run):
    words = " ".join(shlex.quote(word) for word in run.command())  # nine lines, then the session begins
    done = subprocess.run(["bash", "-c", f"{words} | head -9"], cwd=run.tmp_path, capture_output=True)
    assert b"Traceback" not in done.stderr
    assert run.session().attributes["ended_by"] == "finished"


def test_a_terminal_that_is_stopped_holds_nothing(run):
    """Ctrl-S, or a frozen connection: the session goes on, and SIGTERM still ends it with all files complete."""
    master, slave = pty.openpty()
    process = subprocess.Popen(run.command(fast=False), cwd=run.tmp_path, stdin=slave, stdout=slave, stderr=slave)
    try:
        folder = run.wait_for_rows(5)
        termios.tcflow(slave, termios.TCOOFF)
        time.sleep(1.0)
        stopped_at = len((folder / ROWS_FILE).read_text().splitlines())
        run.wait_for_rows(stopped_at + 15)
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 143
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        os.close(master)
        os.close(slave)
    session = whole(read_session(folder))
    assert session.attributes["ended_by"] == "SIGTERM"
    assert_complete(session, stopped_at + 15)


# What is kept of a session


def test_summary_has_a_row_per_session(run):
    for _ in range(2):
        finished(run())
    with (run.data / "expt_1roi_trial_summary.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2
    row, session = rows[1], run.session()
    assert row["mouse_id"] == "m1"
    assert row["session"] == session.folder.name
    assert row["data_path"] == str(session.folder)
    assert int(row["rewards"]) == (session.columns["reward"] == 1).sum()
    assert row["duration"] == f"{(len(session) - 1) / 15:.1f}"
    assert row["fps"] == "15.00"
    assert (row["n_tones"], row["session_type"]) == ("18", "normal_audio_normal_reward")


def test_saved_configuration_says_what_was_used(run):
    finished(run("--set", "n_tones=12"))
    values = clh.GetConfigValues(run.session().folder)
    assert (values["n_tones"], values["reward_threshold"], values["seed"]) == ("12", "0.04", "1")
    assert values["m1_l"] == "38,56,4,4"


def test_saved_configuration_has_all_sites(run, settings):
    finished(run(settings=BRIEF))
    saved = json.loads(clh.GetConfigValues(run.session().folder)["seeds_mm"])
    assert saved == {name: {"ML": site.ML, "AP": site.AP} for name, site in settings().seeds_mm.items()}
    assert len(saved) > 1


def test_prompt_for_the_mouse(run):
    done = finished(run(mouse=None, stdin="GT33\n"))
    assert "Please enter mouse ID: " in done.stdout
    assert len(run.session("GT33")) > 0
