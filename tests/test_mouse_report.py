"""The report of a mouse over days: which sessions count, and what their rows say."""

import csv
import re
import shutil
from datetime import date

import h5py
import numpy as np
import pytest

pytest.importorskip("matplotlib", reason="'make setup-analysis' installs what reports need")
pytest.importorskip("jinja2", reason="'make setup-analysis' installs what reports need")

from analysis.mouse_page import Day, by_day, days_of, mouse_page, with_gaps
from analysis.outcomes import outcomes_of
from analysis.report_files import make
from rig.errors import SettingsError
from rig.files.reader import read_session
from support.sessions import recorded, say_it_is_real

__all__ = ["recorded"]


@pytest.fixture
def mouse(recorded, tmp_path):
    """The folder of a mouse; adds sessions to it, which say that they are real unless they should not."""
    folder = tmp_path / "m1"

    def add(name, is_real=True, **settings):
        path = shutil.copytree(recorded("1roi", **settings), folder / name)
        if is_real:
            say_it_is_real(path)
        return path

    add.folder = folder
    return add


def test_days_are_rows_and_empty_days_stay_empty(mouse):
    first = mouse("20260101090000")
    mouse("20260104090000", reward_threshold="5")
    (path, table) = make(mouse.folder, tables=True)
    days, _ = days_of(mouse.folder)
    shown = [each.day if isinstance(each, Day) else each for each in by_day(days)]
    assert shown == [date(2026, 1, day) for day in (1, 2, 3, 4)]
    text = path.read_text(encoding="utf-8")
    assert "<td>2026-01-02</td>" in text
    rows = list(csv.DictReader(table.read_text(encoding="utf-8").splitlines()))
    assert [row["session"] for row in rows] == ["20260101090000", "20260104090000"]
    rate = outcomes_of(read_session(first)).success_rate
    assert float(rows[0]["success rate"]) == pytest.approx(rate, abs=0.001)
    assert float(rows[1]["success rate"]) == 0
    assert f"from {100 * rate:.0f} % in the first session to 0 % in the last" in text


def test_simulated_replayed_and_baseline_sessions_are_left_out_and_counted(mouse):
    mouse("20260101090000")
    mouse("20260102090000", is_real=False)
    replayed = mouse("20260103090000")
    with h5py.File(replayed / "image_stream.hdf5", "a") as file:
        file.attrs["replay_of"] = "/data/one"
    marked = mouse("20260104090000")
    with h5py.File(marked / "image_stream.hdf5", "a") as file:
        file.attrs["simulated"] = "tone, lick"
    page, days = mouse_page(mouse.folder)
    assert [each.folder.name for each in days] == ["20260101090000"]
    (mark,) = page.marks
    assert mark.startswith("Left out: 3 sessions (")
    assert all(
        f"1 not a real session: {what}" in mark
        for what in ("simulated: camera, outputs, tone, lick", "a replay of /data/one", "simulated: tone, lick")
    )


def test_a_row_links_to_the_report_of_its_session(mouse):
    make(mouse("20260101090000"), tables=False)
    mouse("20260102090000")
    text = make(mouse.folder, tables=False)[0].read_text(encoding="utf-8")
    assert re.findall('href="([^"]+)"', text) == ["20260101090000/report.html"]


def test_a_mouse_without_a_real_session_is_a_sentence(mouse):
    mouse("20260101090000", is_real=False)
    with pytest.raises(SettingsError, match="no session here is real and has trials"):
        make(mouse.folder, tables=False)
    assert not (mouse.folder / "report.html").exists()


def test_no_line_is_drawn_across_a_day_without_a_session():
    days, values = with_gaps([1, 2, 5], [10.0, 20.0, 30.0])
    assert days == [1, 2, 3, 5]
    assert np.array_equal(values, [10, 20, np.nan, 30], equal_nan=True)
