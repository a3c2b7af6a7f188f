"""What a session says about itself: when and where, by which script, and what is not real."""

import csv
import hashlib
import subprocess
import time
from datetime import timedelta

import numpy as np
import pytest

from helper import GetConfigValues
from rig.errors import SettingsError
from rig.files.about import About, Script, time_zone, utc_offset
from rig.files.metadata import metadata_of
from rig.files.reader import read_session
from rig.files.summary import add_summary_row, check_summary
from support.places import SCRIPT, SHORT
from support.recordings import write_recording
from support.runner import Runner, finished, without_time

BRIEF = SHORT | {"total_trials": "1", "initial_rest_dur": "2", "max_trial_dur": "2"}
ALL_SIMULATED = ("camera", "outputs", "tone", "lick")


@pytest.fixture(scope="module")
def in_nepal(tmp_path_factory):
    """A finished session in Nepal, where clocks are ahead of UTC by five hours and three quarters."""
    run = Runner(tmp_path_factory.mktemp("nepal"))
    finished(run(settings=BRIEF, env={"TZ": "Asia/Kathmandu"}))
    return run.session()


def test_time_zone_of_a_session(in_nepal):
    assert in_nepal.metadata.utc_offset == timedelta(hours=5, minutes=45)
    assert in_nepal.metadata.time_zone == "Asia/Kathmandu"


def test_the_script_as_run_is_kept_with_its_hash(in_nepal):
    copy = in_nepal.folder / in_nepal.metadata.script
    assert in_nepal.metadata.script == SCRIPT.name
    assert copy.read_bytes() == SCRIPT.read_bytes()
    assert in_nepal.metadata.script_sha256 == hashlib.sha256(copy.read_bytes()).hexdigest()


def test_what_is_simulated(in_nepal):
    assert in_nepal.metadata.simulated == ALL_SIMULATED
    assert in_nepal.metadata.replay_of == ""
    assert not in_nepal.metadata.is_real


def test_linear_is_typed(in_nepal):
    assert in_nepal.metadata.linear is True


def test_what_a_session_says_of_itself_is_no_note(in_nepal):
    assert not {"utc_offset", "time_zone", "script", "script_sha256", "rig", "simulated"} & in_nepal.notes.keys()


def test_a_session_that_was_cut_short_says_it_too(cut_short):
    session = read_session(cut_short)
    assert session.was_cut_short
    assert session.metadata.simulated == ALL_SIMULATED
    assert session.metadata.script_sha256 == hashlib.sha256(SCRIPT.read_bytes()).hexdigest()


def test_a_session_from_before_says_what_its_settings_say():
    settings = {"vid_source": "SimCameraStream", "outputs": "gpio", "tone": "simulated"}
    old = metadata_of(settings, {"mouse_id": "m1", "session_type": "baseline"})
    assert old.simulated == ("camera", "tone")
    assert (old.utc_offset, old.time_zone, old.script, old.rig, old.linear) == (None, "", "", "", None)


def test_a_replay_from_before():
    old = metadata_of({"vid_source": "VideoStream", "vid_root": "/data/m1/1"}, {})
    assert (old.replay_of, old.simulated, old.is_real) == ("/data/m1/1", ("camera",), False)


def test_a_recording_of_the_original_is_real():
    assert metadata_of({"vid_source": "PiCameraStream"}, {}).is_real


@pytest.mark.parametrize(
    ("zone", "name", "offset"),
    [
        ("Asia/Kathmandu", "Asia/Kathmandu", "+05:45"),
        (":/usr/share/zoneinfo/Pacific/Marquesas", "Pacific/Marquesas", "-09:30"),
        ("XYZ-3", "XYZ-3", "+03:00"),
        ("UTC", "UTC", "+00:00"),
    ],
)
def test_zones_that_the_environment_names(monkeypatch, zone, name, offset):
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        assert (time_zone(), utc_offset()) == (name, offset)
    finally:
        monkeypatch.undo()
        time.tzset()


def test_the_zone_of_the_system_is_read_from_its_link(monkeypatch, tmp_path):
    monkeypatch.delenv("TZ", raising=False)
    (tmp_path / "localtime").symlink_to("/usr/share/zoneinfo/Europe/Vienna")
    assert time_zone(tmp_path / "localtime") == "Europe/Vienna"


def test_a_system_that_does_not_name_its_zone_gives_the_abbreviation(monkeypatch, tmp_path):
    monkeypatch.delenv("TZ", raising=False)
    (tmp_path / "localtime").write_bytes(b"a copy of a zone's file")
    assert time_zone(tmp_path / "localtime") == time.localtime().tm_zone


# Replays


def without_data_root(command):
    """Run a command to its end, without its --data-root."""
    at = command.index("--data-root")
    return subprocess.run([*command[:at], *command[at + 2 :]], input="", capture_output=True, text=True, timeout=60)


@pytest.fixture(scope="module")
def replayed(tmp_path_factory):
    """A recorded session, and its replay without --data-root: the finished process and both sessions."""
    run = Runner(tmp_path_factory.mktemp("replayed"))
    finished(run(settings=BRIEF))
    recorded = run.session()
    replay = {"vid_source": "VideoStream", "vid_root": str(recorded.folder)}
    done = without_data_root(run.command("--config", recorded.folder / "config.ini", settings=replay, seed=None))
    return finished(done), recorded, read_session(next((run.data / "replays" / "m1").iterdir()))


def test_a_replay_has_a_place_of_its_own(replayed):
    done, recorded, replay = replayed
    assert f"this is a replay: it is stored in {recorded.folder.parents[1] / 'replays'}" in done.stdout
    assert without_time(replay) == without_time(recorded)
    assert len(list(recorded.folder.parent.iterdir())) == 1, "nothing lies among the real sessions"


def test_a_replay_says_of_what(replayed):
    _, recorded, replay = replayed
    assert replay.metadata.replay_of == str(recorded.folder / "image_stream.hdf5")
    assert replay.metadata.simulated == ALL_SIMULATED


def test_a_replay_is_marked_in_its_summary(replayed):
    _, recorded, _ = replayed
    rows = rows_of(recorded.folder.parents[1] / "replays" / "expt_1roi_trial_summary.csv")
    assert [row["simulated"] for row in rows] == ["replay"]


def test_a_replay_stays_where_the_command_line_says(run, replayed):
    _, recorded, _ = replayed
    replay = {"vid_source": "VideoStream", "vid_root": str(recorded.folder)}
    finished(run("--config", recorded.folder / "config.ini", settings=replay, seed=None))
    assert run.session().metadata.replay_of
    assert not (run.data / "replays").exists()


def test_a_replay_that_gives_water_must_say_where_it_is_counted(tmp_path, run):
    replay = write_recording(tmp_path, np.full((20, 128, 128, 3), 99, np.uint8))
    done = without_data_root(run.command(settings=SHORT | replay | {"outputs": "gpio"}))
    assert done.returncode == 2
    assert "add --data-root DIR, so that its water is counted in the ledger there" in done.stderr


# The summary


def rows_of(path):
    with path.open() as file:
        return list(csv.DictReader(file))


def names_of_summaries(cfg):
    return sorted(path.name for path in cfg.data_root.glob("*.csv"))


REAL, SIMULATED = About("m1", "test"), About("m1", "test", simulated=("camera", "tone"))
VALUES = {"mouse_id": "m1", "rewards": "3"}


@pytest.fixture
def cfg(settings):
    made = settings(summary_header="mouse_id, rewards, simulated", summary_file="s.csv")
    made.data_root.mkdir()
    return made


def test_a_summary_marks_what_is_not_real(cfg):
    for about in (REAL, SIMULATED):
        check_summary(cfg)
        add_summary_row(cfg, about, VALUES | {"simulated": about.what_is_simulated})
    assert [row["simulated"] for row in rows_of(cfg.data_root / "s.csv")] == ["no", "camera, tone"]
    assert names_of_summaries(cfg) == ["s.csv"]


def test_a_summary_from_before_goes_on_and_takes_real_sessions_only(cfg):
    old = cfg.data_root / "s.csv"
    old.write_text("mouse_id,rewards\nm0,1\n")
    for about in (REAL, SIMULATED, REAL):
        check_summary(cfg)
        add_summary_row(cfg, about, VALUES | {"simulated": about.what_is_simulated})
    assert old.read_text() == "mouse_id,rewards\nm0,1\nm1,3\nm1,3\n"
    assert rows_of(cfg.data_root / "simulated_s.csv") == [VALUES | {"simulated": "camera, tone"}]


def test_a_header_without_the_column_takes_real_sessions_only(settings):
    cfg = settings(summary_header="mouse_id, rewards", summary_file="s.csv")
    cfg.data_root.mkdir()
    for about in (SIMULATED, REAL, SIMULATED):
        check_summary(cfg)
        add_summary_row(cfg, about, VALUES | {"simulated": about.what_is_simulated})
    assert (cfg.data_root / "s.csv").read_text() == "mouse_id,rewards\nm1,3\n"
    assert [row["simulated"] for row in rows_of(cfg.data_root / "simulated_s.csv")] == ["camera, tone"] * 2


@pytest.mark.parametrize(
    ("name", "header"), [("s.csv", "rewards,mouse_id"), ("s.csv", "mouse_id"), ("simulated_s.csv", "mouse_id,rewards")]
)
def test_other_columns_are_refused(cfg, name, header):
    (cfg.data_root / name).write_text(f"{header}\n")
    with pytest.raises(SettingsError, match=f"{name} has the columns"):
        check_summary(cfg)


def test_a_mouse_called_like_the_summary_of_simulated_sessions(run):
    done = run(settings=BRIEF, mouse="simulated_expt_1roi_trial_summary.csv")
    assert done.returncode == 2
    assert "this is the name of a file below data_root" in done.stderr


def test_what_a_session_is_in_one_word():
    assert REAL.what_is_simulated == "no"
    assert About("m", "t", simulated=("camera",), replay_of="/x").what_is_simulated == "replay"


def test_further_files_are_kept(tmp_path):
    About("m", "t", script=Script("a.py", b"x = 1\r\n"), files={"subject.ini": "[subject]\n"}).save(tmp_path)
    assert (tmp_path / "a.py").read_bytes() == b"x = 1\r\n", "byte by byte"
    assert (tmp_path / "subject.ini").read_text() == "[subject]\n"


def test_the_offset_has_a_sign_and_two_numbers():
    assert len(utc_offset()) == len("+05:45")
    assert metadata_of({}, {"utc_offset": utc_offset()}).utc_offset is not None


def test_settings_of_a_replay_are_those_of_the_recording(replayed):
    _, recorded, replay = replayed
    differ = {k for k, v in GetConfigValues(replay.folder).items() if GetConfigValues(recorded.folder)[k] != v}
    assert differ == {"vid_source", "vid_root", "data_root"}
