"""A disk that is slow to sync: how much a kill takes, and that the rig says so truly."""

import os
import re
import signal
import threading
import time
from datetime import datetime

import numpy as np
import pytest

from rig.devices.frames import Frame
from rig.devices.water import Dose, Water
from rig.errors import LogError
from rig.events import Events
from rig.files.about import About
from rig.files.frame_file import FrameFile, Header
from rig.files.log import SessionLog
from rig.files.reader import read_session
from rig.protocol.tally import Tally
from support.places import DRIVERS, SHORT
from support.runner import finished

SETTINGS = SHORT | {"vid_source": "SlowDiskStream", "initial_rest_dur": "60", "framerate": "30"}
SYNC_S = 0.5
AT_RISK_S = 2 * (0.25 + 2 * SYNC_S)  # two rounds of two syncs each
BEFORE_S = 6.0  # what was missing with six syncs in a row


def on_a_slow_disk(sync_s=SYNC_S):
    return {"PYTHONPATH": str(DRIVERS), "SYNC_TAKES_S": str(sync_s)}


def said_s(output):
    """Return how much a kill may take, s, as the rig has said it; the disk of the tests adds to each sync."""
    return float(re.search(r"a sync takes [\d.]+ m?s; a kill or a power cut may take the last ([\d.]+) s", output)[1])


@pytest.mark.parametrize("seed", range(3))
def test_a_kill_takes_no_more_than_is_said(run, seed):
    process = run.start(settings=SETTINGS, fast=False, env=on_a_slow_disk())
    try:
        folder = run.wait_for_rows(90)
        time.sleep(float(np.random.default_rng(seed).uniform(0, 2)))
        process.kill()
        killed = datetime.now()
        output, _ = process.communicate(timeout=20)
    finally:
        process.kill()
    assert AT_RISK_S <= said_s(output) < BEFORE_S
    session = read_session(folder)
    n = len(session.images)
    kept_until = datetime.strptime(session.columns["time"][n - 1], "%Y-%m-%d %H:%M:%S.%f")
    missing_s = (killed - kept_until).total_seconds()
    print(f"missing {missing_s:.2f} s, said {said_s(output):.1f} s")
    assert 0 < missing_s < said_s(output) + 0.5
    assert len(session) >= n


def test_a_slow_disk_is_a_trouble_and_its_figure_is_kept(run):
    process = run.start(settings=SETTINGS, fast=False, env=on_a_slow_disk())
    try:
        run.wait_for_rows(120)
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130, output
    session = run.session()
    assert 2 * SYNC_S < session.notes["longest_unsynced_s"] < AT_RISK_S + 1
    assert "longest unsynced s" in output
    assert "the disk is slow: the last" in session.notes["troubles"]
    assert any(event.detail.startswith("the disk is slow") for event in session.of("trouble"))
    assert len(session) == len(session.images) == len(session.frames)


def test_a_quick_disk_is_no_trouble(run):
    finished(run(settings=SHORT | {"total_trials": "1"}))
    assert 0 < run.session().notes["longest_unsynced_s"] < 1.5


def test_check_measures_the_syncs(run):
    quick = SHORT | {"framerate": "30", "max_frame_age_ms": "60000"}
    done = run("--check", settings=quick | {"vid_source": "SlowDiskStream"}, mouse=None, seed=None, fast=False,
               env=on_a_slow_disk(0.4))  # fmt: skip
    assert 2.1 <= said_s(done.stdout) < BEFORE_S
    assert "store on a faster disk" in done.stdout
    done = run("--check", settings=quick, mouse=None, seed=None, fast=False)
    assert 0.5 <= said_s(done.stdout) < 2.1
    assert not run.data.exists()


# Order and number of syncs


def test_a_round_of_the_frame_file_takes_two_syncs(tmp_path, monkeypatch):
    file = FrameFile(tmp_path / "s.hdf5", Header((8, 8, 3)))
    calls, fdatasync = [], os.fdatasync
    monkeypatch.setattr("os.fdatasync", lambda fd: (calls.append(fd), fdatasync(fd)))
    for _ in range(3):
        file.append(np.zeros((8, 8, 3), np.uint8))
        file.publish()
    assert len(calls) == 6
    file.publish()
    file.publish()
    assert len(calls) == 7, "the last count, once"
    file.close()
    assert len(calls) == 7, "nothing is left to sync"


class NoValve:
    def pulse(self, seconds):
        pass


@pytest.fixture
def log(settings):
    """A session log that no script writes to."""
    cfg, events, tally = settings(resolution="32, 32", bregma="16, 16", ppmm="3.2", roi_size="1, 1"), Events(), Tally()
    water = Water(cfg, Dose(0.3, None, None), NoValve(), events, tally, 0.0)
    log = SessionLog(cfg, About("m1", "test"), ["frame", "time"], events, tally, water, wait=True)
    yield log
    log.close()


def write(log, n, first=0):
    for i in range(first, first + n):
        log.write(Frame(i, i / 15, time.monotonic(), np.full((32, 32, 3), i, np.uint8)), {}, 0.0, time.monotonic())


def test_frames_are_counted_only_when_rows_and_records_are_on_disk(log, monkeypatch):
    """Whatever the order in which the disk answers, the header is written last."""
    dice, on_disk, fdatasync, lock = np.random.default_rng(0), {}, os.fdatasync, threading.Lock()

    def slow(fd):
        name = os.path.basename(os.readlink(f"/proc/self/fd/{fd}"))
        size = os.fstat(fd).st_size
        with lock:
            wait_s = dice.uniform(0, 0.05)
        time.sleep(wait_s)
        fdatasync(fd)
        on_disk[name] = max(size, on_disk.get(name, 0))

    counted, publish = [], FrameFile.publish

    def noted(file):
        publish(file)
        rows = (log.folder / "VideoTimestamp.txt").read_bytes()[: on_disk.get("VideoTimestamp.txt", 0)].count(b"\n") - 1
        counted.append((file._published, rows, on_disk.get("frames.part", 0) // 40))

    monkeypatch.setattr("os.fdatasync", slow)
    monkeypatch.setattr("rig.files.frame_file.FrameFile.publish", noted)
    for k in range(12):
        write(log, 20, first=20 * k)
        time.sleep(0.1)
    log.close()
    assert len({n for n, _, _ in counted}) >= 3, "several rounds"
    assert all(n <= rows and n <= records for n, rows, records in counted), counted


def test_a_sync_that_fails_ends_the_session(log, monkeypatch):
    def fails(fd):
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr("os.fdatasync", fails)
        write(log, 5)
        time.sleep(0.6)
        with pytest.raises(LogError, match=r"cannot be written \(Input/output error\); the session ends"):
            write(log, 1, first=5)
    with pytest.raises(LogError, match=r"frames are safe in"):
        log.close()
