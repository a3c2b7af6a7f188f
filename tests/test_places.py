"""Whose ROI is it: the places of a mouse, and which wish is the newest."""

import math
from datetime import date

import pytest

from rig.errors import SettingsError
from rig.files.places import PLACES_FILE, change_of, read_places, update_places, with_places_of
from rig.settings.clmf import ClmfSettings
from rig.settings.loading import load
from rig.settings.one_roi import OneRoiSettings
from rig.settings.two_roi import TwoRoiSettings
from roi_manager import Circle, Rect
from support.places import ROOT, SECTION, SHORT, SPEED_SECTION
from support.runner import add_to_section, finished

TODAY = f"{date.today()}"
AT_SITE = "at its site (x, y, w, h = 76, 114, 8, 8 px)"
MOVED = Rect("M1_L", 70, 120, 8, 8)


def clnf(config=ROOT / "config.ini", **overrides):
    return load(OneRoiSettings, config, SECTION, {"seed": "1"} | overrides)[0]


def clmf(**overrides):
    return load(ClmfSettings, ROOT / "config.ini", SPEED_SECTION, {"seed": "1"} | overrides)[0]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "m1" / PLACES_FILE


def keep(path, as_read, *rois, **measured):
    """Do as a preview in which ROIs were placed and something measured; return what is written besides."""
    before, _ = with_places_of(as_read, path, set())
    change = change_of(as_read, before, before.model_copy(update=measured).with_places(rois))
    update_places(path, change)
    return change


def resumed(path, as_read, given=()):
    """Return the place of M1_L in the next session, and what is said of it."""
    settings, said = with_places_of(as_read, path, set(given))
    return settings.make_roi("M1_L").place(), said.get("M1_L", "")


# A place is used again


@pytest.mark.parametrize("roi", [MOVED, Circle("M1_L", 70, 120, 6)], ids=["rectangle", "circle"])
def test_a_place_is_used_in_the_next_session_and_said(path, roi):
    keep(path, clnf(), roi)
    place, said = resumed(path, clnf())
    assert place == roi.place()
    x, y = roi.centre()
    distance = math.dist(((128 - x) / 25.6, (135 - y) / 25.6), (1.8603, 0.64181))
    assert said.startswith(f"M1_L: placed on {TODAY} by hand, {distance:.2f} mm from its site (")


def test_it_is_stored_with_what_it_was_placed_under(path):
    keep(path, clnf(), MOVED)
    place = read_places(path)["m1_l"]
    assert place.date.startswith(TODAY)
    assert place.under == {
        "resolution": "256, 256",
        "bregma": "135, 128",
        "ppmm": "25.6",
        "nose": "u",
        "head_angle": "0",
        "roi_size": "0.3, 0.3",
        "line": "",
    }


def test_it_is_not_the_place_of_another_mouse(path, tmp_path):
    keep(path, clnf(), MOVED)
    assert resumed(tmp_path / "m2" / PLACES_FILE, clnf()) == ((76, 114, 8, 8), "")


def test_it_serves_every_experiment_of_the_mouse(path):
    keep(path, clnf(), MOVED)
    two = load(TwoRoiSettings, ROOT / "config.ini", TwoRoiSettings.section, {"roi_operation": "M1_L-M1_R"})[0]
    assert resumed(path, two)[0] == MOVED.place()


def test_other_rois_keep_their_places(path):
    keep(path, clnf(), MOVED)
    keep(path, clnf(roi="BC_R"), Rect("BC_R", 200, 180, 9, 9))
    assert {name: place.numbers for name, place in read_places(path).items()} == {
        "m1_l": (70, 120, 8, 8),
        "bc_r": (200, 180, 9, 9),
    }


def test_what_was_not_changed_keeps_its_date(path):
    keep(path, clnf(), MOVED)
    path.write_text(path.read_text().replace(TODAY, "2020-02-03"))
    assert keep(path, clnf()).places == {}
    assert resumed(path, clnf())[1].startswith("M1_L: placed on 2020-02-03 by hand")


# The newest wish wins


@pytest.mark.parametrize(
    ("changed", "was_and_is"),
    [
        ({"bregma": "130, 128"}, "bregma was 135, 128 and is 130, 128"),
        ({"ppmm": "20"}, "ppmm was 25.6 and is 20"),
        ({"head_angle": "3"}, "head_angle was 0 and is 3"),
        ({"roi_size": "0.4, 0.4"}, "roi_size was 0.3, 0.3 and is 0.4, 0.4"),
        ({"nose": "d"}, "nose was u and is d"),
    ],
)
def test_a_setting_that_has_changed_since(path, changed, was_and_is):
    keep(path, clnf(), MOVED)
    place, said = resumed(path, clnf(**changed), changed)
    assert place == clnf(**changed).make_roi("M1_L").place()
    assert said.startswith("M1_L: at its site (")
    assert said.endswith(f"; its place of {TODAY} is not used: {was_and_is}")
    assert resumed(path, clnf())[0] == MOVED.place(), "it comes back with the setting"


def test_a_line_by_hand_that_is_newer(path, config):
    keep(path, clnf(config), MOVED)
    add_to_section(config, "m1_l = 80,100,9,9\n")
    place, said = resumed(path, clnf(config))
    assert place == (80, 100, 9, 9)
    assert said.startswith("M1_L: by the line m1_l, ")
    assert said.endswith("is not used: line was not given and is 80,100,9,9")


def test_a_place_that_is_newer_than_the_line(path, config):
    add_to_section(config, "m1_l = 80,100,9,9\n")
    assert resumed(path, clnf(config))[1].startswith("M1_L: by the line m1_l, ")
    keep(path, clnf(config), MOVED)
    assert resumed(path, clnf(config))[0] == MOVED.place()


def test_a_line_counts_in_its_own_section_only(path, config):
    add_to_section(config, "m1_l = 80,100,9,9\n")
    two = load(TwoRoiSettings, config, TwoRoiSettings.section, {"roi_operation": "M1_L-M1_R"})[0]
    assert resumed(path, two)[0] == (76, 114, 8, 8)


@pytest.mark.parametrize("line", ["80,100,9,9", "70,120,8,8"], ids=["another", "the same"])
def test_a_line_on_the_command_line_wins(path, line):
    keep(path, clnf(), MOVED)
    place, said = resumed(path, clnf(m1_l=line), {"m1_l"})
    assert ",".join(map(str, place)) == line
    assert said.endswith("is not used: m1_l is given by --set")


def test_bregma_that_was_measured_in_the_same_preview_is_what_a_place_is_under(path):
    change = keep(path, clnf(), MOVED, bregma=(130.0, 120.0), ppmm=20.0)
    assert change.lines == {"bregma": "130, 120", "ppmm": "20"}
    assert resumed(path, clnf(bregma="130, 120", ppmm="20"))[0] == MOVED.place()
    assert "bregma was 130, 120 and is 135, 128" in resumed(path, clnf())[1]


def test_whoever_measures_and_starts_has_approved_the_places_as_they_are(path):
    keep(path, clnf(), MOVED)
    keep(path, clnf(), bregma=(130.0, 128.0))
    assert resumed(path, clnf(bregma="130, 128"))[0] == MOVED.place()


# Back at the site


def reset(path, as_read):
    before, _ = with_places_of(as_read, path, set())
    change = change_of(as_read, before, before.without_place("M1_L"))
    update_places(path, change)


def test_a_reset_forgets_the_place(path):
    keep(path, clnf(), MOVED)
    reset(path, clnf())
    assert read_places(path) == {}
    assert resumed(path, clnf()) == ((76, 114, 8, 8), "")


def test_a_reset_holds_against_a_line(path, config):
    add_to_section(config, "m1_l = 80,100,9,9\n")
    reset(path, clnf(config))
    assert resumed(path, clnf(config))[0] == (76, 114, 8, 8)


# Own ROIs


OWN = {"own_rois": "spot", "spot": "30,40,8,8"}


def test_a_new_one_gets_its_lines(path):
    after = clnf().model_copy(update={"own_rois": ("spot",)}).with_places([Rect("spot", 30, 40, 8, 8)])
    change = change_of(clnf(), clnf(), after)
    assert change.lines == OWN
    update_places(path, change)
    assert with_places_of(clnf(**OWN), path, set())[1]["spot"].startswith(f"spot: placed on {TODAY} by hand, ML ")


def test_one_that_is_moved_is_moved_for_this_mouse(path):
    assert keep(path, clnf(**OWN), Rect("spot", 50, 60, 8, 8)).lines == {}
    assert with_places_of(clnf(**OWN), path, set())[0].make_roi("spot").place() == (50, 60, 8, 8)


def test_one_that_is_deleted_loses_lines_and_place(path):
    keep(path, clnf(**OWN), Rect("spot", 50, 60, 8, 8))
    before, _ = with_places_of(clnf(**OWN), path, set())
    after = before.without_place("spot").model_copy(update={"own_rois": ()})
    change = change_of(clnf(**OWN), before, after)
    assert change.lines == {"own_rois": "", "spot": None}
    update_places(path, change)
    assert read_places(path) == {}


# CLMF


def test_a_circle_of_clmf_keeps_place_and_size_for_the_mouse(path):
    change = keep(path, clmf(), Circle("start_roi", 500, 150, 20))
    assert change.lines == {}
    settings, said = with_places_of(clmf(), path, set())
    assert settings.circle("start_roi") == (500, 150, 20)
    assert said["start_roi"].startswith(f"start_roi: placed on {TODAY} by hand, ")


@pytest.mark.parametrize("changed", [{"start_center": "580, 110"}, {"start_radius_mm": "5"}, {"ppmm": "4"}])
def test_a_setting_of_a_circle_that_has_changed_since(path, changed):
    keep(path, clmf(), Circle("start_roi", 500, 150, 20))
    assert with_places_of(clmf(**changed), path, set())[0].circle("start_roi") == clmf(**changed).circle("start_roi")


def test_a_centre_on_the_command_line_wins_also_where_it_says_the_same(path):
    keep(path, clmf(), Circle("start_roi", 500, 150, 20))
    settings, said = with_places_of(clmf(start_center="590, 110"), path, {"start_center"})
    assert settings.circle("start_roi") == (590, 110, 14)
    assert said["start_roi"].endswith("is not used: start_center is given by --set")


def test_a_centre_on_the_command_line_wins_over_a_line(path):
    cfg = clmf(start_roi="500,150", start_center="580, 110")
    assert with_places_of(cfg, path, {"start_center"})[0].circle("start_roi")[:2] == (580, 110)


# The file


@pytest.mark.parametrize(
    "text",
    ["no section\n", "[m1_l]\nplace = 1,2\nplaced_on = x\n", "[m1_l]\nplace = a,b,c\nplaced_on = x\n", "[m1_l]\n"],
)
def test_a_file_that_cannot_be_read_is_one_sentence_and_stays(path, text):
    path.parent.mkdir()
    path.write_text(text)
    with pytest.raises(SettingsError, match="the places of the ROIs cannot be read") as caught:
        resumed(path, clnf())
    assert len(str(caught.value).splitlines()) == 1
    assert path.read_text() == text


def test_a_file_that_cannot_be_read_is_never_written_over(path):
    path.parent.mkdir()
    path.write_bytes(b"[m1_l]\nplace = 70,120\n\xff")
    change = change_of(clnf(), clnf(), clnf().with_places([MOVED]))
    with pytest.raises(SettingsError, match="repair or rename it"):
        update_places(path, change)
    assert path.read_bytes() == b"[m1_l]\nplace = 70,120\n\xff"


# In a session

AS_SHORT = {"resolution": "128, 128", "bregma": "67, 64", "ppmm": "12.8"}


def test_a_session_without_a_window_says_where_each_roi_is(run):
    done = finished(run(settings=SHORT | {"total_trials": "1"}))
    assert "M1_L: at its site (x, y, w, h = 38, 56, 4, 4 px)" in done.stdout.splitlines()


def test_a_session_runs_with_the_place_of_its_mouse_and_keeps_the_line(run):
    keep(run.data / "m1" / PLACES_FILE, clnf(**AS_SHORT), Rect("M1_L", 40, 60, 5, 5))
    done = finished(run(settings=SHORT | {"total_trials": "1"}))
    assert f"M1_L: placed on {TODAY} by hand, " in done.stdout
    (folder,) = run.data.glob("m1/2*")
    assert "\nm1_l = 40,60,5,5\n" in (folder / "config.ini").read_text()


def test_a_session_with_a_circle_is_run_and_read_back(run):
    keep(run.data / "m1" / PLACES_FILE, clnf(**AS_SHORT), Circle("M1_L", 42, 60, 3))
    finished(run(settings=SHORT | {"total_trials": "1"}))
    (folder,) = run.data.glob("m1/2*")
    assert load(OneRoiSettings, folder / "config.ini", SECTION, {})[0].make_roi("M1_L").place() == (42, 60, 3)


def test_a_place_outside_of_the_image_is_one_sentence(run):
    path = run.data / "m1" / PLACES_FILE
    keep(path, clnf(**AS_SHORT), Rect("M1_L", 40, 60, 5, 5))
    path.write_text(path.read_text().replace("40,60,5,5", "140,60,5,5"))
    done = run(settings=SHORT)
    assert done.returncode == 2
    assert f"{path}: one setting cannot be used" in done.stderr
    assert "does not lie in the image" in done.stderr
    assert not list(run.data.glob("m1/2*"))
