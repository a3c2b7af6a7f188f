"""Finishing a session whose files were left open: nothing is lost, whatever fails."""

import contextlib
import errno
import os
import resource
import shlex
import signal
import subprocess
import time

import numpy as np
import pytest
import tables

from rig.errors import LogError
from rig.files import finishing
from rig.files.finishing import CLAIM, check, finish
from rig.files.folder import kept_in
from rig.files.frame_file import PAGE, kept_header
from rig.files.reader import read_session
from rig.files.rows import ROWS_FILE
from rig.files.session_tables import ABOUT, EVENTS, FRAMES, cut_short, is_running
from support.parts import (
    STREAM,
    Finisher,
    cut_short_session,
    finish_in_a_process,
    image_of,
    of_another_computer,
    small_disk,
    unmount,
    what_is_lost,
    what_is_lost_unfinished,
)
from support.places import SHORT
from support.processes import command
from support.runner import finished
from support.waiting import end, wait_until

N = 60


@pytest.fixture
def folder(tmp_path):
    """A session of 60 frames that was cut short."""
    return cut_short_session(tmp_path / "m1" / "20260101000000", N)


def everything(folder):
    """Return all bytes of a folder."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def fill(folder):
    """Fill a disk to the last byte."""
    with (folder / "ballast").open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(b"x" * 4096)


def refused(folder, words):
    """See that a session is not finished, with these words and the way to repair it."""
    with pytest.raises(LogError, match=words) as error:
        finish(folder)
    assert f"python -m rig.commands.finish {folder}" in str(error.value)
    assert "\n" not in str(error.value)


def test_a_session_is_finished(folder):
    finish(folder)
    assert what_is_lost(folder, N) == ""
    assert sorted(path.name for path in folder.iterdir()) == [ROWS_FILE, "config.ini", STREAM]


def test_a_session_without_frames_is_finished(tmp_path):
    folder = cut_short_session(tmp_path / "empty", 0, events=0)
    finish(folder)
    assert what_is_lost(folder, 0) == ""


def test_frames_that_are_not_counted_yet_stay_where_they_are(tmp_path):
    folder = cut_short_session(tmp_path / "s", N, uncounted=4)
    finish(folder)
    assert what_is_lost(folder, N) == ""
    data = (folder / STREAM).read_bytes()[PAGE:]
    size = image_of(0).nbytes
    assert all(data[i * size : (i + 1) * size] == image_of(i).tobytes() for i in range(N + 4))


# Writes that fail


@pytest.mark.parametrize("beyond", [0, 1, 4096, 5000, 12000])
def test_a_file_size_limit_keeps_everything(folder, beyond):
    size = (folder / STREAM).stat().st_size
    before = everything(folder)
    status, said = finish_in_a_process(folder, size + beyond)
    assert (status, "File too large" in said or "larger than" in said) == (1, True), said
    assert everything(folder) == before
    finish(folder)
    assert what_is_lost(folder, N) == ""


def test_a_full_disk_keeps_everything(tmp_path):
    disk = tmp_path / "disk"
    if not small_disk(disk, "1m"):
        pytest.skip("a small file system cannot be mounted here")
    try:
        folder = cut_short_session(disk / "s", N)
        before = everything(folder)
        fill(disk)
        refused(folder, "No space left on device")
        assert everything(folder) == before
        (disk / "ballast").unlink()
        finish(folder)
        assert what_is_lost(folder, N) == ""
    finally:
        unmount(disk)


@pytest.mark.parametrize("number", [errno.EIO, errno.EDQUOT, errno.EFBIG])
@pytest.mark.parametrize("k", range(8))
def test_every_sync_may_fail(folder, monkeypatch, number, k):
    calls, fsync = [], os.fsync

    def failing(fd):
        calls.append(fd)
        if len(calls) == k + 1:
            raise OSError(number, os.strerror(number))
        fsync(fd)

    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", failing)
        with contextlib.suppress(LogError):
            finish(folder)
            assert len(calls) <= k, "a failure is never passed over"
    if len(calls) > k:
        assert what_is_lost_unfinished(folder, N) == ""
        finish(folder)
    assert what_is_lost(folder, N) == ""


def test_writes_that_are_lost_in_silence_are_noticed(folder, monkeypatch):
    """The disk says that all is well, and holds zeros."""
    write_at = finishing.write_at
    monkeypatch.setattr("rig.files.finishing.write_at", lambda fd, data, at: write_at(fd, b"\0" * len(data), at))
    refused(folder, "cannot be read back")
    assert what_is_lost_unfinished(folder, N) == ""
    monkeypatch.undo()
    finish(folder)
    assert what_is_lost(folder, N) == ""


def test_a_table_of_which_one_row_is_wrong_is_noticed(folder, monkeypatch):
    def one_bit_off(fd, data, at):
        data = bytearray(data)
        if at > PAGE:
            data[data.index(np.float64(100 + 30 / 15).tobytes())] ^= 1
        write_at(fd, data, at)

    write_at = finishing.write_at
    monkeypatch.setattr("rig.files.finishing.write_at", one_bit_off)
    refused(folder, "does not hold what was written: /frames")
    with tables.open_file(str(folder / STREAM)) as file:
        assert len(file.root.raw_images) == N
        assert "/frames" not in file


def test_parts_are_removed_only_when_the_tables_agree_with_them(folder):
    """Tables that an older finishing has left half-written: they are compared before the parts go."""
    with tables.open_file(str(folder / STREAM), "a") as file:
        file.create_table("/", "frames", np.zeros(N - 1, finishing.FRAME))
        file.create_table("/", "events", np.zeros(1, finishing.EVENT))
    refused(folder, "does not hold what was written: /frames, /events")
    assert what_is_lost_unfinished(folder, N) == ""


# Files that are damaged


@pytest.mark.parametrize("page", [b"\0" * PAGE, b"", b"\x89HDF\r\n\x1a\n" + b"\0" * (PAGE - 8), b"\xff" * PAGE])
def test_a_kept_header_that_is_none_changes_nothing(folder, page):
    kept_header(folder / STREAM).write_bytes(page)
    finish(folder)
    assert what_is_lost(folder, N) == ""


def test_a_kept_header_of_fewer_frames_is_not_put_back(folder):
    older = cut_short_session(folder.with_name("older"), 3)
    kept_header(folder / STREAM).write_bytes((older / STREAM).read_bytes()[:PAGE])
    before = everything(folder)
    refused(folder, r"counts 3 frames, image_stream\.hdf5 60; if image_stream\.hdf5 is right, remove")
    assert everything(folder) == before


def test_a_header_that_is_lost_is_written_anew(folder):
    """Neither the file nor the header next to it can be read: rows and records tell how many frames there are."""
    damaged = b"\0" * PAGE
    kept_header(folder / STREAM).write_bytes(damaged)
    with (folder / STREAM).open("r+b") as file:
        file.write(damaged)
    finish(folder)
    assert what_is_lost(folder, N) == ""
    assert (folder / f"{STREAM}.damaged").read_bytes() == damaged


@pytest.mark.parametrize("what", ["the tables", "one byte of a table", "the end"])
def test_tables_of_which_a_power_cut_has_left_only_the_header(folder, what):
    """The disk has kept the writes in another order; the header is kept next to the file."""
    before = everything(folder)
    end_of_frames = (folder / STREAM).stat().st_size
    finish(folder)
    joined = bytearray((folder / STREAM).read_bytes())
    for name, data in before.items():
        (folder / name).write_bytes(data)
    kept_header(folder / STREAM).write_bytes(before[STREAM][:PAGE])
    if what == "the end":
        del joined[end_of_frames + 700 :]
    else:
        gone = slice(end_of_frames, None) if what == "the tables" else slice(end_of_frames + 8, end_of_frames + 9)
        joined[gone] = bytes(len(joined[gone]))
    (folder / STREAM).write_bytes(joined)
    finished(command("finish", folder))
    assert what_is_lost(folder, N) == ""


@pytest.mark.parametrize("name", [FRAMES, ROWS_FILE])
def test_parts_that_are_shorter_than_the_recording_are_a_doubt(folder, name):
    path = folder / name
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    before = everything(folder)
    refused(folder, "image_stream.hdf5 holds 60 frames")
    assert everything(folder) == before


@pytest.mark.parametrize("text", ["", "{", "[]", "{}"])
def test_a_part_that_says_nothing_is_a_doubt(folder, text):
    (folder / ABOUT).write_text(text)
    before = everything(folder)
    refused(folder, "the files cannot be finished")
    assert everything(folder) == before


def test_records_that_are_missing_are_a_doubt(folder):
    (folder / FRAMES).unlink()
    refused(folder, "frames.part is missing")
    assert (folder / EVENTS).exists()


def test_a_finishing_that_was_killed_while_it_removed_the_parts_is_ended(folder):
    about = (folder / ABOUT).read_bytes()
    finish(folder)
    (folder / ABOUT).write_bytes(about)
    assert list(cut_short(folder.parents[1])) == [folder]
    finish(folder)
    assert what_is_lost(folder, N) == ""


def test_what_is_finished_can_be_checked_again(folder):
    frames = finishing.whole_records(folder / FRAMES, finishing.FRAME)
    events = np.sort(finishing.whole_records(folder / EVENTS, finishing.EVENT), order="time_s", kind="stable")
    finish(folder)
    parts = finishing.Parts(frames, events, {"mouse_id": "m1"}, N)
    check(folder / STREAM, N, parts)
    for wrong in (parts._replace(frames=frames[:-1]), parts._replace(attributes={"mouse_id": "m2"})):
        with pytest.raises(LogError, match="does not hold"):
            check(folder / STREAM, N, wrong)
    with pytest.raises(LogError, match="does not hold what was written: frames"):
        check(folder / STREAM, N - 1, parts)


# Two at once, and sessions that run


@pytest.mark.parametrize("again", range(4))
def test_two_finishers_at_once(folder, again):
    two = [Finisher(folder), Finisher(folder)]
    for each in two:
        each.go()
    ends = [each.wait() for each in two]
    assert 0 in [status for status, _ in ends], ends
    assert what_is_lost(folder, N) == ""


def test_two_finishers_on_a_share_without_locks(folder, monkeypatch):
    """The lock is granted to everybody; the claim still keeps the second one out."""
    monkeypatch.setattr("fcntl.flock", lambda *_: None)
    with finishing.claimed(folder):
        refused(folder, "another program is finishing them")
    finish(folder)
    assert what_is_lost(folder, N) == ""


def test_a_share_that_knows_no_locks_is_no_error(folder, monkeypatch):
    def no_locks(*_):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr("fcntl.flock", no_locks)
    finish(folder)
    assert what_is_lost(folder, N) == ""


@pytest.mark.parametrize("claim", ['{"machine": "another", "pid": 1, "started": "1"}', "", "nonsense"])
def test_a_claim_of_another_computer_is_respected_while_it_is_young(folder, claim):
    (folder / CLAIM).write_text(claim)
    refused(folder, "another program is finishing them")
    old_s = time.time() - 100
    os.utime(folder / CLAIM, (old_s, old_s))
    finish(folder)
    assert what_is_lost(folder, N) == ""


def test_a_session_of_another_computer_runs_while_it_beats(folder):
    of_another_computer(folder)
    assert is_running(folder)
    with pytest.raises(LogError, match="still running"):
        finish(folder)
    assert list(cut_short(folder.parents[1])) == []
    silent_s = time.time() - 11
    os.utime(folder / FRAMES, (silent_s, silent_s))
    assert not is_running(folder)
    finish(folder)
    assert what_is_lost(folder, N) == ""


def test_a_running_session_beats_and_is_left_alone_on_a_share_without_locks(run, monkeypatch):
    process = run.start(settings=SHORT | {"initial_rest_dur": "60"}, fast=False)
    try:
        folder = run.wait_for_rows(10)
        monkeypatch.setattr("fcntl.flock", lambda *_: None)
        with pytest.raises(LogError, match="still running"):
            finish(folder)
        os.utime(folder / FRAMES, (0, 0))
        wait_until(lambda: time.time() - (folder / FRAMES).stat().st_mtime < 5, 5)
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 143
    finally:
        process.kill()
        process.communicate()
    assert not (folder / ABOUT).exists()


def test_a_killed_finisher_leaves_what_the_next_one_needs(folder):
    for wait_s in np.linspace(0, 0.06, 6):
        finisher = Finisher(folder)
        finisher.go()
        time.sleep(wait_s)
        finisher.kill()
    finished(command("finish", folder))
    assert what_is_lost(folder, N) == ""


# What the user is told


def test_the_command_goes_on_behind_a_session_that_cannot_be_finished(tmp_path):
    bad, good = (cut_short_session(tmp_path / "m1" / f"2026010100000{i}", 9) for i in (0, 1))
    (bad / FRAMES).write_bytes(b"")
    done = command("finish", tmp_path)
    assert done.returncode == 1
    assert f"{good}: finished" in done.stdout
    assert "everything is kept" in done.stdout
    assert what_is_lost(good, 9) == ""


def test_a_session_that_would_reach_a_file_size_limit_is_refused(run):
    words = " ".join(shlex.quote(word) for word in run.command(settings=SHORT | {"total_trials": "1"}))
    limited = ["bash", "-c", f"ulimit -f 4096; exec {words}"]
    done = subprocess.run(limited, cwd=run.tmp_path, capture_output=True, text=True, timeout=100)
    assert done.returncode == 2
    assert "0.01 GB, and the file-size limit of this shell (ulimit -f) allows 0.00 GB" in done.stderr
    assert not run.data.exists()


def test_a_session_that_reaches_a_file_size_limit_says_what_is_true(run):
    process = run.start(settings=SHORT | {"framerate": "30"}, fast=False)
    try:
        folder = run.wait_for_rows(20)
        limit = (folder / STREAM).stat().st_size + 10 * 128 * 128 * 3 + 999
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (limit, limit))
        output, _ = process.communicate(timeout=60)
    finally:
        end(process)
    assert process.returncode == 1, output
    assert "Traceback" not in output
    safe = len(read_session(folder).images)
    assert safe >= 30
    assert (
        f"has reached the file-size limit of this shell (ulimit -f) or file system; the session ends, {safe}" in output
    )
    assert f"{safe} frames are safe in {folder}; everything is kept" in output
    finished(command("finish", folder))
    session = read_session(folder)
    assert len(session.images) == len(session.frames) == safe


def test_frames_that_cannot_be_read_are_never_called_safe(folder):
    assert kept_in(folder / STREAM) == f"{N} frames are safe in {folder}"
    with (folder / STREAM).open("r+b") as file:
        file.write(b"\0" * PAGE)
    assert kept_in(folder / STREAM) == f"but {folder / STREAM} does not open"
    (folder / STREAM).unlink()
    assert kept_in(folder / STREAM) == f"and its frames are gone, with {STREAM}"
