"""A blind session shows nothing that gives its arm away, in no arm; its files hold everything."""

import csv
import re
import shutil
import subprocess
import sys

import pytest

from analysis.cohort import choices_of, parser
from analysis.cohorts.make import all_files
from analysis.export_session import Wanted, export_session
from analysis.report_files import make
from analysis.what_if import open_all
from helper import SessionType
from rig.errors import SettingsError
from rig.files.arms import ARMS_FILE
from rig.files.yokes import YOKE_FILE
from rig.settings.summary_values import SummaryValues
from rig.settings.told import HIDDEN_VALUES, OF_WATER, SHOWN_NOTES, Told
from support.places import ROOT, SHORT, SHORT_PAWS, SPEED_SCRIPT
from support.runner import Runner, finished, without_time

ARMS = [kind.name for kind in SessionType]
MOUSE = {arm: f"b{i}" for i, arm in enumerate(ARMS)}
GIVE_AWAYS = re.compile(
    r"yoke|audio|random|reward|succe|fail|\bwater|µl|threshold|paid|earn|withheld|missed|enough|\btone\b|Hz|silen|"
    r"no_|normal|single",
    re.IGNORECASE,
)
SAME_IN_ALL_ARMS = (
    "decided late          # frames, which gave no water",
    "This report is blind: what the mouse heard and earned is left out; add --unblind when the cohort is done.",
    "frames late# frames decided later than",
    "tone underflows",
)
"""Text with such a word that says nothing of the arm; the test of labels shows that it is in each."""
SUMMARY = {"summary_file": "blind.csv", "summary_header": ", ".join([*SummaryValues._fields, "yoked_to"])}


def labels(text):
    """Return text without numbers, paths, mice and blanks at the ends of lines: what two arms must share."""
    text = re.sub(r"(/\S+|\bb\d\b)", "", text)
    text = re.sub(r"[-+]?\d+([.:]\d+)*", "#", text)
    text = "\n".join(line for line in text.splitlines() if "a sync takes" not in line)  # of a busy disk only
    return [" ".join(line.split()) for line in text.splitlines() if line.strip()]


def give_aways(text):
    """Return the lines of a text that give an arm away."""
    for each in SAME_IN_ALL_ARMS:
        text = re.sub(re.escape(each).replace(r"\#", r"\d+").replace(r"\ ", r"\s+"), "", text)
    return [line for line in text.splitlines() if GIVE_AWAYS.search(re.sub(r"/\S+", "", line))]


def visible(page):
    """Return the text of a page of HTML."""
    page = re.sub(r"<style>.*?</style>|<[^>]*>", "", page, flags=re.DOTALL)
    return re.sub(r"\n\s*\n", "\n", page)


class Blind(Runner):
    """Runs blind sessions with a window that is written down."""

    def __call__(self, *arguments, **options):
        command = self.command(*arguments, window=True, **options)
        script = command.index(str(options.get("script") or self.script))
        log = self.tmp_path / "window.txt"
        command[script:script] = [str(ROOT / "tests" / "support" / "write_down.py"), str(log)]
        done = subprocess.run(
            command, cwd=self.tmp_path, env={"DISPLAY": "elsewhere:1", "PATH": "/usr/bin:/bin", "HOME": "/tmp"},
            capture_output=True, text=True, timeout=120, input="",
        )  # fmt: skip
        return done, log.read_text() if log.exists() else ""


def blind_runner(folder, short, script):
    """Return a runner of an experiment with a session of m1 to be yoked to, and a mouse in each arm."""
    run = Blind(folder)
    run.short, run.script = short, script
    finished(Runner.__call__(run, settings=short, script=script))
    rows = [f"{mouse},{arm},,,{'m1' * (arm == 'yoked')}" for arm, mouse in MOUSE.items()]
    (run.data / ARMS_FILE).write_text("\n".join(["mouse,session_type,from,to,yoked_to", *rows]) + "\n")
    return run


@pytest.fixture(scope="module")
def sessions(tmp_path_factory):
    """Run a blind session in each arm; return the runner, and {arm: (text of the terminal, text of the window)}."""
    run, found = blind_runner(tmp_path_factory.mktemp("blind"), SHORT, Runner.script), {}
    for arm, mouse in MOUSE.items():
        settings = SHORT | {"blind": "1", "random_reward_per_min": "20"} | SUMMARY
        done, window = run("--no-questions", mouse=mouse, seed=2, settings=settings)
        found[arm] = finished(done).stdout, window
    return run, found


@pytest.fixture(scope="module")
def reports(sessions):
    """Make the report of each of them; {arm: its text}."""
    run, _ = sessions
    return {arm: visible(make(run.session(mouse).folder, False)[0].read_text()) for arm, mouse in MOUSE.items()}


@pytest.mark.parametrize("arm", ARMS)
def test_terminal_and_window_give_no_arm_away(sessions, arm):
    terminal, window = sessions[1][arm]
    assert "| blind |" in terminal
    assert "signal, last 20 s" in window
    assert "session\nblind" in window.replace("\n\n", "\n")
    assert give_aways(terminal.partition("M1_L:")[2]) == [], "after the banner, which is of the devices"
    assert give_aways(window.replace("camera, outputs, tone, lick", "")) == []


@pytest.mark.parametrize("arm", ARMS[1:])
def test_terminal_and_window_have_the_same_words_in_all_arms(sessions, arm):
    for one, other in zip(sessions[1][ARMS[0]], sessions[1][arm], strict=True):
        assert set(labels(one)) == set(labels(other))


def test_the_files_hold_everything(sessions):
    run, _ = sessions
    for arm, mouse in MOUSE.items():
        session = run.session(mouse)
        assert session.settings["session_type"] == session.attributes["session_type"] == arm
        assert {"freq", "rew_threshold", "reward"} <= session.columns.keys()
        assert (session.folder / YOKE_FILE).exists() == (arm == "yoked")
    assert run.session(MOUSE["yoked"]).attributes["yoked_to_session"].startswith("m1/")
    assert run.session(MOUSE["no_audio_random_reward"]).of("reward", "commanded"), "the arms were really run"
    assert not run.session(MOUSE["no_audio_no_reward"]).of("reward", "commanded")


def test_the_summary_gives_no_arm_away(sessions):
    run, _ = sessions
    with (run.data / "blind.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(ARMS)
    hidden = {name for name in rows[0] if all(row[name] == "blind" for row in rows)}
    assert hidden == HIDDEN_VALUES
    assert {row["ended_by"] for row in rows} == {"finished"}
    assert not any(GIVE_AWAYS.search(",".join(row.values()).replace("tone, lick", "")) for row in rows)


@pytest.mark.parametrize("arm", ARMS)
def test_the_report_gives_no_arm_away(reports, arm):
    assert "This report is blind" in reports[arm]
    assert "· blind ·" in reports[arm]
    assert give_aways(reports[arm].replace("camera, outputs, tone, lick", "")) == []


@pytest.mark.parametrize("arm", ARMS[1:])
def test_the_report_has_the_same_words_in_all_arms(reports, arm):
    assert labels(reports[ARMS[0]]) == labels(reports[arm])


def test_the_report_shows_everything_when_the_cohort_is_done(sessions):
    folder = sessions[0].session(MOUSE["yoked"]).folder
    text = visible(make(folder, False, unblind=True)[0].read_text())
    make(folder, False)  # as it was, for the other tests
    assert "· yoked ·" in text
    assert "Trials, tones and rewards were those of m1/" in text
    assert "This report is blind" not in text


def program(name, *arguments):
    """Run a program of analysis/."""
    command = [sys.executable, "-W", "error", str(ROOT / "analysis" / name), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


def test_the_option_is_of_every_program_of_analysis(sessions, tmp_path):
    folder = sessions[0].session(MOUSE["yoked"]).folder
    copy = shutil.copytree(folder, tmp_path / "b9" / folder.name)
    assert "blind; add --unblind" in program("report.py", copy.parent).stderr
    for arguments in (("report.py", copy, "--tables"), ("what_if.py", copy), ("export.py", copy, "--to", "alf")):
        done = program(*arguments)
        assert done.returncode == 2, arguments
        assert "would give the arm away; add --unblind when the cohort is done" in done.stderr
        assert give_aways(done.stderr) == []
        finished(program(*arguments, "--unblind"))


def test_all_that_shows_outcomes_refuses_blind_sessions(sessions, tmp_path):
    run, _ = sessions
    with pytest.raises(SettingsError, match="would give the arm away"):
        open_all([run.session(MOUSE["yoked"]).folder])
    for arguments in (["--simulated"], ["--simulated", "--unblind"]):
        args = parser().parse_args([str(run.data), "--out", str(tmp_path), *arguments, "--jobs", "1"])
        # Unblinded, the statistics begin, and find that all sessions are of one day.
        said = "a cohort needs 2 days" if "--unblind" in arguments else "a cohort would give the arm away"
        with pytest.raises(SettingsError, match=said):
            all_files(args, choices_of(args))
    assert export_session(run.session(MOUSE["yoked"]).folder, Wanted("alf", tmp_path)).files, "as a function, it may"


def test_a_blind_session_is_replayed_in_its_arm_and_stays_blind(sessions):
    run, _ = sessions
    folder = run.session(MOUSE["yoked"]).folder
    settings = {"vid_source": "VideoStream", "vid_root": folder}
    done = finished(
        Runner.__call__(
            run, "--config", folder / "config.ini", "--data-root", run.tmp_path / "again",
            mouse="b0", seed=None, settings=settings,
        )
    )  # fmt: skip
    assert give_aways(done.stdout.partition("M1_L:")[2]) == []
    again = Runner(run.tmp_path)
    again.data = run.tmp_path / "again"
    one, other = without_time(again.session("b0")), without_time(run.session(MOUSE["yoked"]))
    assert one.keys() == other.keys()
    for name in one.keys() - {"lick"}:  # the simulated tongue was already asked in the preview of the first
        assert one[name] == other[name], name


def test_a_trial_that_waits_is_a_rest_as_in_an_arm_that_never_waits():
    assert Told(True).where("waiting for a still paw, 2 of 9 trials done") == "rest, 2 of 9 trials done"
    assert Told(False).where("waiting for a still paw, 2 of 9 trials done").startswith("waiting for")


def test_a_cap_on_water_that_ends_a_session_is_not_named():
    assert Told(True).ended_by(f"{OF_WATER}: max_session_ul = 14 µl reached") == "a limit was reached"
    assert Told(True).ended_by("stopped with Esc") == "stopped with Esc"


def test_a_note_is_hidden_unless_it_is_known_to_say_nothing():
    notes = {"licks": "none, although 5 rewards were given", "missed_yoked_rewards": 2, "troubles": "dark"}
    assert Told(True).notes(notes) == {"troubles": "dark"}
    assert Told(False).notes(notes) == notes
    assert "licks" not in SHOWN_NOTES


def test_the_movement_experiment_is_blind_too(tmp_path):
    short = SHORT_PAWS | {"video_file": "", "pose": "simulated"}
    run, found = blind_runner(tmp_path, short, SPEED_SCRIPT), {}
    for arm in ("normal_audio_normal_reward", "no_audio_random_reward", "yoked"):
        done, window = run("--no-questions", mouse=MOUSE[arm], seed=2, settings=short | {"blind": "1"})
        found[arm] = labels(finished(done).stdout), labels(window)
        assert give_aways(window.replace("camera, outputs, tone, lick, pose", "")) == []
    one, two, three = found.values()
    assert set(one[0]) == set(two[0]) == set(three[0])
