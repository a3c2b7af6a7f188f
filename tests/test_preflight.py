"""The check before the animal comes."""

import numpy as np
import pytest
from test_safety import recording

from conftest import SHORT, TWO_ROI_SCRIPT, gpio_env, read_edges
from rig.preflight import FAIL, PASS, WARN, Preflight, judge_image, judge_latency, judge_rate

# Late frames are no fault of the rig here: the machine of the tests is busy.
QUICK = SHORT | {"framerate": "30", "max_frame_age_ms": "60000"}


def check(run, *arguments, **options):
    return run("--check", *arguments, **{"settings": QUICK, "fast": False, "mouse": None, "seed": None} | options)


def test_a_simulated_rig_is_ready(run):
    for script in (None, TWO_ROI_SCRIPT):
        done = check(run, **({"script": script} if script else {}))
        assert done.returncode == 0, done.stdout + done.stderr
        assert done.stdout.rstrip().endswith("ready")
        for device in [
            "settings",
            "camera",
            "outputs",
            "tone",
            "lick",
            "disk_space",
            "disk_speed",
            "water",
            "pins",
            "image",
        ]:
            assert f"{device.replace('_', ' ')}:" in done.stdout
        assert "frame to output over 200 frames: median" in done.stdout
    assert not run.data.exists(), "no session is run"


def test_real_pins_are_claimed_and_the_valve_stays_shut(run, tmp_path):
    done = check(run, "--set", "outputs=gpio", env=gpio_env(tmp_path / "edges"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "BCM reward 27, fail 12, light 21, trigger 17 are ours and low" in done.stdout
    edges = read_edges(tmp_path / "edges")
    assert {gpio for _, gpio, _ in edges} == {27, 12, 21, 17}
    assert {gpio for _, gpio, level in edges if level} == {21}, "the light alone goes on, to see something"
    assert {gpio: level for _, gpio, level in edges}[21] == 0


def test_everything_that_is_missing_is_told_at_once(run, tmp_path):
    replay = recording(tmp_path, np.zeros((90, 128, 128, 3), np.uint8))
    nowhere = {"PULSE_SERVER": "unix:/nowhere", "RPI_LGPIO_REVISION": "", "DISPLAY": ""}
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


def test_judgements(settings):
    cfg = settings()
    at_rate = [i / 15 for i in range(30)]
    assert judged(judge_rate, cfg, at_rate, 0) == [PASS]
    assert judged(judge_rate, cfg, at_rate, 2) == [WARN]
    assert judged(judge_rate, cfg, [i / 10 for i in range(30)], 0) == [FAIL]
    assert judged(judge_rate, cfg, [0.0], 0) == [FAIL]
    assert judged(judge_latency, cfg, [5.0] * 200) == [PASS]
    assert judged(judge_latency, cfg, [5.0] * 190 + [100.0] * 10) == [WARN]
    assert judged(judge_latency, cfg, [200.0] * 200) == [FAIL]
    assert judged(judge_image, cfg, np.full((256, 256, 3), 99, np.uint8)) == [PASS]
    assert judged(judge_image, cfg, np.full((128, 256, 3), 99, np.uint8)) == [FAIL]
    assert judged(judge_image, cfg, np.zeros((256, 256, 3), np.uint8)) == [FAIL]
    unlocked = settings(vid_source="OpenCVCameraStream")
    assert judged(judge_image, unlocked, np.full((256, 256, 3), 99, np.uint8)) == [PASS, WARN]


def test_latency_of_the_first_frames_is_kept(run):
    done = run(settings=SHORT | {"total_trials": "1"})
    assert "in the first 200 frames: median" in done.stdout
    session = run.session()
    frames = session.table("frames")[:200]
    latencies_ms = (frames["output_s"] - frames["captured_s"]) * 1e3
    assert session.attribute("latency_of_first_frames_median_ms") == pytest.approx(np.median(latencies_ms), rel=1e-3)
