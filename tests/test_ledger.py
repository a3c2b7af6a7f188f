"""The ledger is read strictly: what cannot be read never counts as nothing had."""

import os
import subprocess
import sys
from datetime import datetime

import pytest

from rig.devices.calibration import CALIBRATION_FILE, fit, save_calibration
from rig.devices.water import Dose
from rig.errors import SettingsError
from rig.files.ledger import HEADER, LEDGER_FILE, Ledger, had_today_ul, read_ledger
from rig.options import ask_mouse_id, check_mouse_id
from support.places import ROOT, SHORT

LINE = fit("BCM 27", 50, [0.05, 0.1, 0.2, 0.4], [0.05 * (0.5 + 20 * s) for s in (0.05, 0.1, 0.2, 0.4)])
DOSE = Dose(0.3, 6.5, LINE)
TODAY = f"{datetime.now():%Y-%m-%d}"
GOOD = f"{TODAY} 08:00:00,m1,20260101000000,0.3000,6.500"

SPOILED = [
    (
        f"{datetime.now():%d/%m/%Y} 08:00,m1,1,0.3,6.5",
        "which is not written YYYY-MM-DD HH:MM:SS",
        "a spreadsheet's date",
    ),
    (f'"{TODAY} 08:00:00,m1,1,0.3,6.5', "which is not written", "a stray quote"),
    (f"{TODAY} 08:00:00,m1,1,0.3,nan", "ul is 'nan', which is no number from 0", "not a number"),
    (f"{TODAY} 08:00:00,m1,1,0.3,-6.5", "ul is '-6.5', which is no number from 0", "less than nothing"),
    (f"{TODAY} 08:00:00,m1,1,0.3,inf", "ul is 'inf'", "without end"),
    (f"{TODAY} 08:00:00,m1,1,,6.5", "seconds is ''", "no duration"),
    (f"{TODAY} 08:00:00,m1,1,-1,6.5", "seconds is '-1'", "a duration below zero"),
    (f"{TODAY} 08:0", "it has 1 fields where 5 are needed", "a row torn by a power cut"),
    (f"{TODAY} 08:00:00,m1,1,0.3", "it has 4 fields", "a row without its last field"),
    (f"{TODAY} 08:00:00,m1,1,0,3,6,5", "it has 7 fields", "decimal commas"),
    (f"{TODAY} 08:00:00;m1;1;0.3;6.5", "it has 1 fields", "semicolons"),
    (f"{TODAY} 08:00:00,m 1,1,0.3,6.5", "mouse_id is 'm 1'", "a mouse ID that cannot be"),
    (f"{TODAY}T08:00:00,m1,1,0.3,6.5", "which is not written", "an ISO time"),
    ("\0\0\0\0", "it has 1 fields", "a block of zeros"),
]


def write(folder, *rows):
    folder.mkdir(exist_ok=True)
    (folder / LEDGER_FILE).write_text("\n".join([HEADER, *rows]) + "\n")


@pytest.mark.parametrize(("row", "reason", "why"), SPOILED, ids=[why for *_, why in SPOILED])
def test_a_row_that_cannot_be_read_stops_a_session_with_a_cap(tmp_path, row, reason, why):
    write(tmp_path, GOOD, row)
    with pytest.raises(SettingsError) as caught:
        had_today_ul(tmp_path, "m1", DOSE, has_cap=True)
    assert f"{LEDGER_FILE}, line 3: " in str(caught.value)
    assert reason in str(caught.value)
    assert "python -m rig.commands.ledger --repair" in str(caught.value)
    assert had_today_ul(tmp_path, "m1", DOSE, has_cap=False) == 6.5, "without a cap what can be read is shown"


@pytest.mark.parametrize("header", ["mouse,day", "\N{ZERO WIDTH NO-BREAK SPACE}" + HEADER])
def test_headers(tmp_path, header):
    (tmp_path / LEDGER_FILE).write_text(f"{header}\n{GOOD}\n", encoding="utf-8")
    entries, unreadable = read_ledger(tmp_path)
    assert len(entries) == 1
    assert [row.line for row in unreadable] == ([1] if header == "mouse,day" else []), "a byte order mark is no harm"


def test_mice_are_compared_without_case(tmp_path):
    write(tmp_path, GOOD, GOOD.replace("m1", "M1"))
    assert had_today_ul(tmp_path, "m1", DOSE, has_cap=True) == 13


def test_another_spelling_of_a_known_mouse_is_refused():
    with pytest.raises(SettingsError, match=r"mouse ID 'M1': this rig knows m1; .* use m1"):
        check_mouse_id("M1", {"m1", "m2"})
    assert check_mouse_id("m1", {"m1"}) == "m1"
    assert check_mouse_id("m3", {"m1"}) == "m3"


@pytest.mark.parametrize(
    ("answers", "mouse", "why"),
    [
        (["GT33"], "GT33", "known"),
        (["gt33", ""], "GT33", "Enter takes the known one"),
        (["GT34", "GT34"], "GT34", "a new mouse is typed twice"),
        (["cortex"], "cortex", "nothing like it is known"),
    ],
)
def test_the_nearest_known_mouse_is_asked_for(monkeypatch, answers, mouse, why):
    replies = iter(answers)
    monkeypatch.setattr("builtins.input", lambda _: next(replies))
    assert ask_mouse_id({"GT33", "m1"}) == mouse, why
    assert next(replies, None) is None, "no further question"


def test_a_session_with_a_cap_is_refused_in_one_sentence(run, config):
    save_calibration(config.with_name(CALIBRATION_FILE), LINE)
    write(run.data, GOOD, SPOILED[0][0])
    done = run("--config", config, "--set", "max_day_ul=1000", settings=SHORT)
    assert done.returncode == 2
    assert "line 3: time is" in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(run.data.glob("m1/*"))


def command(*arguments, stdin=""):
    return subprocess.run(
        [sys.executable, "-m", "rig.commands.ledger", *map(str, arguments)],
        cwd=ROOT, env=os.environ, input=stdin, capture_output=True, text=True, timeout=60,
    )  # fmt: skip


def test_repairing_asks_for_each_row(tmp_path):
    data = tmp_path / "data"
    write(data, GOOD, SPOILED[0][0], SPOILED[7][0], GOOD)
    before = (data / LEDGER_FILE).read_bytes()
    shown = command("--data-root", data)
    assert shown.returncode == 1
    assert "line 3 cannot be read" in shown.stdout
    assert (data / LEDGER_FILE).read_bytes() == before
    right = GOOD.replace("08:00:00", "09:30:00")
    done = command("--data-root", data, "--repair", stdin=f"nonsense\n{right}\n-\n")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "that cannot be read either" in done.stdout
    assert (data / LEDGER_FILE).read_text().splitlines() == [HEADER, GOOD, right, GOOD]
    (kept,) = data.glob("*.before_repair")
    assert kept.read_bytes() == before
    assert "19.5" in done.stdout, "three rewards of 6.5 µl"


def test_a_repair_without_answers_changes_nothing(tmp_path):
    write(tmp_path, SPOILED[0][0])
    before = (tmp_path / LEDGER_FILE).read_bytes()
    done = command("--data-root", tmp_path, "--repair")
    assert done.returncode == 2
    assert "nothing was repaired" in done.stderr
    assert (tmp_path / LEDGER_FILE).read_bytes() == before


def test_what_is_written_can_be_read(tmp_path):
    ledger = Ledger(tmp_path, "m1", "20260101000000")
    for ul in (None, 6.5123, 0.0):
        ledger.add_reward(0.30004, ul)
    ledger.store()
    entries, unreadable = read_ledger(tmp_path)
    assert unreadable == []
    assert [(entry.mouse_id, entry.seconds, entry.ul) for entry in entries] == [
        ("m1", 0.3, None), ("m1", 0.3, 6.512), ("m1", 0.3, 0.0),
    ]  # fmt: skip
