"""What holds the frames of a session: the HDF5 file, a lossless movie, or both."""

import shutil
import signal
import subprocess
import sys

import h5py
import numpy as np
import pytest

from rig.errors import LogError, SettingsError
from rig.files.finishing import finish
from rig.files.images import MovieImages, open_images
from rig.files.matroska import frames_in, is_lossless
from rig.files.movie import Movie, count_frames
from rig.files.reader import read_session
from rig.files.space import bytes_of_a_frame, check_data_root
from support import promises
from support.parts import small_disk, unmount
from support.places import ROOT, SCRIPT, SHORT
from support.runner import Runner, finished, frames_of, without_time
from support.waiting import wait_until

av = pytest.importorskip("av", reason="PyAV is not installed: make setup-analysis")

MOVIE = promises.IN_A_MOVIE
LOSSLESS = {key: MOVIE[key] for key in ("movie_codec", "video_file")}
BRIEF = SHORT | {"total_trials": "1", "initial_rest_dur": "2", "max_trial_dur": "2"}


def frames(n, shape, seed=0):
    """Return noise, which hides nothing: every value occurs."""
    return np.random.default_rng(seed).integers(0, 256, (n, *shape), dtype=np.uint8)


def write_movie(path, images, framerate=30):
    movie = Movie(path, images.shape[1:], framerate, "ffv1")
    for image in images:
        movie.append(image)
    movie.close()
    return path


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """The same session in HDF5, in a movie, and in both: {how: folder}.  Tests that change files work on a copy."""
    found = {}
    for how, more in (("hdf5", {}), ("movie", MOVIE), ("both", LOSSLESS)):
        run = Runner(tmp_path_factory.mktemp(how))
        finished(run(settings=BRIEF | more))
        found[how] = run.session().folder
    return found


# ---- settings


@pytest.mark.parametrize(
    ("changes", "has_movie", "has_hdf5"),
    [
        ({}, False, True),
        ({"video_file": "a.mp4"}, True, True),
        ({"video_file": "a.mp4", "store": "hdf5"}, False, True),
        ({"video_file": "a.mp4", "store": "both"}, True, True),
        (MOVIE, True, False),
        (LOSSLESS, True, True),
    ],
)
def test_what_is_stored(settings, changes, has_movie, has_hdf5):
    cfg = settings(**changes)
    assert (cfg.has_movie(), cfg.has_hdf5_frames()) == (has_movie, has_hdf5)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"store": "movie", "movie_codec": "ffv1"}, "store = movie: the movie has no name; set video_file"),
        ({"store": "both"}, "store = both: the movie has no name; set video_file"),
        ({"store": "movie", "video_file": "a.mp4"}, "an H.264 movie is lossy, and the session could not be replayed"),
        ({"video_file": "a.mp4", "movie_codec": "ffv1"}, "video_file = a.mp4: a movie with movie_codec = ffv1 needs"),
        ({"video_file": "a.mkv", "resolution": "255, 255"}, "a movie needs even numbers"),
        ({"store": "tape"}, "store = tape"),
    ],
)
def test_what_cannot_be_stored_is_a_sentence(settings, changes, sentence):
    with pytest.raises(SettingsError, match=sentence):
        settings(**changes)


def test_a_lossless_movie_may_have_odd_sides(settings):
    settings(**MOVIE, resolution="255, 257")


# ---- the movie by itself


@pytest.mark.parametrize("shape", [(48, 64, 3), (48, 64, 1), (17, 33, 3), (17, 33, 1), (2, 2, 1)])
@pytest.mark.parametrize("kind", ["noise", "flat"])
def test_frame_for_frame_equal(tmp_path, shape, kind):
    images = (
        frames(9, shape)
        if kind == "noise"
        else np.arange(9, dtype=np.uint8)[:, None, None, None] + np.zeros((1, *shape), np.uint8)
    )
    read = open_images(write_movie(tmp_path / "m.mkv", images))
    assert read.shape == images.shape
    np.testing.assert_array_equal(read[:], images)
    np.testing.assert_array_equal(list(read), images)


@pytest.mark.parametrize("which", [0, 5, -1, slice(2, 5), slice(None, None, 3), slice(-2, None), slice(4, 4)])
def test_any_of_its_frames(tmp_path, which):
    images = frames(9, (16, 24, 3))
    read = MovieImages(write_movie(tmp_path / "m.mkv", images))
    assert len(read) == 9
    np.testing.assert_array_equal(read[which], images[which])


def test_a_frame_that_it_does_not_have(tmp_path):
    with pytest.raises(IndexError):
        MovieImages(write_movie(tmp_path / "m.mkv", frames(2, (16, 24, 3))))[2]


def test_all_values_of_a_colour_survive(tmp_path):
    ramp = np.arange(256, dtype=np.uint8)
    blue, green = np.meshgrid(ramp, ramp)
    images = np.stack([blue, green, blue ^ green], axis=-1)[None]
    np.testing.assert_array_equal(MovieImages(write_movie(tmp_path / "m.mkv", images))[:], images)


def test_other_programs_find_the_same_frames(tmp_path):
    images = frames(7, (48, 64, 3))
    path = write_movie(tmp_path / "m.mkv", images, framerate=25)
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.average_rate) == ("ffv1", 25)
        shown = [frame.to_ndarray(format="bgr24") for frame in container.decode(video=0)]
    np.testing.assert_array_equal(shown, images)


def test_frames_are_found_where_a_demuxer_finds_them(tmp_path):
    path = write_movie(tmp_path / "m.mkv", frames(7, (48, 64, 3)))
    data = path.read_bytes()
    with av.open(str(path)) as container:
        packets = [bytes(packet) for packet in container.demux(video=0) if packet.size]
    assert [data[place.begin : place.end] for place in frames_in(path)] == packets
    assert count_frames(path) == 7


def test_nothing_counts_before_it_is_published(tmp_path):
    images, path = frames(9, (48, 64, 3)), tmp_path / "m.mkv"
    movie = Movie(path, images.shape[1:], 30, "ffv1")
    assert len(MovieImages(path)[:]) == 0, "a movie from the first moment"
    for image in images[:8]:
        movie.append(image)
    assert len(MovieImages(path)) == 0
    movie.publish()
    assert len(MovieImages(path)) in (7, 8), "the newest may wait for the next"
    np.testing.assert_array_equal(MovieImages(path)[:7], images[:7])
    movie.append(images[8])
    movie.close()
    movie.close()
    np.testing.assert_array_equal(MovieImages(path)[:], images)


def test_cut_anywhere_the_frames_before_are_there(tmp_path):
    images, path = frames(5, (16, 24, 3)), tmp_path / "m.mkv"
    whole = write_movie(tmp_path / "whole.mkv", images).read_bytes()
    ends = [place.end for place in frames_in(tmp_path / "whole.mkv")]
    for cut in range(600, len(whole), 37):
        path.write_bytes(whole[:cut])
        read = MovieImages(path)
        assert len(read) == sum(end <= cut for end in ends)
        np.testing.assert_array_equal(list(read), list(images[: len(read)]))


@pytest.mark.parametrize("data", [b"", b"\0" * 5000, b"\x1a\x45\xdf\xa3", b"\xff" * 100, b"\x1a\x45\xdf\xa3\xff" * 99])
def test_what_is_no_movie_holds_no_frames(tmp_path, data):
    path = tmp_path / "m.mkv"
    path.write_bytes(data)
    assert len(frames_in(path)) == 0
    assert not is_lossless(path)
    with pytest.raises(SettingsError, match=r"m\.mkv is damaged and cannot be read"):
        MovieImages(path).shape  # noqa: B018 - this is what reads it


def test_a_frame_that_does_not_fit_to_its_checksum_is_reported(tmp_path):
    images = frames(5, (48, 64, 3))
    path = write_movie(tmp_path / "m.mkv", images)
    place, data = frames_in(path)[2], bytearray(path.read_bytes())
    data[(place.begin + place.end) // 2] ^= 0x10
    path.write_bytes(data)
    read = MovieImages(path)
    np.testing.assert_array_equal(read[:2], images[:2])
    with pytest.raises(SettingsError, match=r"m\.mkv is damaged .* does not fit to its checksum"):
        read[2]


@pytest.mark.parametrize("delay_ms", [5, 40, 77, 200])
def test_killed_at_any_moment(tmp_path, delay_ms):
    path = tmp_path / "k.mkv"
    writer = subprocess.Popen([sys.executable, "-m", "tests.support.write_frames", path], cwd=ROOT)
    try:
        wait_until(lambda: path.exists() and len(frames_in(path)) > 0)
        try:
            writer.wait(delay_ms / 1000)
        except subprocess.TimeoutExpired:
            writer.send_signal(signal.SIGKILL)
        assert writer.wait() == -signal.SIGKILL
    finally:
        writer.kill()
    kept = MovieImages(path)[:]
    assert len(kept)
    np.testing.assert_array_equal(kept, np.arange(len(kept))[:, None, None, None] % 251 + np.zeros((1, 64, 64, 3)))


def test_a_full_disk_keeps_every_frame_written_before(tmp_path):
    small, images = tmp_path / "small", frames(100, (64, 64, 3))
    if not small_disk(small, "300k"):
        pytest.skip("a small file system cannot be mounted here")
    try:
        movie, published = Movie(small / "m.mkv", (64, 64, 3), 30, "ffv1"), 0
        with pytest.raises(OSError, match="No space left"):  # noqa: PT012 - the frame that does not fit is not known
            for n, image in enumerate(images):
                movie.append(image)
                movie.publish()
                published = n
        with pytest.raises(OSError, match="No space left"):
            movie.close()
        kept = MovieImages(small / "m.mkv")[:]
        assert len(kept) >= published > 15
        np.testing.assert_array_equal(kept, images[: len(kept)])
    finally:
        unmount(small)


# ---- sessions


def test_all_ways_hold_the_same_session(stored):
    first, *others = (read_session(folder) for folder in stored.values())
    for other in others:
        assert without_time(other) == without_time(first)
        np.testing.assert_array_equal(other.images[:], first.images[:])
        assert other.missing == []
        assert frames_of(other) == {len(first)}


def test_a_movie_takes_the_place_of_the_frames_in_the_hdf5_file(stored):
    with h5py.File(stored["movie"] / "image_stream.hdf5") as file:
        assert file["raw_images"].shape == (0, 128, 128, 3)
        assert len(file["frames"]) == len(read_session(stored["movie"]).images)
    raw, movie = (
        (stored["hdf5"] / "image_stream.hdf5").stat().st_size,
        sum((stored["movie"] / name).stat().st_size for name in ("image_stream.hdf5", "frames.mkv")),
    )
    assert movie < 0.7 * raw


def test_the_files_of_both(stored):
    folder = stored["both"]
    np.testing.assert_array_equal(MovieImages(folder / "frames.mkv")[:], read_session(folder).images[:])
    assert isinstance(read_session(folder / "frames.mkv").images, MovieImages)


def test_the_movie_of_both_stands_in_for_an_hdf5_file_that_is_gone(stored, tmp_path):
    folder = shutil.copytree(stored["both"], tmp_path / "s")
    images = read_session(folder).images[:]
    (folder / "image_stream.hdf5").unlink()
    left = read_session(folder)
    np.testing.assert_array_equal(left.images[:], images)
    assert left.missing == ["/frames: the times of the frames", "/events: what happened when"]


@pytest.mark.parametrize("name", ["", "frames.mkv", "image_stream.hdf5"])
def test_a_movie_replays_as_the_session_was(stored, run, name):
    recorded = stored["movie"]
    replay = {"vid_source": "VideoStream", "vid_root": str(recorded / name)}
    finished(run("--config", str(recorded / "config.ini"), settings=replay, mouse="replay", seed=None))
    replayed = run.session("replay")
    assert without_time(replayed) == without_time(read_session(recorded))
    np.testing.assert_array_equal(replayed.images[:], read_session(recorded).images[:])


def test_a_movie_that_is_missing_is_named(stored, tmp_path):
    folder = shutil.copytree(stored["movie"], tmp_path / "s")
    (folder / "frames.mkv").unlink()
    session = read_session(folder)
    assert session.images is None
    assert session.missing == ["frames.mkv: the frames"]


def test_a_movie_that_lacks_frames_does_not_pass_for_whole(stored, tmp_path):
    folder = shutil.copytree(stored["movie"], tmp_path / "s")
    last = frames_in(folder / "frames.mkv")[-1]
    with (folder / "frames.mkv").open("r+b") as file:
        file.truncate(last.end - 1)
    session = read_session(folder)
    assert len(session.images) == len(session) - 1 == len(session.frames) - 1


def test_without_pyav_all_but_the_pixels_can_be_read(stored, monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    session = read_session(stored["movie"])
    assert frames_of(session) == {len(session)}
    with pytest.raises(SettingsError, match=r"frames\.mkv: PyAV, .* run 'make setup-analysis'"):
        session.images[0]


def test_the_past_of_a_session_in_a_movie_can_be_asked(stored):
    done = subprocess.run(
        [sys.executable, ROOT / "analysis" / "what_if.py", stored["movie"], "--set", "reward_threshold=0.5"],
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


# ---- sessions that were cut short


@pytest.fixture(scope="module")
def killed_movie(tmp_path_factory):
    """A session with a lossless movie only that was ended by kill -9; tests work on a copy."""
    run = Runner(tmp_path_factory.mktemp("killed"))
    return run.killed(20, settings=SHORT | MOVIE | {"initial_rest_dur": "60"})


@pytest.fixture
def cut(killed_movie, tmp_path):
    return shutil.copytree(killed_movie, tmp_path / "data" / "m1" / killed_movie.name)


def test_a_killed_session_is_read_as_it_is_and_then_finished(cut):
    before = read_session(cut)
    n = len(before.images)
    assert before.was_cut_short
    assert 0 < n <= len(before)
    images = before.images[:]
    finish(cut)
    after = read_session(cut)
    assert not after.was_cut_short
    assert len(after.images) == len(after.frames) == n
    np.testing.assert_array_equal(after.images[:], images)
    assert not list(cut.glob("*.part"))


def test_a_killed_session_without_its_movie_is_kept(cut):
    (cut / "frames.mkv").rename(cut / "elsewhere.mkv")
    with pytest.raises(
        LogError, match=r"frames\.mkv, which holds the frames, is missing or damaged; everything is kep"
    ):
        finish(cut)
    (cut / "elsewhere.mkv").rename(cut / "frames.mkv")
    finish(cut)
    assert len(read_session(cut).frames) == len(read_session(cut).images)


def test_a_killed_session_of_more_frames_than_rows_is_kept(cut):
    rows = cut / "VideoTimestamp.txt"
    whole = rows.read_text()
    rows.write_text("".join(whole.splitlines(keepends=True)[:3]))
    with pytest.raises(
        LogError, match=r"frames\.mkv holds \d+ frames, .* and VideoTimestamp\.txt 2; everything is kept"
    ):
        finish(cut)
    rows.write_text(whole)
    finish(cut)


def test_killed_sessions_keep_the_frames_of_their_movies():
    result = promises.killed_session_keeps_its_frames(2, more=MOVIE)
    assert (result.failures, result.trials) == ([], 2)


def test_a_full_disk_ends_a_session_with_a_movie(tmp_path):
    if not small_disk(tmp_path / "trial", "64k"):
        pytest.skip("a small file system cannot be mounted here")
    unmount(tmp_path / "trial")
    result = promises.full_disk_ends_the_session(1, more=MOVIE)
    assert (result.failures, result.trials) == ([], 1)


def test_a_folder_that_is_deleted_ends_a_session_with_a_movie(run):
    process = run.start(settings=SHORT | MOVIE | {"initial_rest_dur": "60"}, fast=False)
    try:
        shutil.rmtree(run.wait_for_rows(5))
        output, _ = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 1, output
    assert "was deleted or renamed while the session ran" in output
    assert "and its frames are gone, with frames.mkv" in output


# ---- space


def test_the_space_check_knows_what_is_stored(settings):
    raw = 256 * 256 * 3
    in_hdf5, in_movie, in_both = (bytes_of_a_frame(settings(**c)) for c in ({}, MOVIE, LOSSLESS))
    assert raw < in_hdf5["image_stream.hdf5"] < raw + 1000
    assert in_movie["image_stream.hdf5"] < 1000
    assert in_movie["frames.mkv"] < raw
    assert in_both == {"image_stream.hdf5": in_hdf5["image_stream.hdf5"], "frames.mkv": in_movie["frames.mkv"]}


def test_the_space_check_allows_for_the_movie_of_real_sessions(stored, settings):
    session = read_session(stored["movie"])
    expected = bytes_of_a_frame(settings(**SHORT, **MOVIE))["frames.mkv"] * len(session.images)
    assert 0.5 * expected < (stored["movie"] / "frames.mkv").stat().st_size < expected


def test_a_replay_of_a_movie_needs_no_more_space_than_its_frames(stored, settings, monkeypatch):
    replayed = settings(
        **SHORT, **MOVIE, vid_source="VideoStream", vid_root=str(stored["movie"]), data_root=str(stored["movie"].parent)
    )
    needed = len(read_session(stored["movie"]).images) * sum(bytes_of_a_frame(replayed).values()) + 2**23
    usage = shutil.disk_usage(stored["movie"])
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage._replace(free=int(needed)))
    check_data_root(replayed)


def test_check_tries_the_movie(run):
    done = run("--check", settings=SHORT | MOVIE, fast=False)
    assert "movie: it can be encoded" in done.stdout, done.stdout + done.stderr
    assert SCRIPT.exists()
