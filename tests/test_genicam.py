"""AravisCameraStream on the cameras that Aravis simulates: in memory, and as GigE Vision on the loopback."""

import os
import signal
import time
from itertools import islice

import numpy as np
import pytest

from AravisCameraStream import AravisCameraStream
from CameraFactory import CameraFactory
from rig.devices import pixel_formats, usb_vision
from rig.devices.genicam import load
from rig.errors import RigError
from rig.settings.ini import to_strings
from support import genicam
from support.places import SHORT
from support.runner import finished, frames_of
from support.waiting import end

WIDTH, HEIGHT = 64, 48
SMALL = {"resolution": f"{WIDTH}, {HEIGHT}", "bregma": "24, 32", "ppmm": "5"} | genicam.BRIEF
IN_COLOURS = {"vid_source": "AravisCameraStream", "pixel_format": "BayerRG8"}  # as ΔF/F needs
GIGE = {"genicam_id": genicam.GIGE_ID}
needs_aravis = genicam.needs_aravis


@pytest.fixture
def camera(settings):
    """Make a driver for the camera in memory, or another one."""
    return lambda **changes: AravisCameraStream(
        to_strings(settings(**(SMALL | genicam.IN_MEMORY | {"vid_source": "AravisCameraStream"} | changes)))
    )


@pytest.fixture
def described(tmp_path_factory):
    """Let the camera in memory describe itself with more features."""
    path = tmp_path_factory.mktemp("genicam") / "camera.xml"

    def describe(more):
        path.write_text(genicam.description(more))
        load().set_fake_camera_genicam_filename(str(path))

    yield describe
    describe({})


def refusal(driver):
    """Return the one sentence with which a driver does not start."""
    try:
        with pytest.raises(RigError) as caught:
            driver.start()
    finally:
        driver.stop()
    assert len(str(caught.value).splitlines()) == 1
    return str(caught.value)


# ---- pictures


def test_twelve_bits_become_the_upper_eight():
    counts = np.arange(0, 4096, dtype="<u2")
    image = pixel_formats.decoder("Mono12", 64, 64)(counts.tobytes())
    assert image.shape == (64, 64, 1)
    np.testing.assert_array_equal(image.ravel(), counts // 16)


@pytest.mark.parametrize(("name", "step"), [("Mono10", 4), ("Mono16", 256)])
def test_full_scale_is_255(name, step):
    image = pixel_formats.decoder(name, 2, 1)(np.array([255 * step, step], "<u2").tobytes())
    assert image[0, :, 0].tolist() == [255, 1]


def test_eight_bits_of_grey_belong_to_their_frame():
    image = pixel_formats.decoder("Mono8", 2, 1)(bytes([7, 9]))
    assert image.tolist() == [[[7], [9]]]
    assert image.flags.writeable


@pytest.mark.parametrize(("name", "channels"), [("Mono8", 1), ("Mono12", 1), ("BayerRG8", 3), ("RGB8", 3), ("BGR8", 3)])
def test_only_grey_has_one_channel(camera, name, channels):
    assert camera(pixel_format=name).channels == channels


@pytest.mark.parametrize("bits", [8, 12])
@pytest.mark.parametrize("mosaic", ["RGGB", "GRBG", "GBRG", "BGGR"])
def test_colours_of_a_mosaic(mosaic, bits):
    """A field of one colour in a mosaic that is named by its first row gives that colour, blue, green, red."""
    light = {"R": 200, "G": 100, "B": 30}
    tile = np.array([light[letter] for letter in mosaic]).reshape(2, 2) << (bits - 8)
    field = np.tile(tile, (HEIGHT // 2, WIDTH // 2)).astype("<u2" if bits > 8 else "u1")
    image = pixel_formats.decoder(f"Bayer{mosaic[:2]}{bits}", WIDTH, HEIGHT)(field.tobytes())
    assert (image[2:-2, 2:-2] == (30, 100, 200)).all()


@pytest.mark.parametrize(("name", "first"), [("RGB8", (3, 2, 1)), ("BGR8", (1, 2, 3))])
def test_three_colours_are_blue_green_red(name, first):
    image = pixel_formats.decoder(name, 2, 1)(bytes([1, 2, 3, 4, 5, 6]))
    assert tuple(image[0, 0]) == first
    assert image.flags.writeable, "it belongs to this frame"


@pytest.mark.parametrize(
    ("name", "is_linear"), [("Mono8", True), ("Mono12", True), ("BayerRG8", True), ("RGB8", None), ("BGR8", None)]
)
def test_what_the_sensor_counted_is_linear(camera, name, is_linear):
    assert camera(pixel_format=name).is_linear is is_linear


# ---- settings


@needs_aravis
@pytest.mark.parametrize("name", ["Mono8", "Mono16", "BayerRG8", "BayerGB8", "RGB8"])
def test_every_form_of_pixels_gives_pictures(camera, name):
    with CameraFactory(camera(pixel_format=name).start(), (WIDTH, HEIGHT)) as opened:
        images = [frame.image for frame in islice(opened, 3)]
    assert len({image.tobytes() for image in images}) == 3, "they move"


@needs_aravis
def test_what_is_set_is_in_the_camera(camera):
    driver = camera(crop="10, 20", gain=3, shutter_speed=1500, framerate=40, binning=2).start()
    try:
        inside = driver._camera
        region = inside.get_region()
        assert (region.x, region.y, region.width, region.height) == (10, 20, WIDTH, HEIGHT)
        assert (inside.get_gain(), inside.get_exposure_time()) == (3, 1500)
        assert inside.get_frame_rate() == pytest.approx(40, rel=0.01)
        assert tuple(inside.get_binning()) == (2, 2)
        assert inside.get_string("GainAuto") == "Off"
        assert inside.get_string("TriggerMode") == "Off"
    finally:
        driver.stop()


@needs_aravis
def test_a_region_lies_in_the_middle(camera):
    driver = camera().start()
    region = driver._camera.get_region()
    driver.stop()
    assert (region.x, region.y) == ((2048 - WIDTH) // 2, (2048 - HEIGHT) // 2)


@needs_aravis
@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"gain": 99}, "gain = 99: the camera can do 0 to 10 (gain)"),
        ({"shutter_speed": 5}, "shutter_speed = 5: the camera can do 10 to 1e+07 µs"),
        ({"black_level": 3}, "black_level = 3: the camera has no black level to set"),
        ({"resolution": "64, 4096"}, "it has 2048, 2048 px in steps of 1, 1"),
        ({"crop": "2040, 0"}, "resolution = 64, 48 with its corner at 2040, 0: the camera gives "),
        ({"pixel_format": "Mono12"}, "pixel_format = Mono12: the camera has BayerBG8, BayerGB8, BayerGR8, BayerRG8,"),
        ({"pixel_format": "YUV422"}, "pixel_format = YUV422: choose one of Mono8, Mono10,"),
        ({"camera_trigger": "Line7"}, "camera_trigger = Line7: the camera has Line0, Software"),
        (
            {"camera_trigger": "Line0", "camera_trigger_delay_us": 50},
            "camera_trigger_delay_us = 50: the camera has no feature TriggerDelay",
        ),
        ({"framerate": 15, "shutter_speed": 90000}, "does not fit into a frame of 66667 µs"),
        ({"genicam_id": "Fake_7"}, "genicam_id = Fake_7: there is no such camera; found were "),
    ],
)
def test_what_the_camera_cannot_do_is_one_sentence(camera, changes, sentence):
    assert sentence in refusal(camera(**changes))


@needs_aravis
def test_gamma_and_automatic_functions_are_switched_off(camera, described):
    described(
        {
            "ExposureAuto": genicam.choice("ExposureAuto", "0x400", ("Continuous", "Off")),
            "BalanceWhiteAuto": genicam.choice("BalanceWhiteAuto", "0x404", ("Continuous", "Off")),
            "GammaEnable": genicam.switch("GammaEnable", "0x408"),
            "LUTEnable": genicam.switch("LUTEnable", "0x40c"),
        }
    )
    before = load().Camera.new("Fake_1")
    assert before.get_string("ExposureAuto") == "Continuous"
    assert before.get_boolean("GammaEnable") is True
    driver = camera().start()
    try:
        inside = driver._camera
        assert [inside.get_string(name) for name in ("ExposureAuto", "BalanceWhiteAuto")] == ["Off", "Off"]
        assert [inside.get_boolean(name) for name in ("GammaEnable", "LUTEnable")] == [False, False]
    finally:
        driver.stop()


@needs_aravis
@pytest.mark.parametrize(
    ("name", "xml"),
    [
        ("ExposureAuto", genicam.choice("ExposureAuto", "0x400", ("Continuous", "Once"))),
        ("GammaEnable", genicam.switch_that_stays_on("GammaEnable")),
    ],
)
def test_a_camera_that_goes_on_by_itself_is_refused(camera, described, name, xml):
    described({name: xml})
    assert refusal(camera()).startswith(f"{name} must be off, because ΔF/F needs fixed gains and linear pictures: ")


@needs_aravis
def test_black_level_and_delay_of_a_trigger(camera, described):
    described(
        {
            "BlackLevelRaw": genicam.number("BlackLevelRaw", "0x410"),
            "TriggerDelay": genicam.number("TriggerDelay", "0x414", "Float"),
        }
    )
    driver = camera(black_level=7, camera_trigger="Line0", camera_trigger_delay_us=50).start()
    try:
        inside = driver._camera
        assert (inside.get_black_level(), inside.get_float("TriggerDelay")) == (7, 50)
        assert (inside.get_string("TriggerMode"), inside.get_trigger_source()) == ("On", "Line0")
    finally:
        driver.stop()


@needs_aravis
def test_the_exposure_can_be_changed_while_it_runs(camera):
    with CameraFactory(camera(framerate=100).start()) as opened:
        assert opened.can_expose
        assert opened.expose(4000) == 4000
        assert opened.expose(1) == 10, "the shortest that it can do"
        assert opened.read().image.shape == (HEIGHT, WIDTH, 1)


# ---- what goes wrong


def test_without_aravis_one_sentence_says_what_to_do(camera, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "gi", None)
    assert refusal(camera()).startswith("Aravis is not installed for this Python; run 'make setup-genicam', or add")


@needs_aravis
def test_no_camera(camera, monkeypatch):
    monkeypatch.setattr(load(), "get_n_devices", lambda: 0)
    assert refusal(camera(genicam_id="")).startswith("no GenICam camera was found; switch it on, check its cable")


@needs_aravis
def test_one_of_several_must_be_chosen(camera, gige_camera):
    load().enable_interface("Fake")
    assert refusal(camera(genicam_id="")) == f"genicam_id: choose one of Fake_1, {genicam.GIGE_ID}"


@needs_aravis
def test_a_camera_that_another_program_holds(camera, gige_camera):
    holder = camera(**GIGE).start()
    try:
        assert "another program holds this camera" in refusal(camera(**GIGE))
        assert holder.read().image.shape == (HEIGHT, WIDTH, 1), "the holder goes on"
    finally:
        holder.stop()


@pytest.fixture
def usb(tmp_path):
    """The kernel's list of USB devices, with a USB3 Vision camera, and its folder of nodes."""
    devices = tmp_path / "devices"
    for name, files in {
        "1-0:1.0": {"bInterfaceClass": "09", "bInterfaceSubClass": "00"},
        "2-1": {"product": "STC-MCCM401U3V", "busnum": "2", "devnum": "7"},
        "2-1:1.0": {"bInterfaceClass": "ef", "bInterfaceSubClass": "05"},
    }.items():
        (devices / name).mkdir(parents=True)
        for file, text in files.items():
            (devices / name / file).write_text(text + "\n")
    return devices, tmp_path / "nodes"


def test_a_usb_camera_that_may_not_be_opened_is_named(usb):
    devices, nodes = usb
    asked = []
    assert usb_vision.forbidden(devices, nodes, lambda path, mode: asked.append((path, mode))) == ["STC-MCCM401U3V"]
    assert asked == [(nodes / "002" / "007", os.R_OK | os.W_OK)]
    assert usb_vision.forbidden(devices, nodes, lambda path, mode: True) == []


@needs_aravis
def test_permissions_are_a_sentence_with_the_cure(camera, monkeypatch):
    monkeypatch.setattr(usb_vision, "forbidden", lambda: ["STC-MCCM401U3V"])
    monkeypatch.setattr(load(), "get_n_devices", lambda: 0)
    assert refusal(camera(genicam_id="")) == (
        "the camera STC-MCCM401U3V is plugged in, but you may not open it; "
        "install the udev rule of docs/genicam.md, then plug it in again"
    )


# ---- over the network


@needs_aravis
def test_packet_size_is_taken_by_the_camera(camera, gige_camera):
    driver = camera(**GIGE, packet_size=1400).start()
    size = driver._camera.gv_get_packet_size()
    driver.stop()
    assert size == 1400


@needs_aravis
def test_frames_that_lost_a_part_are_counted_as_lost(settings):
    """Of 1000 packets 20 are left out; a picture of 640x320 has over 100 of 1400 bytes, so most are incomplete."""
    with genicam.gige_camera("-r", "20"):
        cfg = settings(
            **(SMALL | GIGE), vid_source="AravisCameraStream", framerate=60, packet_size=1400
        )  # 3 packets of pixels, leader, trailer
        with CameraFactory.open(cfg) as opened:
            numbers = [frame.number for frame in islice(opened, 120)]
            lost = opened.lost
            stream = opened.camera._stream
            complete = stream.get_info_uint64_by_name("n_completed_buffers")
            failed = stream.get_info_uint64_by_name("n_failures")
    assert lost == numbers[-1] + 1 - 120 > 0
    assert failed >= lost > 0
    assert complete >= 120


@needs_aravis
def test_a_short_stop_of_the_camera_loses_nothing(settings, gige_camera):
    cfg = settings(**(SMALL | GIGE), vid_source="AravisCameraStream", framerate=30)
    with CameraFactory.open(cfg) as opened:
        first = next(iter(opened))
        gige_camera.send_signal(signal.SIGSTOP)
        time.sleep(1)
        gige_camera.send_signal(signal.SIGCONT)
        frames = list(islice(opened, 60))
        assert opened.lost == 0
    assert max(np.diff([first.time_s, *(frame.time_s for frame in frames)])) > 0.5
    assert all(frame.captured_s <= time.monotonic() for frame in frames)


@needs_aravis
def test_what_waits_while_the_rig_stands_still_is_old_and_the_rest_is_lost(run, gige_camera):
    """The rig is stopped for 2 s: what Aravis kept is handed over with its age, the others are missing by their ids."""
    brief = SHORT | GIGE | genicam.BRIEF | {"framerate": "60", "initial_rest_dur": "2", "camera_timeout_s": "4"}
    brief |= IN_COLOURS | {"total_trials": "1", "max_silence_s": "10", "dff_history": "1"}
    brief |= {"outputs": "simulated", "tone": "simulated"}
    process = run.start(settings=brief, simulate=False, fast=False)
    try:
        run.wait_for_rows(60)
        process.send_signal(signal.SIGSTOP)
        time.sleep(2)
        process.send_signal(signal.SIGCONT)
        out, _ = process.communicate(timeout=60)
    finally:
        end(process)
    assert process.returncode == 0, out
    session = run.session()
    gaps, waits_s = np.diff(session.frames["number"]), np.diff(session.frames["time_s"])
    assert gaps.max() > 50, "120 frames, of which 32 waited"
    assert waits_s[gaps.argmax()] == pytest.approx(gaps.max() / 60, abs=0.3), "by the clock of the camera"
    before = session.frames["time_s"][gaps.argmax() - 10]
    assert session.frames["time_s"][gaps.argmax()] - before < 1, "the last that waited is as old as the stop is long"


@needs_aravis
def test_a_camera_that_dies_ends_the_session(run, gige_camera):
    brief = SHORT | GIGE | genicam.BRIEF | IN_COLOURS | {"outputs": "simulated", "tone": "simulated"}
    process = run.start(settings=brief | {"camera_timeout_s": "1"}, simulate=False, fast=False)
    try:
        run.wait_for_rows(30)
        gige_camera.kill()
        out, _ = process.communicate(timeout=60)
    finally:
        end(process)
    assert process.returncode == 1
    assert "the camera gave no new frame for 1 s; check its cable" in out
    assert "Traceback" not in out
    assert len(frames_of(run.session())) == 1, "all files hold the same frames"


@needs_aravis
def test_a_whole_session(run, gige_camera):
    brief = SHORT | GIGE | genicam.BRIEF | IN_COLOURS | {"outputs": "simulated", "tone": "simulated"}
    brief |= {
        "total_trials": "1",
        "initial_rest_dur": "2",
        "max_trial_dur": "2",
        "fail_rest_dur": "2",
        "dff_history": "1",
    }
    finished(run(settings=brief, simulate=False, fast=False))
    session = run.session()
    assert len(frames_of(session)) == 1
    assert session.settings["vid_source"] == "AravisCameraStream"
    assert np.diff(session.frames["number"]).min() == 1
