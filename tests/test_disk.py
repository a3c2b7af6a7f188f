"""Writing so that a file is whole at every moment."""

import errno
import os
import subprocess

import pytest

from rig.disk import append_rows, append_whole, replace_file

NO_SPACE = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 64 kB."""
    if os.geteuid() != 0:
        pytest.skip("needs root to mount a small file system")
    folder = tmp_path / "small"
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", str(folder)], capture_output=True).returncode:
        pytest.skip("a small file system cannot be mounted here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def fill(folder, but_for=0):
    """Fill a small disk to the last byte but for some."""
    free = os.statvfs(folder).f_bavail * os.statvfs(folder).f_frsize
    (folder / "ballast").write_bytes(b"x" * (free - but_for))


class ShortWrites:
    """An os.write that takes only some bytes at a time: how many of each call, and then no space is left."""

    def __init__(self, *sizes):
        self.sizes = list(sizes)
        self._write = os.write

    def __call__(self, fd, data):
        if not self.sizes:
            raise NO_SPACE
        return self._write(fd, data[: self.sizes.pop(0)])


@pytest.fixture
def file(tmp_path):
    """An open file that holds "before"; yields its path and descriptor."""
    path = tmp_path / "file"
    path.write_bytes(b"before")
    fd = os.open(path, os.O_RDWR | os.O_APPEND)
    yield path, fd
    os.close(fd)


def test_all_bytes_are_appended(file):
    path, fd = file
    append_whole(fd, b", after")
    assert path.read_bytes() == b"before, after"


def test_what_a_short_write_has_left_is_written_by_a_second_one(file, monkeypatch):
    path, fd = file
    monkeypatch.setattr("os.write", ShortWrites(3, 100))
    append_whole(fd, b", after")
    assert path.read_bytes() == b"before, after"


@pytest.mark.parametrize(
    ("sizes", "why"),
    [
        ((), "nothing could be written"),
        ((3,), "the first write was short, the second failed"),
        ((3, 2), "the second write was short, too"),
        ((0, 0), "no byte was taken"),
    ],
)
def test_bytes_that_do_not_fit_leave_the_file_as_it_was(file, monkeypatch, sizes, why):
    path, fd = file
    monkeypatch.setattr("os.write", ShortWrites(*sizes))
    with pytest.raises(OSError, match="No space left"):
        append_whole(fd, b", after")
    assert path.read_bytes() == b"before", why


def test_a_full_disk_leaves_the_file_as_it_was(small_disk):
    path, rows = small_disk / "rows", []
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND)
    try:
        fill(small_disk, but_for=8192)
        with pytest.raises(OSError, match="No space left"):  # noqa: PT012 - the row that does not fit is not known
            for n in range(10_000):
                append_whole(fd, f"{n:8} row\n".encode())
                rows.append(n)
        assert [int(line.split()[0]) for line in path.read_text().splitlines()] == rows
        assert path.read_bytes().endswith(b"row\n")
        (small_disk / "ballast").unlink()
        append_whole(fd, b"again\n")
    finally:
        os.close(fd)
    assert len(rows) > 300
    assert path.read_text().endswith("row\nagain\n")


def test_a_new_file_of_rows_gets_its_header(tmp_path):
    path = tmp_path / "rows.csv"
    append_rows(path, "a,b", ["1,2\n", "3,4\n"])
    append_rows(path, "a,b", ["5,6\n"])
    assert path.read_text() == "a,b\n1,2\n3,4\n5,6\n"


def test_an_empty_file_of_rows_gets_its_header(tmp_path):
    path = tmp_path / "rows.csv"
    path.touch()
    append_rows(path, "a,b", ["1,2\n"])
    assert path.read_text() == "a,b\n1,2\n"


def test_rows_are_appended_whole_also_behind_a_torn_one(tmp_path):
    path = tmp_path / "rows.csv"
    append_rows(path, "a,b", ["1,2\n"])
    path.write_bytes(path.read_bytes() + b"3,")  # a power cut
    append_rows(path, "a,b", ["5,6\n", "7,8\n"])
    assert path.read_text() == "a,b\n1,2\n3,\n5,6\n7,8\n"


def test_rows_that_cannot_be_synced_are_taken_back(tmp_path, monkeypatch):
    path = tmp_path / "rows.csv"
    append_rows(path, "a,b", ["1,2\n"])

    def fails(_):
        raise NO_SPACE

    monkeypatch.setattr("os.fsync", fails)
    with pytest.raises(OSError, match="No space left"):
        append_rows(path, "a,b", ["9,9\n"])
    assert path.read_text() == "a,b\n1,2\n", "all or nothing"


def test_rows_that_do_not_fit_are_taken_back(tmp_path, monkeypatch):
    path = tmp_path / "rows.csv"
    append_rows(path, "a,b", ["1,2\n"])
    monkeypatch.setattr("os.write", ShortWrites(5))
    with pytest.raises(OSError, match="No space left"):
        append_rows(path, "a,b", ["3,4\n", "5,6\n"])
    assert path.read_text() == "a,b\n1,2\n", "all or nothing"


def test_rows_of_several_programs_come_one_after_the_other(tmp_path):
    """Each opens the file for its rows only: nobody writes at a place where another has written already."""
    path = tmp_path / "rows.csv"
    append_rows(path, "a,b", ["1,2\n"])
    with path.open("a") as other:
        append_rows(path, "a,b", ["3,4\n"])
        other.write("5,6\n")
    assert path.read_text() == "a,b\n1,2\n3,4\n5,6\n"


def test_a_file_is_replaced(tmp_path):
    path = tmp_path / "file"
    replace_file(path, b"first")
    replace_file(path, b"second")
    assert path.read_bytes() == b"second"
    assert [each.name for each in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o666, 0o444])
def test_a_file_that_is_replaced_keeps_its_mode(tmp_path, mode):
    path = tmp_path / "file"
    path.write_bytes(b"old")
    path.chmod(mode)
    replace_file(path, b"new")
    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (b"new", mode)


@pytest.mark.parametrize("step", ["os.fsync", "os.replace", "shutil.copymode"])
def test_a_file_whose_replacement_fails_is_the_old_one(tmp_path, monkeypatch, step):
    path = tmp_path / "file"
    path.write_bytes(b"old")

    def fails(*_):
        raise NO_SPACE

    monkeypatch.setattr(step, fails)
    with pytest.raises(OSError, match="No space left"):
        replace_file(path, b"new")
    assert path.read_bytes() == b"old"
    assert [each.name for each in tmp_path.iterdir()] == ["file"], "nothing is left next to it"


def test_a_file_is_synced_before_it_takes_the_name_of_the_old_one(tmp_path, monkeypatch):
    """After a power cut there is the old file or the new one, never an empty one."""
    path, steps = tmp_path / "file", []
    path.write_bytes(b"old")
    fsync, replace = os.fsync, os.replace

    def noted_fsync(fd):
        steps.append(("sync", os.readlink(f"/proc/self/fd/{fd}")))
        fsync(fd)

    def noted_replace(source, target):
        steps.append(("replace", str(source)))
        replace(source, target)

    monkeypatch.setattr("os.fsync", noted_fsync)
    monkeypatch.setattr("os.replace", noted_replace)
    replace_file(path, b"new")
    assert steps[:2] == [("sync", steps[1][1]), ("replace", steps[1][1])]
    assert steps[1][1] != str(path)


def test_a_full_disk_leaves_the_old_file_and_nothing_next_to_it(small_disk):
    path = small_disk / "config.ini"
    path.write_bytes(b"old")
    fill(small_disk)
    with pytest.raises(OSError, match="No space left"):
        replace_file(path, b"new" * 10_000)
    assert path.read_bytes() == b"old"
    assert sorted(each.name for each in small_disk.iterdir()) == ["ballast", "config.ini"]
