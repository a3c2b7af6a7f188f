"""The fixtures that tests share; the machinery behind them stands in tests/support."""

import shutil
import signal
import subprocess
import sys

import pytest

from rig.settings.loading import load
from rig.settings.one_roi import OneRoiSettings
from support import genicam
from support.places import ROOT, SECTION, SHARED, SHORT
from support.runner import Runner
from support.sound import sound_server
from virtual_screen import screen_in_memory

# Started by nohup or in the background, signals are ignored, and whatever the tests start would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.fixture
def config(tmp_path):
    """A copy of the shipped config.ini."""
    path = tmp_path / "config.ini"
    shutil.copy(ROOT / "config.ini", path)
    return path


@pytest.fixture
def settings(tmp_path):
    """Make settings from the shipped configuration, all devices simulated."""

    def make(**changes):
        simulated = {"vid_source": "SimCameraStream", "outputs": "simulated", "tone": "simulated", "lick": "simulated"}
        values = simulated | {"data_root": str(tmp_path / "data"), "seed": "1"}
        values |= {key: str(value) for key, value in changes.items()}
        return load(OneRoiSettings, ROOT / "config.ini", SECTION, values)[0]

    return make


@pytest.fixture(scope="session")
def real_recording(tmp_path_factory):
    """Two minutes of a real mouse's cortex, rendered as a camera would have given it."""
    if not SHARED.exists():
        pytest.skip("no real recording here: ../shared is absent")
    folder = tmp_path_factory.mktemp("real")
    maker = SHARED / "data" / "widefield" / "make_image_stream.py"
    subprocess.run([sys.executable, maker, folder, "--seconds", "120"], check=True, capture_output=True)
    return folder


@pytest.fixture
def run(tmp_path):
    """Run the one-ROI script as a user does."""
    return Runner(tmp_path)


@pytest.fixture(scope="session")
def killed_once(tmp_path_factory):
    """The folder of a session that was ended by kill -9; every test works on a copy, `cut_short`."""
    return Runner(tmp_path_factory.mktemp("cut")).killed(10, settings=SHORT | {"initial_rest_dur": "60"})


@pytest.fixture
def cut_short(killed_once, tmp_path):
    """A session that was ended by kill -9, below the data_root of `run`."""
    return shutil.copytree(killed_once, tmp_path / "data" / "m1" / killed_once.name)


@pytest.fixture
def screen():
    """A screen in memory; yields its DISPLAY."""
    with screen_in_memory() as display:
        yield display


@pytest.fixture
def loudspeaker():
    """A null sink of a sound server started for this test, and a recording of what was played on it."""
    with sound_server() as speaker:
        yield speaker


@pytest.fixture
def gige_camera():
    """Aravis' camera that speaks GigE Vision on the loopback; yields its process."""
    with genicam.gige_camera() as process:
        yield process
