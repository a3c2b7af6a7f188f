"""CLMF with its frames in a lossless movie, grey and in colours."""

import av
import numpy as np
import pytest

from rig.files.finishing import finish
from rig.files.images import MovieImages
from rig.files.reader import read_session
from support.places import SHORT_PAWS
from support.runner import finished, frames_of, without_time

MOVIE = SHORT_PAWS | {"store": "movie", "movie_codec": "ffv1", "video_file": "frames.mkv", "trial_start": "immediate"}
BRIEF = {"total_trials": "1", "initial_rest_dur": "1", "max_trial_dur": "3"}


@pytest.mark.parametrize("mono", ["0", "1"], ids=["colours", "grey"])
def test_a_session_in_a_movie_is_the_one_in_hdf5(run, mono):
    finished(run(settings=MOVIE | BRIEF | {"mono": mono}))
    stored = MOVIE | BRIEF | {"mono": mono, "store": "hdf5"}
    finished(run(settings=stored, mouse="hdf5"))
    movie, hdf5 = run.session(), run.session("hdf5")
    assert without_time(movie) == without_time(hdf5)
    assert movie.images.shape[3] == (1 if mono == "1" else 3)
    np.testing.assert_array_equal(movie.images[:], hdf5.images[:])
    assert frames_of(movie) == {len(hdf5)}
    assert not (hdf5.folder / "frames.mkv").exists()


@pytest.mark.parametrize("pose", ["simulated", "dlclive"])
def test_a_movie_replays_as_the_session_was(run, pose):
    finished(run("--set", f"pose={pose}", settings=MOVIE | BRIEF))
    recorded = run.session()
    replay = {"vid_source": "VideoStream", "vid_root": str(recorded.folder), "pose": pose}
    finished(run("--config", str(recorded.folder / "config.ini"), settings=replay, mouse="replay", seed=None))
    replayed = run.session("replay")
    assert without_time(replayed) == without_time(recorded)
    np.testing.assert_array_equal(replayed.images[:], recorded.images[:])


def test_grey_in_both_forms_shows_the_same_frames(run):
    finished(run(settings=SHORT_PAWS | BRIEF | {"mono": "1", "trial_start": "immediate"}))
    session = run.session()
    with av.open(str(session.folder / "behavior_video.mp4")) as container:
        shown = np.array([frame.to_ndarray(format="bgr24") for frame in container.decode(video=0)])
    assert len(shown) == len(session.images)
    assert np.abs(shown[..., :1].astype(int) - session.images[:]).mean() < 8, "lossy, but the same"
    assert np.abs(shown[..., 0].astype(int) - shown[..., 2]).max() <= 2, "grey"


def test_killed_at_any_moment_the_movie_is_there(run):
    folder = run.killed(150, settings=MOVIE | {"mono": "1"})
    before = read_session(folder)
    n, images = len(before.images), before.images[:]
    assert 60 < n <= len(before)
    finish(folder)
    after = read_session(folder)
    assert isinstance(after.images, MovieImages)
    assert len(after.frames) == len(after.images) == n
    np.testing.assert_array_equal(after.images[:], images)
