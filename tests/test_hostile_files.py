"""Files of somebody who means harm: nothing in them is run, and nothing outside is touched."""

import json

import h5py
import numpy as np
import pytest
import tables

from rig.errors import SettingsError
from rig.files.hdf5 import is_pickle
from rig.files.reader import read_session, refuse_foreign_file
from rig.files.session_tables import ABOUT
from support.hostile import plant, write_text_attribute
from support.places import SHORT
from support.processes import command
from support.recordings import write_recording
from support.runner import finished

NAMES = ("TITLE", "CLASS", "VERSION", "FILTERS", "FIELD_0_FILL", "PYTABLES_FORMAT_VERSION", "mouse_id")
NODES = ("/", "/raw_images", "/frames")
FLICKER = np.arange(60, dtype=np.uint8)[:, None, None, None] * np.ones((1, 128, 128, 3), np.uint8)


@pytest.fixture
def marker(tmp_path):
    return tmp_path / "code_was_run"


@pytest.fixture
def stream(tmp_path):
    write_recording(tmp_path, FLICKER)
    return tmp_path / "image_stream.hdf5"


def test_the_trap_works(stream, marker):
    """PyTables does run it: else the tests below would show nothing."""
    plant(stream, "/", "TITLE", marker)
    tables.open_file(str(stream)).close()
    assert marker.exists()


@pytest.mark.parametrize("node", NODES)
@pytest.mark.parametrize("name", NAMES)
def test_a_harmful_attribute_is_a_sentence_and_is_not_run(stream, marker, node, name):
    plant(stream, node, name, marker)
    with pytest.raises(SettingsError) as caught:
        read_session(stream.parent)
    assert not marker.exists()
    (line,) = str(caught.value).splitlines()
    assert str(stream) in line
    assert f"the attribute {name!r} of {node} holds a Python object" in line


@pytest.mark.parametrize("fixed", [True, False], ids=["fixed length", "variable length"])
@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_however_it_is_written(stream, marker, protocol, fixed):
    if protocol and not fixed:
        pytest.skip("text of variable length ends at the first NUL, which such a pickle has")
    plant(stream, "/", "note", marker, protocol, fixed)
    with pytest.raises(SettingsError, match="holds a Python object"):
        read_session(stream)
    assert not marker.exists()


def test_in_a_group_that_nobody_reads(stream, marker):
    with h5py.File(stream, "a") as file:
        file.create_group("deep/down")
    plant(stream, "/deep/down", "TITLE", marker)
    with pytest.raises(SettingsError, match="'TITLE' of /deep/down"):
        read_session(stream)


def test_a_replay_is_refused(run, stream, marker):
    plant(stream, "/raw_images", "TITLE", marker)
    done = run(settings=SHORT | {"vid_source": "VideoStream", "vid_root": str(stream.parent)})
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert "holds a Python object" in done.stderr
    assert not marker.exists()


@pytest.mark.parametrize(
    ("data", "expected", "why"),
    [
        (b"cos\nmkdir\n(S'x'\ntR.", True, "names what is to be run in lines"),
        (b"\x80\x04\x8c\x02os\x8c\x05mkdir\x93.", True, "names it in bytes that are not ASCII"),
        (b"cos\nmkdir\n(S'x'\ntR.\0\0", True, "filled up with NULs"),
        (b"frames of the camera (n, height, width, 3) BGR", False, "a title"),
        (b"The end.", False, "a sentence"),
        (b"2.1", False, "a version"),
        (b"two\nlines", False, "is not unpickled: no full stop at its end"),
    ],
)
def test_what_may_be_a_pickle(data, expected, why):
    assert is_pickle(data) is expected, why


def test_attributes_that_are_plain_are_read(stream):
    with h5py.File(stream, "a") as file:
        file.attrs["mouse_id"] = "m1"
        file.attrs["troubles"] = "it lasted for 3 s, 4 µl.\nTwo lines."
        file.attrs["n"], file.attrs["share"], file.attrs["empty"] = 3, 0.5, h5py.Empty("S1")
        file.attrs["list"] = [1, 2]
        write_text_attribute(file, "old", b"written in ASCII.")
    expected = {"mouse_id": "m1", "troubles": "it lasted for 3 s, 4 µl.\nTwo lines.", "n": 3, "share": 0.5, "empty": ""}
    assert read_session(stream).attributes == expected | {"old": "written in ASCII."}


def test_a_link_to_another_file_is_not_followed(tmp_path):
    with h5py.File(tmp_path / "secret.h5", "w") as file:
        file["raw_images"] = FLICKER
    with h5py.File(tmp_path / "image_stream.hdf5", "w") as file:
        file["raw_images"] = h5py.ExternalLink("secret.h5", "/raw_images")
    with pytest.raises(SettingsError, match="has no /raw_images"):
        read_session(tmp_path)


def test_our_own_sessions_hold_only_text_and_numbers(run):
    finished(run(settings=SHORT | {"total_trials": "1", "initial_rest_dur": "2", "max_trial_dur": "1"}))
    session = run.session()
    with h5py.File(session.images.path) as file:
        kinds = {name: file.attrs[name].dtype.kind if hasattr(file.attrs[name], "dtype") else type(file.attrs[name])
                 for name in file.attrs}  # fmt: skip
    assert set(kinds.values()) <= {str, "i", "f", "S"}, kinds
    assert session.attributes["ended_by"] == "finished"


def test_a_session_that_is_to_be_finished_is_not_run(run, cut_short, marker):
    plant(cut_short / "image_stream.hdf5", "/", "TITLE", marker)
    by_hand = command("finish", cut_short)
    assert by_hand.returncode == 2
    assert "holds a Python object" in by_hand.stderr
    assert len(by_hand.stderr.splitlines()) == 1
    done = finished(run(settings=SHORT | {"total_trials": "1", "initial_rest_dur": "2"}))
    assert "its files cannot be finished" in done.stdout
    assert "holds a Python object" in done.stdout.replace("\n", " ")
    assert not marker.exists()


def test_an_honest_one_is_finished(cut_short):
    finished(command("finish", cut_short))
    assert read_session(cut_short).was_cut_short is False


def test_a_session_does_not_name_a_file_elsewhere(cut_short, tmp_path):
    about = json.loads((cut_short / ABOUT).read_text())
    (cut_short / ABOUT).write_text(json.dumps(about | {"stream": "../../other.hdf5"}))
    with pytest.raises(SettingsError, match=r"names the file \.\./\.\./other\.hdf5, which is not in this folder"):
        refuse_foreign_file(cut_short)
