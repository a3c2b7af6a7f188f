"""Sessions as NWB files: what is in them, what nwbinspector says, and what becomes of sessions that lack something."""

import re
import shutil
import subprocess
import sys
from datetime import date, timedelta

import cv2
import h5py
import numpy as np
import pytest

pytest.importorskip("pynwb", reason="'make setup-analysis' installs what exports need")
pytest.importorskip("nwbinspector", reason="'make setup-analysis' installs what exports need")

from nwbinspector import inspect_nwbfile, load_config
from pynwb import NWBHDF5IO

from analysis.export_session import FORMATS, Wanted, export_session, writer_of
from analysis.exports import nwb_frames
from analysis.exports.nwb_source import in_name
from rig.devices.calibration import fit, save_calibration
from rig.errors import RigError
from rig.files.reader import read_session
from rig.files.session_tables import PULSE
from support.places import ROOT
from support.runner import finished
from support.sessions import KINDS, recorded

__all__ = ["recorded"]

LAB = """
[lab]
experimenter = Doe, Jane; Roe, Max
institution = University of Somewhere
rig = rig 2
indicator = GCaMP6s
green_excitation_nm = 470
green_emission_nm = 525
blue_excitation_nm = 440
blue_emission_nm = 450
camera_model = Model A
camera_manufacturer = Maker
"""
MOUSE = "[subject]\nsex = F\ndate_of_birth = 2025-01-31\nstrain = C57BL/6\ngroup = trained\n"
NWB = Wanted("nwb")
ENDS = {"1roi": "behavior+ophys", "2roi": "behavior+ophys", "clmf": "behavior+image"}


@pytest.fixture
def copy(recorded, tmp_path):
    """Return a copy of a session that says all that an archive needs; its mouse is called m_1."""

    def make(kind="1roi", *arguments, complete=True, mouse="m_1", **settings):
        folder = shutil.copytree(recorded(kind, *arguments, **settings), tmp_path / "data" / mouse / "20260101000000")
        prepare(folder, kind, complete, mouse)
        return folder

    return make


@pytest.fixture
def export(tmp_path):
    """Run analysis/export.py as a user does."""

    def run(*arguments):
        command = [sys.executable, "-W", "error", ROOT / "analysis" / "export.py", "--to", "nwb", *map(str, arguments)]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=240)

    return run


@pytest.fixture(scope="module")
def ready(recorded, tmp_path_factory):
    """Export a session of an experiment, once; return its folder, and the file in a folder for DANDI."""
    known = {}

    def make(kind):
        if kind not in known:
            root = tmp_path_factory.mktemp(f"ready_{kind}")
            folder = shutil.copytree(recorded(kind), root / "data" / "m_1" / "20260101000000")
            prepare(folder, kind)
            known[kind] = folder, *exported(folder, out=root / "out")
        return known[kind]

    return make


@pytest.fixture
def uninspected(monkeypatch):
    """Let no export be inspected: that takes longest, and other tests do it."""
    monkeypatch.setattr("analysis.exports.nwb.inspect", lambda _path: [])


def prepare(folder, kind, complete=True, mouse="m_1"):
    """Make a session one of a mouse, which says all that an archive needs, if it is complete."""
    if kind == "clmf":
        add_movie(folder)
    if complete:
        complete_it(folder)
    change_attributes(folder, mouse_id=mouse)


def complete_it(folder):
    """Let a session say all that an archive needs."""
    with (folder / "config.ini").open("a") as file:
        file.write(LAB)
    (folder / "subject.ini").write_text(MOUSE + "[weights]\n" + f"{began(folder)} = 24.5\n")


def began(folder):
    """Return the day of a session."""
    return date.fromisoformat(str(read_session(folder).columns["time"][0])[:10])


def change_attributes(folder, **values):
    """Change what the HDF5 file says about a session; None removes it."""
    with h5py.File(folder / "image_stream.hdf5", "a") as file:
        for name, value in values.items():
            if value is None:
                del file.attrs[name]
            else:
                file.attrs[name] = value


def change_times(folder, change):
    """Change the times of the frames by a function."""
    with h5py.File(folder / "image_stream.hdf5", "a") as file:
        frames = file["frames"][:]
        frames["time_s"] = change(frames["time_s"])
        file["frames"][...] = frames


def add_events(folder, *events):
    """Let more have happened in a session: (device, value, detail) on each of its first frames."""
    with h5py.File(folder / "image_stream.hdf5", "a") as file:
        stored, captured_s = file["events"][:], file["frames"]["captured_s"]
        added = [(captured_s[i], i, each[0].encode(), each[1], each[2].encode()) for i, each in enumerate(events)]
        del file["events"]
        file["events"] = np.concatenate([stored, np.array(added, stored.dtype)])


def add_pulses(folder, *pulses):
    """Let a session have had lines for other machines: (line, value, row of the frame it began with, length in s)."""
    with h5py.File(folder / "image_stream.hdf5", "a") as file:
        rose_s = file["frames"]["captured_s"]
        rows = [(line, value, rose_s[row], rose_s[row] + lasts_s) for line, value, row, lasts_s in pulses]
        file["sync"] = np.array(rows, PULSE)


def add_movie(folder):
    """Make a movie for a session of paws: PyAV, which the rig makes it with, is not in every environment."""
    images = read_session(folder).images
    _, height, width, _ = images.shape
    movie = cv2.VideoWriter(str(folder / "paws.mp4"), cv2.VideoWriter_fourcc(*"mp4v"), 30, (width, height))
    for image in images:
        movie.write(image)
    movie.release()
    config = folder / "config.ini"
    text = config.read_text()
    assert text.count("\nvideo_file =\n") == 1
    config.write_text(text.replace("\nvideo_file =\n", "\nvideo_file = paws.mp4\n"))


def exported(folder, **wanted):
    """Export a session; return its file, and what was said."""
    files, said = export_session(folder, NWB._replace(**wanted))
    return files[0], said


def why_not(folder, **wanted):
    """Return why a session cannot be exported."""
    with pytest.raises(RigError) as error:
        export_session(folder, NWB._replace(**wanted))
    return str(error.value)


def messages(path):
    """Return the names of the checks of nwbinspector that have something to say, with either configuration."""
    configs = ((None, False), (load_config("dandi"), True))
    return [
        {one.check_function_name for one in inspect_nwbfile(nwbfile_path=path, config=config, skip_validate=is_valid)}
        for config, is_valid in configs
    ]


def everything_below(folder):
    """Return all files and folders below a folder."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


@pytest.fixture
def opened():
    """Open an NWB file until the end of the test."""
    files = []

    def read(path):
        files.append(NWBHDF5IO(path, "r"))
        return files[-1].read()

    yield read
    for each in files:
        each.close()


@pytest.mark.parametrize("kind", KINDS)
def test_the_inspector_has_nothing_to_say(ready, kind):
    _, path, said = ready(kind)
    assert said == []
    assert messages(path) == [set(), set()]
    assert (path.parent.name, path.name) == ("sub-m-1", f"sub-m-1_ses-20260101000000_{ENDS[kind]}.nwb")
    movies = {path.stem, f"{path.stem}/paws.mp4"} if kind == "clmf" else set()
    assert set(everything_below(path.parent)) == {path.name} | movies


@pytest.mark.parametrize("kind", ["1roi", "clmf"])
def test_it_goes_into_the_folder_of_the_session_without_out(copy, export, kind):
    folder = copy(kind)
    before = {path: path.read_bytes() for path in folder.iterdir()}
    done = finished(export(folder))
    path = folder / f"sub-m-1_ses-20260101000000_{ENDS[kind]}.nwb"
    assert done.stdout.splitlines() == [str(path)]
    assert messages(path) == [set(), set()]
    assert {each: each.read_bytes() for each in folder.iterdir() if each != path} == before


def test_all_frames_are_read_back_equal(ready, opened):
    folder, path, _ = ready("1roi")
    images, nwb = read_session(folder).images[:], opened(path)
    for name, colour in (("Green", 1), ("Blue", 0)):
        stored = nwb.acquisition[f"OnePhotonSeries{name}"]
        assert np.array_equal(stored.data[:], images[..., colour].transpose(0, 2, 1))
        assert stored.data.compression == "gzip"
        mean = nwb.processing["ophys"]["SummaryImages"][f"mean_{name.lower()}"].data[:]
        assert np.allclose(mean, images[..., colour].mean(axis=0).T)


@pytest.mark.parametrize("shape", [(5, 70, 50), (300, 64, 65), (1, 3, 130)])
def test_chunks_at_the_edges_are_whole(tmp_path, shape):
    pixels = np.random.default_rng(1).integers(0, 256, shape, np.uint8)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        chunks = tuple(min(size, most) for size, most in zip(shape, (240, 64, 64), strict=True))
        data = file.create_dataset("data", shape, np.uint8, chunks=chunks, compression="gzip")
        for start in range(0, shape[0], chunks[0]):
            nwb_frames.write_chunks(data, start, pixels[start : start + chunks[0]])
        assert np.array_equal(data[:], pixels)


@pytest.mark.parametrize("kind", KINDS)
def test_every_column_is_there(ready, opened, kind):
    folder, path, _ = ready(kind)
    session, nwb = read_session(folder), opened(path)
    columns = dict(session.columns)
    behaviour = nwb.processing["behavior"]["BehavioralTimeSeries"].time_series
    stored = {
        "frame": nwb.processing["misc"]["FrameNumber"].data[:],
        "freq": nwb.stimulus["ToneFrequency"].data[:],
        "audio": nwb.stimulus["ToneFrequency"].data[:] > 0,
        "reward": behaviour["Outcome"].data[:],
        "lick": behaviour["Licked"].data[:],
        "rew_threshold": behaviour["Threshold"].data[:],
        "speed_threshold": behaviour["Threshold"].data[:],
    }
    if kind == "clmf":
        stored |= {"cj_speed": behaviour["FeedbackSignal"].data[:], "tracked": behaviour["Tracked"].data[:]}
        for part, series in nwb.processing["behavior"]["PoseEstimation"].pose_estimation_series.items():
            stored |= {f"{part}_x": series.data[:, 0], f"{part}_y": series.data[:, 1]}
            stored[f"{part}_likelihood"] = series.confidence[:]
    elif kind == "2roi":
        dff = nwb.processing["ophys"]["DfOverF"]["RoiResponseSeries"]
        names = [dff.rois[i].roi_name.item() for i in range(2)]
        stored |= {f"{name}_dff": dff.data[:, i] for i, name in enumerate(names)}
        stored["roi_dff"] = behaviour["FeedbackSignal"].data[:]
    else:
        stored["roi_dff"] = nwb.processing["ophys"]["DfOverF"]["RoiResponseSeries"].data[:, 0]
    if kind != "clmf":
        names = {"global_dff": "GlobalChange", "movement_px": "Movement", "veto": "Artefacts"}
        stored |= {column: behaviour[name].data[:] for column, name in names.items()}
    for colour in ("green", "blue") if kind != "clmf" else ():
        dff = nwb.processing["ophys"]["DfOverF"][f"RoiResponseSeries{colour.capitalize()}"]
        names = [dff.rois[i].roi_name.item() for i in range(dff.data.shape[1])]
        stored |= {f"{name}_{colour}": dff.data[:, i] for i, name in enumerate(names)}
    del columns["time"], columns["trial"]  # the start of the session, and the table of trials
    for name, column in columns.items():
        assert np.array_equal(stored[name], column), name
    outcomes = {1: "success", -1: "failure", 0: "cut short"}
    assert nwb.trials["outcome"][:].tolist() == [outcomes[each] for each in session.trials["outcome"].tolist()]
    assert np.allclose(nwb.trials["start_time"][:], session.trials["start_s"])
    assert np.allclose(nwb.trials["latency"][:], session.trials["latency_s"], equal_nan=True)
    assert nwb.session_start_time.isoformat(sep=" ")[:26] == str(session.columns["time"][0])


@pytest.mark.parametrize("offset_s", [0.0, 5345.25])
@pytest.mark.usefixtures("uninspected")
def test_what_happened_is_on_the_clock_of_the_frames(copy, opened, offset_s):
    folder = copy()
    change_times(folder, lambda time_s: time_s + offset_s)  # as a real camera has it
    session = read_session(folder)
    nwb = opened(exported(folder)[0])
    outcome = nwb.processing["behavior"]["BehavioralTimeSeries"]["Outcome"]
    assert outcome.starting_time == 0
    won = np.flatnonzero(outcome.data[:] == 1)
    pulses = nwb.events["OutputPulses"].to_dataframe()
    at_s = pulses[pulses.output == "reward"].timestamp.to_numpy()
    assert len(at_s) == len(won) > 0
    times_s = np.arange(len(session) + 1) / outcome.rate
    assert ((times_s[won] <= at_s) & (at_s < times_s[won + 1])).all(), "after its frame, and before the next one"
    given = nwb.trials["reward_time"][:]
    assert np.allclose(given[~np.isnan(given)], at_s)
    assert pulses[pulses.output == "reward"].duration.unique().tolist() == [0.3]
    assert len(nwb.events["LickEvents"]) == sum(event.value == 1 for event in session.of("lick")) > 0
    assert len(nwb.events["ToneEvents"]) == len(session.of("tone")) > 0


def test_releases_notes_pauses_troubles_and_the_calibration_are_kept(copy, opened):
    folder = copy("1roi", lick="none")
    add_events(
        folder, ("lick", 1, ""), ("lick", 0, ""), ("lick", 1, ""), ("note", 0, "a drop hangs"), ("pause", 1, "begins"),
        ("camera", 2, "frames lost before this one"), ("stale frame", 200, "ms old; no water"),
    )  # fmt: skip
    line = fit("BCM 27", 10, (0.1, 0.3), (0.02, 0.06))
    save_calibration(folder / "valve_calibration.json", line)
    path, said = exported(folder)
    assert said == []
    nwb = opened(path)
    licks, troubles = nwb.events["LickEvents"].to_dataframe(), nwb.events["Troubles"].to_dataframe()
    assert np.allclose(licks.timestamp, [0, 2 / 15])
    assert np.allclose(licks.duration, [1 / 15, np.nan], equal_nan=True)
    notes = nwb.events["Notes"].to_dataframe()
    assert notes[["what", "value", "detail"]].to_numpy().tolist() == [
        ["note", "0", "a drop hangs"],
        ["pause", "1", "begins"],
    ]
    assert troubles.what.tolist() == ["camera", "stale frame"]
    assert np.allclose(troubles.timestamp, [5 / 15, 6 / 15])
    table = nwb.processing["misc"]["settings"].to_dataframe().set_index("key")
    assert float(table.value["valve_ul_per_s"]) == pytest.approx(line.ul_per_s)


def test_pulses_for_other_machines_are_on_the_clock_of_the_frames(copy, opened):
    folder = copy()
    add_pulses(folder, ("frame", 0, 0, 0.005), ("barcode", 77, 6, 0.01), ("frame", 15, 15, 0.005))
    path, said = exported(folder)
    assert said == []
    pulses = opened(path).events["SyncPulses"].to_dataframe()
    assert pulses[["line", "value"]].to_numpy().tolist() == [["frame", 0], ["barcode", 77], ["frame", 15]]
    assert np.allclose(pulses.timestamp, [0, 6 / 15, 1])
    assert np.allclose(pulses.duration, [0.005, 0.01, 0.005])


def test_times_that_are_not_regular_are_stored_once(copy, opened):
    folder = copy()
    jitter = np.random.default_rng(3).normal(0, 1e-3, len(read_session(folder)))
    change_times(folder, lambda time_s: time_s + jitter + np.where(time_s > 5, 2 / 15, 0))  # two frames were lost
    path, said = exported(folder)
    assert said == []
    nwb, session = opened(path), read_session(folder)
    time_s = session.frames["time_s"] - session.frames["time_s"][0]
    for series in (
        nwb.acquisition["OnePhotonSeriesGreen"],
        nwb.processing["behavior"]["BehavioralTimeSeries"]["Outcome"],
    ):
        assert np.array_equal(series.timestamps[:], time_s)
    with h5py.File(path) as file:
        found = []
        file.visititems(lambda name, node: found.append(name) if name.endswith("/timestamps") else None)
    assert len(found) == 1, "all others are links"


def test_rois_are_those_of_the_loop(ready, opened):
    folder, path, _ = ready("2roi")
    nwb, session = opened(path), read_session(folder)
    rois = nwb.processing["ophys"]["ImageSegmentation"]["PlaneSegmentation"].to_dataframe()
    assert rois[rois.trained].roi_name.tolist() == ["M1_L", "BC_R"]
    for name in ("M1_L", "BC_R"):
        x, y, width, height = (int(number) for number in session.settings[name.lower()].split(","))
        pixels = {(int(each[0]), int(each[1])) for each in rois[rois.roi_name == name].pixel_mask.item()}
        assert pixels == {(x + i, y + j) for i in range(width) for j in range(height)}
    site = rois[rois.roi_name == "V1_R"]
    assert (site.ml_mm.item(), site.ap_mm.item()) == (-2.5168, -3.7678)
    plane = nwb.imaging_planes["ImagingPlaneGreen"]
    assert np.allclose(plane.grid_spacing[:], 1e-3 / 12.8)
    assert np.allclose(plane.origin_coords[:], [64 / 12.8e3, 67 / 12.8e3]), "left and in front of bregma, m"
    blue = nwb.imaging_planes["ImagingPlaneBlue"]
    assert (plane.excitation_lambda, blue.optical_channel[0].emission_lambda) == (470, 450)


def test_whose_session_it_was(ready, opened):
    folder, path, _ = ready("1roi")
    nwb = opened(path)
    assert (nwb.subject.subject_id, nwb.subject.sex, nwb.subject.strain, nwb.subject.weight) == (
        "m_1", "F", "C57BL/6", "24.5 g",
    )  # fmt: skip
    assert nwb.subject.date_of_birth.date() == date(2025, 1, 31)
    assert list(nwb.experimenter) == ["Doe, Jane", "Roe, Max"]
    assert "Simulated: camera, outputs, tone, lick." in nwb.session_description
    assert dict(nwb.was_generated_by[:])["numpy"] == np.__version__
    table = nwb.processing["misc"]["settings"].to_dataframe().set_index("key")
    settings = read_session(folder).settings
    assert {key: table.value[key] for key in settings if key not in ("seeds_mm", "data_root")} == {
        key: value for key, value in settings.items() if key not in ("seeds_mm", "data_root")
    }
    assert table.unit["reward_s"] == "s"
    assert table.value["longest_unsynced_s"]
    assert "data_root" not in table.index


@pytest.mark.parametrize("kind", ["1roi", "clmf"])
def test_a_folder_that_has_moved_still_opens(copy, tmp_path, opened, kind):
    folder = copy(kind)
    images = read_session(folder).images[:]
    exported(folder, out=tmp_path / "out")
    shutil.rmtree(tmp_path / "data")
    shutil.move(tmp_path / "out", tmp_path / "elsewhere")
    (path,) = (tmp_path / "elsewhere" / "sub-m-1").glob("*.nwb")
    assert messages(path) == [set(), set()]
    acquisition = opened(path).acquisition
    if kind == "1roi":
        assert np.array_equal(acquisition["OnePhotonSeriesGreen"].data[:], images[..., 1].transpose(0, 2, 1))
    else:
        movie = cv2.VideoCapture(str(path.parent / acquisition["BehaviorVideo"].external_file[0]))
        assert int(movie.get(cv2.CAP_PROP_FRAME_COUNT)) == acquisition["BehaviorVideo"].num_samples == len(images)
        movie.release()


def test_readers_without_tables_of_events_find_outcomes_and_licks(ready):
    """Those of before NWB 2.11 see neither /events, nor anything in it."""
    folder, path, _ = ready("1roi")
    session = read_session(folder)
    with h5py.File(path) as file:
        series = file["processing/behavior/BehavioralTimeSeries"]
        assert np.array_equal(series["Outcome/data"][:], session.columns["reward"])
        assert np.array_equal(series["Licked/data"][:], session.columns["lick"])
        assert series["Licked/starting_time"].attrs["rate"] == pytest.approx(15)
        assert "reward_time" in file["intervals/trials"]


def test_what_is_missing_is_said_at_once_with_its_place(copy, export, tmp_path):
    folder = copy(complete=False)
    change_attributes(folder, utc_offset=None)
    done = export(folder, "--out", tmp_path / "out" / "deep")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        f"{folder}: an archive needs to know more: add experimenter, institution, indicator, green_excitation_nm, "
        f"green_emission_nm, blue_excitation_nm, blue_emission_nm to [lab] of {folder / 'config.ini'}; "
        f"add sex, date_of_birth to [subject] of {folder.parent / 'subject.ini'}; "
        "add how far its clock was from UTC to the command: --utc-offset +01:00; or write it without: --incomplete\n"
    )
    assert not (tmp_path / "out").exists()


def test_without_it_the_inspector_has_its_say(copy, export):
    folder = copy("2roi", complete=False)
    done = finished(export(folder, "--incomplete"))
    path, *said = done.stdout.splitlines()
    checks = {re.match(r"  [A-Z_]+ (check_\w+): ", line)[1] for line in said}
    assert checks == {
        "check_subject_sex", "check_subject_age", "check_experimenter_exists", "check_institution"
    }  # fmt: skip
    assert checks == set.union(*messages(path))
    assert any(line.startswith("  CRITICAL check_subject_sex: ") for line in said)


@pytest.mark.parametrize("kind", ["1roi", "clmf"])
def test_what_a_very_short_session_cannot_help(copy, kind):
    """Fewer than 256 frames, and tables with a single row: there is nothing to be cured."""
    settings = {"total_trials": "1", "initial_rest_dur": "1", "max_trial_dur": "2", "lick": "none"}
    hard = {"reward_threshold": "5", "dff_history": "0.5"} if kind == "1roi" else {"trial_start": "immediate"}
    folder = copy(kind, **settings, **hard)
    assert len(read_session(folder)) < 256
    path, said = exported(folder)
    default, dandi = messages(path)
    assert default == dandi == {"check_single_row"} | ({"check_data_orientation"} if kind == "1roi" else set())
    assert len(said) == len({*said}) > 0


@pytest.mark.parametrize("missing", ["the mouse's own", "the session's"])
@pytest.mark.usefixtures("uninspected")
def test_what_the_session_does_not_say_its_mouse_says(copy, opened, missing):
    folder = copy()
    text = (folder / "subject.ini").read_text()
    (folder / "subject.ini").unlink()
    if missing == "the session's":
        (folder.parent / "subject.ini").write_text(text.replace("Mus", "Rattus"))
        assert opened(exported(folder)[0]).subject.sex == "F"
    else:
        assert "add sex, date_of_birth to [subject] of" in why_not(folder)


@pytest.mark.usefixtures("uninspected")
def test_the_offset_from_utc_can_be_said(copy, opened):
    folder = copy()
    change_attributes(folder, utc_offset=None)
    assert "more: add how far its clock was from UTC to the command: --utc-offset" in why_not(folder)
    nwb = opened(exported(folder, utc_offset=timedelta(hours=5, minutes=30))[0])
    assert nwb.session_start_time.utcoffset() == timedelta(hours=5, minutes=30)


@pytest.mark.usefixtures("uninspected")
def test_what_the_session_says_is_stronger_than_the_command_line(copy, opened):
    folder = copy()
    change_attributes(folder, utc_offset="-05:00")
    nwb = opened(exported(folder, utc_offset=timedelta(hours=1))[0])
    assert nwb.session_start_time.utcoffset() == timedelta(hours=-5)


@pytest.mark.usefixtures("uninspected")
def test_a_mouse_that_was_not_born_yet(copy):
    folder = copy()
    day = began(folder)
    (folder / "subject.ini").write_text(MOUSE.replace("2025-01-31", str(day)))
    assert exported(folder)
    rows = (folder / "VideoTimestamp.txt").read_text()
    (folder / "VideoTimestamp.txt").write_text(rows.replace(str(day), str(day - timedelta(days=1))))
    assert f"the mouse was born after the session (date_of_birth = {day})" in why_not(folder)


def test_paws_without_a_movie_keep_their_pose(recorded, tmp_path, opened):
    folder = shutil.copytree(recorded("clmf"), tmp_path / "m1" / "20260101000000")
    complete_it(folder)
    path, said = exported(folder)
    assert (path.name, said) == ("sub-m1_ses-20260101000000_behavior.nwb", [])
    nwb = opened(path)
    assert not nwb.acquisition
    assert nwb.processing["behavior"]["PoseEstimation"].source_video is None


@pytest.mark.usefixtures("uninspected")
def test_a_baseline_has_no_trials(copy, opened):
    folder = copy("1roi", "--baseline", "20")
    nwb = opened(exported(folder)[0])
    assert nwb.trials is None
    assert len(nwb.acquisition["OnePhotonSeriesGreen"].data) == len(read_session(folder))


def test_a_session_without_frames_keeps_its_signals(copy, opened):
    folder = copy()
    with h5py.File(folder / "image_stream.hdf5", "a") as file:
        del file["raw_images"]
        file.create_dataset("raw_images", (0, 128, 128, 3), np.uint8)
    path, said = exported(folder)
    assert said == []
    nwb = opened(path)
    assert not nwb.acquisition
    assert np.array_equal(
        nwb.processing["ophys"]["DfOverF"]["RoiResponseSeries"].data[:, 0], read_session(folder).columns["roi_dff"]
    )


def test_a_session_that_was_cut_short_is_to_be_finished_first(cut_short):
    assert f"run python -m rig.commands.finish {cut_short}" in why_not(cut_short)


@pytest.mark.parametrize("kind", ["1roi", "clmf"])
def test_nothing_is_left_of_an_export_that_failed(copy, kind, tmp_path, monkeypatch):
    folder = copy(kind)
    before = everything_below(tmp_path)
    monkeypatch.setattr("analysis.exports.nwb.inspect_nwbfile", lambda **_: 1 / 0)
    for out in (None, tmp_path / "out"):
        with pytest.raises(ZeroDivisionError):
            export_session(folder, NWB._replace(out=out))
    assert everything_below(tmp_path) == before


def test_a_place_that_cannot_be_written_to(copy, tmp_path):
    folder = copy()
    (tmp_path / "out").write_text("")
    assert "sub-m-1: the export cannot be written (" in why_not(folder, out=tmp_path / "out")


def test_a_second_time_gives_the_same_and_a_part_of_before_is_replaced(copy):
    folder = copy()
    path, _ = exported(folder)
    part = path.with_name(f"{path.name}.part")
    path.rename(part)
    part.write_bytes(part.read_bytes()[: 2**16])
    once, _ = exported(folder)
    assert once == path
    assert not part.exists()
    assert messages(path) == [set(), set()]


def test_many_at_once_and_one_that_fails_does_not_stop_the_others(copy, tmp_path, export):
    first = copy()
    for day in ("20260102000000", "20260103000000"):
        shutil.copytree(first, first.parent / day)
    (first.parent / "20260102000000" / "config.ini").unlink()
    done = export(first.parent, "--jobs", "2", "--out", tmp_path / "out")
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.count(".nwb\n") == 2
    assert done.stdout.count("NOT EXPORTED  ") == 1
    assert "20260102000000/config.ini" in done.stdout
    names = [path.name for path in sorted((tmp_path / "out" / "sub-m-1").iterdir())]
    assert names == [f"sub-m-1_ses-{day}000000_behavior+ophys.nwb" for day in ("20260101", "20260103")]


@pytest.mark.usefixtures("uninspected")
def test_progress_reaches_its_end(copy):
    shares = []
    export_session(copy(), NWB, shares.append)
    assert shares == sorted(shares)
    assert shares[-1] == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--utc-offset", "Berlin"], "Berlin is no offset from UTC, as +01:00"),
        (["--to", "dlc", "--incomplete"], "--incomplete and --utc-offset are for --to nwb, not for --to dlc"),
        (["--to", "tiff"], "invalid choice: 'tiff'"),
        ([], "there is no session here"),
    ],
)
def test_a_wrong_argument(export, tmp_path, arguments, said):
    done = export(tmp_path, *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert "Traceback" not in done.stderr
    assert said in done.stderr


@pytest.mark.parametrize("to", FORMATS)
def test_every_format_has_its_writer(to):
    assert callable(writer_of(to))


def test_names_are_those_that_dandi_takes():
    assert in_name("GER2_ai94") == "GER2-ai94"
    assert in_name("HA2+") == "HA2+"
    assert in_name("m.1 a") == "m-1-a"


def test_a_real_mouse(run, real_recording, tmp_path, opened):
    finished(run(settings={
        "vid_source": "VideoStream", "vid_root": str(real_recording), "bregma": "120, 128", "ppmm": "20",
        "total_trials": "5", "initial_rest_dur": "10", "max_trial_dur": "15", "reward_threshold": "0.02",
    }))  # fmt: skip
    folder = run.session().folder
    complete_it(folder)
    path, said = exported(folder, out=tmp_path / "out")
    nwb, images = opened(path), read_session(folder).images[:]
    # A slow computer may have had a single trouble: a table with one row, which cannot be cured.
    is_lone = "Troubles" in nwb.events and len(nwb.events["Troubles"]) == 1
    assert messages(path) == [{"check_single_row"} if is_lone else set()] * 2, said
    assert np.array_equal(nwb.acquisition["OnePhotonSeriesGreen"].data[:], images[..., 1].transpose(0, 2, 1))
    assert "A replay of a recording" in nwb.session_description


def test_a_speed_in_mm_is_said_to_be(recorded, tmp_path, uninspected):
    folder = shutil.copytree(
        recorded("clmf", speed_unit="mm/s", speed_threshold="68"), tmp_path / "data" / "m_1" / "20260101000000"
    )
    prepare(folder, "clmf")
    with h5py.File(exported(folder, out=tmp_path / "out")[0]) as file:
        series = file["processing/behavior/BehavioralTimeSeries"]
        assert {series[name]["data"].attrs["unit"] for name in ("FeedbackSignal", "Threshold")} == {"mm/s"}
        assert "ppmm" not in series["FeedbackSignal"].attrs["description"]
        assert np.nanmax(series["FeedbackSignal/data"][:]) == np.nanmax(read_session(folder).columns["cj_speed_mm_s"])


def test_the_pose_names_what_found_it(recorded, tmp_path, uninspected):
    folder = shutil.copytree(recorded("clmf"), tmp_path / "data" / "m_1" / "20260101000000")
    prepare(folder, "clmf")
    config = folder / "config.ini"
    config.write_text(config.read_text().replace("pose = simulated", "pose = dlclive"))
    change_attributes(folder, pose_runs_on="ONNX Runtime 1.2, CPUExecutionProvider")
    with h5py.File(exported(folder, out=tmp_path / "out")[0]) as file:
        software = file["processing/behavior/PoseEstimation/source_software"]
        assert software.asstr()[()] == "ONNX Runtime 1.2, CPUExecutionProvider"
