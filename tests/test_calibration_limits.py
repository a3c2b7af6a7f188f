"""A calibration that no valve has is refused, when it is fitted and when it is read."""

import json

import pytest

from rig.devices.calibration import CALIBRATION_FILE, fit, read_calibrations, save_calibration
from rig.devices.water import dose_of
from rig.errors import SettingsError

GOOD = fit("BCM 27", 50, [0.05, 0.1, 0.2], [0.05 * (0.5 + 20 * s) for s in (0.05, 0.1, 0.2)])


@pytest.mark.parametrize(
    ("masses_g", "fragment"),
    [
        ([0.004, 0.002], "longer pulses must give more"),
        ([0.003, 0.003], "longer pulses must give more"),
        ([0.0001, 0.009, 0.0091, 0.0092], None),
        ([-0.001, 0.004], "every duration and every measured volume must be more than 0"),
        ([0.00001, 0.00001, 0.00001, 0.1], "its line gives"),
    ],
)
def test_fits(masses_g, fragment):
    durations = [0.05, 0.1, 0.2, 0.4][: len(masses_g)]
    if fragment is None:
        assert fit("BCM 27", 1, durations, masses_g).ul_per_s > 0
        return
    with pytest.raises(SettingsError, match=fragment):
        fit("BCM 27", 1, durations, masses_g)


@pytest.mark.parametrize(
    ("change", "fragment"),
    [
        ({"ul_per_s": -3.0}, "longer pulses must give more"),
        ({"ul_per_s": 0.0}, "longer pulses must give more"),
        ({"ul_at_0": -50.0}, "its line gives"),
        ({"seconds": [], "ul": [], "residuals_ul": []}, "two or more durations"),
        ({"seconds": [0.1, 0.2]}, "each with its volume"),
        ({"ul": [0.0, 1.0, 2.0]}, "must be more than 0"),
    ],
)
def test_a_stored_calibration_is_validated_when_it_is_read(tmp_path, change, fragment):
    path = tmp_path / CALIBRATION_FILE
    path.write_text(json.dumps({"BCM 27": GOOD.model_dump() | change}))
    with pytest.raises(SettingsError) as caught:
        read_calibrations(path)
    assert fragment in str(caught.value)
    assert "remove it, and calibrate again" in str(caught.value)


def test_a_dose_is_at_least_what_was_measured_at_the_shortest_duration(settings, tmp_path):
    """The line lies below the first point: a pulse must not count for less than was measured."""
    low = fit("BCM 27", 1, [0.1, 0.2, 0.3], [0.004, 0.003, 0.008])
    assert low.ul_at_0 + low.ul_per_s * 0.1 < 4
    save_calibration(tmp_path / CALIBRATION_FILE, low)
    assert dose_of(settings(reward_s=0.1), tmp_path / "config.ini").ul == pytest.approx(4)


def test_a_dose_in_ul_is_said_in_both_units(run, config):
    save_calibration(config.with_name(CALIBRATION_FILE), GOOD)
    done = run("--config", config, "--set", "reward_ul=2.5", "--set", "total_trials=1", "--set", "max_trial_dur=1")
    assert "a reward is 2.50 µl (0.100 s); reward_s = 0.3 is not used, because reward_ul is set" in done.stdout
