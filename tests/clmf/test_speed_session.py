"""Whole CLMF sessions, run as a user runs them."""

import contextlib
import csv
import math
import signal
from itertools import groupby

import av
import cv2
import numpy as np
import pytest

import helper as clh
from rig.devices.pose import import_dlclive
from rig.files.movie import Movie, count_frames
from rig.files.reader import read_session
from rig.protocol.tones import get_bins, tone_index
from support.pins import gpio_env, levels, read_edges
from support.places import EXPORTED, SHARED, SHORT_PAWS, SPEED_SCRIPT, TRAINED
from support.runner import SpeedRunner, finished, frames_of, without_time
from support.waiting import end

COLUMNS = ["frame", "time", "cj_speed", "freq", "reward", "trial", "audio", "lick"]
PARTS = ["fl_l", "fl_r", "nose"]
OPEN_FIELD = SHARED / "data" / "openfield"


def pose_of(session, part):
    """Return x, y and likelihood of a part in each frame, (n, 3)."""
    return np.array([session.columns[f"{part}_{what}"] for what in ("x", "y", "likelihood")]).T


def check_protocol(session):
    """Check every row of a session against the protocol, only from its rows; return outcomes and rewards."""
    cfg, columns = session.settings, session.columns
    rate, n_tones = float(cfg["framerate"]), int(cfg["n_tones"])
    delay = round(float(cfg["reward_delay"]) * rate)
    speed, threshold = columns["cj_speed"], columns["speed_threshold"]
    reward, trial, freq, tracked = (columns[name] for name in ("reward", "trial", "freq", "tracked"))
    point = pose_of(session, cfg["control_point"])
    ways = np.hypot(*np.diff(point[:, :2], axis=0).T)
    np.testing.assert_allclose(speed, [0, *ways], rtol=0, atol=1e-6)
    seen = point[:, 2] >= float(cfg["min_likelihood"])
    trusted = seen & np.append(True, seen[:-1]) & (speed <= float(cfg["max_jump_px"]))
    np.testing.assert_array_equal(tracked, trusted)

    freqs, playing = clh.get_freqs(n_tones), (trial > 0) & (reward == 0)
    held = 0.0
    for i in range(len(speed)):
        held = speed[i] if trusted[i] else held
        if playing[i]:
            assert freq[i] == round(freqs[tone_index(held, get_bins(threshold[i], n_tones))])
            assert not (i >= delay and trusted[i - delay] and speed[i - delay] > threshold[i]), "a crossing ends it"
    assert (freq[~playing] == 0).all()
    for i in np.flatnonzero(reward == 1):
        assert speed[i - delay] > threshold[i], "every reward is a crossing reward_delay earlier"
        assert trusted[i - delay], "of a paw that was tracked"

    outcomes = np.flatnonzero(reward)
    assert trial[outcomes].tolist() == list(range(1, int(cfg["total_trials"]) + 1))
    rests = {1: float(cfg["success_rest_dur"]), -1: float(cfg["fail_rest_dur"]), 0: float(cfg["initial_rest_dur"])}
    window = round(float(cfg["joint_history_sec"]) * rate)
    ended, outcome = 0, 0
    for n, end_of_trial in enumerate(outcomes, start=1):
        began = int(np.flatnonzero(trial == n)[0])
        assert began - ended >= round(rests[outcome] * rate), "the rest is not shortened"
        may = {
            "stable": [i >= window and speed[i - window + 1 : i + 1].mean() < 1 for i in range(len(speed))],
            "immediate": [True] * len(speed),
            "start_roi": [bool(t) and in_start(cfg, p) for t, p in zip(trusted, point, strict=True)],
        }[cfg["trial_start"]]
        waited = range(ended + round(rests[outcome] * rate), began)
        assert not any(may[i] for i in waited), "it begins as soon as it may"
        assert may[began]
        if reward[end_of_trial] == -1:
            assert end_of_trial - began == round(float(cfg["max_trial_dur"]) * rate)
        ended, outcome = end_of_trial, reward[end_of_trial]
    last = round((rests[outcome] + float(cfg["tail_dur"])) * rate)
    assert len(speed) - ended == last, "the last rest, and two seconds without light"
    return outcomes, reward


def in_start(cfg, point):
    """Return whether a point lies in the start circle."""
    x, y = (float(v) for v in cfg.get("start_roi", cfg["start_center"]).split(","))
    radius = round(float(cfg["start_radius_mm"]) * float(cfg["ppmm"]))
    return math.hypot(point[0] - x, point[1] - y) <= radius


def movie_frames(path):
    """Return the frames of a movie; after a kill its last packet may be half there."""
    frames = []
    with av.open(str(path)) as container, contextlib.suppress(av.error.InvalidDataError):
        for frame in container.decode(video=0):
            frames.append(frame.to_ndarray(format="bgr24"))
    return frames


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A session that has ended: its runner, and the process with its output."""
    run = SpeedRunner(tmp_path_factory.mktemp("whole"))
    return run, finished(run())


def test_a_session_follows_the_protocol_and_the_mouse_earns_water(whole):
    run, _ = whole
    _, reward = check_protocol(run.session())
    assert (reward == 1).any()


def test_the_columns_of_a_session(whole):
    run, _ = whole
    pose_columns = [f"{part}_{what}" for part in PARTS for what in ("x", "y", "likelihood")]
    assert list(run.session().columns) == [*COLUMNS, *pose_columns, "speed_threshold", "tracked"]


def test_every_frame_is_stored_with_its_row(whole):
    run, _ = whole
    session = run.session()
    n = len(session)
    assert session.images.shape == (n, 160, 320, 3)
    assert session.columns["frame"].tolist() == list(range(n))


def test_the_files_of_a_session(whole):
    run, _ = whole
    names = ["VideoTimestamp.txt", "behavior_video.mp4", SPEED_SCRIPT.name, "config.ini", "image_stream.hdf5"]
    assert sorted(p.name for p in run.session().folder.iterdir()) == names


def test_a_simulated_pose_is_in_the_banner(whole):
    _, done = whole
    assert "pose     simulated" in done.stdout


def test_untracked_frames_are_counted(whole):
    run, _ = whole
    session = run.session()
    assert session.attributes["untracked_frames"] == (session.columns["tracked"] == 0).sum()


def test_the_summary_has_a_row_for_the_session(whole):
    run, _ = whole
    with (run.data / "expt_dlc_trial_summary.csv").open() as file:
        (row,) = csv.DictReader(file)
    assert (row["control_point"], row["speed_threshold"]) == ("fl_l", "4")


def test_the_movie_shows_the_same_frames_in_the_same_order(run):
    finished(run(settings=SHORT_PAWS | {"total_trials": "1", "trial_start": "immediate"}))
    session = run.session()
    movie, images = movie_frames(session.folder / "behavior_video.mp4"), session.images[:]
    assert len(movie) == len(images)
    for shown, stored in zip(movie, images, strict=True):
        assert np.abs(shown.astype(int) - stored).mean() < 8, "lossy, but the same"
    x = [int(np.abs(frame[..., 2].astype(int) - 235).sum(axis=0).argmin()) for frame in movie]
    assert len(set(x)) > 3, "the paw is seen to move"


def test_a_session_of_one_frame(run):
    done = run(settings=SHORT_PAWS | {"sim_camera_fails_at_s": "0.001"})
    assert done.returncode == 1
    assert done.stderr.startswith("the camera gave no new frame")
    assert "Traceback" not in done.stderr
    assert len(movie_frames(run.session().folder / "behavior_video.mp4")) == len(run.session()) == 1


def test_a_movie_without_frames(tmp_path):
    Movie(tmp_path / "none.mp4", (64, 64, 3), 30).close()
    assert count_frames(tmp_path / "none.mp4") == 0


def test_without_a_movie(run):
    finished(run(settings=SHORT_PAWS | {"total_trials": "1", "video_file": ""}))
    assert not list(run.session().folder.glob("*.mp4"))


@pytest.mark.parametrize("how", ["start_roi", "immediate"])
def test_other_ways_to_begin_a_trial(run, how):
    finished(run(settings=SHORT_PAWS | {"trial_start": how, "total_trials": "6", "start_radius_mm": "2"}, seed=4))
    check_protocol(run.session())


@pytest.fixture(scope="module")
def with_pins(tmp_path_factory):
    """A session of one trial with the real pin library: its files, and the log of the edges on the chip."""
    folder = tmp_path_factory.mktemp("pins")
    run, log = SpeedRunner(folder), folder / "edges"
    finished(run("--set", "outputs=gpio", settings=SHORT_PAWS | {"total_trials": "1"}, env=gpio_env(log)))
    return run.session(), log


def test_the_light_goes_off_two_seconds_before_the_end(with_pins):
    session, _ = with_pins
    assert session.of("light", "driven")[-1].value == 0
    commanded = [event.frame for event in session.of("light", "commanded: off")]
    assert commanded == [len(session) - 60], "60 frames are recorded after it"


def test_the_trigger_ends_with_an_edge(with_pins):
    session, log = with_pins
    assert [event.value for event in session.of("trigger", "driven")] == [1, 0, 1, 0]
    trigger = [level for _, gpio, level in read_edges(log) if gpio == 27]  # pin 13 of the header
    assert [level for level, _ in groupby(trigger)] == [0, 1, 0, 1, 0]


def test_all_pins_are_low_at_the_end(with_pins):
    _, log = with_pins
    # Pins 7, 12, 40, 13 of the header are GPIO 4, 18, 21, 27.
    assert levels(log) == dict.fromkeys((4, 18, 21, 27), 0)


@pytest.mark.parametrize("kind", [kind.name for kind in clh.SessionType if kind is not clh.SessionType.yoked])
def test_session_types(run, kind):
    busy = SHORT_PAWS | {
        "session_type": kind,
        "trial_start": "immediate",
        "total_trials": "6",
        "random_reward_per_min": "12",
    }
    finished(run(settings=busy, seed=3))
    session = run.session()
    freq, reward = session.columns["freq"], session.columns["reward"]
    water = len(session.of("reward", "commanded: 0.1"))
    ends = [event.detail for event in session.of("trial", "end")]
    assert len(ends) == session.columns["trial"].max() == 6
    assert (freq > 0).any() == kind.startswith(("normal_audio", "single_audio"))
    if kind == "single_audio_normal_reward":
        assert set(freq[freq > 0]) == {1000}
    if kind == "no_audio_random_reward":
        assert water == (reward == 1).sum() > 0
        assert ends == ["end: time is over"] * 6
    elif kind.endswith("normal_reward"):
        assert water == ends.count("end: success") == (reward == 1).sum()
    else:
        assert water == 0


def test_threshold_follows_by_two_and_never_below_two(run):
    idle = SHORT_PAWS | {
        "adaptive_threshold": "1",
        "initial_rest_dur": "100",
        "total_trials": "1",
        "max_trial_dur": "2",
    }
    finished(run(settings=idle | {"speed_threshold": "5"}))
    threshold = run.session().columns["speed_threshold"]
    assert sorted(set(threshold), reverse=True)[:3] == [5, 3, 2]
    assert threshold.min() == 2


def test_threshold_rises_with_the_rewards_of_a_mouse_that_has_learned(run):
    often = SHORT_PAWS | {
        "adaptive_threshold": "1",
        "total_trials": "25",
        "trial_start": "immediate",
        "success_rest_dur": "1",
    }
    finished(run(settings=often | {"fail_rest_dur": "1"}, seed=2))
    session = run.session()
    check_protocol(session)
    threshold, reward = session.columns["speed_threshold"], session.columns["reward"]
    assert threshold.max() > 4
    for i in np.flatnonzero(np.diff(threshold)):
        earned = (reward[max(0, i - 899) : i + 1] == 1).sum()
        assert np.sign(threshold[i + 1] - threshold[i]) == (1 if earned > 1 else -1)


def test_an_untracked_paw_earns_nothing(run):
    """With a limit below the speed of a reach, its fast frames are jumps, and earn nothing."""
    finished(run(settings=SHORT_PAWS | {"speed_threshold": "2", "max_jump_px": "2.5", "total_trials": "6"}))
    session = run.session()
    _, reward = check_protocol(session)  # no reward without a tracked crossing
    speed, tracked = session.columns["cj_speed"], session.columns["tracked"]
    assert (speed[tracked == 0] > 2.5).sum() > 10, "the log shows what was measured"
    trial = session.columns["trial"]
    in_trial = [i for i in np.flatnonzero((tracked == 0) & (trial > 0)) if i + 15 < len(trial)]
    assert any(trial[i + 15] == trial[i] and reward[i + 15] == 0 for i in in_trial), "fast, and the trial goes on"


def test_an_unlikely_paw_earns_nothing(run):
    finished(run(settings=SHORT_PAWS | {"min_likelihood": "1", "total_trials": "2", "speed_threshold": "2"}))
    session = run.session()
    check_protocol(session)
    assert (session.columns["tracked"] == 0).any()


@pytest.mark.parametrize(("pose", "model"), [("simulated", TRAINED), ("dlclive", TRAINED), ("dlclive", EXPORTED)])
def test_replay_with_its_own_configuration_is_bit_exact(run, pose, model):
    short = SHORT_PAWS | {"pose": pose, "total_trials": "2", "initial_rest_dur": "3", "max_trial_dur": "4"}
    short |= {"dlc_resize": "1", "dlc_model_path": str(model)}
    finished(run(seed=None, settings=short))
    recorded = run.session()
    check_protocol(recorded)
    replay = {"vid_source": "VideoStream", "vid_root": str(recorded.folder), "pose": pose}
    finished(run("--config", str(recorded.folder / "config.ini"), settings=replay, mouse="replay", seed=None))
    replayed = run.session("replay")
    assert without_time(replayed) == without_time(recorded)
    np.testing.assert_array_equal(replayed.images[:], recorded.images[:])


def test_killed_at_any_moment_frames_and_movie_are_there(run):
    folder = run.killed(150, settings=SHORT_PAWS)
    session = read_session(folder)
    assert 60 < len(session.images) <= len(session)
    assert (folder / "VideoTimestamp.txt").read_text().endswith("\n"), "the last row is whole"
    assert len(movie_frames(folder / "behavior_video.mp4")) > 60, "what was written before can be played"


def test_stopped_by_a_signal(run):
    process = run.start(settings=SHORT_PAWS, fast=False)
    try:
        folder = run.wait_for_rows(30)
        process.send_signal(signal.SIGTERM)
        output, _ = process.communicate(timeout=30)
    finally:
        end(process)
    assert process.returncode == 143, output
    session = read_session(folder)
    assert frames_of(session) == {len(movie_frames(folder / "behavior_video.mp4"))}
    assert [event.value for event in session.of("trigger", "driven")] == [1, 0, 1, 0]


BAD = [
    ([], {"dlc_model_path": "nowhere.pt", "pose": "dlclive"}, "there is no such model"),
    ([], {"control_point": "tail"}, "control_point = tail: the model has no such body part; it has fl_l, fl_r, nose"),
    ([], {"start_center": "1, 1"}, "does not lie in the image"),
    ([], {"trial_start": "now"}, "trial_start = now"),
    ([], {"video_file": "movie.gif"}, "video_file = movie.gif"),
    (["--baseline", "3"], {}, "unrecognized arguments: --baseline 3"),
]


@pytest.mark.parametrize(("arguments", "changes", "fragment"), BAD, ids=[fragment[:30] for _, _, fragment in BAD])
def test_bad_input(run, arguments, changes, fragment):
    done = run(*arguments, settings=SHORT_PAWS | changes)
    assert done.returncode == 2
    assert fragment in done.stderr
    assert "Traceback" not in done.stderr
    assert not run.data.exists()


def test_settings_of_other_experiments_are_reported(run):
    done = finished(
        run("--set", "reward_threshold=3", settings=SHORT_PAWS | {"total_trials": "1", "max_trial_dur": "1"})
    )
    assert "not used by this experiment: reward_threshold" in done.stdout


@pytest.mark.parametrize(("module", "sentence"), [("dlclive", "DeepLabCut-Live is not installed"), ("av", "PyAV")])
def test_a_missing_library_is_one_sentence(run, tmp_path, module, sentence):
    (tmp_path / "absent").mkdir()
    (tmp_path / "absent" / f"{module}.py").write_text(f"raise ImportError('No module named {module}')\n")
    done = run(
        "--set",
        f"pose={'dlclive' if module == 'dlclive' else 'simulated'}",
        "--set",
        f"dlc_model_path={TRAINED}",
        env={"PYTHONPATH": str(tmp_path / "absent")},
    )
    assert done.returncode == 1
    assert done.stderr.startswith(sentence)
    assert len(done.stderr.splitlines()) == 1
    assert not list(run.data.glob("m1/*"))


def test_a_real_camera_with_the_shipped_model_is_refused(run, tmp_path):
    movie = tmp_path / "camera.avi"
    writer = cv2.VideoWriter(str(movie), cv2.VideoWriter.fourcc(*"MJPG"), 30, (320, 160))
    writer.write(np.zeros((160, 320, 3), np.uint8))
    writer.release()
    real = {"vid_source": "OpenCVCameraStream", "opencv_source": str(movie), "pose": "dlclive"}
    done = run(settings=SHORT_PAWS | real, fast=False)
    assert done.returncode == 2
    assert "not a real one" in done.stderr
    assert not run.data.exists()


def test_a_real_mouse(run):
    """A real mouse in an arena, a model that knows it: trials run, and the log holds what the model gives offline."""
    if not OPEN_FIELD.exists():
        pytest.skip("no real mouse here: ../shared is absent")
    circles = {"start_center": "320, 240", "target_center": "320, 240", "start_radius_mm": "4", "ppmm": "3.5"}
    real = SHORT_PAWS | circles | {
        "vid_source": "VideoStream", "vid_root": str(OPEN_FIELD / "m3v1mp4.mp4"), "resolution": "640, 480",
        "pose": "dlclive", "dlc_model_path": str(OPEN_FIELD / "mouse_openfield.pt"), "dlc_resize": "0.5",
        "control_point": "snout", "trial_start": "immediate", "speed_threshold": "10", "reward_delay": "1",
        "initial_rest_dur": "2", "max_trial_dur": "5", "total_trials": "5", "video_file": "", "max_jump_px": "100",
    }  # fmt: skip
    finished(run(settings=real, seed=None))
    session = run.session()
    _, reward = check_protocol(session)
    assert (reward == 1).sum() >= 2
    import torch

    torch.set_num_threads(1)
    live_class, processor, _ = import_dlclive()
    live = live_class(
        OPEN_FIELD / "mouse_openfield.pt", model_type="pytorch", processor=processor(), display=False, resize=0.5
    )
    live.init_inference(session.images[0])
    for i in range(0, len(session), 25):
        offline = live.get_pose(session.images[i])
        for part, expected in zip(("snout", "leftear", "rightear", "tailbase"), offline, strict=True):
            np.testing.assert_array_equal(pose_of(session, part)[i], expected.astype(float))
