"""What a lab knows about its rig and its mice: asked once, kept, and stored with each session."""

import os
import pty
import subprocess
from datetime import date, timedelta

import pytest

from rig.errors import SettingsError
from rig.files.reader import read_session
from rig.files.subject import read_lab, read_subject, read_weights_g, share_of_baseline
from rig.questions import ask_everything
from rig.settings.lab import Subject
from support.places import DRIVERS, SHORT
from support.runner import finished
from support.waiting import end

LAB = ["Doe, Jane", "", "Mouse lab", "rig 2", "GCaMP6s", "470", "525", "", "", "", ""]
MOUSE = ["F", "2026-01-31", "C57BL/6", "", "trained", "", ""]
BRIEF = SHORT | {"total_trials": "1", "initial_rest_dur": "2", "max_trial_dur": "2"}


@pytest.fixture
def answers(monkeypatch):
    """Let a list of answers be typed; the prompts that were shown are returned."""

    def type_in(lines):
        waiting, prompts = list(lines), []

        def typed(prompt=""):
            prompts.append(prompt)
            if not waiting:
                raise EOFError
            return waiting.pop(0)

        monkeypatch.setattr("builtins.input", typed)
        return prompts

    return type_in


def test_answers_are_kept_and_nothing_is_asked_twice(settings, config, answers):
    cfg, before = settings(), config.read_text()
    prompts = answers(LAB + MOUSE)
    ask_everything(cfg, config, "m1")
    assert len(prompts) == len(LAB + MOUSE)
    lab, subject = read_lab(config), read_subject(cfg.data_root / "m1" / "subject.ini")
    assert (lab.experimenter, lab.rig, lab.green_excitation_nm, lab.blue_excitation_nm) == (
        "Doe, Jane",
        "rig 2",
        470,
        None,
    )
    assert (subject.sex, subject.date_of_birth, subject.species) == ("F", date(2026, 1, 31), "Mus musculus")
    assert (subject.genotype, subject.group) == ("", "trained")
    assert config.read_text().startswith(before.rstrip()), "all that was there stays"
    prompts = answers([])
    ask_everything(cfg, config, "m1")
    assert prompts == [], "also not for what was left empty"


def test_each_mouse_is_asked_for_by_itself(settings, config, answers):
    answers(LAB + MOUSE)
    ask_everything(settings(), config, "m1")
    assert len(answers(MOUSE)) == 0
    prompts = answers(MOUSE)
    ask_everything(settings(), config, "m2")
    assert len(prompts) == len(MOUSE)


def test_an_answer_that_cannot_be_is_asked_for_again(settings, config, answers, capsys):
    tomorrow = str(date.today() + timedelta(days=1))
    prompts = answers(["Jane Doe", *LAB, "female", "F", tomorrow, *MOUSE[1:]])
    ask_everything(settings(), config, "m1")
    assert len(prompts) == len(LAB + MOUSE) + 3
    said = capsys.readouterr().out
    for words in ("Last, First", "sex = female", "this day is still to come"):
        assert words in said


def test_wavelengths_are_nanometres(settings, config, answers, capsys):
    answers([*LAB[:5], "0.47", *LAB[5:], *MOUSE])
    ask_everything(settings(), config, "m1")
    assert "green_excitation_nm = 0.47" in capsys.readouterr().out


def test_ctrl_d_ends_the_questions_and_keeps_what_was_answered(settings, config, answers):
    answers(LAB[:2])
    ask_everything(settings(), config, "m1")
    assert read_lab(config).experimenter == "Doe, Jane"
    assert len(answers([])) == 0


def test_the_configuration_of_a_recorded_session_is_not_changed(settings, config, answers):
    (config.parent / "VideoTimestamp.txt").write_text("frame\ttime\n")
    before = config.read_bytes()
    answers(MOUSE)
    ask_everything(settings(), config, "m1")
    assert config.read_bytes() == before


# Weights


def test_weights_are_kept_by_day_with_their_share_of_the_first(settings, config, answers, capsys):
    cfg = settings(ask_weight=1)
    path = cfg.data_root / "m1" / "subject.ini"
    path.parent.mkdir(parents=True)
    path.write_text("[subject]\nsex = F\n\n[weights]\n2026-01-05 = 20\n2026-01-04 = 25\n")
    answers([*LAB, *MOUSE[1:], "heavy", "22,5"])
    ask_everything(cfg, config, "m1")
    assert read_weights_g(path) == {date(2026, 1, 4): 25, date(2026, 1, 5): 20, date.today(): 22.5}
    said = " ".join(capsys.readouterr().out.split())
    assert "weight = heavy" in said
    assert "22.5 g: 90 % of the first weight, 25 g on 2026-01-04" in said


def test_a_mouse_that_is_not_weighed(settings, config, answers):
    answers([*LAB, *MOUSE, ""])
    ask_everything(settings(ask_weight=1), config, "m1")
    assert read_weights_g(settings().data_root / "m1" / "subject.ini") == {}


def test_a_second_weight_of_a_day_replaces_the_first(settings, config, answers):
    cfg = settings(ask_weight=1)
    answers([*LAB, *MOUSE, "20"])
    ask_everything(cfg, config, "m1")
    prompts = answers(["21"])
    ask_everything(cfg, config, "m1")
    assert "today 20 g so far" in prompts[0]
    assert read_weights_g(cfg.data_root / "m1" / "subject.ini") == {date.today(): 21}


def test_the_baseline_weight_that_is_given_counts():
    said = share_of_baseline(18, {date(2026, 1, 4): 25.0}, Subject(baseline_weight_g=20))
    assert said == "18 g: 90 % of baseline_weight_g, 20 g"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[subject]\ngenotipe = x\n", "genotipe = x: there is no such key; did you mean genotype?"),
        ("[subject]\nspecies = mouse\n", "species = mouse"),
        ("[subject]\ndate_of_birth = 31.1.2026\n", "date_of_birth = 31.1.2026"),
        ("sex = F\n", "cannot be read as INI"),
    ],
)
def test_a_subject_that_cannot_be_read_is_said_before_the_session(run, text, words):
    path = run.data / "m1" / "subject.ini"
    path.parent.mkdir(parents=True)
    path.write_text(text)
    done = run(settings=BRIEF)
    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("text", ["[weights]\nyesterday = 20\n", "[weights]\n2026-01-01 = x\n"])
def test_weights_that_cannot_be_read(tmp_path, text):
    (tmp_path / "subject.ini").write_text(text)
    with pytest.raises(SettingsError, match=r"\[weights\]"):
        read_weights_g(tmp_path / "subject.ini")


# Whole sessions


def test_a_session_keeps_what_is_known_with_it(run, config):
    with config.open("a") as file:
        file.write("\n[lab]\nrig = rig 2\nexperimenter = Doe, Jane\n")
    path = run.data / "m1" / "subject.ini"
    path.parent.mkdir(parents=True)
    path.write_text("[subject]\nsex = M\n\n[weights]\n2026-01-04 = 25\n")
    finished(run("--config", config, settings=BRIEF))
    session = read_session(max(folder for folder in path.parent.iterdir() if folder.is_dir()))
    assert session.metadata.rig == session.lab.rig == "rig 2"
    assert session.lab.experimenter == "Doe, Jane"
    assert session.subject.sex == "M"
    assert session.weights_g == {date(2026, 1, 4): 25}
    path.write_text("[subject]\nsex = F\n")
    assert session.subject.sex == "M", "as it was then"


def test_a_session_without_any_of_it_is_empty(run):
    finished(run(settings=BRIEF))
    session = run.session()
    assert (session.subject, session.weights_g, session.lab.rig) == (Subject(), {}, "")
    assert not (session.folder / "subject.ini").exists()


def at_a_terminal(run, command, typed):
    """Run a command at a terminal into which lines are typed at once; return what it shows."""
    ours, theirs = pty.openpty()
    os.write(ours, typed.encode())
    env = os.environ | {"PYTHONPATH": str(DRIVERS)}
    process = subprocess.Popen(
        command, cwd=run.tmp_path, env=env, stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        output, _ = process.communicate(timeout=60)
    finally:
        end(process)
        os.close(ours)
        os.close(theirs)
    assert process.returncode == 0, output
    return output


def test_questions_at_the_terminal(run, config):
    real = BRIEF | {"vid_source": "ClaimingStream", "framerate": "60", "ask_weight": "1"}
    command = run.command("--config", config, settings=real, fast=False)
    output = at_a_terminal(run, command, "\n".join([*LAB, *MOUSE, "24.5"]) + "\n")
    assert "24.5 g: 100 % of the first weight" in output
    session = read_session(max(folder for folder in (run.data / "m1").iterdir() if folder.is_dir()))
    assert (session.lab.rig, session.subject.sex, session.weights_g) == ("rig 2", "F", {date.today(): 24.5})


@pytest.mark.parametrize("changes", [{"vid_source": "ClaimingStream"}, {}], ids=["--no-questions", "a simulated mouse"])
def test_no_questions_at_the_terminal(run, config, changes):
    flags = ["--no-questions"] if changes else []
    command = run.command("--config", config, *flags, settings=BRIEF | {"framerate": "60"} | changes, fast=False)
    before = config.read_text()
    assert "asked once" not in at_a_terminal(run, command, "")
    assert config.read_text() == before
    assert not (run.data / "m1" / "subject.ini").exists()


def test_no_questions_where_standard_input_is_no_terminal(run, config):
    real = BRIEF | {"vid_source": "ClaimingStream", "framerate": "60"}
    done = finished(run("--config", config, settings=real, fast=False, env={"PYTHONPATH": str(DRIVERS)}))
    assert "asked once" not in done.stdout


def test_without_questions_the_mouse_must_be_named(run):
    done = run("--no-questions", mouse=None)
    assert (done.returncode, done.stderr) == (2, "--no-questions: the mouse ID is missing; add --mouse-id ID\n")
