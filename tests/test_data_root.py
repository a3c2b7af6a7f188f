"""Where sessions are stored: file systems that cannot hold them, and folders that go away."""

import shlex
import shutil
import subprocess
import time

import pytest

from rig.disk import LARGEST_OF_FAT32, file_system, largest_file
from rig.errors import SettingsError
from rig.files.reader import read_session
from rig.files.space import check_data_root, check_file_size, check_place, most_bytes_of_files
from support.places import SHORT
from support.processes import command
from support.runner import finished, frames_of
from support.waiting import end


@pytest.fixture
def mounted(tmp_path, monkeypatch):
    """Let the system say that these file systems are mounted; yields a folder below which they may be."""

    def mount(*lines):
        mounts = tmp_path / "mounts"
        text = "".join(f"source {point} {kind} rw,relatime 0 0\n" for point, kind in [("/", "ext4"), *lines])
        mounts.write_text(text.replace("with blank", "with\\040blank"))
        monkeypatch.setattr("rig.disk.file_system.__defaults__", (mounts,))
        monkeypatch.setattr("rig.disk.largest_file.__defaults__", (mounts,))

    return mount


def test_the_file_system_of_this_computer_is_found(tmp_path):
    assert file_system(tmp_path) not in ("", "proc")
    assert file_system("/proc/self") == "proc"


@pytest.mark.parametrize(
    ("path", "kind", "why"),
    [
        ("/home/lab", "ext4", "the root"),
        ("/mnt/nas", "nfs4", "itself"),
        ("/mnt/nas/deep/er", "nfs4", "below"),
        ("/mnt/nas2", "ext4", "another name"),
        ("/mnt/nas/usb", "vfat", "the nearer one"),
        ("/mnt/twice/x", "cifs", "of two at one place the later one is on top"),
        ("/mnt/with blank/x", "fuse.sshfs", "a name with a blank"),
        ("/mnt/ümlaut/x", "9p", "a name that is not ASCII"),
    ],
)
def test_the_file_system_of_a_path(mounted, path, kind, why):
    mounted(
        ("/mnt/nas", "nfs4"), ("/mnt/nas/usb", "vfat"), ("/mnt/twice", "ext4"), ("/mnt/twice", "cifs"),
        ("/mnt/with blank", "fuse.sshfs"), ("/mnt/ümlaut", "9p"),
    )  # fmt: skip
    assert file_system(path) == kind, why


@pytest.mark.parametrize("kind", ["nfs", "nfs4", "cifs", "smb3", "fuse.sshfs", "9p"])
def test_a_network_file_system_is_refused_unless_it_is_asked_for(settings, tmp_path, mounted, kind):
    mounted((tmp_path, kind))
    with pytest.raises(SettingsError, match=rf"this is a network file system \({kind}\).* set network_data_root = 1"):
        check_data_root(settings())
    check_data_root(settings(network_data_root=1))


def test_a_link_to_a_network_file_system_is_seen(settings, tmp_path, mounted):
    (tmp_path / "share").mkdir()
    (tmp_path / "data").symlink_to(tmp_path / "share")
    mounted((tmp_path / "share", "nfs4"))
    with pytest.raises(SettingsError, match="network file system"):
        check_place(settings())


def test_a_local_file_system_is_taken(settings, tmp_path, mounted):
    mounted((tmp_path, "btrfs"))
    check_place(settings())


def test_fat32_is_named(settings, tmp_path, mounted):
    mounted((tmp_path, "vfat"))
    check_data_root(settings(total_trials=1))
    long = settings(total_trials=1000)
    assert max(most_bytes_of_files(long).values()) > LARGEST_OF_FAT32
    with pytest.raises(SettingsError, match=r"image_stream\.hdf5 may need .* GB, and FAT32.* allows 4\.29 GB"):
        check_file_size(long)


def test_the_smaller_limit_counts(tmp_path, mounted, monkeypatch):
    assert largest_file(tmp_path) == (float("inf"), "")
    mounted((tmp_path, "vfat"))
    assert largest_file(tmp_path)[0] == LARGEST_OF_FAT32
    monkeypatch.setattr("resource.getrlimit", lambda _: (10_000, 20_000))
    assert largest_file(tmp_path) == (10_000, "the file-size limit of this shell (ulimit -f)")


def test_check_fails_on_a_file_size_limit(run):
    words = run.command("--check", settings=SHORT | {"framerate": "30"}, mouse=None, seed=None, fast=False)
    limited = ["bash", "-c", f"ulimit -f 70000; exec {' '.join(shlex.quote(word) for word in words)}"]
    done = subprocess.run(limited, cwd=run.tmp_path, capture_output=True, text=True, timeout=100)
    assert done.returncode == 1, done.stdout
    assert "the file-size limit of this shell (ulimit -f) allows 0.07 GB" in done.stdout


# Folders that go away


def gone_while_running(run, change):
    """Change the folder of a running session; return its folder, the output, and how long the session went on, s."""
    process = run.start(settings=SHORT | {"initial_rest_dur": "60", "framerate": "30"}, fast=False)
    try:
        folder = run.wait_for_rows(20)
        change(folder)
        began_s = time.monotonic()
        output, _ = process.communicate(timeout=30)
        took_s = time.monotonic() - began_s
    finally:
        end(process)
    assert process.returncode == 1, output
    assert "Traceback" not in output
    assert f"the folder {folder} was deleted or renamed while the session ran; the session ends" in output
    return folder, output, took_s


def test_a_folder_that_is_deleted_ends_the_session(run):
    _, output, took_s = gone_while_running(run, lambda folder: shutil.rmtree(folder, ignore_errors=True))
    assert "its frames are gone" in output
    assert "safe" not in output
    assert took_s < 4, "noticed within a second, and the devices are closed"


def test_a_file_of_frames_that_is_deleted_ends_the_session(run):
    _, output, _ = gone_while_running(run, lambda folder: (folder / "image_stream.hdf5").unlink())
    assert "its frames are gone" in output


def test_a_folder_that_is_renamed_ends_the_session_and_can_be_finished(run):
    moved = run.tmp_path / "moved"
    _, output, took_s = gone_while_running(run, lambda folder: folder.rename(moved))
    assert f"frames are safe in {moved}; everything is kept" in output
    assert f"python -m rig.commands.finish {moved}" in output
    assert took_s < 4
    finished(command("finish", moved))
    session = read_session(moved)
    assert len(frames_of(session) - {len(session)}) <= 1
    assert len(session.images) == len(session.frames) >= 15


def test_a_folder_that_another_took_the_name_of_ends_the_session(run):
    def swap(folder):
        folder.rename(run.tmp_path / "moved")
        folder.mkdir()

    folder, _, _ = gone_while_running(run, swap)
    assert list(folder.iterdir()) == [], "nothing is written into the other one"


def test_the_folder_of_the_mouse_that_is_renamed_ends_the_session(run):
    _, output, _ = gone_while_running(run, lambda folder: folder.parent.rename(run.tmp_path / "mouse"))
    assert f"frames are safe in {run.tmp_path / 'mouse'}" in output
