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
from pathlib import Path

import numpy as np
import pytest
import tables

import helper as clh
from conftest import ROOT, SCRIPT, SHORT, Session, end, gpio_env, read_edges, wait_until
from rig.frame_file import FrameFile, Header, extended
from rig.session_tables import GrowingTables
from rig.tones import get_bins, tone_index

SHIPPED_SIZE = {key: value for key, value in SHORT.items() if key not in ("resolution", "bregma", "ppmm")}
COLUMNS = ["frame", "time", "roi_dff", "freq", "rew_threshold", "reward", "trial", "audio", "lick"]


def finished(done):
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    return done


def direct_dff(images, box, n):
    """ΔF/F of every frame by the direct formula, from the stored frames alone."""
    x, y, w, h = box
    crops = images[:, y : y + h, x : x + w].astype(float)
    values = np.zeros(len(crops))
    for i in range(1, len(crops)):
        f0 = crops[max(0, i - n) : i].mean(axis=0)
        dff = np.divide(crops[i] - f0, f0, out=np.zeros_like(f0), where=f0 != 0)
        values[i] = (dff[..., 1] - dff[..., 0]).mean()
    return values


def check_protocol(session):
    """Check every row of a normal session against the protocol, from the files alone."""
    cfg = clh.GetConfigValues(session.folder)
    box = [int(v) for v in cfg[cfg["roi"].lower()].split(",")]
    rate, delay = float(cfg["framerate"]), round(float(cfg["reward_delay"]) * float(cfg["framerate"]))
    dff, threshold = session.column("roi_dff"), session.column("rew_threshold")
    reward, trial, freq = (session.column(name, int) for name in ("reward", "trial", "freq"))
    n_history = round(float(cfg["dff_history"]) * rate)
    np.testing.assert_allclose(dff, direct_dff(session.images, box, n_history), rtol=0, atol=1e-12)

    freqs = clh.get_freqs(int(cfg["n_tones"]))
    playing = (trial > 0) & (reward == 0)
    for i in np.flatnonzero(playing):
        assert freq[i] == round(freqs[tone_index(dff[i], get_bins(threshold[i], int(cfg["n_tones"])))])
        assert not (i >= delay and dff[i - delay] > threshold[i]), "a crossing ends the trial"
    assert (freq[~playing] == 0).all()
    np.testing.assert_array_equal(session.column("audio", int), freq > 0)

    for i in np.flatnonzero(reward == 1):
        assert dff[i - delay] > threshold[i], "every reward is a crossing reward_delay earlier"
    outcomes = np.flatnonzero(reward)
    assert trial[outcomes].tolist() == list(range(1, int(cfg["total_trials"]) + 1))
    rests = {1: float(cfg["success_rest_dur"]), -1: float(cfg["fail_rest_dur"])}
    starts = [int(np.flatnonzero(trial == n)[0]) for n in trial[outcomes]]
    assert starts[0] == round(float(cfg["initial_rest_dur"]) * rate)
    for outcome, start in zip(outcomes, [*starts[1:], len(trial)], strict=True):
        assert start - outcome == round(rests[reward[outcome]] * rate), "the rest after the outcome, the last one too"
        if reward[outcome] == -1:
            begun = starts[trial[outcome] - 1]
            assert outcome - begun == round(float(cfg["max_trial_dur"]) * rate)
    return outcomes, reward


def test_a_session_that_succeeds(run):
    done = finished(run(settings=SHIPPED_SIZE))
    session = run.session()
    assert session.columns == COLUMNS
    outcomes, reward = check_protocol(session)
    assert len(outcomes) == 4
    assert (reward == 1).any(), "the simulated mouse earns water"
    assert sorted(p.name for p in session.folder.iterdir()) == ["VideoTimestamp.txt", "config.ini", "image_stream.hdf5"]
    n_frames = len(session.rows)
    assert session.column("frame", int).tolist() == list(range(n_frames))
    assert session.images.shape == (n_frames, 256, 256, 3)
    assert session.column("lick", int).sum() > 0
    for row in session.rows:
        datetime.strptime(row["time"], "%Y-%m-%d %H:%M:%S.%f")
    assert "SIMULATED" in done.stdout
    for word in ("ended by", "finished", "trials", "rewards", "success rate", "latency", str(session.folder)):
        assert word in done.stdout


def test_tables_beside_the_frames(run):
    finished(run())
    session = run.session()
    frames, events = session.table("frames"), session.table("events")
    assert frames["number"].tolist() == session.column("frame", int).tolist()
    np.testing.assert_allclose(frames["time_s"], frames["number"] / 15, atol=1e-9)
    assert ((frames["age_s"] >= 0) & (frames["output_s"] >= frames["captured_s"] + frames["age_s"])).all()

    def of(device):
        return [(e["value"], e["detail"].decode(), e["frame"]) for e in events if e["device"].decode() == device]

    rewards = np.flatnonzero(session.column("reward", int) == 1)
    fails = np.flatnonzero(session.column("reward", int) == -1)
    trial_events = of("trial")
    assert [(value, text) for value, text, _ in trial_events if text == "start"] == [(n, "start") for n in (1, 2, 3, 4)]
    assert [frame for _, text, frame in trial_events if text == "end: success"] == rewards.tolist()
    assert [frame for _, text, frame in trial_events if text == "end: time is over"] == fails.tolist()
    commanded = [(value, text) for value, text, _ in of("reward") if text != "driven"]
    assert commanded == [(1, "commanded: 0.3 s")] * len(rewards)
    assert [frame for _, text, frame in of("reward") if "commanded" in text] == rewards.tolist()
    for name in ("light", "trigger"):
        assert [value for value, text, _ in of(name) if text == "driven"] == [1, 0]
    tones = [value for value, *_ in of("tone")]
    changes = np.flatnonzero(np.diff(session.column("freq", int), prepend=0))
    assert [round(hz) for hz in tones] == session.column("freq", int)[changes].tolist()
    assert (np.diff(events["time_s"]) >= 0).all()
    assert session.attribute("mouse_id") == "m1"
    assert session.attribute("ended_by") == "finished"
    assert len(session.attribute("code_version")) >= 7
    assert session.attribute("version_of_numpy") == np.__version__


def test_a_session_that_fails(run):
    finished(run(settings=SHORT | {"reward_threshold": "5", "max_trial_dur": "2"}))
    outcomes, reward = check_protocol(run.session())
    assert (reward[outcomes] == -1).all()


def test_threshold_follows_the_rewards(run):
    finished(run(settings=SHORT | {"total_trials": "16", "initial_rest_dur": "31"}))
    session = run.session()
    threshold, reward = session.column("rew_threshold"), session.column("reward", int)
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
    assert set(run.session().column("rew_threshold")) == {0.04}


def test_the_mouse_learns(run):
    finished(run(settings=SHORT | {"total_trials": "40", "max_trial_dur": "10", "adaptive_threshold": "0"}, seed=2))
    reward = run.session().column("reward", int)
    outcomes = reward[reward != 0]
    assert (outcomes[20:] == 1).sum() > (outcomes[:20] == 1).sum()


def test_half_of_the_trials_are_silent(run):
    finished(run(settings=SHORT | {"total_trials": "8", "audio": "0.5", "max_trial_dur": "2"}))
    session = run.session()
    trial, audio = session.column("trial", int), session.column("audio", int)
    heard = {n for n in range(1, 9) if audio[trial == n].any()}
    assert len(heard) == 4


def test_two_runs_with_one_seed_are_alike_and_another_is_not(run):
    for seed, mouse in ((7, "a"), (7, "b"), (8, "c")):
        finished(run(mouse=mouse, seed=seed))
    a, b, c = (run.session(mouse).without_time() for mouse in "abc")
    assert a == b
    assert a != c


def test_replay_with_its_own_configuration_is_bit_exact(run):
    finished(run(seed=None, settings=SHORT | {"audio": "0.5"}))
    recorded = run.session()
    replay = {"vid_source": "VideoStream", "vid_root": str(recorded.folder)}
    finished(run("--config", str(recorded.folder / "config.ini"), settings=replay, mouse="replay", seed=None))
    replayed = run.session("replay")
    licked = [{key: value for key, value in row.items() if key != "lick"} for row in recorded.without_time()]
    again = [{key: value for key, value in row.items() if key != "lick"} for row in replayed.without_time()]
    assert again == licked
    assert (replayed.images == recorded.images).all()
    assert replayed.column("lick", int).tolist() == recorded.column("lick", int).tolist(), "the mouse licks alike, too"


def test_paced_and_fast_give_the_same_rows(run):
    brief = SHORT | {"framerate": "60", "initial_rest_dur": "1", "max_trial_dur": "1.5", "total_trials": "2"}
    brief |= {"success_rest_dur": "0.5", "fail_rest_dur": "0.5", "dff_history": "1", "reward_delay": "0.2"}
    brief |= {"max_frame_age_ms": "60000"}  # on a busy machine a paced frame may be late, and then earns nothing
    finished(run(settings=brief, mouse="fast"))
    began = time.monotonic()
    finished(run(settings=brief, mouse="paced", fast=False))
    assert time.monotonic() - began > 4, "it took its time"
    assert run.session("fast").without_time() == run.session("paced").without_time()


def test_recording_that_is_too_short_ends_the_session(run):
    finished(run())
    folder = run.session().folder
    replay = {"vid_source": "VideoStream", "vid_root": str(folder), "initial_rest_dur": "60"}
    done = finished(run("--config", str(folder / "config.ini"), settings=replay, mouse="replay", seed=None))
    assert "the recording ended" in done.stdout
    assert run.session("replay").attribute("ended_by") == "the recording ended"


def test_lost_camera_ends_the_session_with_everything_on_disk(run):
    done = run(settings=SHORT | {"sim_camera_fails_at_s": "9"})
    assert done.returncode == 1
    assert done.stderr == "the camera gave no new frame for 1 s; check its cable, then start again\n"
    session = run.session()
    assert len(session.rows) == len(session.images) == len(session.table("frames")) == 9 * 15
    assert "no new frame" in session.attribute("ended_by")
    last = {e["device"].decode(): e["value"] for e in session.table("events")}
    assert {last[name] for name in ("light", "trigger", "tone")} == {0}


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_signals_end_the_session_in_order(run, tmp_path, number, status):
    gpio = {"outputs": "gpio"}
    process = run.start(settings=SHORT | gpio, fast=False, env=gpio_env(tmp_path / "edges"))
    try:
        folder = run.wait_for_rows(10)
        process.send_signal(number)
        process.send_signal(number)  # an impatient second one changes nothing
        output, _ = process.communicate(timeout=20)
    finally:
        end(process)
    assert process.returncode == status, output
    assert "Traceback" not in output
    session = Session(folder)
    assert len(session.rows) == len(session.images) == len(session.table("frames")) >= 10
    assert session.attribute("ended_by") == {130: "Ctrl-C", 143: "SIGTERM", 129: "SIGHUP"}[status]
    levels = {gpio: level for _, gpio, level in read_edges(tmp_path / "edges")}
    assert levels == dict.fromkeys((27, 12, 21, 17), 0)


def test_replay_of_late_frames_is_bit_exact(run):
    """Frames that were decided too late in the session are so in its replay, too."""
    process = run.start(settings=SHORT | {"framerate": "60", "total_trials": "2", "lick": "none"}, fast=False)
    try:
        folder = run.wait_for_rows(300)
        process.send_signal(signal.SIGSTOP)
        time.sleep(0.6)
        process.send_signal(signal.SIGCONT)
        run.wait_for_rows(600)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
    finally:
        end(process)
    recorded = Session(folder)
    assert sum(e["device"] == b"stale frame" for e in recorded.table("events")) >= 10
    replay = {"vid_source": "VideoStream", "vid_root": str(folder), "lick": "none"}
    finished(run("--config", str(folder / "config.ini"), settings=replay, mouse="replay", seed=None))
    assert run.session("replay").without_time() == recorded.without_time()


def test_stale_frames_never_pay(run):
    """The script is stopped for a while in the middle: the frames that waited earn nothing and change no tone."""
    greedy = SHORT | {"framerate": "60", "initial_rest_dur": "0.5", "success_rest_dur": "0.1", "total_trials": "40"}
    greedy |= {
        "reward_threshold": "0.000001",
        "reward_delay": "0",
        "adaptive_threshold": "0",
        "max_frame_age_ms": "100",
    }
    process = run.start(settings=greedy, fast=False)
    try:
        folder = run.wait_for_rows(90)
        process.send_signal(signal.SIGSTOP)
        time.sleep(0.7)
        process.send_signal(signal.SIGCONT)
        output, _ = process.communicate(timeout=60)
    finally:
        end(process)
    assert process.returncode == 0, output
    session = Session(folder)
    reward, freq, age = session.column("reward", int), session.column("freq", int), session.table("frames")["age_s"]
    stale = np.flatnonzero(age > 0.1)
    assert len(stale) >= 10
    assert not (reward[stale] == 1).any()
    assert (freq[stale] == freq[stale - 1]).all(), "no tone change"
    assert (reward == 1).sum() >= 35, "fresh frames pay"
    noted = [e["frame"] for e in session.table("events") if e["device"] == b"stale frame"]
    assert noted == stale.tolist()
    assert f"{len(stale)} frames, on which nothing was paid" in output


def test_killed_script_leaves_pins_low_and_files_whole(run, tmp_path):
    process = run.start(settings=SHORT | {"outputs": "gpio"}, fast=False, env=gpio_env(tmp_path / "edges"))
    try:
        folder = run.wait_for_rows(20)
        process.kill()
        process.communicate(timeout=20)
    finally:
        end(process)
    session = Session(folder)
    wait_until(
        lambda: {gpio: lv for _, gpio, lv in read_edges(tmp_path / "edges")} == dict.fromkeys((27, 12, 21, 17), 0)
    )
    assert 0 < len(session.images) <= len(session.rows)
    done = finished(run())
    assert f"{folder}: this session was cut short; its files are finished now" in done.stdout
    frames, events = session.table("frames"), session.table("events")
    assert len(frames) == len(session.images)
    assert frames["number"].tolist() == session.column("frame", int)[: len(frames)].tolist()
    assert {"light", "trigger"} <= {e["device"].decode() for e in events}
    assert session.attribute("ended_by") == "cut short; joined afterwards"
    assert session.attribute("mouse_id") == "m1"
    assert not list(folder.glob("*.part"))
    assert "cut short" not in run().stdout, "once is enough"


@pytest.mark.parametrize("seed", range(6))
def test_killed_at_any_moment_every_kept_frame_is_there(run, seed):
    """kill -9: the HDF5 file opens as it is, every kept frame has its row, and at most the last second is missing."""
    process = run.start(settings=SHORT | {"framerate": "60"}, fast=False)
    try:
        folder = run.wait_for_rows(1)
        time.sleep(float(np.random.default_rng(seed).uniform(0.3, 1.8)))
        process.kill()
        process.communicate(timeout=20)
    finally:
        end(process)
    session = Session(folder)
    images = session.images
    assert len(images) <= len(session.rows) <= len(images) + 60
    assert session.column("frame", int).tolist() == list(range(len(session.rows)))
    box = [int(v) for v in clh.GetConfigValues(folder)["m1_l"].split(",")]
    dff = session.column("roi_dff")[: len(images)]
    np.testing.assert_allclose(dff, direct_dff(images, box, 360), rtol=0, atol=1e-12)
    subprocess.run([sys.executable, "-m", "rig.session_log", folder], cwd=ROOT, check=True, capture_output=True)
    assert len(session.table("frames")) == len(images)


def test_a_running_session_is_not_finished_by_another(run):
    process = run.start(settings=SHORT, fast=False)
    try:
        folder = run.wait_for_rows(5)
        done = finished(run(mouse="other"))
        assert "cut short" not in done.stdout
        command = [sys.executable, "-m", "rig.session_log", folder]
        by_hand = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        assert (by_hand.returncode, "still running" in by_hand.stderr) == (1, True)
        assert len(list(folder.glob("*.part"))) == 3
    finally:
        end(process)
        process.stdout.close()
    assert not list(folder.glob("*.part"))


def test_dead_guard_ends_the_session(run):
    process = run.start(fast=False)
    try:
        folder = run.wait_for_rows(10)
        guard = child(process.pid, "rig.valve_guard")
        os.kill(guard, signal.SIGKILL)
        output, _ = process.communicate(timeout=20)
    finally:
        end(process)
    assert process.returncode == 1
    assert "the guard of the output pins has died" in output
    assert "Traceback" not in output
    assert Session(folder).attribute("ended_by").startswith("the guard")


def child(pid, module):
    """Return the process number of a child that runs this module."""
    numbers = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return next(int(n) for n in numbers if module in Path(f"/proc/{n}/cmdline").read_text().split("\0"))


IN_THE_MIDDLE = """
import os, runpy, signal, sys
sys.path.insert(0, {root!r})
from rig.session_log import SessionLog
original = SessionLog.{method}
def interrupted(self, *arguments, **values):
    result = original(self, *arguments, **values)
    if self.frames >= 20:
        for number in (signal.SIGINT, signal.SIGTERM):
            os.kill(os.getpid(), number)
    return result
SessionLog.{method} = interrupted
sys.argv = [{script!r}] + sys.argv[1:]
runpy.run_path({script!r}, run_name="__main__")
"""


@pytest.mark.parametrize("method", ["_put", "_count", "_end_writer", "_join_tables", "_add_summary_row"])
def test_signals_in_the_middle_of_the_books_spoil_nothing(run, method):
    """Ctrl-C and SIGTERM at once, between any two steps of storing and closing: all files are complete."""
    code = IN_THE_MIDDLE.format(root=str(ROOT), script=str(SCRIPT), method=method)
    _, *arguments = run.command(settings=SHORT | {"total_trials": "1", "max_trial_dur": "2"})
    command = [sys.executable, "-c", code, *arguments[arguments.index(str(SCRIPT)) + 1 :]]
    done = subprocess.run(command, cwd=run.tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 130, done.stderr
    assert "Traceback" not in done.stderr
    session = run.session()
    assert len(session.rows) == len(session.images) == len(session.table("frames")) >= 20
    assert len((run.data / "expt_1roi_trial_summary.csv").read_text().splitlines()) == 2


def test_a_reader_that_has_the_file_open_does_not_keep_it_from_being_finished(run):
    process = run.start(
        fast=False, settings=SHORT | {"total_trials": "1", "initial_rest_dur": "2", "max_trial_dur": "2"}
    )
    reader = None
    try:
        folder = run.wait_for_rows(10)
        code = f"import tables, time; f = tables.open_file({str(folder / 'image_stream.hdf5')!r}); time.sleep(60)"
        reader = subprocess.Popen([sys.executable, "-c", code])
        output, _ = process.communicate(timeout=60)
    finally:
        end(process)
        if reader is not None:
            end(reader)
    assert process.returncode == 0, output
    assert len(Session(folder).table("frames")) == len(Session(folder).images)


def test_a_terminal_that_goes_away_does_not_end_the_session(run):
    command = " ".join(shlex.quote(word) for word in run.command())
    done = subprocess.run(["bash", "-c", f"{command} | head -1"], cwd=run.tmp_path, capture_output=True)
    assert b"Traceback" not in done.stderr
    assert run.session().attribute("ended_by") == "finished"


@pytest.fixture
def small_disk(run):
    """A file system of 60 MB for the data."""
    if os.geteuid() != 0:
        pytest.skip("needs root to mount a small file system")
    run.data.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=60m", "none", str(run.data)]
    if subprocess.run(command, capture_output=True).returncode:
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
    session = Session(folder)
    assert len(session.images) >= 20
    assert len(session.images) <= len(session.rows) <= len(session.images) + 1
    assert f"{len(session.images)} frames are safe" in output


def test_disk_that_is_full_at_the_start(run, small_disk):
    fill(small_disk)
    done = run(settings=SHORT | {"total_trials": "1"})
    assert done.returncode == 2
    assert "the session may need" in done.stderr
    assert "0.00 GB are free" in done.stderr
    assert not list(small_disk.glob("m1/*"))


def test_a_session_that_would_not_fit_is_refused(run, small_disk):
    done = run(settings=SHORT | {"total_trials": "100"})
    assert done.returncode == 2
    # (7 + 100 * (8 + 3)) s at 15 frames/s of 128 x 128 x 3 bytes, and a row each
    assert "the session may need 0.83 GB, 0.06 GB are free; free some, or lower total_trials" in done.stderr
    assert not list(small_disk.iterdir())


def test_the_space_of_a_baseline_and_of_a_replay(run, small_disk):
    finished(run("--baseline", "3", settings=SHORT | {"total_trials": "10000"}))
    done = run("--baseline", "8000")
    assert done.returncode == 2
    assert "the session may need 5.96 GB" in done.stderr
    folder = run.session().folder
    replay = {"vid_source": "VideoStream", "vid_root": str(folder), "total_trials": "10000"}
    assert (
        "the recording ended"
        in finished(run("--config", str(folder / "config.ini"), settings=replay, seed=None)).stdout
    )


def test_a_session_that_lost_power_while_its_tables_were_joined(run):
    """The disk holds a half-written file, the header and the records beside it: all is put right."""
    finished(run())
    folder = run.session().folder
    stream, frames = folder / "image_stream.hdf5", run.session().table("frames")
    whole = len(run.session().images)
    with pytest.raises(ZeroDivisionError):
        join_again(folder, frames)
    assert (folder / "image_stream.hdf5.header").exists()
    stream.write_bytes(stream.read_bytes()[:-3000])
    done = finished(run())
    assert f"{folder}: this session was cut short; its files are finished now" in done.stdout
    session = Session(folder)
    assert len(session.images) == len(session.table("frames")) == whole
    assert sorted(p.name for p in folder.iterdir()) == ["VideoTimestamp.txt", "config.ini", "image_stream.hdf5"]


def join_again(folder, frames):
    """Take a finished session back to the moment before its tables are joined, and fail in the middle of joining."""
    stream = folder / "image_stream.hdf5"
    with tables.open_file(str(stream), "a") as file:
        images = file.root.raw_images[:]
    stream.unlink()
    growing = FrameFile(stream, Header(images.shape[1:]))
    for image in images:
        growing.append(image)
    growing.close()
    beside = GrowingTables(folder, stream.name, {"mouse_id": "m1"})
    for record in frames:
        beside.add_frame(tuple(record))
    beside.close()
    with extended(stream), tables.open_file(str(stream), "a") as file:
        file.create_table("/", "frames", frames)
        raise ZeroDivisionError


def test_a_terminal_that_is_stopped_holds_nothing(run):
    """Ctrl-S, or a frozen connection: the session goes on, and SIGTERM still ends it with all files complete."""
    master, slave = pty.openpty()
    process = subprocess.Popen(run.command(fast=False), cwd=run.tmp_path, stdin=slave, stdout=slave, stderr=slave)
    try:
        folder = run.wait_for_rows(5)
        termios.tcflow(slave, termios.TCOOFF)
        time.sleep(1.0)
        stopped_at = len((folder / "VideoTimestamp.txt").read_text().splitlines())
        run.wait_for_rows(stopped_at + 15)
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 143
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        os.close(master)
        os.close(slave)
    session = Session(folder)
    assert session.attribute("ended_by") == "SIGTERM"
    assert len(session.rows) == len(session.images) == len(session.table("frames"))


def test_files_that_do_not_agree_are_shouted_about(run):
    process = run.start(
        fast=False, settings=SHORT | {"total_trials": "1", "initial_rest_dur": "2", "max_trial_dur": "2"}
    )
    try:
        folder = run.wait_for_rows(10)
        with (folder / "VideoTimestamp.txt").open("a") as file:
            file.write("99\tan extra row\n")
        output, _ = process.communicate(timeout=60)
    finally:
        end(process)
    assert process.returncode == 1
    assert "do not agree with" in output
    assert "Traceback" not in output


def test_summary_has_a_row_per_session(run):
    for _ in range(2):
        finished(run())
    with (run.data / "expt_1roi_trial_summary.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2
    session = run.session()
    assert rows[1]["mouse_id"] == "m1"
    assert rows[1]["session"] == session.folder.name
    assert rows[1]["data_path"] == str(session.folder)
    assert int(rows[1]["rewards"]) == (session.column("reward", int) == 1).sum()
    assert float(rows[1]["duration"]) == pytest.approx((len(session.rows) - 1) / 15, abs=0.06)
    assert float(rows[1]["fps"]) == pytest.approx(15, abs=0.01)
    assert (rows[1]["n_tones"], rows[1]["session_type"]) == ("18", "normal_audio_normal_reward")


def test_saved_configuration_says_what_was_used(run):
    finished(run("--set", "n_tones=12"))
    values = clh.GetConfigValues(run.session().folder)
    assert (values["n_tones"], values["reward_threshold"], values["seed"]) == ("12", "0.04", "1")
    assert values["m1_l"] == "38,56,4,4"
    assert len(json.loads(values["seeds_mm"])) == 20


def test_prompt_for_the_mouse(run):
    done = finished(run(mouse=None, stdin="GT33\n"))
    assert "Please enter mouse ID: " in done.stdout
    assert run.session("GT33").rows


def test_a_real_mouse(run, real_recording):
    real = {
        "vid_source": "VideoStream", "vid_root": str(real_recording), "bregma": "120, 128", "ppmm": "20",
        "roi": "M1_R", "reward_threshold": "0.015", "initial_rest_dur": "5", "success_rest_dur": "2",
        "fail_rest_dur": "3", "max_trial_dur": "6", "total_trials": "10",
    }  # fmt: skip
    for mouse in ("a", "b"):
        finished(run(settings=real, mouse=mouse, seed=None))
    outcomes, reward = check_protocol(run.session("a"))
    assert (reward[outcomes] == 1).sum() >= 5
    assert run.session("a").without_time() == run.session("b").without_time()
