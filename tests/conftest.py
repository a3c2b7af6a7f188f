"""What the tests share: settings, scripts run as a user runs them, a screen, a loudspeaker."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest
import tables

from rig.settings import OneRoiSettings, load
from virtual_screen import screen_in_memory

# Started by nohup or in the background, signals are ignored, and whatever the tests start would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)

ROOT = Path(__file__).resolve().parents[1]
SCRIPT = ROOT / "brain" / "cla_reward_punish_1roi.py"
TWO_ROI_SCRIPT = ROOT / "brain" / "cla_reward_punish_2roi.py"
SECTION = OneRoiSettings.section
SHARED = ROOT.parent / "shared"
FAKES = ROOT / "tests" / "fakes"
# A short session of a simulated mouse under a small image: a few seconds with --fast.
SHORT = {
    "resolution": "128, 128",
    "bregma": "67, 64",
    "ppmm": "12.8",
    "total_trials": "4",
    "initial_rest_dur": "7",
    "max_trial_dur": "8",
    "success_rest_dur": "2",
    "fail_rest_dur": "3",
    "reward_threshold": "0.04",
}


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


def add_to_section(config, text):
    """Add lines to the section of the one-ROI script."""
    before = config.read_text()
    assert before.count("roi = M1_L\n") == 1
    config.write_text(before.replace("roi = M1_L\n", "roi = M1_L\n" + text))


class Session:
    """The files of a session, read back."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.text = (self.folder / "VideoTimestamp.txt").read_text(encoding="utf-8")
        assert self.text.endswith("\n")
        header, *lines = self.text.splitlines()
        self.columns = header.split("\t")
        self.rows = [dict(zip(self.columns, line.split("\t"), strict=True)) for line in lines]

    def column(self, name, kind=float):
        return np.array([kind(row[name]) for row in self.rows])

    def without_time(self):
        return [{key: value for key, value in row.items() if key != "time"} for row in self.rows]

    @property
    def images(self):
        with tables.open_file(str(self.folder / "image_stream.hdf5"), mode="r") as f:
            return f.root.raw_images[:]

    def table(self, name):
        with tables.open_file(str(self.folder / "image_stream.hdf5"), mode="r") as f:
            return f.get_node("/" + name)[:]

    def attribute(self, name):
        with tables.open_file(str(self.folder / "image_stream.hdf5"), mode="r") as f:
            return f.root._v_attrs[name]


class Runner:
    """Runs the script as a user does, in another folder than the repository."""

    def __init__(self, tmp_path):
        self.tmp_path = tmp_path
        self.data = tmp_path / "data"
        self.count = 0

    def command(
        self, *arguments, settings=SHORT, simulate=True, window=False, fast=True, mouse="m1", seed=1, script=SCRIPT
    ):
        command = [sys.executable, "-W", "error", str(script), *map(str, arguments)]
        if mouse is not None:
            command += ["--mouse-id", mouse]
        if "--data-root" not in arguments:
            command += ["--data-root", str(self.data)]
        for key, value in (settings or {}).items():
            command += ["--set", f"{key}={value}"]
        for wanted, flag in ((simulate, "--simulate"), (not window, "--no-window"), (fast, "--fast")):
            command += [flag] if wanted else []
        return command + (["--seed", str(seed)] if seed is not None else [])

    def __call__(self, *arguments, env=None, stdin="", **options):
        """Run to the end; return the finished process, with its output."""
        return subprocess.run(
            self.command(*arguments, **options),
            cwd=self.tmp_path,
            env=os.environ | (env or {}),
            input=stdin,
            capture_output=True,
            text=True,
            timeout=120,
        )

    def start(self, *arguments, env=None, **options):
        """Start, and return the running process."""
        return subprocess.Popen(
            self.command(*arguments, **options),
            cwd=self.tmp_path,
            env=os.environ | (env or {}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def session(self, mouse="m1"):
        """Return the newest session."""
        folders = sorted((self.data / mouse).iterdir())
        return Session(folders[-1])

    def wait_for_rows(self, n, mouse="m1"):
        """Wait until a running session has written n rows; return its folder."""
        wait_until(
            lambda: any(len(f.read_text().splitlines()) > n for f in self.data.glob(f"{mouse}/*/VideoTimestamp.txt"))
        )
        return next(self.data.glob(f"{mouse}/*"))


@pytest.fixture
def run(tmp_path):
    return Runner(tmp_path)


def wait_until(condition, timeout_s=60.0):
    """Wait until the condition holds; fail when it never does."""
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def end(process):
    """End a process that a test has started."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    process.wait(20)


def needs(*programs):
    """Skip a test where a program is missing; `make setup` installs them all."""
    missing = [program for program in programs if shutil.which(program) is None]
    return pytest.mark.skipif(bool(missing), reason=f"not installed: {', '.join(missing)}")


@pytest.fixture
def screen():
    """A screen in memory; yields its DISPLAY."""
    with screen_in_memory() as display:
        yield display


class Loudspeaker:
    """A null sink of a sound server of our own, and a recording of what was played on it."""

    def __init__(self, folder, env):
        self.env = env
        self.recording = folder / "played.f32"

    def samples(self):
        """Return what was played, float32 at 48 kHz."""
        data = self.recording.read_bytes()
        return np.frombuffer(data[: len(data) // 4 * 4], np.float32)


@pytest.fixture
def loudspeaker():
    """A real sound server without a sound card."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        env = {"XDG_RUNTIME_DIR": name, "PULSE_SERVER": f"unix:{name}/native", "HOME": name}
        server = subprocess.Popen(
            [
                "pulseaudio", "-n", "--daemonize=no", "--use-pid-file=no", "--exit-idle-time=-1", "--log-level=error",
                "-L", f"module-native-protocol-unix auth-anonymous=1 socket={name}/native",
                "-L", "module-null-sink sink_name=rig rate=48000 channels=1 format=float32le channel_map=mono",
            ],
            env=os.environ | env, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        speaker = Loudspeaker(folder, env)
        wait_until(lambda: subprocess.run(["pactl", "info"], env=os.environ | env, capture_output=True).returncode == 0)
        subprocess.run(["pactl", "set-default-sink", "rig"], env=os.environ | env, check=True)
        with speaker.recording.open("wb") as file:
            recorder = subprocess.Popen(
                ["parec", "-d", "rig.monitor", "--format=float32le", "--rate=48000", "--channels=1",
                 "--latency-msec=2", "--raw"],
                env=os.environ | env, stdout=file, stderr=subprocess.DEVNULL,
            )  # fmt: skip
            time.sleep(2.4)  # an idle null sink has a block of two seconds outstanding; a stream opened earlier stalls
            yield speaker
        end(recorder)
        end(server)


def gpio_env(log, **more):
    """Return the environment in which the real rpi-lgpio drives a chip in memory."""
    folder = str(FAKES / "lgpio_memory")
    env = {"PYTHONPATH": folder, "RPI_LGPIO_REVISION": "c03114", "LGPIO_LOG": str(log)}
    return env | {"TMPDIR": str(Path(log).parent)} | more  # the lock of the pins is there: one rig a test


def read_edges(log):
    """Return [(seconds, gpio, level)] of what the chip in memory saw."""
    lines = Path(log).read_text().splitlines() if Path(log).exists() else []
    return [(float(t), int(gpio), int(level)) for t, gpio, level in (line.split() for line in lines)]
