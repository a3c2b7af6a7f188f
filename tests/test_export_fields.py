"""Sessions for wfield, DeepLabCut and ALF: what their readers find is what the session says."""

import csv
import errno
import os
import shutil
import subprocess
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("pandas", reason="'make setup-analysis' installs what exports need")

import pandas

from analysis.exports import alf, dlc, stored_frames, wfield
from analysis.exports.whole_files import whole_files
from rig.devices.calibration import CALIBRATION_FILE, fit, save_calibration
from rig.errors import RigError, SettingsError
from rig.files.reader import Event, Images, read_session
from support.places import ROOT
from support.sessions import recorded

__all__ = ["recorded"]

READERS = ROOT / ".venv-readers" / "bin" / "python"
needs_readers = pytest.mark.skipif(not READERS.exists(), reason="'make test-readers' installs wfield and ONE")


LINE = fit("BCM 27", 50, [0.05, 0.1, 0.2, 0.4], [0.05 * (0.5 + 20 * s) for s in (0.05, 0.1, 0.2, 0.4)])


@pytest.fixture
def session(recorded):
    """Read a session of an experiment."""
    return lambda kind="1roi", *arguments, **settings: read_session(recorded(kind, *arguments, **settings))


def quiet(share):
    """Show no progress."""


def shown(path):
    """Return the files below a folder."""
    return sorted(str(each.relative_to(path)) for each in path.rglob("*") if each.is_file())


def table(path):
    """Return the rows of a CSV file."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def colours(path):
    """Return frames and colours of a binary, by its name, as wfield does."""
    *_, n, height, width, kind = path.stem.split("_")
    return np.fromfile(path, kind).reshape(-1, int(n), int(height), int(width))


def by_the_reader(script, *arguments, home):
    """Run a few lines in the environment of the others' readers; their libraries write into a home of their own."""
    done = subprocess.run(
        [READERS, "-c", script, *map(str, arguments)],
        env=os.environ | {"HOME": str(home), "MPLBACKEND": "Agg"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr


# ---- wfield


def test_wfield_has_green_and_blue_of_every_frame(session, tmp_path):
    one, shares = session(), []
    written = wfield.write(one, tmp_path, shares.append)
    frames = colours(written[0])
    assert written[0].name == "frames_2_128_128_uint16.dat"
    assert np.array_equal(frames, one.images[:][..., [1, 0]].transpose(0, 3, 1, 2))
    assert shares == sorted(shares)
    assert shares[-1] == 1
    assert shown(tmp_path) == sorted(str(path.relative_to(tmp_path)) for path in written)


def test_wfield_has_the_tables_of_the_session(session, tmp_path):
    one = session()
    folder = wfield.write(one, tmp_path, quiet)[0].parent
    assert folder == tmp_path / "m1" / one.folder.name / "wfield"
    frames = table(folder / "frames.csv")
    assert [float(row["time_s"]) for row in frames] == one.frames["time_s"].tolist()
    assert [int(row["number"]) for row in frames] == one.frames["number"].tolist()
    events = table(folder / "events.csv")
    assert [(float(row["time_s"]), row["device"], float(row["value"]), row["detail"]) for row in events] == [
        (event.time_s, event.device, event.value, event.detail) for event in one.events
    ]
    newest = len(one.images) - 1
    assert [int(row["index"]) for row in events] == [min(event.frame, newest) for event in one.events]
    trials = table(folder / "trial_info.csv")
    for name in one.trials.dtype.names[:-1]:
        assert [float(row[name]) for row in trials] == one.trials[name].tolist()
    assert [row["tone"] == "True" for row in trials] == one.trials["tone"].tolist()


def test_wfield_finds_trials_where_they_are(session, tmp_path):
    one = session()
    folder = wfield.write(one, tmp_path, quiet)[0].parent
    onsets, trial = np.load(folder / "trial_onsets.npy"), one.columns["trial"]
    number, baseline, first = onsets.T
    assert number.tolist() == one.trials["number"].tolist()
    assert trial[first].tolist() == number.tolist()
    assert not trial[first - 1].any()
    assert all(not trial[a:b].any() for a, b in zip(baseline, first, strict=True)), "a baseline lies in the rest"
    assert max(first - baseline) == wfield.BASELINE_FRAMES
    last = [int(row["last_index"]) for row in table(folder / "trial_info.csv")]
    assert one.columns["reward"][last].tolist() == one.trials["outcome"].tolist()


def test_a_baseline_is_no_longer_than_the_rest():
    bounds = np.array([[20, 50], [60, 90], [200, 250]])
    assert wfield.trial_onsets(np.array([1, 2, 3]), bounds).tolist() == [[1, 0, 20], [2, 51, 60], [3, 170, 200]]


@needs_readers
def test_wfield_itself_opens_and_averages_it(session, tmp_path):
    one = session()
    folder = wfield.write(one, tmp_path, quiet)[0].parent
    script = """
import sys
import numpy as np
from wfield import cli
from wfield.io import load_stack
folder, loaded = sys.argv[1:]
np.save(loaded, load_stack(folder))
cli._baseline(folder, 30)
cli._decompose(folder, k=20)
"""
    by_the_reader(script, folder, tmp_path / "loaded.npy", home=tmp_path)
    loaded = np.load(tmp_path / "loaded.npy")
    assert np.array_equal(loaded, one.images[:][..., [1, 0]].transpose(0, 3, 1, 2))
    begins = np.load(folder / "trial_onsets.npy")[:, 1]
    mean = np.mean([loaded[begin : begin + 30].mean(axis=0) for begin in begins], axis=0)
    assert np.allclose(np.load(folder / "frames_average.npy"), mean)
    assert np.load(folder / "SVT.npy").shape == (20, 2 * len(loaded))


def test_frames_are_read_in_slices(session, tmp_path, monkeypatch):
    one, asked = session(), []

    class Watched(Images):
        def __getitem__(self, which):
            frames = super().__getitem__(which)
            asked.append(len(frames))
            return frames

    monkeypatch.setattr(stored_frames, "BYTES_AT_ONCE", 50 * 128 * 128 * 3)
    written = wfield.write(replace(one, images=Watched(one.images.path)), tmp_path, quiet)
    first, *slices = asked
    assert max(asked) == first == 50
    assert sum(slices) == len(one.images)
    assert np.array_equal(colours(written[0])[:, 0], one.images[:][..., 1])


def without_frames_of_the_middle(one):
    """Return a session that has lost the frames 100 to 102."""
    kept = np.ones(len(one), bool)
    kept[100:103] = False
    return replace(
        one,
        columns={name: column[kept] for name, column in one.columns.items()},
        frames=one.frames[kept],
        images=one.images[:][kept],
    )


def test_lost_frames_shift_indices_and_not_numbers(session, tmp_path):
    one = session()
    fewer = without_frames_of_the_middle(one)
    folder = wfield.write(fewer, tmp_path, quiet)[0].parent
    trial = fewer.columns["trial"]
    assert trial[np.load(folder / "trial_onsets.npy")[:, 2]].tolist() == one.trials["number"].tolist()
    assert [int(row["number"]) for row in table(folder / "frames.csv")][98:102] == [98, 99, 103, 104]
    found = {event: int(row["index"]) for event, row in zip(one.events, table(folder / "events.csv"), strict=True)}
    assert all(found[event] == event.frame for event in one.events if event.frame < 100)
    assert all(found[event] == event.frame - 3 for event in one.events if 102 < event.frame < len(one))
    assert max(found.values()) == len(one) - 4


# ---- DeepLabCut


def test_dlc_is_read_back_as_deeplabcut_does(session, tmp_path):
    one = session("clmf")
    in_hdf5, in_csv = dlc.write(one, tmp_path, quiet)
    assert [in_hdf5.name, in_csv.name] == [f"image_streamDLC_simulated.{kind}" for kind in ("h5", "csv")]
    found = pandas.read_hdf(in_hdf5)
    assert found.columns.names == ["scorer", "bodyparts", "coords"]
    assert found.columns.get_level_values("scorer").unique().tolist() == ["DLC_simulated"]
    assert found.index.tolist() == list(range(len(one.images)))
    for part in ("fl_l", "fl_r", "nose"):
        for coord in ("x", "y", "likelihood"):
            assert found["DLC_simulated"][part][coord].tolist() == one.columns[f"{part}_{coord}"].tolist()
    text = pandas.read_csv(in_csv, header=[0, 1, 2], index_col=0)
    assert text.columns.equals(found.columns)
    assert np.array_equal(text.to_numpy(), found.to_numpy())


def test_dlc_is_named_for_movie_and_model(session):
    one = session("clmf")
    named = replace(one, settings=one.settings | {"pose": "dlc", "dlc_model_path": "/models/paws_v2.pt"})
    assert dlc.scorer_of(named) == "DLC_paws_v2"
    assert dlc.scorer_of(replace(one, settings={})) == "DLC_unknown"


def test_an_untracked_frame_keeps_what_was_measured(session, tmp_path):
    one = session("clmf")
    unsure = one.columns["fl_r_likelihood"].copy()
    unsure[10:20] = 0.01
    one = replace(one, columns=one.columns | {"fl_r_likelihood": unsure, "tracked": (unsure > 0.5).astype(int)})
    found = pandas.read_hdf(dlc.write(one, tmp_path, quiet)[0])["DLC_simulated"]["fl_r"]
    assert found["likelihood"][10:20].tolist() == [0.01] * 10
    assert found["x"].tolist() == one.columns["fl_r_x"].tolist()


# ---- ALF


def loaded(folder):
    """Return {name: array} of the arrays of a folder."""
    return {path.name.removesuffix(".npy"): np.load(path) for path in folder.rglob("*.npy")}


@pytest.mark.parametrize("kind", ["1roi", "clmf"])
def test_alf_has_trials_and_licks(session, tmp_path, kind):
    one = session(kind)
    alf.write(one, tmp_path, quiet)
    found, trials = loaded(tmp_path), one.trials
    assert found["_ibl_trials.intervals"].tolist() == [
        [a, b] for a, b in zip(trials["start_s"], trials["end_s"], strict=True)
    ]
    assert found["_ibl_trials.feedback_times"].tolist() == trials["end_s"].tolist()
    assert found["_ibl_trials.feedbackType"].tolist() == trials["outcome"].tolist()
    assert np.array_equal(np.isfinite(found["_ibl_trials.goCue_times"]), trials["tone"])
    assert found["_clopy_trials.threshold"].tolist() == trials["threshold"].tolist()
    assert found["licks.times"].tolist() == [event.time_s for event in one.of("lick") if event.value == 1]
    assert "_ibl_trials.rewardVolume" not in found, "the valve was not calibrated"


def test_alf_has_two_images_for_each_frame(session, tmp_path):
    one = session()
    folder = alf.write(one, tmp_path, quiet)[0].parent
    found = loaded(folder)
    lights, times_s = found["imaging.imagingLightSource"], found["imaging.times"]
    assert (
        times_s[lights == alf.GREEN_ID].tolist()
        == times_s[lights == alf.BLUE_ID].tolist()
        == one.frames["time_s"].tolist()
    )
    assert lights[:4].tolist() == [0, 1, 0, 1], "green before blue, as in wfield's binary"
    text = (folder / "imagingLightSource.properties.htsv").read_text()
    assert text == "channel_id\twavelength\tcolor\n0\t\tGreen\n1\t\tBlue\n"


def test_alf_says_the_wavelengths_of_the_lab(session, tmp_path):
    one = session()
    folder = shutil.copytree(one.folder, tmp_path / "m1" / "20260101000000")
    with (folder / "config.ini").open("a") as file:
        file.write("\n[lab]\ngreen_excitation_nm = 470\nblue_excitation_nm = 447.5\n")
    written = alf.write(read_session(folder), folder, quiet)
    assert written[-1] == folder / "alf" / "widefield" / "imagingLightSource.properties.htsv"
    assert written[-1].read_text().splitlines()[1:] == ["0\t470\tGreen", "1\t447.5\tBlue"]


def test_alf_has_the_times_of_a_camera_on_the_mouse(session, tmp_path):
    one = session("clmf")
    alf.write(one, tmp_path, quiet)
    assert loaded(tmp_path)["_ibl_bodyCamera.times"].tolist() == one.frames["time_s"].tolist()
    assert not [name for name in shown(tmp_path) if "imaging" in name]


def test_alf_has_the_water_of_a_calibrated_valve(session, tmp_path):
    one = session()
    folder = shutil.copytree(one.folder, tmp_path / "m1" / "20260101000000")
    save_calibration(folder / CALIBRATION_FILE, LINE)
    one = read_session(folder)
    won = one.trials["outcome"] == 1
    frames = one.columns["frame"][one.columns["reward"] == 1]
    one.events.append(Event(0.0, int(frames[0]), "water", 0.0, "withheld: max_rewards reached"))
    alf.write(one, folder, quiet)
    expected = np.where(won, 6.5, 0.0)
    expected[np.flatnonzero(won)[0]] = 0.0
    assert loaded(folder / "alf")["_ibl_trials.rewardVolume"] == pytest.approx(expected)


@needs_readers
def test_one_loads_it(session, tmp_path):
    one = session()
    folder = alf.write(one, tmp_path, quiet)[0].parents[1]
    script = """
import sys
import numpy as np
from one.alf.io import load_object
folder, found = sys.argv[1:]
trials, imaging = load_object(folder, "trials"), load_object(folder + "/widefield", "imaging")
lights = load_object(folder + "/widefield", "imagingLightSource")["properties"]
assert lights["color"].tolist() == ["Green", "Blue"], lights
np.savez(found, intervals=trials["intervals"], number=trials["number"], times=imaging["times"])
"""
    by_the_reader(script, folder, tmp_path / "found.npz", home=tmp_path)
    found = np.load(tmp_path / "found.npz")
    assert found["intervals"][:, 0].tolist() == one.trials["start_s"].tolist()
    assert found["number"].tolist() == one.trials["number"].tolist()
    assert found["times"].tolist() == np.repeat(one.frames["time_s"], 2).tolist()


# ---- what lacks something


@pytest.mark.parametrize("to", [wfield, alf])
def test_a_baseline_has_frames_and_no_trials(session, tmp_path, to):
    written = to.write(session("1roi", "--baseline", "10"), tmp_path, quiet)
    assert written
    assert not [path for path in written if "trial" in path.name]


@pytest.mark.parametrize(
    ("to", "kind", "said"),
    [
        (wfield, "clmf", "its frames show a mouse, not cortex"),
        (dlc, "1roi", "no pose was logged"),
    ],
)
def test_the_wrong_experiment_is_a_sentence(session, tmp_path, to, kind, said):
    with pytest.raises(SettingsError, match=said):
        to.write(session(kind), tmp_path / "out", quiet)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("to", [wfield, alf])
@pytest.mark.parametrize(
    ("images", "said"),
    [
        (None, "there are no frames"),
        (np.zeros((0, 128, 128, 3), np.uint8), "there are no frames"),
        (np.full((505, 128, 128, 3), 100, np.uint8), "there is no blue channel"),
    ],
)
def test_frames_that_cannot_be_used_are_a_sentence(session, tmp_path, to, images, said):
    with pytest.raises(SettingsError, match=said):
        to.write(replace(session(), images=images), tmp_path / "out", quiet)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("to", [wfield, alf])
def test_frames_without_times_are_a_sentence(session, tmp_path, to):
    one = session()
    without = replace(one, frames=one.frames[:0], settings={})
    with pytest.raises(SettingsError, match="nothing says when its frames were"):
        to.write(without, tmp_path / "out", quiet)


def test_times_of_the_original_come_from_its_settings(session, tmp_path):
    one = session()
    folder = wfield.write(replace(one, frames=one.frames[:0], events=[]), tmp_path, quiet)[0].parent
    times_s = [float(row["time_s"]) for row in table(folder / "frames.csv")]
    assert times_s == pytest.approx(one.columns["frame"] / 15)
    assert table(folder / "events.csv") == []


def test_an_hdf5_file_alone(session, tmp_path):
    path = shutil.copy(session().folder / "image_stream.hdf5", tmp_path / "some.hdf5")
    written = wfield.write(read_session(path), tmp_path, quiet)
    assert [each.name for each in written] == ["frames_2_128_128_uint16.dat", "frames.csv", "events.csv"]
    assert written[0].parent == tmp_path / "wfield"


@pytest.mark.parametrize("to", [wfield, dlc, alf])
def test_a_session_that_was_cut_short_is_to_be_finished_first(cut_short, tmp_path, to):
    with pytest.raises(SettingsError, match=rf"run python -m rig.commands.finish {cut_short}$"):
        to.write(read_session(cut_short), tmp_path / "out", quiet)
    assert not (tmp_path / "out").exists()


# ---- whole or not at all


def test_it_is_the_same_when_repeated(session, tmp_path):
    one = session()
    first = {path: path.read_bytes() for path in wfield.write(one, tmp_path, quiet) + alf.write(one, tmp_path, quiet)}
    again = wfield.write(one, tmp_path, quiet) + alf.write(one, tmp_path, quiet)
    assert {path: path.read_bytes() for path in again} == first
    assert len(shown(tmp_path)) == len(first)


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()])
def test_what_fails_leaves_nothing(session, tmp_path, monkeypatch, error):
    def fail(*_):
        raise error

    monkeypatch.setattr(wfield, "event_rows", fail)
    with pytest.raises((RigError, KeyboardInterrupt)) as raised:
        wfield.write(session(), tmp_path / "out", quiet)
    assert isinstance(error, KeyboardInterrupt) or "cannot be written (No space left" in str(raised.value)
    assert not (tmp_path / "out").exists()


def test_what_fails_leaves_what_was_there(tmp_path):
    (tmp_path / "a.csv").write_text("old")
    (tmp_path / "b.csv.part").write_text("of one that was killed")

    def fail():
        with whole_files(tmp_path) as files:
            files.part("a.csv").write_text("new")
            files.part("below/c.csv").write_text("new")
            raise OSError(errno.EIO, "Input/output error")

    with pytest.raises(RigError, match="Input/output error"):
        fail()
    assert (tmp_path / "a.csv").read_text() == "old"
    assert shown(tmp_path) == ["a.csv", "b.csv.part"]
    assert not (tmp_path / "below").exists()
    with whole_files(tmp_path) as files:
        files.part("b.csv").write_text("new")
    assert shown(tmp_path) == ["a.csv", "b.csv"]


def test_a_place_that_cannot_be_written_is_a_sentence(session, tmp_path):
    (tmp_path / "out").write_text("a file")
    with pytest.raises(RigError, match="the export cannot be written"):
        wfield.write(session(), tmp_path / "out", quiet)
