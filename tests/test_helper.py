import math

import pytest

import helper as clh

SITES = {"M1": {"ML": 2.0, "AP": 1.0}, "ANT": {"ML": 0.0, "AP": 3.5}}


def test_seeds_of_the_documented_rig():
    seeds = clh.generate_seeds(clh.Position(135, 128), {"M1": {"ML": 1.8603, "AP": 0.64181}}, 25.6, "u")
    # 128 - 1.8603 * 25.6 = 80.4; 128 + 47.6 = 175.6; 135 - 0.64181 * 25.6 = 118.6
    assert seeds == {"M1_L": {"ML": 80, "AP": 118}, "M1_R": {"ML": 175, "AP": 118}}
    assert all(type(value) is int for seed in seeds.values() for value in seed.values())


@pytest.mark.parametrize(
    ("side", "left", "right", "why"),
    [
        ("u", (80, 90), (120, 90), "nose up: the mouse's left is on the left, anterior is up"),
        ("d", (120, 110), (80, 110), "half a turn"),
        ("l", (90, 120), (90, 80), "nose left: the mouse's left is down"),
        ("r", (110, 80), (110, 120), "nose right: the mouse's left is up"),
    ],
)
def test_four_directions_are_rotations(side, left, right, why):
    seeds = clh.generate_seeds(clh.Position(row=100, col=100), SITES, 10, side)
    assert (seeds["M1_L"]["ML"], seeds["M1_L"]["AP"]) == left, why
    assert (seeds["M1_R"]["ML"], seeds["M1_R"]["AP"]) == right, why


def test_rotations_keep_distances_and_handedness():
    def vectors(side):
        seeds = clh.generate_seeds(clh.Position(500, 500), SITES, 100, side)
        return [(seeds[name]["ML"] - 500, seeds[name]["AP"] - 500) for name in ("M1_L", "ANT_L")]

    for side in "udlr":
        (lx, ly), (ax, ay) = vectors(side)
        assert math.hypot(lx, ly) == pytest.approx(math.hypot(200, 100))
        assert ax * ly - ay * lx < 0, "seen from above, left is counterclockwise of anterior: a mirror would not be"


def test_unknown_direction():
    with pytest.raises(ValueError, match="'x'; it must be 'u', 'd', 'l' or 'r'"):
        clh.generate_seeds(clh.Position(1, 1), SITES, 1, "x")


def test_freqs():
    freqs = clh.get_freqs(18)
    assert list(freqs) == list(range(18))
    assert (freqs[0], freqs[4], freqs[8]) == (1000, 2000, 4000)
    assert freqs[17] == pytest.approx(19027, abs=0.5)


def test_session_types_are_the_documented_five_and_the_yoked_one():
    assert {kind.name for kind in clh.SessionType} == {
        "normal_audio_normal_reward",
        "single_audio_normal_reward",
        "no_audio_random_reward",
        "normal_audio_no_reward",
        "no_audio_no_reward",
        "yoked",
    }


def test_config_values_of_a_folder(config):
    values = clh.GetConfigValues(config.parent)
    assert values["roi"] == "M1_L"
    assert values["data_root"] == "~/clopy_data", "what [DEFAULT] shares"
    assert all(type(value) is str for value in values.values())


@pytest.mark.parametrize(
    ("text", "error", "match"),
    [
        (None, FileNotFoundError, "no config.ini"),
        ("[a]\nx = 1\n", KeyError, "no .configsection."),
        ("[configsection]\nconfig = b\n[a]\nx = 1\n", KeyError, "no section .b."),
    ],
)
def test_config_values_that_cannot_be_had(tmp_path, text, error, match):
    if text is not None:
        (tmp_path / "config.ini").write_text(text)
    with pytest.raises(error, match=match):
        clh.GetConfigValues(tmp_path)


def test_config_values_keep_percent_signs(tmp_path):
    (tmp_path / "config.ini").write_text("[configsection]\nconfig = a\n[a]\nroi_operation = M1_L%2\n")
    assert clh.GetConfigValues(tmp_path) == {"roi_operation": "M1_L%2"}
