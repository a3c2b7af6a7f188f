"""The check before the animal comes."""

import numpy as np
import pytest

from rig.preflight import FAIL, PASS, WARN, Preflight, judge_image, judge_latency, judge_rate
from support.pins import PINS, SYNC, gpio_env, levels, needs_lgpio, read_edges
from support.places import SCRIPT, SHORT, TWO_ROI_SCRIPT
from support.recordings import write_recording
from support.runner import finished

# Late frames are no fault of the rig here: the machine of the tests is busy.
QUICK = SHORT | {"framerate": "30", "max_frame_age_ms": "60000"}


def check(run, *arguments, **options):
    return run("--check", *arguments, **{"settings": QUICK, "fast": False, "mouse": None, "seed": None} | options)


@pytest.mark.parametrize("script", [SCRIPT, TWO_ROI_SCRIPT], ids=["1roi", "2roi"])
def test_a_simulated_rig_is_ready(run, script):
    done = finished(check(run, script=script))
    assert done.stdout.rstrip().endswith("ready")
    devices = "settings, camera, outputs, tone, lick, disk space, disk speed, water, pins, image"
    for device in devices.split(", "):
        assert f"{device}:" in done.stdout
    assert "frame to output over 200 frames: median" in done.stdout
    assert not run.data.exists(), "no session is run"


@needs_lgpio
def test_real_pins_are_claimed_and_the_valve_stays_shut(run, tmp_path):
    done = finished(check(run, "--set", "outputs=gpio", env=gpio_env(tmp_path / "edges")))
    assert "BCM reward 27, fail 12, light 21, trigger 17 are ours and low" in done.stdout
    edges = read_edges(tmp_path / "edges")
    assert {gpio for _, gpio, _ in edges} == set(PINS.values())
    assert {gpio for _, gpio, level in edges if level} == {PINS["light"]}, "only the light goes on, to see something"
    assert levels(tmp_path / "edges")[PINS["light"]] == 0


@needs_lgpio
def test_lines_for_other_machines_are_claimed_too(run, tmp_path):
    settings = QUICK | SYNC | {"outputs": "gpio"}
    done = finished(check(run, settings=settings, env=gpio_env(tmp_path / "edges")))
    assert "trigger 17, frame 5, barcode 6 are ours and low" in done.stdout
    assert {gpio for _, gpio, level in read_edges(tmp_path / "edges") if level} == {PINS["light"]}


def test_everything_that_is_missing_is_reported_at_once(run, tmp_path):
    replay = write_recording(tmp_path, np.zeros((90, 128, 128, 3), np.uint8))
    nowhere = {"PULSE_SERVER": "unix:/nowhere", "RPI_LGPIO_REVISION": "", "DISPLAY": "", "TMPDIR": str(tmp_path)}
    real = {"outputs": "gpio", "tone": "pyaudio", "lick": "mpr121", "framerate": "30"}
    done = check(run, settings=QUICK | replay | real, simulate=False, window=True, env=nowhere)
    assert done.returncode == 1
    assert "Traceback" not in done.stdout + done.stderr
    for found in ("screen: there is no screen", "pins: ", "lick: ", "image: the image is black", "NOT READY"):
        assert found in done.stdout


def judged(judge, *arguments):
    flight = Preflight()
    judge(flight, *arguments)
    return [finding.verdict for finding in flight.findings]


@pytest.mark.parametrize(
    ("times_s", "lost", "verdict", "why"),
    [
        ([i / 15 for i in range(30)], 0, PASS, "as configured"),
        ([i / 15 for i in range(30)], 2, WARN, "frames lost"),
        ([i / 10 for i in range(30)], 0, FAIL, "another rate"),
        ([0.0], 0, FAIL, "a single frame"),
    ],
)
def test_judgement_of_the_rate(settings, times_s, lost, verdict, why):
    assert judged(judge_rate, settings(framerate=15), times_s, lost) == [verdict], why


@pytest.mark.parametrize(
    ("latencies_ms", "verdict", "why"),
    [
        ([5.0] * 200, PASS, "far below two frame periods, 133 ms"),
        ([5.0] * 190 + [100.0] * 10, WARN, "some are near"),
        ([1.0] * 190 + [33.0] * 10, WARN, "far below two frame periods, but something else delays the loop"),
        ([30.0] * 190 + [33.0] * 10, PASS, "the model takes long, and always as long"),
        ([200.0] * 200, FAIL, "most are late"),
    ],
)
def test_judgement_of_the_latency(settings, latencies_ms, verdict, why):
    assert judged(judge_latency, settings(framerate=15), latencies_ms) == [verdict], why


@pytest.mark.parametrize(
    ("image", "verdict", "why"),
    [
        (np.full((256, 256, 3), 99, np.uint8), PASS, "grey"),
        (np.full((128, 256, 3), 99, np.uint8), FAIL, "another size"),
        (np.zeros((256, 256, 3), np.uint8), FAIL, "black"),
        (np.full((256, 256, 3), 255, np.uint8), FAIL, "saturated"),
    ],
    ids=["grey", "another size", "black", "saturated"],
)
def test_judgement_of_the_image(settings, image, verdict, why):
    assert judged(judge_image, settings(), image) == [verdict], why


def test_gains_that_nobody_knows_are_a_warning(settings):
    image, unlocked = np.full((256, 256, 3), 99, np.uint8), settings(vid_source="OpenCVCameraStream")
    assert judged(judge_image, unlocked, image) == [PASS, WARN]


def test_gains_that_the_camera_reports_as_locked_pass(settings):
    image, locked = np.full((256, 256, 3), 99, np.uint8), settings(vid_source="PiCameraStream")
    assert judged(judge_image, locked, image) == [PASS, PASS]


def test_latency_of_the_first_frames_is_kept(run):
    done = finished(run(settings=SHORT | {"total_trials": "1"}))
    assert "in the first 200 frames: median" in done.stdout
    session = run.session()
    frames = session.frames[:200]
    latencies_ms = (frames["output_s"] - frames["captured_s"]) * 1e3
    assert session.attributes["latency_of_first_frames_median_ms"] == pytest.approx(np.median(latencies_ms), rel=1e-3)
