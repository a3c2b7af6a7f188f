"""Reading a session back: finished, cut short, running, of the original system, and what is no session at all."""

import shutil
import signal
from dataclasses import fields

import h5py
import numpy as np
import pytest
import tables

from rig.errors import SettingsError
from rig.files.frame_file import FrameFile, Header
from rig.files.metadata import ATTRIBUTES
from rig.files.reader import TRIAL, Session, on_the_clock_of_frames, read_session
from rig.files.session_tables import EVENT, FRAME, PULSE
from support.checks import LOGGED
from support.places import SHORT
from support.processes import command
from support.recordings import write_recording
from support.runner import Runner, finished
from support.waiting import end, wait_until

HALF_SILENT = SHORT | {"audio": "0.5", "total_trials": "6"}
PERIOD_S = 1 / 15


@pytest.fixture(scope="module")
def session(tmp_path_factory):
    """A finished session of six trials, three of them silent."""
    run = Runner(tmp_path_factory.mktemp("reader"))
    finished(run(settings=HALF_SILENT))
    return run.session()


def test_columns_are_typed(session):
    assert list(session.columns) == LOGGED
    kinds = {name: column.dtype.kind for name, column in session.columns.items()}
    counts = ("frame", "freq", "reward", "trial", "audio", "lick", "veto")
    assert kinds == dict.fromkeys(LOGGED, "f") | dict.fromkeys(counts, "i") | {"time": "U"}
    assert {len(column) for column in session.columns.values()} == {len(session)}


def test_settings_are_those_of_the_session(session):
    assert (session.settings["roi"], session.settings["total_trials"]) == ("M1_L", "6")


def test_a_finished_session_is_complete(session):
    assert (session.was_cut_short, session.missing) == (False, [])
    assert len(session) == len(session.images) == len(session.frames)


def test_images_are_read_where_they_are_asked_for(session):
    images, n = session.images, len(session)
    assert images.shape == (n, 128, 128, 3)
    everything = images[:]
    assert (everything.shape, everything.dtype) == ((n, 128, 128, 3), np.uint8)
    np.testing.assert_array_equal(images[7], everything[7])
    np.testing.assert_array_equal(images[-1], everything[-1])
    np.testing.assert_array_equal(images[10:20:3], everything[10:20:3])
    assert all((one == other).all() for one, other in zip(images, everything, strict=True))


def test_no_image_is_kept_in_memory(session, tmp_path):
    shutil.copytree(session.folder, tmp_path / "copy")
    copy = read_session(tmp_path / "copy")
    assert copy.images[3].any()
    (tmp_path / "copy" / "image_stream.hdf5").unlink()
    with pytest.raises(SettingsError, match=r"image_stream\.hdf5 cannot be opened as HDF5"):
        copy.images[3]


def test_frames_have_their_times(session):
    assert session.frames.dtype == FRAME
    assert session.frames["number"].tolist() == session.columns["frame"].tolist()
    np.testing.assert_allclose(session.frames["time_s"], session.frames["number"] * PERIOD_S, atol=1e-9)
    np.testing.assert_allclose(session.row_times_s(), session.frames["time_s"], rtol=0, atol=0)
    assert session.frame_period_s() == PERIOD_S


def test_attributes_say_whose_session_it_is_and_how_it_ended(session):
    expected = {"mouse_id": "m1", "session_type": "normal_audio_normal_reward", "ended_by": "finished"}
    assert expected.items() <= session.attributes.items()


def test_versions_and_notes_are_apart(session):
    assert session.versions["version_of_numpy"] == np.__version__
    assert len(session.versions["code_version"]) >= 7
    assert session.notes["tone_underflows"] == 0
    assert ATTRIBUTES | session.versions.keys() | session.notes.keys() == session.attributes.keys()
    assert not session.versions.keys() & session.notes.keys()


def test_events_are_in_order_of_time(session):
    times_s = [event.time_s for event in session.events]
    assert times_s == sorted(times_s)
    assert {"reward", "light", "trigger", "tone", "trial", "lick"} <= {event.device for event in session.events}


def test_events_are_found_by_device_and_detail(session):
    assert [event.value for event in session.of("light", "driven")] == [1, 0]
    assert {event.detail for event in session.of("light")} == {"commanded: on", "driven"}
    assert session.of("light", "nothing of this kind") == session.of("lamp") == []


def test_light_is_on_from_before_the_first_frame_to_after_the_last(session):
    on, off = session.of("light", "driven")
    first_s, last_s = session.frames["time_s"][[0, -1]]
    assert first_s - 5 < on.time_s <= first_s
    assert last_s <= off.time_s < last_s + 5
    assert session.of("light", "commanded")[0].time_s <= on.time_s, "commanded, then driven"


def test_a_reward_falls_between_its_frame_and_the_next(session):
    rewards = session.of("reward", "commanded")
    assert [event.frame for event in rewards] == np.flatnonzero(session.columns["reward"] == 1).tolist()
    after_s = np.array([event.time_s for event in rewards]) - session.frames["time_s"][[e.frame for e in rewards]]
    assert ((after_s >= 0) & (after_s < PERIOD_S)).all(), "on the clock of the frames, however fast the session ran"
    assert after_s.min() < PERIOD_S / 2, "it acts first, then keeps books"


def test_trials_say_what_the_rows_say(session):
    trials, columns, time_s = session.trials, session.columns, session.frames["time_s"]
    assert trials.dtype == TRIAL
    assert trials["number"].tolist() == [1, 2, 3, 4, 5, 6]
    assert set(trials["outcome"]) == {1, -1}
    for trial in trials:
        rows = np.flatnonzero(columns["trial"] == trial["number"])
        assert columns["reward"][rows].tolist() == [0] * (len(rows) - 1) + [trial["outcome"]]
        assert (trial["start_s"], trial["end_s"]) == (time_s[rows[0]], time_s[rows[-1]])
        assert trial["latency_s"] == trial["end_s"] - trial["start_s"]
        assert trial["threshold"] == columns["rew_threshold"][rows[-1]]
        assert trial["tone"] == columns["audio"][rows].any()
    assert trials["tone"].sum() == 3
    failed = trials["outcome"] == -1
    np.testing.assert_allclose(trials["latency_s"][failed], float(session.settings["max_trial_dur"]), atol=1e-9)


def test_trials_begin_and_end_with_their_events(session):
    for trial, began in zip(session.trials, session.of("trial", "start"), strict=True):
        assert trial["start_s"] <= began.time_s < trial["start_s"] + PERIOD_S
    for trial, ended in zip(session.trials, session.of("trial", "end"), strict=True):
        assert trial["end_s"] <= ended.time_s < trial["end_s"] + PERIOD_S


@pytest.mark.parametrize(
    ("monotonic_s", "time_s", "why"),
    [
        (100.0, 5.0, "at a frame"),
        (100.25, 5.5, "between two frames time is interpolated"),
        (101.0, 7.0, "at the last frame"),
        (98.0, 3.0, "before the first one the clocks run alike"),
        (104.0, 10.0, "after the last one, too"),
    ],
)
def test_events_on_the_clock_of_the_frames(monotonic_s, time_s, why):
    frames, events = np.zeros(3, FRAME), np.zeros(1, EVENT)
    frames["captured_s"], frames["time_s"] = (100, 100.5, 101), (5, 6, 7)
    events["time_s"], events["detail"] = monotonic_s, "4,5 µl".encode()
    (event,) = on_the_clock_of_frames(events, frames)
    assert event.time_s == pytest.approx(time_s, abs=1e-12), why
    assert event.detail == "4,5 µl"


def test_text_that_was_cut_in_the_middle_of_a_letter():
    events = np.zeros(1, EVENT)
    events["detail"] = ("a" + "µ" * 60).encode()  # 121 bytes, of which 120 are kept
    (event,) = on_the_clock_of_frames(events, np.zeros(0, FRAME))
    assert event.detail == "a" + "µ" * 59


# Nothing can be earned, so it is known when each trial begins and ends.
NEVER = SHORT | {
    "reward_threshold": "5", "reward_delay": "0.2", "total_trials": "50", "initial_rest_dur": "0.5",
    "max_trial_dur": "1", "fail_rest_dur": "0.5",
}  # fmt: skip


def start_and_wait_for_trial(run, number):
    """Start a session at its own pace; return the process and the folder when a trial has begun."""
    process = run.start(settings=NEVER, fast=False)
    try:
        folder = run.wait_for_rows(10)
        wait_until(lambda: read_session(folder).columns["trial"].max() == number)
    except BaseException:
        end(process)
        process.stdout.close()
        raise
    return process, folder


@pytest.fixture(scope="module")
def killed(tmp_path_factory):
    """The folder of a session that was ended by kill -9 in its third trial."""
    process, folder = start_and_wait_for_trial(Runner(tmp_path_factory.mktemp("killed")), 3)
    process.kill()
    process.communicate(timeout=20)
    return folder


@pytest.fixture
def cut_short(killed, tmp_path):
    """A copy of a session that was cut short, to be changed."""
    return shutil.copytree(killed, tmp_path / killed.name)


def test_a_session_that_was_cut_short_is_read_as_it_is(killed):
    session = read_session(killed)
    assert sorted(path.name for path in killed.glob("*.part")) == ["about.part", "events.part", "frames.part"]
    assert (session.was_cut_short, session.missing) == (True, [])
    assert list(session.columns) == LOGGED
    assert session.columns["frame"].tolist() == list(range(len(session)))
    assert 0 < len(session.images) <= len(session)
    assert session.frames["number"].tolist()[: len(session.images)] == list(range(len(session.images)))
    assert (session.attributes["mouse_id"], session.settings["roi"]) == ("m1", "M1_L")
    assert session.attributes["ended_by"] == "cut short; joined afterwards"


def test_the_trial_in_which_a_session_was_cut_short_has_no_outcome(killed):
    trials = read_session(killed).trials
    assert trials["number"].tolist() == [1, 2, 3]
    assert trials["outcome"].tolist() == [-1, -1, 0]
    np.testing.assert_allclose(trials["latency_s"], [1, 1, np.nan], atol=0.5 * PERIOD_S)
    assert np.isnan(trials["end_s"][2])
    assert trials["threshold"].tolist() == [5, 5, 5]


def test_events_of_a_session_that_was_cut_short_are_on_the_clock_of_its_frames(killed):
    session = read_session(killed)
    for trial, began in zip(session.trials[:2], session.of("trial", "start")[:2], strict=True):
        assert trial["start_s"] <= began.time_s < trial["start_s"] + PERIOD_S


def test_finishing_a_session_changes_nothing_that_was_stored(cut_short):
    before = read_session(cut_short)
    images = before.images[:]
    finished(command("finish", cut_short))
    after = read_session(cut_short)
    assert (after.was_cut_short, after.missing) == (False, [])
    assert {name: column.tolist() for name, column in after.columns.items()} == {
        name: column.tolist() for name, column in before.columns.items()
    }
    np.testing.assert_array_equal(after.images[:], images)
    assert after.frames.tolist() == before.frames[: len(images)].tolist()
    assert [event[1:] for event in after.events] == [event[1:] for event in before.events]
    assert after.attributes == before.attributes


def test_a_row_and_records_that_were_torn_are_left_out(cut_short):
    whole = read_session(cut_short)
    for name, torn in (("VideoTimestamp.txt", b"60\t2026"), ("frames.part", b"\1" * 7), ("events.part", b"\1" * 7)):
        with (cut_short / name).open("ab") as file:
            file.write(torn)
    session = read_session(cut_short)
    assert len(session) == len(whole)
    assert session.frames.tolist() == whole.frames.tolist()
    assert session.events == whole.events


def test_a_running_session_is_read_and_not_disturbed(run):
    process, folder = start_and_wait_for_trial(run, 1)
    try:
        first = read_session(folder)
        run.wait_for_rows(len(first) + 8)
        second = read_session(folder)
        process.send_signal(signal.SIGTERM)
        output, _ = process.communicate(timeout=20)
    finally:
        end(process)
    assert process.returncode == 143, output
    assert (first.was_cut_short, first.missing) == (True, [])
    assert list(first.columns) == LOGGED
    assert first.trials["outcome"].tolist() == [0]
    assert len(second) > len(first)
    assert len(second.images) >= len(first.images)
    last = read_session(folder)
    assert (last.was_cut_short, last.attributes["ended_by"]) == (False, "SIGTERM")
    assert last.columns["time"].tolist()[: len(second)] == second.columns["time"].tolist()


def test_a_file_that_grows_while_its_header_is_read(tmp_path, monkeypatch):
    growing = FrameFile(tmp_path / "image_stream.hdf5", Header((4, 5, 3)))
    growing.append(np.zeros((4, 5, 3), np.uint8))
    growing.publish()
    open_file, opened = h5py.File, []

    def open_and_grow(*arguments, **values):
        opened.append(open_file(*arguments, **values))
        if len(opened) == 1:
            growing.append(np.ones((4, 5, 3), np.uint8))
            growing.publish()
        return opened[-1]

    monkeypatch.setattr("h5py.File", open_and_grow)
    session = read_session(tmp_path)
    assert len(session.images) == 2
    assert session.images[1].all()
    growing.close()
    assert not any(opened), "a closed file is false"


def test_a_single_hdf5_file(session, tmp_path):
    shutil.copy(session.folder / "image_stream.hdf5", tmp_path / "moved.h5")
    moved = read_session(tmp_path / "moved.h5")
    np.testing.assert_array_equal(moved.images[:], session.images[:])
    assert moved.frames.tolist() == session.frames.tolist()
    assert moved.events == session.events
    assert moved.attributes == session.attributes
    assert (moved.settings, moved.columns, len(moved), len(moved.trials)) == ({}, {}, 0, 0)
    assert moved.missing == ["config.ini: the settings", "VideoTimestamp.txt: the rows"]


def test_the_hdf5_file_of_a_session_opens_the_session(session):
    same = read_session(session.folder / "image_stream.hdf5")
    assert same.settings == session.settings
    assert len(same) == len(session)
    assert same.missing == []


def test_frames_under_the_name_that_the_settings_give_them(session, tmp_path):
    folder = shutil.copytree(session.folder, tmp_path / "copy")
    config = folder / "config.ini"
    config.write_text(config.read_text().replace("raw_image_file = image_stream.hdf5", "raw_image_file = frames.h5"))
    (folder / "image_stream.hdf5").rename(folder / "frames.h5")
    renamed = read_session(folder)
    assert renamed.missing == []
    assert renamed.images.path == folder / "frames.h5"
    assert len(renamed.frames) == len(session.frames)


ORIGINAL = """\
frame	time	M1_Ldff	freq	rew_threshold	reward	trial	audio	lick
0	2023-05-04 10:20:30.000100	0.0	0	0.075	0	0	0	0
1	2023-05-04 10:20:30.066800	0.0121	1000	0.075	0	1	1	0
2	2023-05-04 10:20:30.133500	0.0831	19027	0.075	0	1	1	1
3	2023-05-04 10:20:30.200200	-0.004	0	0.075	1	1	0	1
4	2023-05-04 10:20:30.266900	0.001	0	0.077	0	0	0	0
5	2023-05-04 10:20:30.333600	0.001	1189	0.077	0	2	1	0
"""


@pytest.fixture
def original(tmp_path):
    """A session folder as the original CLoPy has left it: growing arrays, no times of frames, no configuration."""
    (tmp_path / "VideoTimestamp.txt").write_text(ORIGINAL)
    with tables.open_file(str(tmp_path / "image_stream.hdf5"), "w") as file:
        array = file.create_earray("/", "raw_images", tables.UInt8Atom(), (0, 4, 5, 3))
        for n in range(6):
            array.append(np.full((1, 4, 5, 3), n, np.uint8))
    return tmp_path


def test_a_session_of_the_original_opens_and_says_what_is_missing(original):
    session = read_session(original)
    assert session.missing == [
        "config.ini: the settings",
        "/frames: the times of the frames",
        "/events: what happened when",
    ]
    assert (session.settings, session.events, session.attributes, len(session.frames)) == ({}, [], {}, 0)
    assert session.was_cut_short is False
    assert session.columns["M1_Ldff"].tolist() == [0.0, 0.0121, 0.0831, -0.004, 0.001, 0.001]
    assert session.columns["freq"].tolist() == [0, 1000, 19027, 0, 0, 1189]
    assert session.columns["time"][3] == "2023-05-04 10:20:30.200200"
    assert session.images.shape == (6, 4, 5, 3)
    assert [int(image.max()) for image in session.images] == [0, 1, 2, 3, 4, 5]


def test_a_signal_of_the_original_has_our_name_too(original):
    columns = read_session(original).columns
    assert columns["roi_dff"].tolist() == columns["M1_Ldff"].tolist()


def test_a_rule_of_the_original_has_our_names_too(tmp_path):
    head = "frame\ttime\tBC_Ldff\tBC_Rdff\tBC_Ldff-BC_Rdff\tfreq\trew_threshold\treward\ttrial\taudio\tlick\n"
    (tmp_path / "VideoTimestamp.txt").write_text(head + "1\tx\t0.3\t0.1\t0.2\t0\t0.1\t0\t0\t0\t0\n")
    columns = read_session(tmp_path).columns
    ours = {"roi_dff": 0.2, "BC_L_dff": 0.3, "BC_R_dff": 0.1}
    assert {name: columns[name][0] for name in ours} == ours


def test_a_session_of_the_original_lies_in_s1(original, tmp_path_factory):
    day = tmp_path_factory.mktemp("20230504102030")
    shutil.copytree(original, day / "S1")
    assert read_session(day).folder == day / "S1"
    assert len(read_session(day).images) == 6


def test_a_paw_session_of_the_original(tmp_path):
    name = "mouse_7_20230504102030"
    columns = "frame\ttime\tcj_speed\tfreq\treward\ttrial\taudio\tlick\tfl_l_x\tfl_l_y\tfl_l_likelihood\n"
    (tmp_path / f"{name}.txt").write_text(columns + "1\tx\t1.5\t1000\t0\t1\t1\t0\t20.5\t30.5\t0.9\n")
    (tmp_path / f"{name}_config.ini").write_text("[configsection]\nconfig = a\n[a]\nframerate = 30\n")
    (tmp_path / f"{name}.mp4").touch()
    session = read_session(tmp_path)
    assert (session.settings, session.images) == ({"framerate": "30"}, None)
    assert session.columns["fl_l_x"].tolist() == [20.5]
    assert session.missing[0] == f"image_stream.hdf5: the frames; there is a movie, {name}.mp4"


def test_trials_of_a_session_of_the_original_have_no_times_without_a_frame_rate(original):
    trials = read_session(original).trials
    assert trials[["number", "outcome", "threshold", "tone"]].tolist() == [(1, 1, 0.075, True), (2, 0, 0.077, True)]
    assert np.isnan(trials["start_s"]).all()


def test_trials_of_a_session_of_the_original_are_timed_by_its_frame_rate(original):
    (original / "config.ini").write_text("[configsection]\nconfig = a\n[a]\nframerate = 15\n")
    session = read_session(original)
    assert session.missing == ["/frames: the times of the frames", "/events: what happened when"]
    np.testing.assert_allclose(session.trials["start_s"], [1 / 15, 5 / 15])
    np.testing.assert_allclose(session.trials["latency_s"], [2 / 15, np.nan])


def test_counts_that_were_written_as_decimals_stay_numbers(original):
    log = original / "VideoTimestamp.txt"
    log.write_text(log.read_text().replace("19027", "19027.3"))
    assert read_session(original).columns["freq"].tolist() == [0, 1000, 19027.3, 0, 0, 1189]


def test_a_speed_threshold_is_the_threshold_of_its_trial(tmp_path):
    columns = "frame\ttime\tcj_speed\tfreq\treward\ttrial\taudio\tlick\tspeed_threshold\ttracked\n"
    rows = "0\tx\t1.5\t1000\t0\t1\t1\t0\t20.0\t1\n1\tx\t21.5\t0\t1\t1\t0\t0\t20.0\t1\n"
    (tmp_path / "VideoTimestamp.txt").write_text(columns + rows)
    session = read_session(tmp_path)
    assert session.trials["threshold"].tolist() == [20.0]
    assert session.columns["tracked"].dtype == np.int64
    assert session.images is None
    assert "image_stream.hdf5: the frames" in session.missing


def test_a_session_without_a_frame_has_typed_columns(tmp_path):
    (tmp_path / "VideoTimestamp.txt").write_text("\t".join(LOGGED) + "\n")
    session = read_session(tmp_path)
    assert (session.columns["frame"].dtype, session.columns["roi_dff"].dtype) == (np.int64, np.float64)
    assert (len(session), len(session.trials)) == (0, 0)


def test_a_table_of_frames_that_has_fewer_fields(tmp_path):
    write_recording(tmp_path, np.zeros((3, 4, 5, 3), np.uint8), numbers=[0, 1, 4])
    session = read_session(tmp_path)
    assert session.frames["number"].tolist() == [0, 1, 4]
    assert session.frames["age_s"].tolist() == [0, 0, 0]
    assert session.missing == [
        "config.ini: the settings",
        "VideoTimestamp.txt: the rows",
        "/events: what happened when",
    ]


@pytest.mark.parametrize("what", ["", "nowhere"])
def test_a_place_without_a_session_is_one_sentence(tmp_path, what):
    with pytest.raises(SettingsError) as caught:
        read_session(tmp_path / what)
    expected = f"{tmp_path / what}: there is no session here, neither VideoTimestamp.txt nor image_stream.hdf5"
    assert str(caught.value) == expected


def write_text(path):
    path.write_text("frames, honestly\n")


def write_half(path):
    with tables.open_file(str(path), "w") as file:
        file.create_array("/", "raw_images", np.zeros((9, 4, 5, 3), np.uint8))
    path.write_bytes(path.read_bytes()[:700])


def write_nothing(path):
    tables.open_file(str(path), "w").close()


def write_flat(path):
    with tables.open_file(str(path), "w") as file:
        file.create_array("/", "raw_images", np.zeros((3, 4)))


def write_group(path):
    with tables.open_file(str(path), "w") as file:
        file.create_group("/", "raw_images")


@pytest.mark.parametrize(
    ("write", "fragment"),
    [
        (write_text, "cannot be opened as HDF5"),
        (write_half, "cannot be opened as HDF5"),
        (write_nothing, "has no /raw_images"),
        (write_group, "has no /raw_images"),
        (write_flat, "has the shape (3, 4) and the type float64; needed are (n, height, width, 3) and uint8"),
    ],
)
@pytest.mark.parametrize("name", ["image_stream.hdf5", ""], ids=["file", "folder"])
def test_a_file_that_holds_no_frames_is_one_line(tmp_path, write, fragment, name):
    write(tmp_path / "image_stream.hdf5")
    with pytest.raises(SettingsError) as caught:
        read_session(tmp_path / name)
    (line,) = str(caught.value).splitlines()
    assert str(tmp_path / "image_stream.hdf5") in line
    assert fragment in line
    assert "back trace" not in line
    assert "H5F" not in line


def test_a_session_says_what_it_is_made_of():
    """The names that analyses rely on."""
    names = ["folder", "settings", "columns", "images", "frames", "events", "attributes", "was_cut_short", "missing"]
    assert [field.name for field in fields(Session)] == [*names, "sync"]
    assert PULSE.names == ("line", "value", "rose_s", "fell_s")
    assert TRIAL.names == ("number", "start_s", "end_s", "outcome", "latency_s", "threshold", "tone")
