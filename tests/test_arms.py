"""arms.csv: who is in which arm when, and what is refused at the door."""

import subprocess
import sys
from datetime import date, timedelta

import pytest

from helper import SessionType
from rig.errors import SettingsError
from rig.files.arms import ARMS_FILE, arm_of, read_arms
from support.places import ROOT, SHORT
from support.runner import finished

HEADER = "mouse,session_type,from,to,yoked_to\n"
BLIND = SHORT | {"blind": "1", "total_trials": "1"}
TODAY = date.today()


@pytest.fixture
def arms(tmp_path):
    """Write arms.csv below data_root; return its path."""

    def write(text):
        path = tmp_path / "data" / ARMS_FILE
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        return path

    return write


def test_a_line_holds_from_its_first_day_to_its_last(arms):
    path = arms(HEADER + "m1,no_audio_no_reward,2026-03-01,2026-03-05,\nM1,yoked,2026-03-06,,m2\n")
    assert arm_of(path, "m1", date(2026, 3, 1)).session_type is SessionType.no_audio_no_reward
    assert arm_of(path, "m1", date(2026, 3, 5)).session_type is SessionType.no_audio_no_reward
    assert arm_of(path, "m1", date(2030, 1, 1)).yoked_to == "m2"
    with pytest.raises(SettingsError, match="it has no line for m1 on 2026-02-28"):
        arm_of(path, "m1", date(2026, 2, 28))


def test_empty_lines_a_mark_of_an_editor_and_a_file_without_yoked_to_are_fine(arms):
    path = arms("\ufeffmouse, session_type, from, to\n\nm1, no_audio_no_reward,,\n")
    (line,) = read_arms(path)
    assert (line.mouse, line.first, line.last, line.number) == ("m1", date.min, date.max, 3)


WRONG = (
    ("", "the first line must be mouse,session_type,from,to,yoked_to"),
    ("mouse,arm\nm1,yoked\n", "the first line must be mouse,session_type,from,to,yoked_to"),
    (HEADER + "m1,no_audio_no_reward,,\n", "line 2: it has 4 fields, and the first line has 5"),
    (HEADER + ",no_audio_no_reward,,,\n", "line 2: it needs a mouse and a session_type"),
    (HEADER + "m1,sham,,,\n", "line 2: it needs a mouse and a session_type"),
    (HEADER + "m1,yoked,,,\n", "line 2: yoked_to belongs to session_type yoked"),
    (HEADER + "m1,no_audio_no_reward,,,m2\n", "line 2: yoked_to belongs to session_type yoked"),
    (HEADER + "m1,no_audio_no_reward,1.3.2026,,\n", "line 2: '1.3.2026' is no date; write YYYY-MM-DD"),
    (HEADER + "m1,no_audio_no_reward,2026-03-05,2026-03-01,\n", "which is before; swap the dates"),
    (
        HEADER + "m1,no_audio_no_reward,,2026-03-05,\nm2,yoked,,,m3\nM1,yoked,2026-03-05,,m3\n",
        "lines 2 and 4: both speak of m1 on 2026-03-05",
    ),
    (HEADER + 'm1,"no_audio_no_reward,,,\n', "it cannot be read as CSV"),
)


@pytest.mark.parametrize(("text", "sentence"), WRONG, ids=range(len(WRONG)))
def test_what_is_wrong_in_the_file_is_said_without_an_arm(arms, text, sentence):
    with pytest.raises(SettingsError) as error:
        read_arms(arms(text))
    assert sentence in str(error.value)
    known = f"; these are {', '.join(kind.name for kind in SessionType)}"  # all of them give nothing away
    assert not any(kind.name in str(error.value).replace(known, "") for kind in SessionType if kind.name != "yoked")


def refused(run, sentence, **options):
    """See that a session is refused with a sentence, and nothing is left of it."""
    done = run(**options)
    assert done.returncode == 2, done.stdout
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr
    assert not (run.data / "m1").exists()


def test_the_arm_of_today_is_run_and_stored(run, arms):
    yesterday, tomorrow = TODAY - timedelta(1), TODAY + timedelta(1)
    arms(f"{HEADER}m1,single_audio_normal_reward,,{yesterday},\nm1,no_audio_no_reward,{TODAY},{tomorrow},\n")
    finished(run(settings=BLIND))
    session = run.session()
    assert session.settings["session_type"] == session.attributes["session_type"] == "no_audio_no_reward"
    assert session.settings["blind"] == "1"
    assert not session.columns["freq"].any()


def test_a_blind_session_without_the_file_is_refused(run):
    refused(run, "there is no such file, and blind = 1", settings=BLIND)


def test_a_mouse_without_a_line_is_refused(run, arms):
    arms(HEADER + "m2,no_audio_no_reward,,,\n")
    refused(run, "it has no line for m1 on", settings=BLIND)


@pytest.mark.parametrize("arm", ["no_audio_no_reward", "normal_audio_normal_reward"])
def test_a_mouse_with_a_line_has_no_open_session(run, arms, arm):
    """Also where both say the same: a refusal of some arms only would give them away."""
    arms(f"{HEADER}m1,{arm},,,\n")
    refused(run, "has a line for m1 on", settings=BLIND | {"blind": "0"})


def test_a_mouse_without_a_line_has_open_sessions_next_to_the_file(run, arms):
    arms(HEADER + "m2,no_audio_no_reward,,,\n")
    finished(run(settings=BLIND | {"blind": "0"}))


@pytest.mark.parametrize(
    "given", [{"session_type": "yoked", "yoked_to": "m2"}, {"session_type": "no_audio_no_reward"}], ids=["both", "one"]
)
def test_the_command_line_cannot_decide_the_arm_of_a_blind_session(run, arms, given):
    arms(HEADER + "m1,no_audio_no_reward,,,\n")
    refused(run, "blind = 1, and then arms.csv decides it; leave it out", settings=BLIND | given)


@pytest.mark.parametrize(
    ("line", "settings", "reason"),
    [
        ("m1,yoked,,,m9", {}, "there is no such session, and no such mouse"),
        ("m1,no_audio_random_reward,,,", {"adaptive_threshold": "staircase:0.7"}, "no trial ends with success"),
    ],
)
def test_an_arm_that_cannot_be_run_is_refused_without_saying_which_and_its_keeper_is_told(
    run, arms, line, settings, reason
):
    path = arms(f"{HEADER}{line}\n")
    refused(run, "line 2: m1 cannot have a session with these settings today", settings=BLIND | settings)
    shown = run(settings=BLIND | settings).stderr
    assert not any(word in shown for word in ("yoked", "random", "m9", reason))
    told = keeper(data_root=path.parent, **settings)
    assert told.returncode == 1
    assert reason in told.stdout


def keeper(**settings):
    """Run the command of whoever keeps the file."""
    given = [part for key, value in settings.items() for part in ("--set", f"{key}={value}")]
    command = [sys.executable, "-W", "error", "-m", "rig.commands.arms", *given]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)


def test_its_keeper_is_shown_who_can_be_run(arms):
    path = arms(HEADER + "m1,no_audio_no_reward,,,\nm2,no_audio_random_reward,,2020-01-01,\n")
    told = finished(keeper(data_root=path.parent))
    assert "line 2: m1 is no_audio_no_reward; can be run" in told.stdout
    assert "m2" not in told.stdout, "not today"


def test_a_baseline_has_no_arm_and_needs_no_file(run):
    finished(run("--baseline", "3", settings=BLIND))
    assert run.session().settings["blind"] == "0"


def test_a_check_reads_the_file_and_says_no_arm(run, arms):
    arms(HEADER + "m1,no_audio_no_reward,,,\n")
    done = run("--check", mouse=None, settings=BLIND)
    assert "arms.csv can be read" in done.stdout
    assert "no_audio" not in done.stdout
    arms("mouse\n")
    assert "the first line must be" in run("--check", mouse=None, settings=BLIND).stdout


def test_no_mouse_may_be_called_like_the_file(run):
    refused(run, "this is the name of a file below data_root", mouse="arms.csv", settings=BLIND)
