"""What the rig promises about data, a few trials of each (see support/promises_data.py)."""

import os

import pytest

from rig.files.rows import ROWS_FILE
from support import parts, promises_data


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to mount a small file system")
def test_finishing_faults_lose_no_frame():
    result = promises_data.finishing_faults_lose_no_frame(len(promises_data.FAULTS))
    assert result.failures == []
    assert result.trials == len(promises_data.FAULTS)


# The checks of this promise can fail: what is lost is reported.


def test_a_frame_that_is_lost_is_reported(tmp_path):
    folder = parts.cut_short_session(tmp_path / "s", 9)
    with (folder / parts.STREAM).open("r+b") as file:
        file.truncate(file.seek(0, 2) - 1)
    assert "8 frames" in parts.what_is_lost_unfinished(folder, 9)


def test_a_row_that_is_lost_is_reported(tmp_path):
    folder = parts.cut_short_session(tmp_path / "s", 9)
    (folder / ROWS_FILE).write_text("frame\ttime\n")
    assert "0 rows" in parts.what_is_lost_unfinished(folder, 9)


def test_a_text_that_calls_frames_safe_is_reported(tmp_path):
    folder = parts.cut_short_session(tmp_path / "s", 9)
    assert "it says" in promises_data.kept_and_then_finished(folder, 9, 1, "9 frames are safe; everything is kept")


def test_a_finished_session_of_fewer_frames_is_reported(tmp_path):
    folder = parts.cut_short_session(tmp_path / "s", 9)
    parts.finish_in_a_process(folder)
    assert parts.what_is_lost(folder, 9) == ""
    assert "9 images" in parts.what_is_lost(folder, 10)
