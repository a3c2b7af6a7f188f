"""A growing HDF5 file that is whole at every moment."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import tables
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rig.errors import LogError
from rig.files.frame_file import PAGE, FrameFile, Header, extended, repair
from support.places import ROOT
from support.waiting import wait_until


def frames(n, shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (n, *shape), dtype=np.uint8)


def read(path):
    with tables.open_file(str(path), mode="r") as f:
        return f.root.raw_images[:]


@pytest.mark.parametrize("shape", [(256, 256, 3), (16, 16, 3), (320, 640, 3), (17, 33, 3), (1, 1, 3)])
def test_reads_back_at_every_step(tmp_path, shape):
    images, path = frames(6, shape), tmp_path / "image_stream.hdf5"
    file = FrameFile(path, Header(shape))
    assert read(path).shape == (0, *shape), "whole from the first moment"
    for n, image in enumerate(images, start=1):
        file.append(image)
        assert len(read(path)) < n, "not counted before it is on disk"
        file.publish()
        np.testing.assert_array_equal(read(path), images[:n])
    file.close()
    file.close()
    np.testing.assert_array_equal(read(path), images)
    assert path.stat().st_size == PAGE + images.nbytes
    assert [p.name for p in tmp_path.iterdir()] == ["image_stream.hdf5"]


def test_other_nodes_can_be_added_afterwards(tmp_path):
    images, path = frames(5, (20, 30, 3)), tmp_path / "s.hdf5"
    file = FrameFile(path, Header((20, 30, 3)))
    for image in images:
        file.append(image)
    file.close()
    with tables.open_file(str(path), "a") as f:
        f.create_table("/", "frames", np.zeros(5, [("number", "i8")]))
    np.testing.assert_array_equal(read(path), images)


def test_header_depends_on_nothing_but_the_frames():
    pages = {Header((20, 30, 3)).page(7)}
    time.sleep(1.1)  # HDF5 may note the time of a change, in whole seconds
    assert {Header((20, 30, 3)).page(7)} == pages


def test_a_layout_that_is_not_known_is_one_sentence(monkeypatch):
    monkeypatch.setattr("rig.files.frame_file.PAGE", 64)  # as if this HDF5 wrote a longer header
    with pytest.raises(LogError, match=r"another way .* install the version of tables that requirements\.txt names"):
        Header((20, 30, 3))


def test_an_extension_that_was_cut_short_is_undone(tmp_path):
    images, path = frames(5, (20, 30, 3)), tmp_path / "s.hdf5"
    file = FrameFile(path, Header((20, 30, 3)))
    for image in images:
        file.append(image)
    file.close()
    before = path.read_bytes()
    with contextlib.suppress(KeyboardInterrupt), extended(path):
        path.write_bytes(b"\0" * 200 + before[200:] + b"half a table")
        raise KeyboardInterrupt
    assert repair(path)
    assert path.read_bytes() == before
    assert not repair(path)
    with extended(path), tables.open_file(str(path), "a") as f:
        f.create_table("/", "frames", np.zeros(5, [("number", "i8")]))
    assert not repair(path)
    np.testing.assert_array_equal(read(path), images)
    assert [p.name for p in tmp_path.iterdir()] == ["s.hdf5"]


def test_the_header_is_on_disk_before_the_file_is_touched(tmp_path, monkeypatch):
    path, synced = tmp_path / "s.hdf5", []
    FrameFile(path, Header((8, 8, 3))).close()
    monkeypatch.setattr("rig.files.frame_file.sync", lambda what: synced.append(what.name))
    with extended(path):
        assert synced == ["s.hdf5.header", tmp_path.name]
    assert synced[2:] == ["s.hdf5", tmp_path.name], "the file before its header goes, and the folder after it"


def test_views_and_wrong_frames(tmp_path):
    file = FrameFile(tmp_path / "s.hdf5", Header((8, 8, 3)))
    big = frames(1, (16, 16, 3))[0]
    file.append(big[::2, ::2])
    with pytest.raises(ValueError, match=r"holds frames \(8, 8, 3\) uint8; this one is \(16, 16, 3\)"):
        file.append(big)
    file.close()
    np.testing.assert_array_equal(read(tmp_path / "s.hdf5"), big[None, ::2, ::2])


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cut=st.integers(0, 600), n=st.integers(1, 4))
def test_torn_between_any_two_writes_it_still_opens(tmp_path, cut, n):
    """The disk may hold the new end of file with the old page, or any older state, but never less than before."""
    images, path, shape = frames(4, (8, 8, 3)), tmp_path / "t.hdf5", (8, 8, 3)
    header = Header(shape)
    old, new = header.page(n - 1), header.page(n)
    states = [old, new[:512] + old[512:], new]
    data = images[:n].tobytes()
    for page in states:
        path.write_bytes(page + data + b"\1" * cut)  # a part of the next frame may lie behind
        kept = read(path)
        assert len(kept) in (n - 1, n)
        np.testing.assert_array_equal(kept, images[: len(kept)])


@pytest.mark.parametrize("delay_ms", [1, 13, 40, 77, 120])
def test_killed_at_any_moment(tmp_path, delay_ms):
    path = tmp_path / "k.hdf5"
    writer = subprocess.Popen([sys.executable, "-m", "tests.support.write_frames", path], cwd=ROOT)
    wait_until(path.exists)
    try:
        writer.wait(delay_ms / 1000)
    except subprocess.TimeoutExpired:
        writer.send_signal(signal.SIGKILL)
    assert writer.wait() == -signal.SIGKILL
    kept = read(path)
    written = (path.stat().st_size - PAGE) // (64 * 64 * 3)
    assert written - len(kept) <= 7, "no more than was not published"
    np.testing.assert_array_equal(kept, np.arange(len(kept))[:, None, None, None] % 251 + np.zeros((1, 64, 64, 3)))


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to mount a small file system")
def test_full_disk_keeps_every_frame_written_before(tmp_path):
    small = tmp_path / "small"
    small.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=300k", "none", str(small)], capture_output=True)
    if mounted.returncode:
        pytest.skip("a small file system cannot be mounted here")
    try:
        file = FrameFile(small / "s.hdf5", Header((64, 64, 3)))
        images = frames(100, (64, 64, 3))
        n = 0
        with pytest.raises(OSError, match="No space left"):  # noqa: PT012 - the frame that does not fit is not known
            for image in images:
                file.append(image)
                n += 1
        file.close()
        np.testing.assert_array_equal(read(small / "s.hdf5"), images[:n])
        assert n > 15
        shutil.copy(small / "s.hdf5", tmp_path / "copy.hdf5")
    finally:
        subprocess.run(["umount", str(small)], check=True)
    np.testing.assert_array_equal(read(tmp_path / "copy.hdf5"), images[:n])
