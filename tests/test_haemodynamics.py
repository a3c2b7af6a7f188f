"""The coefficient of blue: as published, a number, and fitted, on data whose blood is known."""

import shutil

import numpy as np
import pytest
from matplotlib.figure import Figure

from analysis.evidence import Missing, gather
from analysis.figures.blood import draw_blood, fit_period, used_blues
from analysis.replay.compare import first_difference
from analysis.replay.experiment import run_again
from analysis.replay.recorded import open_recorded
from rig.errors import FitError
from rig.protocol.artefacts import LIGHT
from rig.protocol.haemodynamics import Blue, ByRoi, Haemodynamics, by_roi, fit, fit_all, solved
from rig.protocol.trials import Step
from rig.settings.ini import to_strings
from rig.settings.loading import from_strings
from rig.settings.one_roi import OneRoiSettings
from support.places import DRIVERS, SHORT, TWO_ROI_SCRIPT
from support.runner import finished, without_time
from support.sessions import recorded, without_columns

__all__ = ["recorded"]

FRAMERATE = 15
TRUE = 0.6
BLOOD = {"PYTHONPATH": str(DRIVERS), "BLOOD_IN_GREEN": str(TRUE)}
REST = SHORT | {
    "vid_source": "BloodStream",
    "initial_rest_dur": "66",
    "total_trials": "2",
    "blue_coefficient": "fit",
    "roi_size": "0.8, 0.8",
    "max_global_dff": "0.5",  # this blood is much stronger than that of a mouse, and everywhere
}


def blood_of(n, seed):
    """Return slow and fast blood (n,), ΔF/F: vasomotion below 0.5 Hz, and breath."""
    random, time_s = np.random.default_rng(seed), np.arange(n) / FRAMERATE
    hz, phase = random.uniform(0.05, 0.5, 10), random.uniform(0, 2 * np.pi, 10)
    slow = np.sin(2 * np.pi * hz * time_s[:, None] + phase).sum(axis=1)
    return 0.004 * slow + 0.005 * np.sin(2 * np.pi * 1.7 * time_s + phase[0])


def transients(n, random, per_min=6):
    """Return transients at random (n,), ΔF/F, which decay in 0.7 s."""
    begins = np.where(random.random(n) < per_min / 60 / FRAMERATE, 0.09 + 0.05 * random.exponential(size=n), 0)
    return np.convolve(begins, np.exp(-np.arange(60) / FRAMERATE / 0.7))[:n]


def mouse(seconds=300, seed=0, noise=0.004, coefficient=TRUE, delay_frames=0):
    """Return blue and green of an ROI (n,), and the blood in green."""
    random, n = np.random.default_rng(seed), seconds * FRAMERATE
    blood = blood_of(n + delay_frames, seed)
    in_green = coefficient * blood[:n]
    green = in_green + transients(n, random) + noise * random.standard_normal(n)
    return blood[delay_frames:] + noise * random.standard_normal(n), green, in_green


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("delay_frames", [0, 2])
def test_a_known_coefficient_is_found(seed, delay_frames):
    blue, green, in_green = mouse(seed=seed, delay_frames=delay_frames)
    found = fit(blue, green, FRAMERATE)
    assert found.blue.coefficient == pytest.approx(TRUE, abs=0.05)
    assert found.blue.delay_frames == delay_frames
    # what is left of the blood, without the noise of blue
    then = blood_of(len(blue) + delay_frames, seed)
    left = in_green - found.blue.coefficient * then[: len(blue)]
    as_published = in_green - then[delay_frames:]
    assert as_published.var() / left.var() > 5


def test_noise_in_blue_does_not_flatten_the_line():
    """Ordinary least squares finds half of it."""
    blue, green, _ = mouse(noise=0.012)
    assert np.polyfit(blue, green, 1)[0] < TRUE - 0.15
    assert fit(blue, green, FRAMERATE).blue.coefficient == pytest.approx(TRUE, abs=0.05)


def test_the_interval_holds_the_truth_in_most_mice():
    held = [found.low < TRUE < found.high for found in (fit(*mouse(150, seed)[:2], FRAMERATE) for seed in range(30))]
    assert np.mean(held) >= 0.85


def test_blue_that_goes_with_green_as_published():
    blue, green, _ = mouse(coefficient=1.0)
    assert fit(blue, green, FRAMERATE).blue.coefficient == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize(
    ("blue_green", "fragment"),
    [
        (mouse(10)[:2], "lasts 10.0 s and must last 15 s"),
        (mouse(60, coefficient=0.0)[:2], "of the variance of green (R²), and must explain 0.03"),
        (mouse(20, noise=0.03)[:2], ""),
        ((np.zeros(600), np.zeros(600)), "blue explains 0.000 of the variance"),
        ((mouse(60)[0], -mouse(60)[1] * 0 - mouse(60)[0]), "the coefficient is -"),
    ],
    ids=["short", "no blood in green", "noise", "black", "upside down"],
)
def test_what_is_not_good_enough_is_refused(blue_green, fragment):
    with pytest.raises(FitError) as refused:
        fit(*blue_green, FRAMERATE)
    assert fragment in str(refused.value)


def test_an_active_mouse_is_refused_and_the_roi_is_named():
    series = {"M1_L": mouse(60)[:2]}
    with pytest.raises(FitError, match="25 % of the frames lie above the threshold, and may be 20 %"):
        fit_all(series, 0.25, FRAMERATE)
    with pytest.raises(FitError, match="BC_R: the fit period"):
        fit_all({"BC_R": mouse(5)[:2]}, 0.1, FRAMERATE)


def test_solved():
    assert solved([[4.0, 2.0], [2.0, 3.0]], [10.0, 9.0]) == pytest.approx([1.5, 2.0])


@pytest.mark.parametrize(
    ("wish", "expected"),
    [
        (1.0, [0.0, 0.01, 0.02, 0.03]),
        (0.5, [0.0, 0.005, 0.01, 0.015]),
        (ByRoi((("M1_L", Blue(0.5, 2)),)), [0.0, 0.0, 0.0, 0.005]),
        (ByRoi(), [0.0, 0.01, 0.02, 0.03]),
    ],
    ids=["as published", "number", "delay", "before the fit"],
)
def test_what_is_taken_from_green(wish, expected):
    haemodynamics = Haemodynamics(wish, ["M1_L"], FRAMERATE, 0)
    assert [haemodynamics("M1_L", 0.01 * i, 0.1) for i in range(4)] == pytest.approx(expected)
    assert haemodynamics.columns() == {"M1_L_green": 0.1, "M1_L_blue": 0.03}


def test_the_fit_holds_from_the_first_trial_on():
    blue, green, _ = mouse(60)
    haemodynamics = Haemodynamics(ByRoi(), ["M1_L"], FRAMERATE, 10)
    for one_blue, one_green in zip(blue.tolist(), green.tolist(), strict=True):
        assert haemodynamics("M1_L", one_blue, one_green) == one_blue
        assert haemodynamics.learn(Step(), is_above=False) == {}
    assert haemodynamics("M1_L", 0.01, 0.0) == 0.01
    noted = haemodynamics.learn(Step(1, running=True), is_above=False)
    found = fit(blue[10:], green[10:], FRAMERATE).blue.coefficient
    assert noted["blue_coefficient_fit"].startswith(f"over the initial rest: M1_L {found} (")
    assert haemodynamics("M1_L", 0.01, 0.0) == found * 0.01
    assert haemodynamics.learn(Step(2, running=True), is_above=False) == {}


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        ("1", "1"),
        ("0.62", "0.62"),
        ("Fit", "fit"),
        ("M1_L 0.62", "M1_L 0.62"),
        ("M1_L 0.6214 2 frames, BC_R 1", "M1_L 0.6214 2 frames, BC_R 1"),
    ],
)
def test_settings_are_stored_as_they_are(settings, text, stored):
    once = to_strings(settings(blue_coefficient=text))
    assert once["blue_coefficient"] == stored
    assert to_strings(from_strings(OneRoiSettings, once))["blue_coefficient"] == stored


@pytest.mark.parametrize(
    ("text", "fragment"),
    [
        ("-1", "blue_coefficient = -1"),
        ("7", "blue_coefficient = 7"),
        ("none", "blue_coefficient = none"),
        ("M1_L six", "'M1_L six' is none of these"),
        ("M1_L 9", "from 0 to 5"),
        ("M1_L 0.6, M1_L 0.7", "M1_L stands there more than once"),
        ("BC_R 0.6", "M1_L has no number; give one for each ROI, or one for all"),
    ],
)
def test_settings_that_cannot_be(run, text, fragment):
    done = run(settings=SHORT | {"blue_coefficient": text})
    assert done.returncode == 2
    assert fragment in " ".join(done.stderr.split())
    assert not (run.data / "m1").exists()


def test_by_roi_and_back():
    text = "BC_L 0.62, BC_R 0.58 2 frames"
    assert str(by_roi(text)) == text
    assert by_roi(text).of == (("BC_L", Blue(0.62)), ("BC_R", Blue(0.58, 2)))


def left_of_blood(session, name, coefficient):
    """Return how much of blue is left in a signal: the covariance with the blue of neighbouring frames."""
    blue, green = session.columns[f"{name}_blue"][90:], session.columns[f"{name}_green"][90:]
    signal = green - coefficient * blue
    smooth = (blue[:-2] + blue[2:]) / 2
    return abs(np.cov(smooth, signal[1:-1])[0, 1])


def test_a_session_fits_over_its_rest_and_is_replayed_bit_for_bit(run):
    rule = REST | {"roi_operation": "M1_L-BC_R", "reward_threshold": "0.05"}
    finished(run(settings=rule, script=TWO_ROI_SCRIPT, env=BLOOD))
    session = run.session()
    said = session.notes["blue_coefficient_fit"]
    assert said.startswith("over the initial rest: M1_L 0.")
    assert session.settings["blue_coefficient"] == "fit"
    green, blue, dff = (session.columns[f"BC_R_{what}"] for what in ("green", "blue", "dff"))
    first = int(np.argmax(session.columns["trial"] == 1))
    assert (dff == green - blue)[: first + 1].all()
    fitted = float(said.partition("BC_R ")[2].partition(" ")[0])
    assert fitted == pytest.approx(TRUE, abs=0.1)
    assert dff[first + 1 :].tolist() == (green - fitted * blue)[first + 1 :].tolist()
    replay = {"vid_source": "VideoStream", "vid_root": str(session.folder), "lick": "none"}
    config = ("--config", str(session.folder / "config.ini"))
    finished(run(*config, settings=replay, script=TWO_ROI_SCRIPT, mouse="replay", seed=None))
    again, truth = without_time(run.session("replay")), without_time(session)
    del again["lick"], truth["lick"]
    assert again == truth


@pytest.mark.parametrize("delay_s", [0.0, 1 / FRAMERATE])
def test_a_session_takes_the_coefficient_of_the_baseline_of_the_day(run, delay_s):
    env = BLOOD | {"BLOOD_DELAY_S": str(delay_s)}
    done = finished(run("--baseline", "300", settings=REST, env=env))
    assert "blue_coefficient = fit finds M1_L 0." in done.stdout
    assert "is crossed that often" in done.stdout
    finished(run(settings=REST | {"initial_rest_dur": "7"}, env=env))
    session = run.session()
    said = session.settings["blue_coefficient"].split()
    assert float(said[1]) == pytest.approx(TRUE, abs=0.05)
    assert said[2:] == (["1", "frames"] if delay_s else [])
    assert session.notes["blue_coefficient_fit"].startswith("over the baseline 2")
    assert left_of_blood(session, "M1_L", 1) > 5 * left_of_blood(session, "M1_L", float(said[1])) or delay_s
    each = open_recorded(session.folder)
    assert without_time(run_again(each, each.settings({}))) == without_time(session)


def test_a_session_whose_rest_is_not_good_enough_ends_with_everything_stored(run):
    done = run(settings=REST | {"initial_rest_dur": "22"}, env=BLOOD | {"BLOOD_IN_GREEN": "0"})
    assert done.returncode == 1
    said = " ".join(done.stderr.split())
    assert "blue_coefficient = fit: over the initial rest, M1_L: " in said
    assert "record a baseline with --baseline 300 first, or set a number" in said
    session = run.session()
    assert not session.was_cut_short
    assert (session.columns["trial"] > 0).sum() == 1
    assert str(session.attributes["ended_by"]).startswith("blue_coefficient = fit: over the initial rest")


def test_a_rest_that_is_too_short_is_refused_at_the_door(run):
    done = run(settings=REST | {"initial_rest_dur": "20"}, env=BLOOD)
    assert done.returncode == 2
    assert "initial_rest_dur = 20 s is too short for a fit" in " ".join(done.stderr.split())
    assert not (run.data / "m1").exists()


def test_a_baseline_with_its_rois_elsewhere_is_not_used(run):
    finished(run("--baseline", "60", settings=REST, env=BLOOD))
    done = run(settings=REST | {"m1_l": "40,60,4,4", "initial_rest_dur": "20"}, env=BLOOD)
    assert done.returncode == 2
    assert "too short for a fit" in " ".join(done.stderr.split())


def test_the_report_draws_the_fit(run):
    finished(run("--baseline", "120", settings=REST, env=BLOOD))
    finished(run(settings=REST | {"initial_rest_dur": "7"}, env=BLOOD))
    evidence = gather(run.session().folder)
    session, begin, end, where = fit_period(evidence.session, evidence.settings)
    assert (begin, end) == (90, 120 * FRAMERATE)
    assert where == f"the baseline {session.folder.name}"
    figure = Figure()
    draw_blood(evidence, figure)
    labels = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    fitted = evidence.session.settings["blue_coefficient"].removeprefix("M1_L ")
    assert labels[:2] == ["as published: 1", f"used: {fitted}"]
    assert labels[2].startswith(f"fit of this period: {float(fitted):.2f} (")


def test_the_report_knows_what_the_rest_gave(run):
    finished(run(settings=REST, env=BLOOD))
    evidence = gather(run.session().folder)
    said = evidence.session.notes["blue_coefficient_fit"]
    (used,) = used_blues(evidence.session, evidence.settings).values()
    assert said.startswith(f"over the initial rest: M1_L {used.coefficient} (")
    assert fit_period(evidence.session, evidence.settings)[3] == "the initial rest"


def test_frames_under_a_light_that_flickers_are_no_part_of_the_fit():
    """Light is in both colours alike: with these frames the coefficient lies above 1, and is too uncertain."""
    flicker = np.where(np.random.default_rng(5).random(FRAMERATE * 300) < 0.2, 0.04, 0.0)
    blue, green, _ = mouse()

    def learned(bits):
        haemodynamics = Haemodynamics(ByRoi(), ["M1_L"], FRAMERATE, 0)
        for b, g, light, bit in zip(blue, green, flicker, bits, strict=True):
            haemodynamics("M1_L", b + light, g + light)
            haemodynamics.learn(Step(), False, bit)
        haemodynamics.learn(Step(1, running=True), False)
        return haemodynamics.blues["M1_L"].coefficient

    assert learned(np.where(flicker > 0, LIGHT, 0)) == pytest.approx(TRUE, abs=0.05)
    with pytest.raises(FitError, match="lies between 1"):
        learned(np.zeros(len(blue)))


def test_a_session_of_before_is_reported_and_run_again_without_its_colours(recorded, tmp_path):
    folder = shutil.copytree(recorded("1roi"), tmp_path / "old")
    without_columns(folder, "M1_L_green", "M1_L_blue")
    config = (folder / "config.ini").read_text().splitlines(keepends=True)
    (folder / "config.ini").write_text("".join(line for line in config if not line.startswith("blue_coefficient")))
    each = open_recorded(folder)
    assert not any(name.endswith("_blue") for name in each.session.columns)
    assert first_difference(each.session, run_again(each, each.settings({})), each.n_frames()) is None
    with pytest.raises(Missing, match="were not logged"):
        draw_blood(gather(folder), Figure())


def test_what_if_over_the_coefficient(run):
    finished(run(settings=REST | {"blue_coefficient": "1"}, env=BLOOD))
    each = open_recorded(run.session().folder)
    signals = {
        text: run_again(each, each.settings({"blue_coefficient": text})).columns["roi_dff"]
        for text in ("1", "0.5", "fit", "M1_L 0.5")
    }
    green, blue = (each.session.columns[f"M1_L_{colour}"] for colour in ("green", "blue"))
    assert signals["1"].tolist() == each.session.columns["roi_dff"].tolist()
    assert signals["0.5"].tolist() == (green - 0.5 * blue).tolist() == signals["M1_L 0.5"].tolist()
    assert signals["fit"][-1] != signals["1"][-1]


def test_the_real_recording_keeps_its_signal(run, real_recording):
    """Its own blood is too weak for a fit, which is refused; with more of it, the fit takes no activity away."""
    place = {"bregma": "120, 128", "ppmm": "20", "resolution": "256, 256", "roi": "V1_L", "roi_size": "0.8, 0.8"}
    replay = {"vid_source": "VideoStream", "vid_root": str(real_recording)}
    finished(run("--baseline", "120", settings=SHORT | place | replay))
    green, blue = (run.session().columns[f"V1_L_{colour}"][90:] for colour in ("green", "blue"))
    with pytest.raises(FitError, match="may be uncertain by"):
        fit(blue, green, FRAMERATE)
    added = 3 * blood_of(len(blue), 0)
    found = fit(blue + added, green + TRUE * added, FRAMERATE).blue.coefficient
    assert found == pytest.approx(TRUE, abs=0.1)
    signal, as_published = (green + TRUE * added - c * (blue + added) for c in (found, 1))
    alone = green - found * blue
    assert np.corrcoef(signal, alone)[0, 1] > 0.95
    assert np.corrcoef(signal, alone)[0, 1] > np.corrcoef(as_published, alone)[0, 1]
    left, left_as_published = ((signal - alone).var(), (as_published - (green - blue)).var())
    assert left_as_published > 5 * left
