"""What the rig promises, a few trials of each; `make torture` runs many (see support/promises.py)."""

import os

import numpy as np
import pytest
import tables

from support import promises
from support.places import SCRIPT, SPEED_SCRIPT


def kept(result, least):
    """See that a promise was tried often enough and never broken."""
    assert result.failures == []
    assert result.trials >= least
    print(result.promise, result.trials, result.worst)


def test_killed_script_closes_the_valve():
    kept(promises.killed_script_closes_the_valve(4), 4)


def test_killed_guard_is_noticed():
    kept(promises.killed_guard_is_noticed(2), 2)


def test_killed_session_keeps_its_frames():
    kept(promises.killed_session_keeps_its_frames(3), 3)


@pytest.mark.parametrize(
    ("script", "settings"), [(SCRIPT, promises.TINY), (SPEED_SCRIPT, promises.PAWS)], ids=["clnf", "clmf"]
)
def test_every_kind_of_device_call_may_fail(script, settings):
    kept(promises.every_device_call_may_fail(12, script, settings), 20)


def test_any_settings_run_or_are_refused():
    kept(promises.any_settings_run_or_are_refused(60), 60)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to mount a small file system")
def test_full_disk_ends_the_session():
    kept(promises.full_disk_ends_the_session(1), 1)


# The checks of these promises can fail: a fault that is not contained is reported.


def session_with_open_files(tmp_path):
    """Make the folder of a session with one row, two frames, and no /frames."""
    folder = tmp_path / "m1" / "20260101000000"
    folder.mkdir(parents=True)
    (folder / "VideoTimestamp.txt").write_text("frame\ttime\n0\tnow\n")
    with tables.open_file(str(folder / "image_stream.hdf5"), "w") as file:
        file.create_array("/", "raw_images", np.zeros((2, 4, 4, 3), np.uint8))
    return folder


def test_files_that_do_not_agree_are_reported(tmp_path):
    session_with_open_files(tmp_path)
    assert "counts" in promises.what_is_open(tmp_path)


def test_a_traceback_is_reported(tmp_path):
    assert promises.what_is_wrong({"status": 1, "out": "", "err": "Traceback (most recent call last)"}, tmp_path)


def test_a_folder_left_by_refused_settings_is_reported(tmp_path):
    session_with_open_files(tmp_path)
    assert promises.what_is_wrong({"status": 2, "out": "", "err": "a sentence"}, tmp_path)
