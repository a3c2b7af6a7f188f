"""Configurations of the original CLoPy: recognised, translated, and run; what is not used is said."""

import csv
import re
from configparser import RawConfigParser

import pytest
import tables

from rig.errors import SettingsError
from rig.files.reader import read_session
from rig.settings.clmf import ClmfSettings
from rig.settings.loading import choose_section, load, said_of_the_original
from rig.settings.one_roi import OneRoiSettings
from rig.settings.original import UNUSED
from rig.settings.two_roi import TwoRoiSettings
from support.original import MADE_UP, REAL
from support.places import ROOT, SECTION, SPEED_SCRIPT, SPEED_SECTION, TWO_ROI_SCRIPT
from support.runner import add_to_section, finished, without_time

SIMULATED = {"vid_source": "SimCameraStream", "outputs": "simulated", "tone": "simulated", "pose": "simulated"}
FIXED = "one_roi_with_fixed_rests"


@pytest.fixture
def made_up(tmp_path):
    path = tmp_path / "original.ini"
    path.write_text(MADE_UP)
    return path


def simulated(model):
    return {key: value for key, value in SIMULATED.items() if key in model.model_fields}


def loaded(model, path, section, **overrides):
    return load(model, path, section, simulated(model) | overrides)[0]


def table(model, path, section):
    """Return {row: text} of the table that a script prints."""
    _, unused = load(model, path, section, simulated(model))
    head, *lines = said_of_the_original(model, path, section, {}, unused)
    assert head.startswith(f"[{section}] is a section of the original CLoPy")
    return {line[2:13].strip(): line[14:] for line in lines}


def refused(model, path, section, **overrides):
    with pytest.raises(SettingsError) as caught:
        load(model, path, section, overrides)
    return str(caught.value)


# Stale ROIs


def test_the_line_of_a_site_is_stale_and_the_site_is_trained(made_up):
    cfg = loaded(OneRoiSettings, made_up, SECTION)
    assert cfg.placed == {}
    assert cfg.roi_box("M1_L") == (36, 58, 4, 4), "2.0 mm left of bregma, 0.5 mm in front of it, at 12.8 px/mm"
    row = table(OneRoiSettings, made_up, SECTION)["stale ROIs"]
    assert row.startswith("bc_r, m1_l: the original writes such lines and never reads them")


def test_the_line_of_an_roi_that_is_no_site_is_its_place(made_up):
    cfg = loaded(TwoRoiSettings, made_up, "two_rois_by_hand")
    assert (cfg.roi_box("roi1"), cfg.roi_box("roi2")) == ((20, 30, 6, 6), (90, 30, 6, 6))
    rows = table(TwoRoiSettings, made_up, "two_rois_by_hand")
    assert "roi3" in rows["not used"]
    assert rows["assumed"].startswith("ppmm = 25.6, bregma = 135, 128")
    assert rows["defaults"].startswith("total_trials, max_trial_dur")


def test_the_line_that_one_might_want_is_named(made_up):
    assert "'placed_here = m1_l'" in table(OneRoiSettings, made_up, SECTION)["stale ROIs"]


def test_a_place_on_the_command_line_is_no_stale_one(made_up):
    assert loaded(OneRoiSettings, made_up, SECTION, m1_l="1,2,3,4").roi_box("M1_L") == (1, 2, 3, 4)


def test_a_line_is_used_where_it_is_said_to_be_a_place(made_up):
    by_hand(made_up, SECTION, "placed_here = m1_l", "m1_l = 40,50,6,6")
    assert loaded(OneRoiSettings, made_up, SECTION).placed == {"m1_l": (40, 50, 6, 6)}
    assert "m1_l" not in table(OneRoiSettings, made_up, SECTION)["stale ROIs"]


def test_a_circle_is_used_where_it_is_said_to_be_a_place(made_up):
    by_hand(made_up, SPEED_SECTION, "placed_here = start_roi", "start_roi = 200,60")
    cfg = loaded(ClmfSettings, made_up, SPEED_SECTION)
    assert (cfg.circle("start_roi"), cfg.circle("target_roi")) == ((200, 60, 7), (295, 40, 10))
    assert table(ClmfSettings, made_up, SPEED_SECTION)["stale ROIs"].startswith("target_roi:")


def by_hand(config, section, *lines):
    """Write lines into a section, in place of those with the same key."""
    head, own = config.read_text().split(f"[{section}]\n")
    for line in lines:
        own = re.sub(rf"^{line.split(' =')[0]} = .*\n", "", own, count=1, flags=re.MULTILINE)
    config.write_text(f"{head}[{section}]\n" + "".join(f"{line}\n" for line in lines) + own)


def test_in_the_folder_of_a_session_the_line_says_where_the_trained_roi_was(made_up):
    (made_up.parent / "VideoTimestamp.txt").write_text("frame\ttime\tM1_Ldff\n")
    assert loaded(OneRoiSettings, made_up, SECTION).placed == {"m1_l": (60, 20, 10, 10)}


def test_the_centres_of_circles_win_over_left_overs(made_up):
    cfg = loaded(ClmfSettings, made_up, SPEED_SECTION)
    assert (cfg.circle("start_roi"), cfg.circle("target_roi")) == ((295, 55, 7), (295, 40, 10))
    assert table(ClmfSettings, made_up, SPEED_SECTION)["stale ROIs"].startswith("start_roi, target_roi:")


def test_circles_without_centres_are_where_their_lines_say(made_up):
    made_up.write_text(re.sub(r"(start|target)_center = .*\n", "", MADE_UP))
    cfg = loaded(ClmfSettings, made_up, SPEED_SECTION)
    assert (cfg.start_center, cfg.target_center) == ((100, 100), (100, 80))


# Translation


def test_trials_and_rests_have_other_names(made_up):
    cfg = loaded(OneRoiSettings, made_up, FIXED)
    assert (cfg.max_trial_dur, cfg.initial_rest_dur, cfg.success_rest_dur, cfg.fail_rest_dur) == (8, 4, 4, 4)


def test_a_script_without_delays_had_none(made_up):
    cfg = loaded(OneRoiSettings, made_up, FIXED)
    assert (cfg.reward_delay, cfg.audio_delay) == (0, 0)
    assert loaded(OneRoiSettings, made_up, SECTION).reward_delay == 1


def test_an_exposure_longer_than_a_frame_is_cut(made_up):
    assert loaded(OneRoiSettings, made_up, FIXED).shutter_speed == 66666
    assert "shutter_speed = 600000 as 66666" in table(OneRoiSettings, made_up, FIXED)["translated"]


def test_the_pins_of_the_paw_script_are_those_that_stood_in_it(made_up):
    cfg = loaded(ClmfSettings, made_up, SPEED_SECTION)
    assert cfg.pins() == {"reward": 7, "fail": 12, "light": 40, "trigger": 13}
    assert (cfg.pin_numbering, cfg.reward_s, cfg.tail_dur, cfg.trigger_stop_edge) == ("BOARD", 0.1, 2, True)
    assert "reward_pin = 7" in table(ClmfSettings, made_up, SPEED_SECTION)["added"]


def test_the_pins_of_another_rig_are_not_taken_for_those_of_the_paw_script(made_up):
    made_up.write_text("[DEFAULT]\npin_numbering = BCM\nreward_pin = 27\n" + MADE_UP)
    assert loaded(ClmfSettings, made_up, SPEED_SECTION).reward_pin == 7


def test_pins_and_delays_that_somebody_has_written_stay(made_up):
    text = MADE_UP.replace("control_point = fl_l", "control_point = fl_l\nreward_pin = 8")
    made_up.write_text("[DEFAULT]\nreward_delay = 0.5\n" + text)
    assert loaded(ClmfSettings, made_up, SPEED_SECTION).reward_pin == 8
    assert loaded(OneRoiSettings, made_up, FIXED).reward_delay == 0.5


def test_a_renamed_control_point(made_up):
    made_up.write_text(MADE_UP.replace("control_point", "control_joint"))
    assert loaded(ClmfSettings, made_up, SPEED_SECTION).control_point == "fl_l"


def test_a_threshold_on_processed_pictures_is_named(made_up):
    row = table(OneRoiSettings, made_up, SECTION)["threshold"]
    assert row.startswith("0.04 was found on processed pictures")
    assert "threshold" not in table(ClmfSettings, made_up, SPEED_SECTION)


def test_a_table_says_what_became_of_every_key(made_up):
    rows = table(OneRoiSettings, made_up, FIXED)
    assert rows["not used"] == "dff_range, var_threshold"
    assert rows["translated"].startswith("rest_duration = 4 as initial_rest_dur, success_rest_dur, fail_rest_dur")
    assert rows["added"] == "audio_delay = 0, reward_delay = 0 (as in its script)"
    keys = set(RawConfigParser.options(parsed(made_up), FIXED))
    said = set(re.findall(r"\w+", " ".join(rows.values())))
    assert keys <= said


def parsed(path):
    parser = RawConfigParser()
    parser.read(path)
    return parser


def test_a_section_of_this_rig_has_no_table(config):
    assert said_of_the_original(OneRoiSettings, config, SECTION, {}, []) == []


def test_a_key_of_the_original_on_the_command_line_is_answered_with_ours(config):
    said = refused(OneRoiSettings, config, SECTION, rest_duration="30")
    assert "in this rig it is initial_rest_dur, success_rest_dur, fail_rest_dur" in said
    assert "resolution" not in said


# Sections that cannot be run


@pytest.mark.parametrize(
    ("model", "section", "fragment"),
    [
        (OneRoiSettings, "movement", "it is of a program of the original that measures movement"),
        (OneRoiSettings, "only_a_camera", "it has no roi; sections that it can run: "),
        (OneRoiSettings, SPEED_SECTION, "it has no roi, and is one of the CLMF script"),
        (ClmfSettings, FIXED, "it has no control_point, and is one of the 1roi script"),
        (TwoRoiSettings, "two_rois_without_a_rule", "add it, as in --set roi_operation=roi1-roi2"),
    ],
)
def test_a_section_of_another_program_is_one_sentence(made_up, model, section, fragment):
    said = refused(model, made_up, section)
    assert fragment in said
    assert len(said.splitlines()) == 1


def test_sections_that_can_be_run_are_named(made_up):
    said = refused(OneRoiSettings, made_up, "only_a_camera")
    assert said.endswith(f"sections that it can run: {SECTION}, {FIXED}")


def test_a_rule_that_is_given_makes_a_section_run(made_up):
    cfg = loaded(TwoRoiSettings, made_up, "two_rois_without_a_rule", roi_operation="roi1-roi2")
    assert cfg.roi_box("roi2") == (90, 30, 6, 6)


@pytest.mark.parametrize("name", ["EpixCameraStream", "AR0135CameraStream"])
def test_a_camera_of_the_original_is_answered_with_what_replaces_it(config, name):
    said = refused(OneRoiSettings, config, SECTION, vid_source=name)
    assert f"vid_source = {name}: this is a camera of the original" in said
    assert "set vid_source = OpenCVCameraStream" in said


def test_the_industrial_camera_of_the_original_is_the_one_of_aravis(config):
    said = refused(OneRoiSettings, config, SECTION, vid_source="SentechCameraStream")
    assert "this is a camera of the original; in this rig it is AravisCameraStream (docs/genicam.md)" in said


def test_in_a_section_of_the_original_its_industrial_camera_is_translated(made_up):
    overrides = simulated(ClmfSettings)
    del overrides["vid_source"]
    assert load(ClmfSettings, made_up, SPEED_SECTION, overrides)[0].vid_source == "AravisCameraStream"
    row = table(ClmfSettings, made_up, SPEED_SECTION)["translated"]
    assert "vid_source = SentechCameraStream as AravisCameraStream (docs/genicam.md)" in row


def test_white_balance_that_is_not_off_is_answered_by_why(config):
    said = refused(OneRoiSettings, config, SECTION, awb_mode="auto")
    assert "ΔF/F of two colours means nothing while their gains drift" in said


# Which section


def test_the_configuration_names_the_section(made_up):
    assert choose_section(OneRoiSettings, made_up, None) == (
        FIXED,
        f"[configsection] names [{FIXED}]: this section is used",
    )


@pytest.mark.parametrize(
    ("model", "section"), [(TwoRoiSettings, TwoRoiSettings.section), (ClmfSettings, SPEED_SECTION)]
)
def test_a_section_for_another_script_is_said_and_not_used(made_up, model, section):
    chosen, sentence = choose_section(model, made_up, None)
    assert (chosen, sentence) == (
        section,
        f"[configsection] names [{FIXED}], which is for another script: [{section}] is used",
    )


def test_the_command_line_decides_first(made_up):
    assert choose_section(OneRoiSettings, made_up, SECTION) == (SECTION, "")


@pytest.mark.parametrize("text", ["", "[configsection]\nconfig = nowhere\n", "no INI", None])
def test_a_file_that_names_no_section(tmp_path, text):
    path = tmp_path / "config.ini"
    if text is not None:
        path.write_text(text)
    assert choose_section(OneRoiSettings, path, None) == (SECTION, "")


# Documented blocks


def test_a_block_without_sites_has_the_standard_ones(config):
    text = config.read_text()
    without = re.sub(r"^seeds_mm = .*\n(    .*\n)+", "", text, flags=re.MULTILINE)
    assert "seeds_mm" not in without
    with_sites = load(OneRoiSettings, config, SECTION, {})[0]
    config.write_text(without)
    assert load(OneRoiSettings, config, SECTION, {})[0].seeds_mm == with_sites.seeds_mm
    assert load(OneRoiSettings, config, SECTION, {"pm_r": "1,2,3,4"})[0].placed == {"pm_r": (1, 2, 3, 4)}


# Whole sessions


@pytest.mark.parametrize(
    ("script", "section"),
    [(None, SECTION), (None, FIXED), (TWO_ROI_SCRIPT, TwoRoiSettings.section), (TWO_ROI_SCRIPT, "two_rois_by_hand")],
)
def test_sections_of_the_original_run(run, made_up, script, section):
    arguments = ("--config", made_up, "--section", section)
    done = finished(run(*arguments, script=script, settings={"total_trials": "1"}))
    assert f"[{section}] is a section of the original CLoPy" in done.stdout
    assert run.session().attributes["ended_by"] == "finished"


def test_the_paw_section_of_the_original_runs(run, made_up):
    done = run("--config", made_up, script=SPEED_SCRIPT, settings={"video_file": ""})
    finished(done)
    with (run.data / "simulated_made_up_paws.csv").open() as file:
        (row,) = csv.DictReader(file)
    assert (row["start_radius"], row["target_radius"]) == ("7", "10")


def test_the_file_stays_as_it_is(run, made_up):
    finished(run("--config", made_up, "--section", SECTION, settings={"total_trials": "1"}))
    assert made_up.read_text() == MADE_UP


def test_the_copy_of_the_session_is_one_of_this_rig(run, made_up):
    finished(run("--config", made_up, "--section", FIXED, settings={"total_trials": "1"}))
    copy = run.session().folder / "config.ini"
    again, unused = load(OneRoiSettings, copy, SECTION, {})
    assert (unused, again.max_trial_dur, again.roi) == ([], 8, "BC_L")
    assert said_of_the_original(OneRoiSettings, copy, SECTION, {}, unused) == []


# A recording of the original


def as_the_original_stores_it(session, day):
    """Write a session into day/S1 as the original would have; return its configuration."""
    folder = day / "S1"
    folder.mkdir(parents=True)
    (folder / "config.ini").write_text(MADE_UP.replace(f"config = {FIXED}", f"config = {SECTION}"))
    with tables.open_file(str(folder / "image_stream.hdf5"), "w") as file:
        array = file.create_earray("/", "raw_images", tables.UInt8Atom(), (0, *session.images.shape[1:]))
        array.append(session.images[:])
    columns = {"M1_Ldff" if name == "roi_dff" else name: column for name, column in session.columns.items()}
    rows = zip(*(column.tolist() for column in (columns | {"frame": columns["frame"] + 1}).values()), strict=True)
    lines = ["\t".join(columns), *("\t".join(map(str, row)) for row in rows)]
    (folder / "VideoTimestamp.txt").write_text("\n".join(lines) + "\n")
    return folder / "config.ini"


def test_a_recording_of_the_original_is_replayed_as_it_was(run, made_up, tmp_path):
    """With its own configuration, whose line says where the ROI was; every row is the same, without times of frames."""
    short = {"total_trials": "1", "max_trial_dur": "3", "fail_rest_dur": "2"}
    finished(run("--config", made_up, "--section", SECTION, settings=short | {"m1_l": "60,20,10,10"}))
    recorded = run.session()
    day = tmp_path / "20230504102030"
    copy = as_the_original_stores_it(recorded, day)
    before = copy.read_text()
    replay = {"vid_source": "VideoStream", "vid_root": str(day)}
    done = finished(run("--config", copy, settings=short | replay, mouse="replayed"))
    assert "the times of the frames are missing" in done.stdout
    assert "bc_r: the original writes such lines" in done.stdout
    replayed = run.session("replayed")
    assert replayed.settings["m1_l"] == "60,20,10,10"
    assert without_time(replayed) == without_time(recorded)
    assert read_session(day).columns["roi_dff"].tolist() == recorded.columns["roi_dff"].tolist()
    assert copy.read_text() == before


# The real one


RUNS = {
    "raspicambrain_reward_punish_1roi": OneRoiSettings,
    "raspicambraintrials_1roi_delay": OneRoiSettings,
    "raspicambraintrials_1roi": OneRoiSettings,
    "AR0135": OneRoiSettings,
    "raspicambrain_reward_punish_2roi": TwoRoiSettings,
    "raspicambrain_reward_punish_2roi_epix": TwoRoiSettings,
    "raspicambrainstroke": TwoRoiSettings,
    "raspicambraintrials": TwoRoiSettings,
    "raspicambrain": TwoRoiSettings,
    "sentech_dlclive": ClmfSettings,
}
NEEDS_REAL = pytest.mark.skipif(not REAL.is_file(), reason="the original's config.ini is not here: ../shared is absent")


@NEEDS_REAL
@pytest.mark.parametrize(("section", "model"), RUNS.items())
def test_every_section_of_the_original_that_is_one_of_ours_loads(section, model):
    assert table(model, REAL, section)["taken"]


@NEEDS_REAL
def test_every_other_section_of_the_original_is_one_sentence():
    others = set(parsed(REAL).sections()) - RUNS.keys() - {"configsection"}
    assert len(others) > 5
    for section in others:
        for model in (OneRoiSettings, TwoRoiSettings, ClmfSettings):
            assert len(refused(model, REAL, section).splitlines()) == 1


@NEEDS_REAL
@pytest.mark.parametrize("name", ["BC_L", "RL_L", "TR_L", "HL_L", "PM_L", "M1_R"])
def test_no_site_of_the_original_is_trained_elsewhere(name, tmp_path):
    """Its lines lie about 1 mm off, because they were written under another bregma and for other mice."""
    text = REAL.read_text()
    with_line = loaded(OneRoiSettings, REAL, SECTION, roi=name)
    assert f"\n{name.lower()} = " in text
    (tmp_path / "c.ini").write_text(re.sub(rf"\n{name.lower()} = .*", "", text))
    assert with_line.roi_box(name) == loaded(OneRoiSettings, tmp_path / "c.ini", SECTION, roi=name).roi_box(name)


@NEEDS_REAL
def test_the_sites_of_the_original_are_the_standard_ones():
    shipped = load(OneRoiSettings, ROOT / "config.ini", SECTION, {})[0].seeds_mm
    assert loaded(OneRoiSettings, REAL, SECTION).seeds_mm == shipped


def test_every_key_that_is_not_used_is_none_of_ours():
    assert not UNUSED & {*OneRoiSettings.model_fields, *TwoRoiSettings.model_fields, *ClmfSettings.model_fields}


def test_a_section_of_the_original_in_our_file_is_recognised_too(config):
    add_to_section(config, "spont_sess_duration = 2\nm1_l = 1,1,5,5\n")
    assert load(OneRoiSettings, config, SECTION, {})[0].placed == {}
    assert "stale ROIs" in table(OneRoiSettings, config, SECTION)
