"""What is not brain: found where it was put, not found where it was not, and kept from earning water."""

import os
import re
import signal
import subprocess
import sys

import cv2
import numpy as np
import pytest

from analysis.checks import rewards_not_suspicious
from analysis.evidence import gather
from analysis.replay.recorded import open_recorded
from analysis.sweep import Try
from analysis.what_if_session import try_recorded
from rig.devices.input_line import NoInput, Watch
from rig.devices.paw_line import WORDS, open_paw_line
from rig.errors import SettingsError
from rig.events import Events
from rig.protocol.artefacts import (
    LIGHT,
    MOVEMENT,
    PAW,
    PIXELS,
    GlobalChange,
    Movement,
    are_spent,
    best_corners,
    named,
)
from rig.protocol.dff import RoiHistory
from rig.simulated.cortex import Scene
from rig.simulated.paw_line import SimPawLine
from support.pins import gpio_env, needs_lgpio
from support.places import ROOT, SHORT, TWO_ROI_SCRIPT
from support.processes import command
from support.runner import finished, without_time
from support.sessions import without_columns
from support.waiting import end, wait_until

N_FRAMES = 90  # of the ΔF/F baseline
LIGHT_LIMIT, MOVEMENT_LIMIT = 0.02, 0.5  # the defaults


@pytest.fixture(scope="module")
def drawn(module_settings):
    """Return frames of a simulated mouse, n of them, with the settings they were drawn by."""
    cfg = module_settings(seed="3")
    scene = Scene(cfg)
    return cfg, [scene.render(i / cfg.framerate, 1500.0 if i % 300 > 150 else 0.0, 0) for i in range(900)]


@pytest.fixture(scope="module")
def module_settings():
    from rig.settings.loading import load
    from rig.settings.one_roi import OneRoiSettings

    def make(**values):
        given = {"vid_source": "SimCameraStream", "outputs": "simulated", "tone": "simulated"} | values
        return load(OneRoiSettings, ROOT / "config.ini", OneRoiSettings.section, given)[0]

    return make


def moved(image, right, down):
    """Return a picture shifted by parts of a pixel."""
    height, width = image.shape[:2]
    return cv2.warpAffine(
        image, np.float32([[1, 0, right], [0, 1, down]]), (width, height), borderMode=cv2.BORDER_REPLICATE
    )


# What is measured


def test_a_mouse_that_is_active_changes_neither(drawn):
    _, images = drawn
    light, movement = GlobalChange(N_FRAMES), Movement(N_FRAMES)
    shared, shifts = zip(*((light.push(image), movement.push(image)) for image in images), strict=True)
    assert shared[0] == shifts[0] == 0.0
    assert np.mean(np.abs(shared) > LIGHT_LIMIT) == 0
    assert np.mean(np.array(shifts) > MOVEMENT_LIMIT) == 0


@pytest.mark.parametrize("colours", [[0], [1], [0, 1]], ids=["blue", "green", "both"])
@pytest.mark.parametrize("factor", [0.9, 0.95, 1.05, 1.1])
def test_flicker_of_the_light_is_found_in_either_colour(drawn, colours, factor):
    _, images = drawn
    light = GlobalChange(N_FRAMES)
    found = []
    for i, image in enumerate(images[:300]):
        flickers = i > N_FRAMES and i % 10 == 0
        if flickers:
            image = image.copy()
            for colour in colours:
                image[..., colour] = cv2.convertScaleAbs(image[..., colour], alpha=factor)
        shared = light.push(image)
        found += [abs(shared) > LIGHT_LIMIT] if flickers else []
    assert np.mean(found) >= 0.99


@pytest.mark.parametrize("px", [0.25, 0.5, 1.0, 1.5])
def test_how_far_the_picture_has_moved(drawn, px):
    _, images = drawn
    movement, random = Movement(N_FRAMES), np.random.default_rng(1)
    for image in images[:N_FRAMES]:
        movement.push(image)
    found = []
    for image in images[N_FRAMES : N_FRAMES + 40]:
        angle = random.uniform(0, 2 * np.pi)
        found.append(movement.push(moved(image, px * np.cos(angle), px * np.sin(angle))))
        for _ in range(3):  # so that the reference stays
            movement.push(image)
    assert np.median(found) == pytest.approx(px, abs=0.2)


@pytest.mark.parametrize("px", [0.8, 1.5, 3.0, 6.0, 20.0])
def test_every_larger_movement_is_above_the_limit(drawn, px):
    _, images = drawn
    movement, random = Movement(N_FRAMES), np.random.default_rng(2)
    found = []
    for i, image in enumerate(images[:400]):
        jumps = i > N_FRAMES and i % 10 == 0
        angle = random.uniform(0, 2 * np.pi)
        shift = movement.push(moved(image, px * np.cos(angle), px * np.sin(angle)) if jumps else image)
        found += [shift > MOVEMENT_LIMIT] if jumps else []
    assert np.mean(found) >= 0.99


def test_a_light_that_changes_is_no_movement(drawn):
    _, images = drawn
    movement = Movement(N_FRAMES)
    for image in images[:N_FRAMES]:
        movement.push(image)
    for factor in (0.7, 0.9, 1.1):
        assert movement.push(cv2.convertScaleAbs(images[N_FRAMES], alpha=factor)) < 0.15


def test_a_slow_drift_is_followed(drawn):
    _, images = drawn
    movement = Movement(N_FRAMES)
    shifts = [movement.push(moved(image, i * 0.002, 0)) for i, image in enumerate(images)]
    assert max(shifts) < MOVEMENT_LIMIT, "1.8 px in a minute"


@pytest.mark.parametrize("shape", [(1, 1, 3), (7, 9, 3), (20, 31, 3), (64, 64, 3), (33, 640, 3)])
def test_images_of_any_size_and_without_light(shape):
    light, movement = GlobalChange(3), Movement(3)
    for level in (0, 0, 200, 200, 0, 255):
        image = np.full(shape, level, np.uint8)
        assert np.isfinite(light.push(image))
        assert movement.push(image) == 0.0, "there is nothing to hold on to"


def test_a_black_first_frame_does_not_end_the_search_for_patches(drawn):
    _, images = drawn
    movement = Movement(N_FRAMES)
    movement.push(np.zeros_like(images[0]))
    for image in images[:N_FRAMES]:
        movement.push(image)
    assert movement.push(moved(images[N_FRAMES], 1.0, 0.0)) > MOVEMENT_LIMIT


def test_patches_lie_where_there_are_edges_in_both_directions():
    image = np.full((128, 128, 3), 100, np.uint8)
    cv2.circle(image, (48, 80), 8, (200, 200, 200), -1)  # in the tile from row 64, column 32
    cv2.line(image, (110, 0), (110, 127), (200, 200, 200), 3)  # says nothing about up and down
    assert best_corners(image)[0] == (64, 32)


@pytest.mark.parametrize(
    ("blue", "green", "spent"),
    [
        (100, 100, False),
        (7, 100, True),
        (100, 7, True),
        (8, 8, False),
        (255, 100, True),
        (100, 255, True),
    ],
)
def test_pixels_that_measure_nothing(blue, green, spent):
    assert are_spent(np.full((4, 5, 3), (blue, green, 0), np.uint8), 0.01) is spent


def test_a_share_of_the_pixels_may_be_saturated():
    crop = np.full((10, 10, 3), 100, np.uint8)
    crop[0, 0] = 255
    assert not are_spent(crop, 0.01)
    crop[0, 1] = 255
    assert are_spent(crop, 0.01)
    assert are_spent(crop[:0], 0.01), "an ROI outside of the image"


def test_the_names_of_the_bits():
    assert named(LIGHT | PAW) == "light and paw"
    assert named(0) == ""


def test_real_transients_are_not_vetoed(drawn):
    """At the frames on which the signal of some site crosses a threshold, nothing is found."""
    cfg, images = drawn
    rois = [cfg.make_roi(name) for name in cfg.seeds()]
    histories, light, movement = [RoiHistory(N_FRAMES) for _ in rois], GlobalChange(N_FRAMES), Movement(N_FRAMES)
    crossings = flagged = 0
    for image in images:
        dff = [history.dff(roi.crop(image)) for roi, history in zip(rois, histories, strict=True)]
        is_flagged = abs(light.push(image)) > LIGHT_LIMIT or movement.push(image) > MOVEMENT_LIMIT
        n = sum(green - blue > 0.05 for blue, green in dff)
        crossings, flagged = crossings + n, flagged + n * is_flagged
    assert crossings > 300
    assert flagged <= 0.01 * crossings


# Whole sessions

NOW, LATER = {"reward_delay": "0"}, {"reward_delay": "1"}
ARTEFACTS = SHORT | {"reward_threshold": "0.06", "initial_rest_dur": "4", "total_trials": "12", "lick": "none"}


@pytest.fixture
def flickering(run):
    """Run a session under a light that flickers; return it."""

    def go(script=None, mouse="m", **settings):
        wanted = ARTEFACTS | {"vid_source": "FlickeringStream"} | settings
        more = {} if script is None else {"script": script}
        env = {"PYTHONPATH": str(ROOT / "tests" / "support" / "drivers")}
        finished(run(settings=wanted, mouse=mouse, env=env, **more))
        return run.session(mouse)

    return go


def rows_tested(session, delay_s):
    """Return the bits of the frames whose signal was tested on the frames with a success."""
    won = np.flatnonzero(session.columns["reward"] == 1)
    return session.columns["veto"][won - round(delay_s * 15)]


@pytest.mark.parametrize("delay", [NOW, LATER], ids=["at once", "delayed"])
def test_artefacts_earn_nothing_where_they_veto(flickering, delay):
    delay_s = float(delay["reward_delay"])
    unwatched, watched = flickering(mouse="a", **delay), flickering(mouse="b", veto="light,movement,pixels", **delay)
    assert np.count_nonzero(rows_tested(unwatched, delay_s)) >= 5, "logged in any case"
    assert len(rows_tested(watched, delay_s)) > 0
    assert not rows_tested(watched, delay_s).any()
    vetoed = watched.of("veto")
    assert watched.notes["vetoed_crossings"] == len(vetoed)
    assert {int(event.value) & (LIGHT | MOVEMENT | PIXELS) for event in vetoed} >= {LIGHT}
    assert all(event.detail == f"crossing vetoed: {named(int(event.value))}" for event in vetoed)
    assert not unwatched.of("veto")


def test_what_is_put_in_is_what_is_logged(flickering):
    from support.drivers.FlickeringStream import EVERY, FROM

    bits = flickering().columns["veto"]
    placed = np.arange(FROM, len(bits), EVERY)
    for turn, bit in enumerate((LIGHT, MOVEMENT, PIXELS)):
        assert (bits[placed[turn::3]] & bit > 0).all(), named(bit)
    clean = np.delete(bits, placed)
    assert not clean.any()


def test_two_rois_are_watched_too(flickering):
    session = flickering(script=TWO_ROI_SCRIPT, roi_operation="M1_L+BC_R", veto="light,movement,pixels")
    assert session.of("veto")
    assert list(session.columns)[-3:] == ["global_dff", "movement_px", "veto"]


def test_a_replay_vetoes_the_same(flickering, run):
    session = flickering(veto="light,movement,pixels,paw", paw_pin="24")
    assert (session.columns["veto"] & PAW).any()
    replay = {"vid_source": "VideoStream", "vid_root": str(session.folder), "lick": "none"}
    config = ["--config", str(session.folder / "config.ini")]
    finished(run(*config, settings=replay, mouse="replay", seed=None))
    assert without_time(run.session("replay")) == without_time(session)


def test_what_if_gives_the_rows_of_the_log_and_tries_other_limits(flickering):
    recorded = open_recorded(flickering(veto="light").folder)
    tries = [Try("off", {"veto": ""}, None), Try("all", {"veto": "light,movement,pixels"}, None)]
    tried = try_recorded(recorded, [*tries, Try("lenient", {"max_global_dff": "0.5"}, None)])
    assert tried.is_same, tried.said
    own, off, everything, lenient = (row.outcomes for row in tried.rows)
    assert off.latency_s < own.latency_s
    assert everything.latency_s >= own.latency_s
    assert lenient == off


def test_an_old_session_is_run_again_and_cannot_be_vetoed(run):
    finished(run(settings=SHORT))
    session = run.session()
    without_columns(session.folder, "global_dff", "movement_px", "veto")
    recorded = open_recorded(session.folder)
    assert try_recorded(recorded, []).is_same
    with pytest.raises(SettingsError, match=r"^veto = light: .* has no column veto, .*; leave veto empty"):
        recorded.settings({"veto": "light"})
    assert rewards_not_suspicious_or_why(session.folder) == "artefacts were not logged (no column veto)"


def rewards_not_suspicious_or_why(folder):
    """Return what the check of a report says, or why it cannot be made."""
    from analysis.evidence import Missing

    try:
        return rewards_not_suspicious(gather(folder))
    except Missing as reason:
        return str(reason)


def test_the_report_counts_suspicious_rewards(flickering):
    session = flickering(reward_delay="0.6")
    light, said = rewards_not_suspicious(gather(session.folder))
    n = np.count_nonzero(rows_tested(session, 0.6))
    assert f"{n} of {np.count_nonzero(session.columns['reward'] == 1)} rewards were suspicious (" in said
    assert light == "bad"


# The line of the paw


@needs_lgpio
def test_the_line_through_the_real_library(tmp_path):
    inputs = str(tmp_path / "inputs")
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.paw_on_gpio", inputs],
        cwd=ROOT, env=os.environ | gpio_env(tmp_path / "edges", LGPIO_INPUTS=inputs),
        capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    assert done.stdout.split() == ["0", "1", "0", "1"], done.stderr


def test_the_command_without_a_line_is_one_sentence():
    done = command("paw")
    assert done.returncode == 1
    assert done.stderr == "paw_pin is empty: there is no line to try; add --set paw_pin=NUMBER\n"


@needs_lgpio
def test_the_command_shows_movements_until_ctrl_c(tmp_path):
    inputs = tmp_path / "inputs"
    inputs.write_text("24")
    settings = [word for each in ("paw_pin=24", "vid_source=SimCameraStream") for word in ("--set", each)]
    shows = subprocess.Popen(
        [sys.executable, "-m", "rig.commands.paw", *settings],
        cwd=ROOT, env=os.environ | gpio_env(tmp_path / "edges", LGPIO_INPUTS=str(inputs)),
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    try:
        assert shows.stdout.readline() == "move the paw; Ctrl-C ends\n"
        shown = ""
        while "moves moves" not in shown:
            more = shows.stdout.read(1)
            assert more, shown
            shown += more
        shows.send_signal(signal.SIGINT)
        shows.communicate(timeout=20)
    finally:
        end(shows)
    assert shows.returncode == 130


class Line:
    """A line that is high when it is told so."""

    def __init__(self):
        self.high = False

    def read(self):
        return self.high

    def close(self):
        """Nothing is open."""


def test_a_movement_between_two_frames_is_not_missed():
    line, events = Line(), Events()
    watch = Watch(line, events, WORDS)
    line.high = True
    wait_until(lambda: len(events.since(0)) == 1)
    line.high = False
    wait_until(lambda: len(events.since(0)) == 2)
    assert watch.touched()
    assert not watch.touched()
    watch.close()
    assert [(event.device, event.value) for event in events.since(0)] == [("paw", 1), ("paw", 0)]


def test_a_line_that_hangs_is_a_trouble(monkeypatch):
    import time

    line, now_s = Line(), time.monotonic()
    line.high = True
    watch = Watch(line, Events(), WORDS)
    wait_until(watch.touched)
    monkeypatch.setattr("rig.devices.input_line.time.monotonic", lambda: now_s + WORDS.hangs_after_s + 5)
    assert re.search(r"the paw line has been high for \d+ s: check its wire", watch.trouble())
    watch.close()


def test_the_simulated_mouse_moves_now_and_then(module_settings):
    events = Events()
    line = open_paw_line(module_settings(paw_pin="24"), events)
    assert isinstance(line, SimPawLine)
    moves = [line.touched() for _ in range(15 * 600)]
    assert 0.02 < np.mean(moves) < 0.1
    assert len(events.since(0)) == np.count_nonzero(np.diff(moves, prepend=False))


@pytest.mark.parametrize(("pin", "replays"), [("", False), ("24", True)])
def test_without_a_pin_and_in_a_replay_there_is_no_line(module_settings, pin, replays):
    line = open_paw_line(module_settings(paw_pin=pin), Events(), replays)
    assert isinstance(line, NoInput)
    assert (line.touched(), line.trouble()) == (False, "")
    line.close()


# What is refused


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"veto": "lights"}, "there is no veto lights; did you mean light"),
        ({"own_rois": "global", "global": "10,10,8,8"}, "no ROI may be called global; global_dff is the column of"),
        ({"veto": "light,light"}, "light stands there more than once"),
        ({"veto": "paw"}, "veto = paw: no line says whether the paw moves; set paw_pin, or leave paw out"),
        ({"paw_pin": "27"}, "paw_pin = 27: this is also the pin of reward; each needs its own"),
        ({"max_movement_px": "0"}, "max_movement_px = 0: it should be greater than 0"),
    ],
)
def test_settings_that_cannot_be(module_settings, values, says):
    with pytest.raises(SettingsError) as error:
        module_settings(**values)
    assert says in str(error.value)
