"""Water: calibration, dose, ledger, caps."""

import csv
import json
import re
import subprocess
import sys
from datetime import datetime

import numpy as np
import pytest

from rig.commands.calibrate import calibrate
from rig.devices.calibration import CALIBRATION_FILE, fit, save_calibration
from rig.devices.frames import Frame
from rig.devices.water import Dose, Water, dose_of
from rig.errors import SettingsError
from rig.events import Events
from rig.files.ledger import LEDGER_FILE, Ledger, had_today_ul, read_ledger
from rig.protocol.tally import Tally
from rig.protocol.trials import FAIL, NONE, SUCCESS, Step
from rig.session import Act
from support.pins import gpio_env, needs_lgpio
from support.places import ROOT, SHORT
from support.processes import command
from support.runner import finished

LINE = fit("BCM 27", 50, [0.05, 0.1, 0.2, 0.4], [0.05 * (0.5 + 20 * s) for s in (0.05, 0.1, 0.2, 0.4)])


class Valve:
    def __init__(self):
        self.pulses = []

    def pulse(self, seconds):
        self.pulses.append(seconds)


def water_of(settings, dose, today_ul=0.0):
    """Return water that flows into nowhere: (water, valve, events, tally)."""
    valve, events, tally = Valve(), Events(), Tally()
    return Water(settings, dose, valve, events, tally, today_ul), valve, events, tally


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


def test_a_calibration_is_stored_next_to_those_of_other_pins(tmp_path):
    path = tmp_path / CALIBRATION_FILE
    save_calibration(path, LINE)
    save_calibration(path, LINE.model_copy(update={"pin": "BOARD 7"}))
    assert json.loads(path.read_text()).keys() == {"BCM 27", "BOARD 7"}


def test_dose_of_a_valve_that_is_not_calibrated(settings, tmp_path):
    dose = dose_of(settings(), tmp_path / "config.ini")
    assert dose == Dose(0.3)
    assert "uncalibrated" in dose.describe()


@pytest.mark.parametrize("key", ["reward_ul", "max_session_ul", "max_day_ul"])
def test_a_volume_needs_a_calibration(settings, tmp_path, key):
    with pytest.raises(SettingsError, match=f"{key} = 5: the valve on pin BCM 27 is not calibrated"):
        dose_of(settings(**{key: 5}), tmp_path / "config.ini")


def test_dose_of_a_calibrated_valve(settings, tmp_path):
    save_calibration(tmp_path / CALIBRATION_FILE, LINE)
    config = tmp_path / "config.ini"
    assert dose_of(settings(), config)[:2] == (0.3, pytest.approx(6.5))
    assert dose_of(settings(reward_ul=4.5), config)[:2] == (pytest.approx(0.2), 4.5)


def test_a_calibration_is_of_one_pin(settings, tmp_path):
    save_calibration(tmp_path / CALIBRATION_FILE, LINE)
    with pytest.raises(SettingsError, match="BCM 22 is not calibrated"):
        dose_of(settings(reward_ul=4, reward_pin=22), tmp_path / "config.ini")


@pytest.mark.parametrize("ul", [0.8, 9])
def test_a_volume_outside_the_calibration_is_no_dose(settings, tmp_path, ul):
    save_calibration(tmp_path / CALIBRATION_FILE, LINE)
    with pytest.raises(SettingsError, match=r"calibrated, and may be open, from 0.05 to 0.4 s, which is 1.50 to 8.50"):
        dose_of(settings(reward_ul=ul), tmp_path / "config.ini")


def test_a_pulse_outside_the_calibration_is_no_dose(settings, tmp_path):
    """Extrapolated below its line a pulse would count as nothing, and no cap would ever be reached."""
    save_calibration(tmp_path / CALIBRATION_FILE, LINE)
    with pytest.raises(SettingsError, match=r"reward_s = 0\.02: .* calibrate it for this, or change reward_s"):
        dose_of(settings(reward_s=0.02), tmp_path / "config.ini")


@pytest.mark.parametrize("cap", ["max_session_ul", "max_day_ul"])
def test_a_cap_must_hold_one_reward(settings, tmp_path, cap):
    save_calibration(tmp_path / CALIBRATION_FILE, LINE)
    with pytest.raises(SettingsError, match=rf"{cap} = 4: less than one reward, 4\.50 µl"):
        dose_of(settings(reward_ul=4.5, **{cap: 4}), tmp_path / "config.ini")


@pytest.mark.parametrize("text", ["{", "[]", '{"BCM 27": {"pin": "BCM 27"}}', '{"BCM 27": 3}'])
def test_a_damaged_calibration_is_one_sentence(settings, tmp_path, text):
    (tmp_path / CALIBRATION_FILE).write_text(text)
    with pytest.raises(SettingsError, match="the calibration of the valve cannot be read"):
        dose_of(settings(), tmp_path / "config.ini")


@pytest.fixture
def ledger_of_two_mice(tmp_path):
    """data_root with the rewards of two mice, today and earlier."""
    today = f"{datetime.now():%Y-%m-%d}"
    rows = [
        "time,mouse_id,session,seconds,ul",
        f"{today} 08:00:00,m1,1,0.3,6.5",
        f"{today} 09:00:00,m1,2,0.1,",  # before the calibration
        f"{today} 09:00:00,m2,3,0.3,6.5",
        "2020-01-01 09:00:00,m1,4,0.3,6.5",
    ]
    (tmp_path / LEDGER_FILE).write_text("\n".join(rows) + "\n")
    return tmp_path


@pytest.mark.parametrize(("mouse", "ul"), [("m1", 6.5 + 2.5), ("m2", 6.5), ("m3", 0)])
def test_ledger_of_today(ledger_of_two_mice, mouse, ul):
    assert had_today_ul(ledger_of_two_mice, mouse, Dose(0.3, 6.5, LINE), has_cap=True) == pytest.approx(ul)


def test_ledger_of_today_without_a_calibration(ledger_of_two_mice):
    assert had_today_ul(ledger_of_two_mice, "m1", Dose(0.3), has_cap=False) == 0, "nobody knows"


def test_no_ledger_yet(tmp_path):
    assert read_ledger(tmp_path) == ([], [])
    assert had_today_ul(tmp_path, "m1", Dose(0.3, 6.5, LINE), has_cap=True) == 0


def test_a_ledger_that_cannot_be_read_is_one_sentence(tmp_path):
    (tmp_path / LEDGER_FILE).mkdir()
    with pytest.raises(SettingsError, match="the ledger of the water cannot be read"):
        had_today_ul(tmp_path, "m1", Dose(0.3, 6.5, LINE), has_cap=False)


def test_rewards_that_cannot_be_stored_wait_until_they_can(tmp_path):
    data_root = tmp_path / "not yet there"
    ledger = Ledger(data_root, "m1", "20260101120000")
    ledger.add_reward(0.2, 4.5)
    with pytest.raises(FileNotFoundError):
        ledger.store()
    data_root.mkdir()
    ledger.add_reward(0.2, 4.5)
    for _ in range(2):
        ledger.store()  # twice: what is stored does not wait any more
    entries, _ = read_ledger(data_root)
    assert [(e.mouse_id, e.session, e.seconds, e.ul) for e in entries] == [("m1", "20260101120000", 0.2, 4.5)] * 2


def test_the_ledger_is_shown_by_mouse_and_day(ledger_of_two_mice, config):
    arguments = ["--data-root", ledger_of_two_mice, "--config", config, "--set", "vid_source=SimCameraStream"]
    shown = [line.split("│")[1:-1] for line in finished(command("ledger", *arguments)).stdout.splitlines()]
    today = f"{datetime.now():%Y-%m-%d}"
    rows = [tuple(cell.strip() for cell in row) for row in shown if len(row) == 5]
    assert rows == [("m1", "2020-01-01", "1", "6.5", ""), ("m1", today, "2", "6.5", "1"), ("m2", today, "1", "6.5", "")]
    save_calibration(config.with_name(CALIBRATION_FILE), LINE)
    only = finished(command("ledger", "m1", *arguments)).stdout
    assert "9.0" in only, "the reward without a volume counts by the calibration of today"
    assert "m2" not in only


def test_a_ledger_without_rewards_says_so(tmp_path):
    done = finished(command("ledger", "--data-root", tmp_path, "--set", "vid_source=SimCameraStream"))
    assert done.stdout == f"{tmp_path / LEDGER_FILE}: no reward of any mouse yet\n"


def test_a_cap_of_the_session_withholds_what_comes_after_it(settings):
    capped = settings().model_copy(update={"max_session_ul": 20.0})
    water, valve, events, tally = water_of(capped, Dose(0.3, 6.5, LINE), today_ul=100.0)
    assert [water.give(t) for t in (0, 10, 20, 30, 40)] == [True, True, True, False, False]
    assert (tally.rewards, tally.withheld, water.session_ul, water.day_ul) == (3, 2, 19.5, 119.5)
    assert valve.pulses == [0.3] * 3
    withheld = [(e.device, e.value, e.detail) for e in events.since(0)]
    assert withheld == [("water", 19.5, "withheld: max_session_ul = 20 µl reached")] * 2
    assert water.ends_session() == ""


def test_a_cap_of_the_day_may_end_the_session(settings):
    daily = settings(at_water_cap="end").model_copy(update={"max_day_ul": 110.0})
    water, *_ = water_of(daily, Dose(0.3, 6.5, LINE), today_ul=100.0)
    assert [water.give(t) for t in (0, 10)] == [True, False]
    assert water.ends_session() == "the mouse has had enough: max_day_ul = 110 µl reached"


def test_a_cap_of_rewards_within_a_minute(settings):
    water, *_ = water_of(settings(max_rewards_per_min=2), Dose(0.3))
    given = [t for t in (0, 30, 59, 60, 61, 90, 91) if water.give(t)]
    assert given == [0, 30, 60, 90]


def test_the_last_reward_that_fits_is_given(settings):
    water, *_ = water_of(settings().model_copy(update={"max_session_ul": 3.3}), Dose(0.1, 1.1, LINE))
    assert [water.give(t) for t in range(4)] == [True, True, True, False], "3 times 1.1 is 3.3"


@pytest.mark.parametrize(
    ("step", "gave_water", "reward", "why"),
    [
        (Step(3, outcome=SUCCESS, water=True), True, SUCCESS, "a reward"),
        (Step(3, outcome=SUCCESS, water=True), False, SUCCESS, "withheld: the trial was a success all the same"),
        (Step(water=True), True, SUCCESS, "a free reward"),
        (Step(water=True), False, NONE, "a free reward that was withheld"),
        (Step(3, outcome=FAIL), False, FAIL, "a failure"),
    ],
)
def test_what_the_reward_column_says(step, gave_water, reward, why):
    frame = Frame(7, 0.7, 0.7, np.zeros((2, 2, 3), np.uint8))
    act = Act(frame, step, 0.0, is_fresh=True, gave_water=gave_water, hz=0.0, licked=False, acted_s=0.7)
    assert act.reward == reward, why


GREEDY = SHORT | {"reward_threshold": "0.0001", "success_rest_dur": "2", "total_trials": "5", "outputs": "gpio"}


@needs_lgpio
def test_a_calibrated_session_counts_its_water(run, config, tmp_path):
    """In real time: what counts is how long the valve was driven."""
    save_calibration(config.with_name(CALIBRATION_FILE), LINE)
    paced = GREEDY | {"initial_rest_dur": "1", "success_rest_dur": "1", "total_trials": "3"}
    for _ in range(2):
        done = finished(
            run(
                "--config",
                config,
                "--set",
                "reward_ul=4.5",
                settings=paced,
                fast=False,
                env=gpio_env(tmp_path / "edges"),
            )
        )
    session = run.session()
    n = (session.columns["reward"] == 1).sum()
    assert n == 3
    with (run.data / LEDGER_FILE).open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2 * n
    assert {row["mouse_id"] for row in rows} == {"m1"}
    assert rows[-1]["session"] == session.folder.name
    driven_s = [float(row["seconds"]) for row in rows]
    assert driven_s == pytest.approx([0.2] * len(rows), abs=0.03)
    given_ul = [float(row["ul"]) for row in rows]
    assert given_ul == pytest.approx([LINE.volume_ul(seconds) for seconds in driven_s], abs=2e-3)
    shown = re.search(r"([\d.]+) µl, today ([\d.]+) µl", done.stdout)
    assert [float(ul) for ul in shown.groups()] == pytest.approx([sum(given_ul[n:]), sum(given_ul)], abs=0.03)
    assert len(session.of("reward", "commanded: 0.2 s")) == n


def test_a_simulated_valve_adds_nothing_to_the_ledger(run, config):
    save_calibration(config.with_name(CALIBRATION_FILE), LINE)
    simulated = GREEDY | {"outputs": "simulated", "reward_ul": "4.5"}
    finished(run("--config", config, settings=simulated))
    assert len(run.session().of("reward", "commanded: 0.2 s")) == 5
    assert not (run.data / LEDGER_FILE).exists()


def test_a_replay_with_its_own_calibration_gives_the_same_rewards(run, config):
    save_calibration(config.with_name(CALIBRATION_FILE), LINE)
    finished(run("--config", config, settings=GREEDY | {"outputs": "simulated", "reward_ul": "4.5"}))
    recorded = run.session()
    again = {"vid_source": "VideoStream", "vid_root": str(recorded.folder)}
    finished(run("--config", recorded.folder / "config.ini", settings=again, mouse="replay", seed=None))
    replayed = run.session("replay")
    assert replayed.columns["reward"].tolist() == recorded.columns["reward"].tolist()
    assert len(replayed.of("reward", "commanded: 0.2 s")) == 5


@pytest.mark.parametrize("then", ["continue", "end"])
def test_a_session_that_reaches_its_cap(run, config, then):
    save_calibration(config.with_name(CALIBRATION_FILE), LINE)
    capped = GREEDY | {"max_session_ul": "14", "at_water_cap": then, "outputs": "simulated"}
    done = finished(run("--config", config, settings=capped))
    session = run.session()
    withheld = [event.detail for event in session.of("water")]
    assert len(session.of("reward", "commanded: 0.3")) == 2
    assert set(withheld) == {"withheld: max_session_ul = 14 µl reached"}
    assert len(withheld) == (3 if then == "continue" else 1)
    assert session.attributes["ended_by"].startswith("finished" if then == "continue" else "the mouse has had enough")
    assert (session.columns["reward"] == 1).sum() == 2 + len(withheld), "a success is one, its water withheld or not"
    assert f"13.00 µl, today 13.00 µl; {len(withheld)} rewards withheld" in done.stdout


def test_an_uncalibrated_session_says_so(run):
    assert "uncalibrated, 0.3 s each" in finished(run()).stdout


def calibrate_by_hand(config, *arguments, stdin=""):
    return subprocess.run(
        [sys.executable, "-m", "rig.commands.calibrate", "--simulate", "--config", str(config), *arguments],
        cwd=ROOT, input=stdin, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def test_calibrate_from_the_command_line(config):
    arguments = ["--pulses", "2", "--durations", "0.02,0.04"]
    done = finished(calibrate_by_hand(config, *arguments, stdin="\n0.001\n\n0.002\n"))
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
    done = calibrate_by_hand(config, *arguments, stdin=stdin)
    assert done.returncode == 2
    assert fragment in done.stderr
    assert not config.with_name(CALIBRATION_FILE).exists()


def test_a_simulated_valve_does_not_replace_a_calibration(config):
    save_calibration(config.with_name(CALIBRATION_FILE), LINE)
    before = config.with_name(CALIBRATION_FILE).read_bytes()
    done = calibrate_by_hand(config, "--pulses", "1", "--durations", "0.02,0.04", stdin="\n0.001\n\n0.002\n")
    assert done.returncode == 2
    assert "a simulated one must not replace it" in done.stderr
    assert config.with_name(CALIBRATION_FILE).read_bytes() == before


def test_a_damaged_calibration_is_reported_before_anybody_weighs(settings, tmp_path):
    (tmp_path / CALIBRATION_FILE).write_text("{")
    valve = Valve()
    with pytest.raises(SettingsError, match="remove it, and calibrate again"):
        calibrate(settings(), valve, tmp_path / CALIBRATION_FILE, [0.1, 0.2], 3, lambda _: "1", lambda _: None)
    assert valve.pulses == []
