"""The same place every day: how today's vessels lie on those of the first day, and what follows from it."""

import time

import numpy as np
import pytest

from rig.devices.frames import Frame
from rig.devices.same_place import FirstDay, SamePlace
from rig.errors import SettingsError
from rig.files.first_day import FIRST_DAY_FILE, REGISTRATION_FILE, keep_first_day, open_same_place, read_first_day
from rig.protocol.registration import Move, register
from rig.screen.editor import ENTER, ESC
from rig.screen.editor_cortex import CortexEditor
from rig.settings.head import Head
from rig.settings.loading import load
from rig.settings.moved import moved
from rig.settings.one_roi import OneRoiSettings
from roi_manager import Circle, Rect
from support.places import ROOT, SECTION, SHORT
from support.runner import finished, without_time
from support.vessels import mouse, picture, registered, spoilt

N_CASES = 10  # benchmarks/register.py has 200
BRIEF = SHORT | {"registration": "1", "total_trials": "2", "initial_rest_dur": "2", "max_trial_dur": "3"}
MOVED = "0.4, -0.3, 8, 1.05"


def clnf(**overrides):
    return load(OneRoiSettings, ROOT / "config.ini", SECTION, {"seed": "1"} | overrides)[0]


# How well


@pytest.fixture(scope="module")
def cases():
    return [registered(np.random.default_rng(seed), seed) for seed in range(N_CASES)]


def test_sites_lie_within_a_twentieth_of_a_mm_or_it_says_that_it_does_not_know(cases):
    good = [error < 0.05 for found, error in cases if found.is_known]
    assert all(good)
    assert len(good) >= 0.95 * N_CASES


def test_the_error_that_is_said_is_about_the_real_one(cases):
    said, real = np.array([(found.error_mm, error) for found, error in cases]).T
    assert 0.4 < np.median(said) / np.median(real) < 2.5
    assert (said < 0.1).all()


def test_another_mouse_is_refused():
    found = [registered(np.random.default_rng(seed), seed, other=seed + 1000)[0] for seed in range(N_CASES)]
    assert not any(each.is_known for each in found)
    assert "not those of the first day" in found[0].in_words()


def test_another_mouse_is_refused_in_pictures_without_noise():
    for seed in range(3):
        first, today = picture(mouse(seed)), picture(mouse(seed + 1000))
        assert not register(first, today, 25.6, [(128, 128)]).is_known


@pytest.mark.parametrize("today", [np.zeros((256, 256)), np.full((256, 256), 90.0)], ids=["black", "even"])
def test_a_picture_without_vessels_is_not_known(today):
    found = register(picture(mouse(1)), today.astype(np.float32), 25.6, [(128, 128)])
    assert not found.is_known


def test_a_registration_takes_less_than_a_second():
    first, today = picture(mouse(1)), spoilt(picture(mouse(1, moved=(0.3, 0.2, 5, 1.03))), np.random.default_rng(1))
    took_s = []
    for _ in range(3):
        began_s = time.thread_time()
        register(first, today, 25.6, [(128, 128)])
        took_s.append(time.thread_time() - began_s)
    assert min(took_s) < 1.0


# What follows


def test_head_and_rois_follow_the_move():
    settings = clnf().with_places([Rect("M1_L", 70, 100, 9, 9)])
    move = Move(1.1 * np.exp(1j * np.radians(10)), 0.5 - 0.25j)
    after = moved(settings, move)
    for left_mm, anterior_mm in ((0, 0), (2, 1), (-3, -3)):
        before_px = settings.head().to_px(left_mm, anterior_mm)
        assert after.head().to_px(left_mm, anterior_mm) == pytest.approx(
            move.to_today(*before_px, (256, 256), settings.ppmm), abs=0.05
        )
    roi = after.make_roi("M1_L")
    assert (roi.w, roi.h) == (10, 10)
    assert settings.head().to_mm(74, 104) == pytest.approx(after.head().to_mm(*roi.centre()), abs=0.03)


def test_a_circle_follows_the_move():
    after = moved(clnf().with_places([Circle("M1_L", 74, 104, 10)]), Move(1.2 + 0j, 1 + 0j))
    assert after.make_roi("M1_L").place() == (round((74 - 127.5) * 1.2 + 127.5 + 25.6), round(-23.5 * 1.2 + 127.5), 12)


def test_a_day_is_moved_from_the_first_one_and_never_from_the_day_before():
    first = FirstDay("2026-11-01 10:00:00", "", picture(mouse(1)), head_of(clnf()), {"m1_l": (70, 100, 9, 9)})
    same_place = SamePlace(first, 0.1)
    take_all(same_place, picture(mouse(1, moved=(0.4, 0, 0, 1))), clnf())
    yesterday = clnf(bregma="100, 90", ppmm="24", m1_l="10,10,8,8")
    assert same_place.moved(yesterday).roi_box("M1_L") == (80, 100, 9, 9)
    assert same_place.moved(yesterday).head() == Head(
        pytest.approx((135, 138.2), abs=0.1), pytest.approx(25.6, abs=0.05), "u", pytest.approx(0, abs=0.1)
    )


def head_of(settings):
    return {key: getattr(settings, key) for key in ("bregma", "ppmm", "nose", "head_angle", "resolution")}


def take_all(same_place, blue, settings):
    image = np.repeat(np.rint(blue)[..., None], 3, axis=2).astype(np.uint8)
    return [number for number in range(100) if same_place.take(Frame(number, number / 15, 0.0, image), settings)]


# The editor


@pytest.fixture
def later_day():
    """An editor on a later day of mouse 1; `shows` lets its picture be taken."""
    editor = CortexEditor(clnf())
    first = FirstDay("2026-11-01 10:00:00", "", picture(mouse(1)), head_of(clnf()), {"m1_l": (70, 100, 9, 9)})
    editor.same_place = SamePlace(first, 0.1)

    def shows(blue):
        image = np.repeat(np.rint(blue)[..., None], 3, axis=2).astype(np.uint8)
        for number in range(80):
            editor.take(Frame(number, number / 15, 0.0, image))
        return editor

    return editor, shows


def test_esc_waits_for_the_picture(later_day):
    editor, _ = later_day
    assert not editor.key(ESC)
    assert editor.refused
    assert editor.said == "not started: picture of the vessels: 5 s more"


def test_rois_are_moved_and_undo_brings_them_back(later_day):
    _, shows = later_day
    editor = shows(picture(mouse(1, moved=(0.4, 0, 0, 1))))
    assert editor.roi().place() == (80, 100, 9, 9)
    assert "moved 0.40 mm, turned" in editor.said
    assert "error 0.0" in editor.said
    editor.key(ord("u"))
    assert editor.settings == clnf()


def test_esc_starts_where_the_error_is_small(later_day):
    _, shows = later_day
    assert shows(picture(mouse(1, moved=(0.4, 0, 0, 1)))).key(ESC)


@pytest.mark.parametrize("answer", ["y", "n"])
def test_another_mouse_starts_only_when_that_is_confirmed(later_day, answer):
    _, shows = later_day
    editor = shows(picture(mouse(7)))
    assert editor.settings == clnf(), "nothing is moved"
    assert not editor.key(ESC)
    assert "start anyway? y" in editor.line()
    for key in (ord(answer), ENTER):
        assert not editor.key(key)
    editor.key(ESC) if answer == "n" else None  # cancels the question
    assert editor.key(ESC) == (answer == "y")


def test_a_larger_error_than_allowed_is_asked_about(later_day):
    editor, shows = later_day
    editor.same_place.limit_mm = 1e-6
    assert not shows(picture(mouse(1, moved=(0.4, 0, 0, 1)))).key(ESC)
    assert "max_registration_mm = 1e-06; start anyway? y" in editor.line()


def test_an_roi_that_cannot_be_moved_is_asked_about(later_day):
    editor, shows = later_day
    editor.same_place.first = editor.same_place.first._replace(places={"m1_l": (2, 100, 9, 9)})
    shows(picture(mouse(1, moved=(-0.4, 0, 0, 1))))
    assert not editor.key(ESC), "it would be left of the image"
    assert "does not lie in the image" in editor.line()
    assert "start anyway? y" in editor.line()


@pytest.mark.parametrize("is_first_day", [True, False])
def test_a_picture_from_before_the_light_is_not_kept(later_day, is_first_day):
    editor, shows = later_day
    if is_first_day:
        editor.same_place = SamePlace(None, 0.1)
    shows(np.zeros((256, 256)))
    shows(picture(mouse(1)))
    assert not editor.key(ESC)
    assert "is no longer what the camera sees (t takes it anew); start anyway? y" in editor.line()
    editor.key(ESC)
    editor.key(ord("t"))
    assert shows(picture(mouse(1))).key(ESC)


def test_the_picture_can_be_taken_anew(later_day):
    _, shows = later_day
    shows(picture(mouse(7))).key(ord("t"))
    assert shows(picture(mouse(1, moved=(0.4, 0, 0, 1)))).roi().place() == (80, 100, 9, 9)


def test_keys_say_what_is_missing_without_a_registration():
    editor = CortexEditor(clnf())
    for key in "ot":
        editor.key(ord(key))
        assert editor.refused
        assert "registration" in editor.said
    assert editor.key(ESC)


# The file


def test_a_first_day_is_read_as_it_was_kept(tmp_path):
    path, settings = tmp_path / "m1" / FIRST_DAY_FILE, clnf().with_places([Rect("M1_L", 70, 100, 9, 9)])
    keep_first_day(path, settings, picture(mouse(1)), "")
    first = read_first_day(path)
    assert np.array_equal(first.picture, picture(mouse(1)))
    assert first.put_into(clnf()) == settings


def test_an_roi_that_was_at_its_site_is_there_again_wherever_it_was_put_later(tmp_path):
    keep_first_day(tmp_path / FIRST_DAY_FILE, clnf(), picture(mouse(1)), "")
    first = read_first_day(tmp_path / FIRST_DAY_FILE)
    assert first.put_into(clnf(m1_l="120,150,8,8")) == clnf()
    own = clnf(own_rois="patch", patch="20,20,8,8")
    assert first.put_into(own) == own, "one without a site cannot be anywhere else"


def test_a_new_first_day_leaves_the_old_file(tmp_path):
    path = tmp_path / FIRST_DAY_FILE
    keep_first_day(path, clnf(), picture(mouse(1)), "")
    keep_first_day(path, clnf(), picture(mouse(2)), "")
    assert np.array_equal(read_first_day(path).picture, picture(mouse(2)))
    assert len(list(tmp_path.glob("first_day_until_*.npz"))) == 1


@pytest.mark.parametrize(
    ("overrides", "camera", "said"),
    [
        ({"nose": "d", "bregma": "120, 128"}, "", "on the first day nose was u, and it is d"),
        ({"resolution": "300, 300"}, "", "resolution was 256, 256, and it is 300, 300"),
        ({}, "a drawn mouse", "the first day was seen by a camera, and today by a drawn mouse"),
    ],
)
def test_what_cannot_be_compared_is_refused_before_a_window_opens(tmp_path, overrides, camera, said):
    keep_first_day(tmp_path / FIRST_DAY_FILE, clnf(), picture(mouse(1)), "")
    with pytest.raises(SettingsError, match=f"{said}; --set registration=new makes today the first day"):
        open_same_place(clnf(registration="1", **overrides), tmp_path, camera)
    assert open_same_place(clnf(registration="new", **overrides), tmp_path, camera).first is None


def test_a_damaged_first_day_is_refused_and_kept(tmp_path):
    path = tmp_path / FIRST_DAY_FILE
    path.write_bytes(b"no npz")
    with pytest.raises(SettingsError, match=r"cannot be read .* repair or rename it"):
        open_same_place(clnf(registration="1"), tmp_path, "")
    assert path.read_bytes() == b"no npz"


# Whole sessions


def test_without_the_setting_nothing_is_kept(run):
    finished(run(settings=BRIEF | {"registration": "0"}))
    assert not (run.data / "m1" / FIRST_DAY_FILE).exists()
    assert not (run.session().folder / REGISTRATION_FILE).exists()


def test_a_later_day_is_moved_stored_reported_and_replayed(run):
    done = finished(run(settings=BRIEF | {"m1_l": "30,50,6,6"}))
    assert "registration: today is the first day of m1, kept in" in done.stdout
    done = finished(run(settings=BRIEF | {"sim_head_moved": MOVED, "report": "1"}))
    assert "moved 0.50 mm, turned +8" in done.stdout
    session = run.session()
    said = session.attributes
    assert said["registration"] == "moved"
    assert said["registration_moved_mm"] == pytest.approx(0.5, abs=0.02)
    assert said["registration_turned_degrees"] == pytest.approx(8, abs=0.3)
    assert said["registration_scale"] == pytest.approx(1.05, abs=0.01)
    assert said["registration_error_mm"] < 0.05
    assert session.settings["m1_l"] != "30,50,6,6"
    assert float(session.settings["head_angle"]) == pytest.approx(8, abs=0.3)
    report = (session.folder / "report.html").read_text()
    assert "The same place every day" in report
    folder = session.folder
    arguments = ("--config", str(folder / "config.ini"), "--data-root", str(run.tmp_path / "replays"))
    again = finished(run(*arguments, settings={"vid_source": "VideoStream", "vid_root": str(folder), "report": "0"}))
    assert "registration:" not in again.stdout
    run.data = run.tmp_path / "replays"
    assert without_time(run.session()) == without_time(session)


def test_without_a_window_another_mouse_is_no_session(run):
    finished(run(settings=BRIEF))
    n_sessions = len(list((run.data / "m1").iterdir()))
    done = run(settings=BRIEF, seed=2)
    assert done.returncode == 1
    assert "no session was started: today's vessels are not those of the first day" in " ".join(done.stderr.split())
    assert len(list((run.data / "m1").iterdir())) == n_sessions
    finished(run(settings=BRIEF | {"registration": "new"}, seed=2))
    finished(run(settings=BRIEF, seed=2))
    assert run.session().attributes["registration"] == "moved"
