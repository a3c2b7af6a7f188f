"""config.ini and its copies: what is written can be read back, and what is archived stays as it is."""

from configparser import ConfigParser

import pytest

import helper as clh
from rig.disk import replace_file
from rig.files.places import PLACES_FILE, read_places
from rig.session import keep_changes
from rig.settings.ini import save_lines, save_session_copy, to_text
from rig.settings.loading import load
from rig.settings.one_roi import OneRoiSettings
from rig.settings.two_roi import TwoRoiSettings
from roi_manager import Rect
from support.options import options_of
from support.places import SECTION

TWO = TwoRoiSettings.section


def with_rule(config, rule):
    """Write a rule into the section of two ROIs."""
    lines = config.read_text().splitlines()
    at = next(i for i, line in enumerate(lines) if line.startswith("roi_operation"))
    config.write_text("\n".join([*lines[:at], f"roi_operation = {rule}", *lines[at + 1 :]]) + "\n")
    return load(TwoRoiSettings, config, TWO, {"seed": "1"})[0]


@pytest.mark.parametrize(
    ("rule", "kept"),
    [
        ("M1_L - M1_R", "M1_L - M1_R"),
        ("M1_L\n    - M1_R", "M1_L - M1_R"),
        ("(M1_L\n    + BC_L)\n\t/ 2", "(M1_L + BC_L) / 2"),
        ("M1_L % M1_R", "M1_L % M1_R"),
        ("M1_L %\n    M1_R", "M1_L % M1_R"),
    ],
)
def test_a_rule_is_copied_in_one_line_and_read_back(config, tmp_path, rule, kept):
    cfg = with_rule(config, rule)
    copy = tmp_path / "copy"
    copy.mkdir()
    save_session_copy(cfg, copy / "config.ini")
    again, _ = load(TwoRoiSettings, copy / "config.ini", TWO, {})
    assert (again, again.roi_operation) == (cfg, kept)
    assert clh.GetConfigValues(copy)["roi_operation"] == kept


def test_sites_over_several_lines_are_read_back(config, tmp_path):
    text = config.read_text()
    assert "seeds_mm" in text
    cfg = load(OneRoiSettings, config, SECTION, {"seeds_mm": '{"M1": {"ML": 1.5,\n  "AP": 2}}', "seed": "1"})[0]
    save_session_copy(cfg, tmp_path / "copy.ini")
    assert load(OneRoiSettings, tmp_path / "copy.ini", SECTION, {})[0] == cfg


def test_a_copy_is_read_by_a_plain_configparser(config, tmp_path):
    cfg = with_rule(config, "M1_L\n  - M1_R")
    save_session_copy(cfg, tmp_path / "copy.ini")
    plain = ConfigParser()
    plain.read(tmp_path / "copy.ini")
    assert plain[TWO]["roi_operation"] == "M1_L - M1_R"
    assert dict(plain[TWO]).keys() >= {"framerate", "seeds_mm", "data_root"}


@pytest.mark.parametrize("rule", ["M1_L % M1_R", "M1_L %% M1_R"])
def test_a_percent_sign_means_the_same_to_us_and_to_a_plain_configparser(config, tmp_path, rule):
    cfg = with_rule(config, rule)
    assert cfg.roi_operation == "M1_L % M1_R"
    save_session_copy(cfg, tmp_path / "config.ini")
    plain = ConfigParser()
    plain.read(tmp_path / "config.ini")
    assert plain[TWO]["roi_operation"] == "M1_L % M1_R"
    assert clh.GetConfigValues(tmp_path)["roi_operation"] == "M1_L % M1_R"


def test_two_percent_signs_of_the_command_line_come_back(config, tmp_path):
    cfg = load(OneRoiSettings, config, SECTION, {"opencv_source": "a%%b%c", "seed": "1"})[0]
    save_session_copy(cfg, tmp_path / "copy.ini")
    assert load(OneRoiSettings, tmp_path / "copy.ini", SECTION, {})[0] == cfg


def test_text_never_has_a_line_break():
    assert to_text("a\n  b\r\nc") == "a b c"


# Links


def test_a_file_is_replaced_where_a_link_points_to(tmp_path):
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_bytes(b"old")
    link.symlink_to("target")
    replace_file(link, b"new")
    assert link.is_symlink()
    assert target.read_bytes() == b"new"


def test_places_are_saved_through_a_link(config):
    link = config.with_name("lab.ini")
    link.symlink_to(config.name)
    save_lines(link, SECTION, {"m1_l": "1,2,3,4"})
    assert link.is_symlink()
    assert "m1_l = 1,2,3,4" in config.read_text()
    assert sorted(path.name for path in config.parent.iterdir()) == ["config.ini", "lab.ini"]


# Archived configurations


MOVED = Rect("M1_L", x=1, y=2, w=8, h=8)


def keep_moved(config, tmp_path, rois=(MOVED,), **measured):
    """Do as a preview in which these ROIs were moved, and this was measured; return the options before."""
    options = options_of(config, SECTION, data_root=str(tmp_path / "data"))
    keep_changes(options, options.settings.with_places(rois).model_copy(update=measured))
    return options


def archived(tmp_path, config):
    """Make the folder of a recorded session with this configuration."""
    folder = tmp_path / "20260101000000"
    folder.mkdir()
    (folder / "VideoTimestamp.txt").write_text("frame\ttime\n")
    (folder / "config.ini").write_bytes(config.read_bytes())
    return folder / "config.ini"


def test_a_place_is_kept_for_the_mouse_and_not_for_every_mouse(config, tmp_path):
    before = config.read_text()
    options = keep_moved(config, tmp_path)
    assert config.read_text() == before
    places = read_places(options.settings.data_root / "m1" / PLACES_FILE)
    assert {name: place.numbers for name, place in places.items()} == {"m1_l": (1, 2, 8, 8)}


def test_what_was_measured_is_saved_in_the_users_configuration(config, tmp_path):
    before = config.read_text().splitlines()
    keep_moved(config, tmp_path, (), ppmm=30.5, head_angle=2.5)
    assert set(config.read_text().splitlines()) - set(before) == {"ppmm = 30.5", "head_angle = 2.5"}
    assert not (tmp_path / "data").exists(), "no place was changed"


@pytest.mark.parametrize("through_a_link", [False, True])
def test_the_configuration_of_a_recorded_session_stays_as_it_is(config, tmp_path, capsys, through_a_link):
    copy = archived(tmp_path, config)
    before, used = copy.read_bytes(), copy
    if through_a_link:
        used = tmp_path / "link.ini"
        used.symlink_to(copy)
    keep_moved(used, tmp_path, ppmm=30.5)
    assert not (tmp_path / "data").exists()
    assert copy.read_bytes() == before
    said = f"{used}: this is the configuration of a recorded session, so it stays as it is"
    assert said in capsys.readouterr().out


def test_nothing_is_said_where_nothing_was_moved(config, tmp_path, capsys):
    keep_moved(archived(tmp_path, config), tmp_path, ())
    assert capsys.readouterr().out == ""
