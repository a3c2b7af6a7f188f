"""Water: calibration, dose, ledger, caps."""

import csv
import json
import os
import subprocess
import sys
from datetime import datetime

import numpy as np
import pytest

from conftest import ROOT, SHORT, gpio_env
from rig.errors import SettingsError
from rig.events import Events
from rig.session_log import append_rows
from rig.trials import SUCCESS, Step
from rig.water import (
    CALIBRATION_FILE,
    LEDGER_FILE,
    Dose,
    Water,
    calibrate,
    dose_of,
    fit,
    had_today_ul,
    save_calibration,
)

WET = Step(3, outcome=SUCCESS, water=True)
LINE = fit("BCM 27", 50, [0.05, 0.1, 0.2, 0.4], [0.05 * (0.5 + 20 * s) for s in (0.05, 0.1, 0.2, 0.4)])


class Valve:
    def __init__(self):
        self.pulses = []

    def pulse(self, seconds):
        self.pulses.append(seconds)


def test_fit_finds_the_line():
    assert (LINE.ul_per_s, LINE.ul_at_0) == (pytest.approx(20), pytest.approx(0.5))
    assert LINE.volume_ul(0.3) == pytest.approx(6.5)
    assert LINE.duration_s(6.5) == pytest.approx(0.3)
    assert np.abs(LINE.residuals_ul).max() < 1e-9
    rough = fit("BCM 27", 10, [0.1, 0.2, 0.3], [0.021, 0.039, 0.060])
    assert rough.residuals_ul == pytest.approx([0.05, -0.1, 0.05], abs=1e-9)


def test_a_valve_that_gives_less_with_time_is_refused():
    with pytest.raises(SettingsError, match="longer pulses must give more"):
        fit("BCM 27", 10, [0.1, 0.2], [0.05, 0.04])


def test_calibrating_opens_asks_and_stores(settings, tmp_path):
    valve, path = Valve(), tmp_path / CALIBRATION_FILE
    answers = iter(["", "much", "-1", "0,105", "", "0.205"])
    waited = []
    found = calibrate(settings(), valve, path, [0.2, 0.1], 100, lambda _: next(answers), waited.append)
    assert valve.pulses == [0.1] * 100 + [0.2] * 100
    assert min(waited) >= 0.1, "each pulse ends before the next"
    assert (found.ul_per_s, found.ul_at_0) == (pytest.approx(10), pytest.approx(0.05))
    stored = json.loads(path.read_text())["BCM 27"]
    assert stored["date"].startswith(f"{datetime.now():%Y-%m-%d}")
    assert len(stored["residuals_ul"]) == 2
    other = found.model_copy(update={"pin": "BOARD 7"})
    save_calibration(path, other)
    assert json.loads(path.read_text()).keys() == {"BCM 27", "BOARD 7"}


def test_dose(settings, tmp_path):
    config = tmp_path / "config.ini"
    assert dose_of(settings(), config) == Dose(0.3)
    assert "uncalibrated" in dose_of(settings(), config).describe()
    for key in ("reward_ul", "max_session_ul", "max_day_ul"):
        with pytest.raises(SettingsError, match=f"{key} = 5: the valve on pin BCM 27 is not calibrated"):
            dose_of(settings(**{key: 5}), config)
    save_calibration(tmp_path / CALIBRATION_FILE, LINE)
    assert dose_of(settings(), config)[:2] == (0.3, pytest.approx(6.5))
    assert dose_of(settings(reward_ul=4.5), config)[:2] == (pytest.approx(0.2), 4.5)
    for ul in (0.8, 9):
        with pytest.raises(
            SettingsError, match=r"calibrated, and may be open, from 0.05 to 0.4 s, which is 1.50 to 8.50"
        ):
            dose_of(settings(reward_ul=ul), config)
    with pytest.raises(SettingsError, match="BCM 22 is not calibrated"):
        dose_of(settings(reward_ul=4, reward_pin=22), config)


@pytest.mark.parametrize("text", ["{", "[]", '{"BCM 27": {"pin": "BCM 27"}}', '{"BCM 27": 3}'])
def test_a_damaged_calibration_is_one_sentence(settings, tmp_path, text):
    (tmp_path / CALIBRATION_FILE).write_text(text)
    with pytest.raises(SettingsError, match="the calibration of the valve cannot be read"):
        dose_of(settings(), tmp_path / "config.ini")


def test_ledger_of_today(tmp_path):
    today = f"{datetime.now():%Y-%m-%d}"
    rows = [
        "time,mouse_id,session,seconds,ul",
        f"{today} 08:00:00,m1,1,0.3,6.5",
        f"{today} 09:00:00,m1,2,0.1,",  # before the calibration
        f"{today} 09:00:00,m2,3,0.3,6.5",
        "2020-01-01 09:00:00,m1,4,0.3,6.5",
    ]
    (tmp_path / LEDGER_FILE).write_text("\n".join(rows) + "\n")
    dose = Dose(0.3, 6.5, LINE)
    assert had_today_ul(tmp_path, "m1", dose) == pytest.approx(6.5 + 2.5)
    assert had_today_ul(tmp_path, "m3", dose) == 0
    assert had_today_ul(tmp_path, "m1", Dose(0.3)) == 0, "nobody knows"
    (tmp_path / LEDGER_FILE).write_text("time,mouse\n" + today + ",m1\n")
    with pytest.raises(SettingsError, match="the ledger of the water cannot be read"):
        had_today_ul(tmp_path, "m1", dose)


def test_caps(settings):
    valve, events = Valve(), Events()
    capped = settings().model_copy(update={"max_session_ul": 20.0})
    water = Water(capped, Dose(0.3, 6.5, LINE), valve, events, 100.0)
    assert [water.give(WET, t).water for t in (0, 10, 20, 30)] == [True, True, True, False]
    assert (water.given, water.withheld, water.session_ul, water.day_ul) == (3, 1, 19.5, 119.5)
    assert valve.pulses == [0.3] * 3
    assert water.give(WET, 40).reward == SUCCESS, "the trial was one all the same"
    assert [e.detail for e in events.since(0)] == ["not paid: max_session_ul = 20 µl reached"] * 2
    assert water.ends_session() == ""

    daily = settings(at_water_cap="end").model_copy(update={"max_day_ul": 110.0})
    water = Water(daily, Dose(0.3, 6.5, LINE), valve, events, 100.0)
    assert [water.give(WET, t).water for t in (0, 10)] == [True, False]
    assert water.ends_session() == "the mouse has had enough: max_day_ul = 110 µl reached"

    water = Water(settings(max_rewards_per_min=2), Dose(0.3), valve, events, 0.0)
    assert [water.give(WET, t).water for t in (0, 30, 59, 60, 61, 90, 91)] == [
        True,
        True,
        False,
        True,
        False,
        True,
        False,
    ]


GREEDY = SHORT | {"reward_threshold": "0.0001", "success_rest_dur": "2", "total_trials": "5", "outputs": "gpio"}


def test_a_calibrated_session_counts_its_water(run, config, tmp_path):
    save_calibration(config.with_name(CALIBRATION_FILE), LINE)
    for _ in range(2):
        done = run("--config", config, "--set", "reward_ul=4.5", settings=GREEDY, env=gpio_env(tmp_path / "edges"))
        assert done.returncode == 0, done.stderr
    session = run.session()
    n = (session.column("reward", int) == 1).sum()
    assert n == 5
    assert f"{4.5 * n:.2f} µl, today {9 * n:.2f} µl" in done.stdout
    with (run.data / LEDGER_FILE).open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2 * n
    assert {(row["mouse_id"], row["ul"], row["seconds"]) for row in rows} == {("m1", "4.500", "0.2000")}
    assert rows[-1]["session"] == session.folder.name
    pulses = [e["detail"].decode() for e in session.table("events") if e["device"] == b"reward"]
    assert pulses.count("commanded: 0.2 s") == n
    again = {"vid_source": "VideoStream", "vid_root": str(session.folder), "outputs": "simulated"}
    done = run("--config", session.folder / "config.ini", settings=again, mouse="replay", seed=None)
    assert done.returncode == 0, done.stderr
    assert run.session("replay").column("reward", int).tolist() == session.column("reward", int).tolist()
    assert len((run.data / LEDGER_FILE).read_text().splitlines()) == 2 * n + 1, "a simulated valve gives no water"


@pytest.mark.parametrize("then", ["continue", "end"])
def test_a_session_that_reaches_its_cap(run, config, tmp_path, then):
    save_calibration(config.with_name(CALIBRATION_FILE), LINE)
    capped = GREEDY | {"max_session_ul": "14", "at_water_cap": then, "outputs": "simulated"}
    done = run("--config", config, settings=capped)
    assert done.returncode == 0, done.stderr
    session = run.session()
    pulses = [
        e for e in session.table("events") if e["device"] == b"reward" and e["detail"].startswith(b"commanded: 0.3")
    ]
    refused = [e["detail"].decode() for e in session.table("events") if e["device"] == b"water"]
    assert len(pulses) == 2
    assert set(refused) == {"not paid: max_session_ul = 14 µl reached"}
    assert len(refused) == (3 if then == "continue" else 1)
    assert session.attribute("ended_by").startswith("finished" if then == "continue" else "the mouse has had enough")
    assert "13.00 µl" in done.stdout
    assert "not paid" in done.stdout


def test_an_uncalibrated_session_says_so(run):
    done = run()
    assert "uncalibrated, 0.3 s each" in done.stdout


def bench(*arguments, stdin="", cwd=ROOT, env=None):
    command = [sys.executable, "-m", "rig.outputs", *arguments]
    return subprocess.run(
        command, cwd=cwd, input=stdin, capture_output=True, text=True, timeout=60, env=os.environ | (env or {})
    )


def test_calibrate_from_the_command_line(config):
    arguments = ["--calibrate", "--simulate", "--pulses", "2", "--durations", "0.02,0.04", "--config", str(config)]
    done = bench(*arguments, stdin="\n0.001\n\n0.002\n")
    assert done.returncode == 0, done.stderr
    assert "25.00 µl per s of opening, +0.000 µl at 0 s" in done.stdout
    assert json.loads(config.with_name(CALIBRATION_FILE).read_text())["BCM 27"]["pulses"] == 2


@pytest.mark.parametrize(
    ("arguments", "stdin", "fragment"),
    [
        (["--durations", "0.1"], "", "expected two or more durations"),
        (["--durations", "0.1,x"], "", "expected two or more durations"),
        (["--durations", "0.1,2"], "", "at most max_valve_open_s, 1 s"),
        (["--pulses", "0"], "", "1 to 1000 pulses"),
        (["--durations", "0.02,0.04", "--pulses", "1"], "\n", "the masses are missing"),
    ],
)
def test_calibrations_that_cannot_be_made(config, arguments, stdin, fragment):
    done = bench("--calibrate", "--simulate", "--config", str(config), *arguments, stdin=stdin)
    assert done.returncode == 2
    assert fragment in done.stderr
    assert not config.with_name(CALIBRATION_FILE).exists()


def test_a_pulse_outside_the_calibration_is_no_dose(settings, tmp_path):
    """Extrapolated below its line a pulse would count as nothing, and no cap would ever be reached."""
    save_calibration(tmp_path / CALIBRATION_FILE, LINE)
    with pytest.raises(SettingsError, match=r"reward_s = 0\.02: .* calibrate it for this, or change reward_s"):
        dose_of(settings(reward_s=0.02), tmp_path / "config.ini")
    for cap in ("max_session_ul", "max_day_ul"):
        with pytest.raises(SettingsError, match=rf"{cap} = 4: less than one reward, 4\.50 µl"):
            dose_of(settings(reward_ul=4.5, **{cap: 4}), tmp_path / "config.ini")


def test_the_last_reward_that_fits_is_paid(settings):
    capped = settings().model_copy(update={"max_session_ul": 3.3})
    water = Water(capped, Dose(0.1, 1.1, LINE), Valve(), Events(), 0.0)
    assert [water.give(WET, t).water for t in range(4)] == [True, True, True, False], "3 times 1.1 is 3.3"


def test_rows_are_appended_whole_also_behind_a_torn_one(tmp_path, monkeypatch):
    path = tmp_path / LEDGER_FILE
    append_rows(path, "a,b", ["1,2\n"])
    path.write_bytes(path.read_bytes() + b"3,")  # a power cut
    append_rows(path, "a,b", ["5,6\n", "7,8\n"])
    assert path.read_text() == "a,b\n1,2\n3,\n5,6\n7,8\n"

    def fails(_):
        raise OSError("no space")

    monkeypatch.setattr("os.fsync", fails)
    with pytest.raises(OSError, match="no space"):
        append_rows(path, "a,b", ["9,9\n"])
    assert path.read_text().endswith("7,8\n"), "all or nothing"


def test_a_simulated_valve_does_not_replace_a_calibration(config):
    save_calibration(config.with_name(CALIBRATION_FILE), LINE)
    before = config.with_name(CALIBRATION_FILE).read_bytes()
    arguments = ["--calibrate", "--simulate", "--pulses", "1", "--durations", "0.02,0.04", "--config", str(config)]
    done = bench(*arguments, stdin="\n0.001\n\n0.002\n")
    assert done.returncode == 2
    assert "a simulated one must not replace it" in done.stderr
    assert config.with_name(CALIBRATION_FILE).read_bytes() == before


def test_a_damaged_calibration_is_told_before_anybody_weighs(settings, tmp_path):
    (tmp_path / CALIBRATION_FILE).write_text("{")
    valve = Valve()
    with pytest.raises(SettingsError, match="remove it, and calibrate again"):
        calibrate(settings(), valve, tmp_path / CALIBRATION_FILE, [0.1, 0.2], 3, lambda _: "1", lambda _: None)
    assert valve.pulses == []
