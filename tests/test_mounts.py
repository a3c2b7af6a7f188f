"""A disk that is not mounted: its folder is not made on the disk of the system.  And the way that windows take."""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from rig.errors import SettingsError
from rig.files.space import check_data_root, unmounted
from rig.preflight import Preflight, check_disk
from rig.screen.window import use_x11
from support.places import ROOT


@pytest.fixture
def mount(tmp_path):
    """A folder in which disks are mounted."""
    path = tmp_path / "media"
    path.mkdir()
    return path


def test_a_folder_elsewhere_is_fine(tmp_path, mount):
    assert unmounted(tmp_path / "data", [mount]) == ""
    assert unmounted(tmp_path / "media2" / "data", [mount]) == "", "only its name begins the same"


@pytest.mark.parametrize("made", ["", "anna", "anna/DISK", "anna/DISK/clopy"])
def test_without_a_disk_there_is_no_place(mount, made):
    """Also where the folder is there: left behind by a mount, or made by hand on the disk of the system."""
    (mount / made).mkdir(parents=True, exist_ok=True)
    said = unmounted(mount / "anna" / "DISK" / "clopy", [mount])
    assert said == f"no disk is mounted there, below {mount}; connect and mount it, or name a folder elsewhere"


def test_not_even_the_place_for_mounts_is_there(tmp_path):
    assert unmounted(tmp_path / "mnt" / "disk", [tmp_path / "mnt"]) != ""


def test_a_disk_that_is_mounted_is_fine(mount):
    other = Path("/dev/shm")
    if not other.is_dir() or other.stat().st_dev == mount.stat().st_dev:
        pytest.skip("there is no second file system here")
    with tempfile.TemporaryDirectory(dir=other) as folder:
        (mount / "DISK").symlink_to(folder)
        assert unmounted(mount / "DISK" / "clopy", [mount]) == ""


def test_a_disk_that_is_mounted_on_the_place_itself_is_fine():
    assert unmounted(Path("/proc/clopy"), [Path("/proc")]) == ""


def test_dots_do_not_hide_it(tmp_path, mount):
    assert unmounted(tmp_path / "x" / ".." / "media" / "DISK", [mount]) != ""
    assert unmounted(mount / ".." / "data", [mount]) == ""


def test_session_and_check_refuse_it(settings, tmp_path):
    place = Path("/mnt/no_such_disk_of_clopy/data")
    if os.path.ismount("/mnt"):
        pytest.skip("a disk is mounted on /mnt")
    chosen = settings(data_root=place)
    with pytest.raises(SettingsError, match=rf"^data_root = {place}: no disk is mounted there, below /mnt; connect"):
        check_data_root(chosen)
    flight = Preflight()
    check_disk(flight, chosen)
    assert flight.findings == [], "the disk of the system is not measured"
    assert not place.parent.exists()


def test_check_says_that_no_disk_is_mounted(run):
    if os.path.ismount("/mnt"):
        pytest.skip("a disk is mounted on /mnt")
    done = run("--check", "--data-root", "/mnt/no_such_disk_of_clopy/data", fast=False, mouse=None, seed=None)
    assert done.returncode == 1
    assert "no disk is mounted there, below /mnt" in done.stdout
    assert "NOT READY" in done.stdout


@pytest.mark.parametrize(("was", "then"), [(None, "xcb"), ("wayland", "xcb"), ("wayland;xcb", "wayland;xcb")])
def test_windows_take_the_way_that_the_wheel_brings(monkeypatch, was, then):
    if was is None:
        monkeypatch.delenv("QT_QPA_PLATFORM", raising=False)
    else:
        monkeypatch.setenv("QT_QPA_PLATFORM", was)
    use_x11()
    assert os.environ["QT_QPA_PLATFORM"] == then


@pytest.mark.skipif(shutil.which("Xvfb") is None, reason="Xvfb is not installed")
def test_a_window_opens_on_a_desktop_that_asks_for_wayland(screen):
    code = (
        "import cv2; from pathlib import Path; from rig.screen.window import Window; "
        "from rig.settings.loading import load; from rig.settings.one_roi import OneRoiSettings as S; "
        "Window(load(S, Path('config.ini'), S.section, {})[0], None).close(); print('opened')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=os.environ | {"DISPLAY": screen, "QT_QPA_PLATFORM": "wayland"},
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.stdout == "opened\n", done.stderr
