import re

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

import helper as clh
from rig.errors import SettingsError
from rig.settings.clmf import ClmfSettings
from rig.settings.ini import save_lines, save_session_copy, to_strings
from rig.settings.loading import EXPERIMENTS, from_strings, load, parse_overrides
from rig.settings.one_roi import OneRoiSettings
from rig.settings.sentences import unit_of
from rig.settings.table import GROUPS, markdown_tables
from roi_manager import Circle
from support.places import ROOT, SECTION, SPEED_SECTION
from support.runner import add_to_section

# Short: Hypothesis keeps tables of all of Unicode in files, which two workers would fight for.
TEXT = "0123456789.,-+e xyz[]{}\"'%=;#:/\\\n\tΔµ"


def complaint(overrides, config=None, section=SECTION):
    with pytest.raises(SettingsError) as caught:
        load(OneRoiSettings, config or ROOT / "config.ini", section, overrides)
    return str(caught.value)


def test_shipped_configuration_is_as_documented():
    cfg, unused = load(OneRoiSettings, ROOT / "config.ini", SECTION, {})
    assert unused == []
    documented = {
        "vid_source": "PiCameraStream", "resolution": (256, 256), "framerate": 15, "awb_mode": "off",
        "shutter_speed": 60000, "iso": 800, "sensor_mode": 7, "dff_history": 6, "ppmm": 25.6, "bregma": (135, 128),
        "roi": "M1_L", "roi_size": (0.3, 0.3), "audio": 1, "n_tones": 18, "audio_delay": 0, "reward_delay": 1,
        "reward_threshold": 0.075, "adaptive_threshold": True, "total_trials": 60, "max_trial_dur": 30,
        "initial_rest_dur": 30, "success_rest_dur": 10, "fail_rest_dur": 15, "raw_image_file": "image_stream.hdf5",
        "session_type": clh.SessionType.normal_audio_normal_reward, "reward_s": 0.3, "fail_s": 0.5,
    }  # fmt: skip
    assert {key: getattr(cfg, key) for key in documented} == documented
    assert cfg.pins() == {"reward": 27, "fail": 12, "light": 21, "trigger": 17}
    assert (cfg.pin_numbering, cfg.lick_i2c_address, cfg.lick_channel) == ("BCM", 0x5A, 0)
    assert len(cfg.seeds_mm) == 20
    assert cfg.seeds_mm["STROKE"].ML == 1.5
    assert cfg.history_frames() == 90
    assert cfg.roi_box("M1_L") == (76, 114, 8, 8), "as the original placed it"


def test_lines_for_other_machines_are_off_unless_they_have_a_pin(settings):
    cfg = settings()
    assert (cfg.frame_pin, cfg.barcode_pin, cfg.trigger_mode, cfg.frame_lines()) == (None, None, "level", ())
    marked = settings(frame_pin=5, barcode_pin=6, trigger_mode="frames")
    assert (marked.pins()["frame"], marked.pins()["barcode"]) == (5, 6)
    assert marked.frame_lines() == ("trigger", "frame")


@pytest.mark.parametrize(("framerate", "pulse_s"), [(15, 0.005), (50, 0.005), (100, 0.0025), (500, 0.0005)])
def test_a_frame_pulse_fits_four_times_into_its_period(settings, framerate, pulse_s):
    cfg = settings(framerate=framerate, shutter_speed=1000)
    assert cfg.frame_pulse_s() == pytest.approx(pulse_s)


def test_a_trigger_that_marks_frames_has_no_stop_edge(settings):
    with pytest.raises(
        SettingsError, match=r"trigger_stop_edge = 1: with trigger_mode = frames .* set trigger_stop_edge"
    ):
        settings(trigger_mode="frames", trigger_stop_edge=1)


BAD = [
    ("framerate", "fast", ["framerate = fast", "number", "frames/s"]),
    ("framerate", "0", ["framerate = 0", "greater than 0", "frames/s"]),
    ("framerate", "nan", ["framerate = nan", "finite"]),
    ("framerate", "", ["framerate is missing", "frames/s"]),
    ("total_trials", "3.5", ["total_trials = 3.5", "integer"]),
    ("total_trials", "", ["total_trials = ", "integer"]),
    ("total_trials", "-1", ["total_trials = -1", "greater than 0"]),
    ("audio", "1.5", ["audio = 1.5", "less than or equal to 1", "0..1"]),
    ("n_tones", "20", ["n_tones = 20", "less than or equal to 19"]),
    ("resolution", "256", ["resolution = 256", "width, height px"]),
    ("resolution", "256, 256, 3", ["resolution = 256, 256, 3", "2 items"]),
    ("resolution", "0, 256", ["resolution = 0, 256", "greater than"]),
    ("awb_mode", "auto", ["awb_mode = auto", "'off'"]),
    ("adaptive_threshold", "perhaps", ["adaptive_threshold = perhaps", "boolean", "0, 1"]),
    ("adaptive_threshold", "staircase", ["adaptive_threshold = staircase", "success rate that it is to reach", "0.7"]),
    ("adaptive_threshold", "staircase:70", ["adaptive_threshold = staircase:70", "from 0.2 to 0.95"]),
    ("reward_threshold", "-0.1", ["reward_threshold = -0.1", "greater than 0", "ΔF/F"]),
    ("reward_threshold", "", ["reward_threshold is missing"]),
    ("seeds_mm", '{"M1": {"ML": 1', ["seeds_mm = ", "not valid JSON", "character"]),
    ("seeds_mm", '{"M1": {"ML": 1}}', ["seeds_mm", "M1.AP", "mm"]),
    ("seeds_mm", "[1, 2]", ["seeds_mm = [1, 2]", "dictionary"]),
    ("roi", "M1_X", ["roi = M1_X: there is no such site as M1_X", "did you mean M1_"]),
    ("roi", "", ["roi is missing"]),
    ("bregma", "2, 128", ["roi = M1_L", "does not lie in the image of 256 x 256 px"]),
    ("m1_l", "250,250,8,8", ["M1_L", "250, 250, 8, 8 px", "does not lie in the image"]),
    (
        "m1_l",
        "250,250",
        ["m1_l = 250,250", "x, y, w, h", "four whole numbers", "of a circle x, y of its centre, radius"],
    ),
    ("m1_l", "250,250,8", ["M1_L", "x, y, r = 250, 250, 8 px", "does not lie in the image"]),
    ("m1_l", "--5,1,1,1", ["m1_l = --5,1,1,1", "four whole numbers"]),
    ("m1_l", "²,1,1,1", ["m1_l = ²,1,1,1", "four whole numbers"]),
    ("m1l", "76,114,8,8", ["m1l = 76,114,8,8", "no such setting"]),
    ("ppmm", "1e308", ["ppmm = 1e308", "less than or equal to 10000"]),
    ("roi_size", "-3,0.3", ["roi_size = -3,0.3", "greater than 0", "mm"]),
    ("roi_size", "0, 0.3", ["roi_size = 0, 0.3", "greater than 0"]),
    ("bregma", "1e300, 3", ["bregma = 1e300, 3"]),
    ("seeds_mm", '{"M1": {"ML": 1e300, "AP": 0}}', ["seeds_mm", "M1.ML", "less than or equal to 50"]),
    ("raw_image_file", "config.ini", ["raw_image_file = config.ini", "pattern"]),
    ("random_reward_per_min", "1000", ["random_reward_per_min = 1000", "less than or equal to 60"]),
    ("m1_l", "10,10,0,8", ["M1_L", "10, 10, 0, 8"]),
    ("vid_source", "PiCamera", ["vid_source = PiCamera", "PiCameraStream", "VideoStream"]),
    ("vid_source", "helper", ["vid_source = helper", "no camera of this name"]),
    ("vid_source", "../evilStream", ["vid_source = ../evilStream"]),
    ("session_type", "audio", ["session_type = audio", "no_audio_random_reward"]),
    ("outputs", "none", ["outputs = none", "'gpio' or 'simulated'"]),
    ("light_pin", "27", ["light_pin = 27", "this is also the pin of reward"]),
    ("frame_pin", "27", ["frame_pin = 27", "this is also the pin of reward; each needs its own"]),
    ("barcode_pin", "17", ["barcode_pin = 17", "this is also the pin of trigger; each needs its own"]),
    ("frame_pin", "41", ["frame_pin = 41", "less than or equal to 40", "pin"]),
    ("trigger_mode", "pulse", ["trigger_mode = pulse", "'level' or 'frames'"]),
    ("reward_s", "2", ["reward_s = 2", "max_valve_open_s", "1 s"]),
    ("raw_image_file", "../x.hdf5", ["raw_image_file = ../x.hdf5"]),
    ("summary_header", "mouse_id, rewords", ["rewords", "did you mean rewards?"]),
    ("rward_threshold", "0.1", ["rward_threshold = 0.1", "no such setting", "did you mean reward_threshold?"]),
    ("seed", "x", ["seed = x", "integer"]),
]


@pytest.mark.parametrize(("key", "value", "fragments"), BAD, ids=[f"{key}={value[:20]}" for key, value, _ in BAD])
def test_bad_values(key, value, fragments):
    text = complaint({key: value})
    assert "[raspicambrain_reward_punish_1roi]: one setting cannot be used" in text
    assert len(text.splitlines()) == 2, text
    for fragment in fragments:
        assert fragment in text


def test_every_complaint_at_once():
    text = complaint({"framerate": "x", "audio": "7", "bogus": "1", "m1_r": "1,2"})
    assert "4 settings cannot be used" in text
    assert len(text.splitlines()) == 5


@pytest.mark.parametrize(
    ("text", "fragment"),
    [
        ("roi = M1_L\n", "cannot be read as INI"),
        ("[a]\nx = 1\nx = 2\n", "already exists"),
        ("[raspicambrain_reward_punish_1roy]\nx = 1\n", "did you mean raspicambrain_reward_punish_1roy?"),
        ("", "the file has no section"),
        (b"\xff\xfe\x00", "cannot be read as INI"),
    ],
)
def test_files_that_cannot_be_used(tmp_path, text, fragment):
    path = tmp_path / "c.ini"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    assert fragment in complaint({}, path)


def test_missing_file_and_section_name_the_cure(tmp_path):
    assert "--config FILE" in complaint({}, tmp_path / "none.ini")
    assert "there is no section [DEFAULT]" in complaint({}, section="DEFAULT")
    text = complaint({}, section="raspicambrain_reward_punish_1ro")
    assert "did you mean raspicambrain_reward_punish_1roi?" in text


def test_keys_of_the_original_load_and_are_reported(config):
    old = "var_threshold = 3\ndff_range = -0.05,0.05\nspont_sess_duration = 2\nroi_operation = M1_L-BC_L\n"
    add_to_section(config, old)
    _, unused = load(OneRoiSettings, config, SECTION, {})
    assert unused == ["dff_range", "roi_operation", "spont_sess_duration", "var_threshold"]


def test_default_age_of_a_frame_is_two_periods():
    cfg, _ = load(OneRoiSettings, ROOT / "config.ini", SECTION, {"framerate": "50"})
    assert cfg.max_frame_age_s() == pytest.approx(0.04)
    assert cfg.model_copy(update={"max_frame_age_ms": 70.0}).max_frame_age_s() == pytest.approx(0.07)


def test_placed_roi_wins_over_its_site(config):
    cfg, _ = load(OneRoiSettings, config, SECTION, {"m1_l": "10, 20,4 ,5"})
    assert cfg.roi_box("M1_L") == (10, 20, 4, 5)
    assert cfg.roi_box("M1_R")[2:] == (8, 8)


def test_an_roi_may_be_placed_that_is_no_site():
    cfg, _ = load(OneRoiSettings, ROOT / "config.ini", SECTION, {"roi": "window", "window": "1,2,3,4"})
    assert cfg.roi_box("window") == (1, 2, 3, 4)


def test_section_overrides_default_and_default_may_serve_others(config):
    text = config.read_text().replace("[DEFAULT]", "[DEFAULT]\nspeed_threshold = 20")
    config.write_text(text.replace("roi = M1_L", "roi = M1_L\naudio = 0.25"))
    cfg, unused = load(OneRoiSettings, config, SECTION, {})
    assert cfg.audio == 0.25
    assert unused == [], "what [DEFAULT] shares with other experiments is not reported"


def test_session_copy_gives_the_same_settings(tmp_path):
    cfg, _ = load(OneRoiSettings, ROOT / "config.ini", SECTION, {"m1_l": "10,20,4,5", "data_root": str(tmp_path)})
    save_session_copy(cfg, tmp_path / "config.ini")
    again, unused = load(OneRoiSettings, tmp_path / "config.ini", SECTION, {})
    assert (again, unused) == (cfg, [])
    assert clh.GetConfigValues(tmp_path)["m1_l"] == "10,20,4,5"


def test_a_seed_is_drawn_where_none_is_given():
    seeds = {load(OneRoiSettings, ROOT / "config.ini", SECTION, {})[0].seed for _ in range(3)}
    assert len(seeds) == 3


def test_drivers_take_the_plain_dictionary(config):
    cfg = load(OneRoiSettings, config, SECTION, {"seed": "4"})[0]
    again = from_strings(OneRoiSettings, to_strings(cfg))
    assert again.model_copy(update={"placed": cfg.placed}) == cfg
    with pytest.raises(SettingsError, match="resolution is missing"):
        from_strings(OneRoiSettings, {"framerate": "3"})


@pytest.mark.parametrize("existing", ["", "m1_l = 1,2,3,4\n"])
def test_saving_places_changes_nothing_else(config, existing):
    add_to_section(config, "; an odd comment\n" + existing)
    with config.open("a") as file:
        file.write("\n[other]\nkey   =   value   with blanks\n")
    before = config.read_text()
    save_lines(config, SECTION, {"m1_l": "76,114,8,8"})
    after = config.read_text()
    added = [line for line in after.splitlines() if line not in before.splitlines()]
    assert added == ["m1_l = 76,114,8,8"]
    assert after.replace("m1_l = 76,114,8,8\n", existing) == before
    assert clh.GetConfigValues(config.parent)["m1_l"] == "76,114,8,8"


def test_saving_places_keeps_line_endings_and_rights(config):
    config.write_bytes(config.read_bytes().replace(b"\n", b"\r\n"))
    config.chmod(0o640)
    before = config.read_bytes()
    save_lines(config, SECTION, {"m1_l": "1,2,3,4"})
    assert config.read_bytes().replace(b"m1_l = 1,2,3,4\r\n", b"") == before
    assert config.stat().st_mode & 0o777 == 0o640
    assert [path.name for path in config.parent.iterdir()] == ["config.ini"]


def test_overrides():
    assert parse_overrides(["A=1", "b = c=d "]) == {"a": "1", "b": "c=d"}
    with pytest.raises(SettingsError, match="--set nothing: expected KEY=VALUE"):
        parse_overrides(["nothing"])


@hypothesis_settings(max_examples=200, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(sorted(set(OneRoiSettings.model_fields) - {"placed"})) | st.text("abcdefgh_", min_size=1),
        st.text(TEXT, max_size=12) | st.integers().map(str) | st.floats().map(str),
        max_size=3,
    )
)
def test_any_settings_load_or_are_refused_in_sentences(overrides):
    try:
        cfg, _ = load(OneRoiSettings, ROOT / "config.ini", SECTION, overrides)
    except SettingsError as error:
        lines = str(error).splitlines()
        assert re.search(r"(one setting|\d+ settings) cannot be used$", lines[0])
        assert len(lines) > 1, "a sentence for each complaint"
    else:
        assert load(OneRoiSettings, ROOT / "config.ini", SECTION, to_strings(cfg))[0] == cfg


def table_rows():
    """Return {key: (group, experiments, unit, default, meaning)} of the tables of all settings."""
    rows = {}
    for part in markdown_tables().split("## ")[1:]:
        group, *lines = part.strip().splitlines()
        for line in lines[3:]:
            key, *cells = (cell.strip() for cell in line.strip("|").split(" | "))
            assert key not in rows, "a setting stands in one table only"
            rows[key.strip("`")] = (group, *cells)
    return rows


def test_tables_have_every_setting():
    keys = {key for model in EXPERIMENTS for key in model.model_fields}
    assert table_rows().keys() == keys - {"placed"}


def test_tables_are_grouped_by_what_a_user_sets():
    groups = [row[0] for row in table_rows().values()]
    assert list(dict.fromkeys(groups)) == list(GROUPS)
    assert {row[0] for key, row in table_rows().items() if key.endswith("_pin")} == {"Pins", "Lick sensor"}


@pytest.mark.parametrize(
    ("key", "experiments"),
    [
        ("framerate", "all"),
        ("dff_history", "1roi, 2roi"),
        ("ppmm", "all"),
        ("roi", "1roi"),
        ("roi_operation", "2roi"),
        ("speed_threshold", "CLMF"),
    ],
)
def test_tables_say_which_experiments_have_a_setting(key, experiments):
    assert table_rows()[key][1] == experiments


def test_tables_say_unit_default_and_what_must_be_given():
    rows = table_rows()
    assert rows["reward_s"][2:] == ("s", "0.3; CLMF: must be given", "length of the reward pulse")
    assert rows["resolution"][2:] == ("width, height px", "must be given", "size of the image")
    assert rows["seed"][3] == "none"


def test_shipped_clmf_configuration_is_as_documented():
    cfg, unused = load(ClmfSettings, ROOT / "config.ini", SPEED_SECTION, {})
    assert unused == []
    documented = {
        "resolution": (640, 320), "framerate": 30, "ppmm": 3.5, "control_point": "fl_l", "joint_history_sec": 5,
        "start_center": (590, 110), "target_center": (590, 80), "start_radius_mm": 4, "target_radius_mm": 6,
        "speed_threshold": 20, "trial_start": "stable", "audio": 1, "n_tones": 18, "audio_delay": 0, "reward_delay": 1,
        "adaptive_threshold": False, "session_type": clh.SessionType.normal_audio_normal_reward, "total_trials": 10,
        "max_trial_dur": 30, "initial_rest_dur": 30, "success_rest_dur": 10, "fail_rest_dur": 10, "reward_s": 0.1,
        "fail_s": 0.5, "video_file": "behavior_video.mp4", "raw_image_file": "image_stream.hdf5", "min_likelihood": 0.5,
        "pin_numbering": "BOARD", "tail_dur": 2, "trigger_stop_edge": True,
    }  # fmt: skip
    assert {key: getattr(cfg, key) for key in documented} == documented
    assert cfg.pins() == {"reward": 7, "fail": 12, "light": 40, "trigger": 13}
    assert (cfg.circle("start_roi"), cfg.circle("target_roi")) == ((590, 110, 14), (590, 80, 21))


@pytest.mark.parametrize("key", sorted(ClmfSettings.must_be_given))
def test_a_setting_that_clmf_must_be_given_is_asked_for_with_its_unit(config, key):
    """Also where [DEFAULT] has it: a Jetson must not get the pins of a Raspberry Pi because a line was forgotten."""
    shared, own = config.read_text().split(f"[{SPEED_SECTION}]")
    without, n = re.subn(rf"^{key} = .*\n", "", own, flags=re.MULTILINE)
    assert n == 1
    config.write_text(f"{shared}[{SPEED_SECTION}]{without}")
    with pytest.raises(SettingsError) as caught:
        load(ClmfSettings, config, SPEED_SECTION, {})
    field = ClmfSettings.model_fields[key]
    first, *sentences = str(caught.value).splitlines()
    assert first.startswith(f"{config} [{SPEED_SECTION}]: ")
    assert f"{key} is missing; expected: {field.description} ({unit_of(field)})" in map(str.strip, sentences)


def test_what_clmf_must_be_given_may_stand_on_the_command_line(config):
    shared, own = config.read_text().split(f"[{SPEED_SECTION}]")
    config.write_text(f"{shared}[{SPEED_SECTION}]{own.replace('reward_pin = 7', '')}")
    assert load(ClmfSettings, config, SPEED_SECTION, {"reward_pin": "8"})[0].reward_pin == 8


def test_a_camera_driver_on_the_module_path_is_accepted(tmp_path, monkeypatch):
    (tmp_path / "LabCameraStream.py").write_text("class LabCameraStream: ...\n")
    assert "vid_source = LabCameraStream: there is no camera of this name" in complaint(
        {"vid_source": "LabCameraStream"}
    )
    monkeypatch.syspath_prepend(tmp_path)
    cfg, _ = load(OneRoiSettings, ROOT / "config.ini", SECTION, {"vid_source": "LabCameraStream"})
    assert cfg.vid_source == "LabCameraStream"


CLMF_BAD = [
    ({"start_center": "2, 110"}, "start_roi: the circle at x, y = 2, 110 px with the radius 14 px does not lie in"),
    (
        {"start_roi": "left"},
        "start_roi = left: expected the place of an ROI: x, y of its centre, two whole numbers (px)",
    ),
    ({"speed_threshold": "100"}, "faster than max_jump_px = 100 px/frame counts as a jump"),
    ({"speed_threshold": "0"}, "speed_threshold = 0"),
    ({"dlc_model_path": "nowhere.pt"}, "there is no such model"),
    ({"resolution": "641, 320"}, "resolution = 641, 320: a movie needs even numbers"),
    ({"trial_start": "soon"}, "trial_start = soon"),
    ({"min_likelihood": "50"}, "min_likelihood = 50"),
    ({"control_piont": "fl_r"}, "did you mean control_point?"),
]


@pytest.mark.parametrize(("changes", "fragment"), CLMF_BAD, ids=[fragment[:30] for _, fragment in CLMF_BAD])
def test_clmf_settings_that_cannot_be_used(changes, fragment):
    with pytest.raises(SettingsError) as caught:
        load(ClmfSettings, ROOT / "config.ini", SPEED_SECTION, changes)
    assert fragment in str(caught.value)


def test_a_circle_that_was_moved_and_resized_is_saved_as_place_and_radius():
    cfg, _ = load(ClmfSettings, ROOT / "config.ini", SPEED_SECTION, {})
    placed = cfg.with_places([Circle("start_roi", x=500, y=100, r=21)])
    assert placed.circle("start_roi") == (500, 100, 21)
    texts, before = to_strings(placed), to_strings(cfg)
    assert {k: v for k, v in texts.items() if before.get(k) != v} == {"start_roi": "500,100", "start_radius_mm": "6"}
    assert load(ClmfSettings, ROOT / "config.ini", SPEED_SECTION, texts)[0].circle("start_roi") == (500, 100, 21)
