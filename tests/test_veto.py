"""Crossings that are not brain, in whole sessions: vetoed, logged, and the same again in every replay."""

import shutil

import numpy as np
import pytest

from analysis.replay.experiment import run_again
from analysis.replay.recorded import open_recorded
from rig.errors import SettingsError
from rig.files.reader import read_session
from rig.protocol.artefacts import LIGHT, MOVEMENT, PAW
from support.runner import Runner, finished, without_time
from support.sessions import KINDS, recorded

__all__ = ["recorded"]

LIMITS = {"max_global_dff": "0.001", "max_movement_px": "0.06"}  # so low that blood and noise are above them
EASY = {"reward_threshold": "0.02", "adaptive_threshold": "0"}
STRICT = LIMITS | EASY | {"veto": "light, movement, paw", "paw_pin": "24"}
HEADER = {"outputs": "gpio", "tone": "pyaudio", "tone_device": "hifiberry"}
COLUMNS = ("global_dff", "movement_px", "veto")


def again(folder, **overrides):
    """Return a session run again with some settings changed."""
    each = open_recorded(folder)
    settings = each.settings(overrides)
    each.read_patches(settings.light_boxes().values(), lambda share: None)
    return run_again(each, settings)


def then(session):
    """Return the row whose signal was tested on each row, and the rows that have one."""
    delay = round(float(session.settings["reward_delay"]) * float(session.settings["framerate"]))
    rows = np.arange(delay, len(session))
    return rows, rows - delay


@pytest.mark.parametrize("experiment", ["1roi", "2roi"])
def test_by_default_all_is_logged_and_nothing_vetoed(recorded, experiment):
    session = read_session(recorded(experiment))
    assert list(session.columns)[-3:] == list(COLUMNS)
    assert np.abs(session.columns["global_dff"]).max() > 0
    assert session.columns["movement_px"].max() > 0
    assert not session.of("veto")
    assert session.columns["reward"].max() == 1


@pytest.mark.parametrize("delay", ["1", "0"])
def test_no_reward_follows_a_frame_with_an_artefact(recorded, delay):
    folder = recorded("1roi", reward_delay=delay, **STRICT)
    session = read_session(folder)
    rows, tested = then(session)
    bits, reward = session.columns["veto"], session.columns["reward"]
    crossed = session.columns["roi_dff"][tested] > session.columns["rew_threshold"][rows]
    in_trial = session.columns["trial"][rows] > 0
    vetoed = crossed & in_trial & (bits[tested] > 0)
    assert vetoed.sum() > 2
    assert (reward[rows][vetoed] < 1).all()
    assert (reward[rows][crossed & in_trial & ~vetoed] == 1).all(), "every other crossing of a trial earns"
    runs = np.count_nonzero(vetoed & ~np.r_[False, vetoed[:-1]])
    events = session.of("veto")
    assert len(events) == runs, "one event for each run of vetoed frames"
    assert {int(event.value) for event in events} <= set(range(1, 16))
    assert all(event.detail.startswith("crossing vetoed: ") for event in events)


@pytest.mark.parametrize("experiment", ["1roi", "2roi"])
def test_the_same_settings_give_the_same_rows_with_vetoes(recorded, experiment):
    folder = recorded(experiment, **STRICT)
    session = read_session(folder)
    assert (session.columns["veto"] & PAW).any()
    assert session.of("veto")
    assert without_time(again(folder)) == without_time(session)


def test_a_replay_gives_the_same_rows_with_vetoes(recorded, tmp_path):
    folder = recorded("1roi", **STRICT)
    script, _ = KINDS["1roi"]
    replay = Runner(tmp_path)
    changes = {"vid_source": "VideoStream", "vid_root": str(folder)}
    finished(replay("--config", str(folder / "config.ini"), script=script, settings=changes))
    truth, now = without_time(read_session(folder)), without_time(replay.session())
    del truth["lick"], now["lick"]  # those of the simulated mouse follow its own water
    assert now == truth


@pytest.mark.parametrize("artefact", ["light", "movement"])
def test_what_if_an_artefact_had_vetoed(recorded, artefact):
    folder = recorded("1roi")
    assert read_session(folder).columns["reward"].max() == 1
    never = {"max_global_dff": "1e-9", "max_movement_px": "1e-9"}
    bit = {"light": LIGHT, "movement": MOVEMENT}[artefact]
    now = again(folder, veto=artefact, adaptive_threshold="0", **never)
    rows, tested = then(now)
    assert not (now.columns["veto"][tested] & bit)[now.columns["reward"][rows] == 1].any()
    assert now.columns["reward"].tolist() != read_session(folder).columns["reward"].tolist()


@pytest.fixture
def old(recorded, tmp_path):
    """A session of before these columns."""
    folder = shutil.copytree(recorded("1roi"), tmp_path / "m1" / "20250101000000")
    rows = folder / "VideoTimestamp.txt"
    lines = [line.split("\t")[: -len(COLUMNS)] for line in rows.read_text().splitlines()]
    rows.write_text("".join("\t".join(line) + "\n" for line in lines))
    return folder


def test_an_old_session_is_run_again_without_vetoes(old):
    session, now = read_session(old), again(old)
    assert set(COLUMNS).isdisjoint(session.columns)
    assert {name: now.columns[name].tolist() for name in without_time(session)} == without_time(session)


def test_a_veto_for_an_old_session_is_refused(old):
    with pytest.raises(SettingsError, match=r"veto = light: .* has no column veto"):
        again(old, veto="light")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"veto": "paw"}, r"veto = paw: no line says whether the paw moves; set paw_pin"),
        ({"veto": "ligth"}, r"there is no veto ligth; did you mean light\?"),
        ({"veto": "light, light"}, "stands there more than once"),
        ({"paw_pin": "27"}, "this is also the pin of"),
        ({"paw_pin": "5", "frame_pin": "5"}, "this is also the pin of"),
        ({"paw_pin": "23", "lick": "gpio"}, "this is also the pin of"),
        (
            HEADER | {"paw_pin": "19"},
            "sound card on the header",
        ),
        ({"max_global_dff": "0"}, "max_global_dff = 0"),
        ({"max_movement_px": "-1"}, "max_movement_px = -1"),
    ],
)
def test_what_cannot_be_is_refused_at_the_door(settings, changes, said):
    with pytest.raises(SettingsError, match=said):
        settings(**changes)


def test_vetoes_can_be_read_back_from_the_copy(recorded):
    each = open_recorded(recorded("1roi", **STRICT))
    assert each.settings({}).veto == ("light", "movement", "paw")
