"""The lock of the pins: in a fixed place, never opened through a link, one rig at a time."""

import os
import stat

import pytest

from rig.devices import pin_lock
from rig.devices.pin_lock import PinLock, lock_folder
from rig.errors import OutputError


@pytest.fixture
def lock(tmp_path, monkeypatch):
    """Where the lock will lie."""
    folder = tmp_path / "lock"
    folder.mkdir()
    monkeypatch.setenv("CLOPY_LOCK_DIR", str(folder))
    return folder / "clopy_pins.lock"


def test_it_lies_in_a_fixed_place(tmp_path, monkeypatch):
    monkeypatch.delenv("CLOPY_LOCK_DIR", raising=False)
    first, second = tmp_path / "run", tmp_path / "var"
    monkeypatch.setattr(pin_lock, "LOCK_FOLDERS", (first, second))
    with pytest.raises(OutputError, match=f"neither {first} nor {second}"):
        lock_folder()
    second.mkdir()
    assert lock_folder() == second
    first.mkdir()
    assert lock_folder() == first
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    assert lock_folder() == first, "whatever TMPDIR says"


def test_the_place_is_that_of_the_system():
    assert [str(folder) for folder in pin_lock.LOCK_FOLDERS] == ["/run/lock", "/var/lock"]


def test_the_second_is_told_who_is_first(lock):
    first = PinLock()
    with pytest.raises(OutputError, match=f"the output pins are held by process {os.getpid()} since "):
        PinLock()
    first.close()
    PinLock().close()


def test_all_users_can_take_it(lock):
    old = os.umask(0o077)
    try:
        PinLock().close()
    finally:
        os.umask(old)
    assert stat.S_IMODE(lock.stat().st_mode) == 0o666


@pytest.mark.parametrize("kind", ["link", "link to nothing", "hard link", "pipe", "folder"])
def test_what_is_not_a_plain_file_is_refused_and_stays_as_it_is(lock, tmp_path, kind):
    precious = tmp_path / "precious"
    precious.write_text("data of a lab")
    if kind == "link":
        lock.symlink_to(precious)
    elif kind == "link to nothing":
        lock.symlink_to(tmp_path / "new")
    elif kind == "hard link":
        os.link(precious, lock)
    elif kind == "pipe":
        os.mkfifo(lock)
    else:
        lock.mkdir()
    with pytest.raises(OutputError, match="cannot be taken"):
        PinLock()
    assert precious.read_text() == "data of a lab"
    assert not (tmp_path / "new").exists()


def test_words_that_are_not_utf8_do_not_keep_it_from_being_taken(lock, monkeypatch):
    monkeypatch.setattr("sys.argv", ["script", "\udcff"])
    PinLock().close()
    assert lock.read_text().endswith("script ?\n")
