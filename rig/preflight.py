"""Before the animal comes: `--check` tries every device, and says in a table what works and what to do.

Nothing here opens the valve.
"""

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from rich.table import Table

from CameraFactory import CameraFactory
from helper import SessionType
from rig.devices import realtime
from rig.devices.frames import COLOURS
from rig.devices.image_check import image_trouble
from rig.devices.input_line import Input
from rig.devices.lick import open_lick
from rig.devices.linearity import measure, verdict
from rig.devices.outputs import Outputs
from rig.devices.paw_line import open_paw_line
from rig.devices.pose import Pose
from rig.devices.tone_player import Tone, open_tone
from rig.errors import RigError
from rig.events import Events
from rig.files.arms import ARMS_FILE, read_arms
from rig.files.frame_file import Header
from rig.files.ledger import had_today_ul
from rig.files.movie import time_movie
from rig.files.space import (
    bytes_of_a_frame,
    check_data_root,
    missing_after_a_kill_s,
    most_bytes,
    nearest_folder,
    unmounted,
)
from rig.files.yokes import This, master_of
from rig.options import MISSING_S, Options
from rig.protocol.tally import Tally
from rig.screen.window import check_display
from rig.settings.common import RigSettings
from rig.terminal import console

LATENCY_FRAMES = 200
RATE_TOLERANCE = 0.05
UNSTEADY_MS = 10  # a quiet computer is never this much later than usual
DISK_TRIAL_BYTES = 64 * 2**20
SETTLE_S = 0.5
MOST_OF_A_CORE = 0.8  # that encoding a movie may take
PASS, WARN, FAIL = "pass", "warn", "fail"
STYLES = {PASS: "green", WARN: "yellow", FAIL: "bold red"}


class Finding(NamedTuple):
    """What a check has found.

    Attributes
    ----------
    what : str
        The device.
    verdict : str
        PASS, WARN or FAIL.
    found : str
        In words, with numbers.
    cure : str
        What to do.
    """

    what: str
    verdict: str
    found: str
    cure: str = ""


class Preflight:
    """Collects findings; a device that fails does not keep the others from being tried."""

    def __init__(self) -> None:
        self.findings: list[Finding] = []

    def note(self, what: str, verdict: str, found: str, cure: str = "") -> None:
        """Add a finding, and show that the check goes on."""
        self.findings.append(Finding(what, verdict, found, cure))
        console.print(f"{what}: {found}", style=STYLES[verdict], soft_wrap=True)

    @contextmanager
    def trying(self, what: str) -> Iterator[None]:
        """Turn the error of a device into a finding; its sentence names the cure."""
        try:
            yield
        except RigError as error:
            found, _, cure = str(error).partition("; ")
            self.note(what, FAIL, found, cure)

    @property
    def has_failed(self) -> bool:
        """Return whether anything fails."""
        return any(finding.verdict == FAIL for finding in self.findings)


def check_rig(options: Options[Any], finder: AbstractContextManager[Pose] | None = None) -> int:
    """Try everything that a session needs; return the exit status, 1 if anything fails.

    Parameters
    ----------
    options : Options
    finder : context manager, optional
        Opens what finds the body parts, in an experiment that needs it.
    """
    settings, flight = options.settings, Preflight()
    flight.note("settings", PASS, f"[{options.section}] of {options.config}")
    for device, stand_in in options.simulated.items():
        found = stand_in if stand_in == "simulated" else f"simulated: {stand_in}"
        flight.note(device, WARN, found, "no animal may be on this rig")
    check_disk(flight, settings)
    check_files(flight, settings)
    check_stored(flight, options)
    check_water(flight, options)
    check_arm(flight, options)
    if options.window:
        with flight.trying("screen"):
            check_display()
            flight.note("screen", PASS, "a window can be opened")
    events = Events()
    with ExitStack() as devices:
        outputs = check_outputs(flight, settings, events, devices)
        check_realtime(flight, settings, outputs)
        tone = check_tone(flight, settings, events, devices)
        check_lick(flight, settings, events, devices)
        check_paw_line(flight, settings, events, devices)
        pose = None if finder is None else check_model(flight, finder, devices)
        check_camera(flight, settings, devices, outputs, tone, pose)
    show(flight)
    return int(flight.has_failed)


def show(flight: Preflight) -> None:
    """Print the table."""
    table = Table("", "device", "found", "what to do")
    for finding in flight.findings:
        table.add_row(finding.verdict, finding.what, finding.found, finding.cure, style=STYLES[finding.verdict])
    console.print(table)
    verdict = "NOT READY: something fails" if flight.has_failed else "ready"
    console.print(verdict, style=STYLES[FAIL if flight.has_failed else PASS])


def check_disk(flight: Preflight, settings: RigSettings) -> None:
    """Compare space and speed with what a session needs."""
    if unmounted(settings.data_root):
        return  # check_stored says so; this would measure the disk of the system
    folder = nearest_folder(settings.data_root)
    needed, free = most_bytes(settings), shutil.disk_usage(folder).free
    verdict = PASS if free > 2 * needed else WARN if free > needed else FAIL
    found = f"a session may need {needed / 1e9:.1f} GB, {free / 1e9:.1f} GB are free"
    flight.note("disk space", verdict, found, "" if verdict == PASS else "free some")
    try:
        speed, (sync_s, missing_s) = disk_speed(folder), missing_after_a_kill_s(folder)
    except OSError as error:
        flight.note(
            "disk speed", FAIL, f"nothing can be written to {folder} ({error.strerror})", "name another data_root"
        )
        return
    rate = sum(bytes_of_a_frame(settings).values()) * settings.framerate
    verdict = PASS if speed > 3 * rate else WARN if speed > 1.2 * rate else FAIL
    found = f"{speed / 1e6:.0f} MB/s; a session may write {rate / 1e6:.1f} MB/s"
    flight.note("disk speed", verdict, found, "" if verdict == PASS else "store on a faster disk")
    found = f"a sync takes {sync_s * 1e3:.0f} ms; a kill or a power cut may take the last {missing_s:.1f} s"
    is_quick = missing_s <= MISSING_S
    flight.note("disk sync", PASS if is_quick else WARN, found, "" if is_quick else "store on a faster disk")


def check_files(flight: Preflight, settings: RigSettings) -> None:
    """See that this computer's HDF5 writes files as the rig needs them."""
    (width, height), channels = settings.resolution, CameraFactory.channels_of(settings)
    with flight.trying("files"):
        Header((height, width, channels))
        flight.note("files", PASS, "HDF5 files can be written so that a kill leaves them whole")
    if settings.has_movie():
        with flight.trying("movie"):
            shape, codec = (height, width, channels), settings.movie_codec
            share = time_movie(settings.video_file, shape, settings.framerate, codec) * settings.framerate
            found = f"it can be encoded; {codec} of noise takes {100 * share:.0f} % of a core"
            is_quick = share < MOST_OF_A_CORE
            flight.note("movie", PASS if is_quick else WARN, found, "" if is_quick else "choose another movie_codec")


def check_stored(flight: Preflight, options: Options[Any]) -> None:
    """See that nothing below data_root stands in the way of a session."""
    settings = options.settings
    with flight.trying("data_root"):
        check_data_root(settings)
        had_today_ul(settings.data_root, "", options.dose, settings.max_day_ul is not None)
        flight.note("data_root", PASS, f"{settings.data_root}: summary and ledger can be written")


def disk_speed(folder: Path) -> float:
    """Return how fast the disk takes data, synced, bytes/s."""
    block = os.urandom(2**20)
    with tempfile.TemporaryFile(dir=folder) as file:
        began_s = time.perf_counter()
        for _ in range(DISK_TRIAL_BYTES // len(block)):
            file.write(block)
        file.flush()
        os.fsync(file.fileno())
        return DISK_TRIAL_BYTES / (time.perf_counter() - began_s)


def check_water(flight: Preflight, options: Options[Any]) -> None:
    """Say what a reward is."""
    calibration = options.dose.calibration
    if calibration is None:
        flight.note("water", WARN, options.dose.describe(), "python -m rig.commands.calibrate")
    else:
        flight.note("water", PASS, f"{options.dose.describe()}, calibrated on {calibration.date}")


def check_arm(flight: Preflight, options: Options[Any]) -> None:
    """See that arms.csv can be read, or that there is a session to be yoked to; no arm of a blind one is said."""
    settings = options.settings
    with flight.trying("arm"):
        if settings.blind:
            read_arms(settings.data_root / ARMS_FILE)
            flight.note("arm", PASS, f"{settings.data_root / ARMS_FILE} can be read")
        elif settings.session_type is SessionType.yoked:
            flight.note("arm", PASS, master_of(This(settings, "", bool(options.simulated))).describe())


def check_outputs(flight: Preflight, settings: RigSettings, events: Events, devices: ExitStack) -> Outputs | None:
    """Claim the pins, and see that the guard answers."""
    with flight.trying("pins"):
        outputs = devices.enter_context(Outputs(settings, events))
        outputs.all_off()  # waits for the answer of the guard
        pins = ", ".join(f"{name} {pin}" for name, pin in settings.pins().items())
        flight.note("pins", PASS, f"{settings.pin_numbering} {pins} are ours and low; the guard answers")
        for verdict, sentences in ((FAIL, outputs.dead), (WARN, outputs.doubts)):
            for sentence in sentences:
                found, _, cure = sentence.partition("; ")
                flight.note("pins", verdict, found, cure)
        if settings.outputs == "gpio":
            judge_release(flight, keeps_levels())
        return outputs
    return None


def keeps_levels(modules: Path = Path("/sys/module")) -> bool | None:
    """Return whether the kernel keeps a pin at its level when the process that drove it has died; None if unknown.

    A Raspberry Pi does, unless `dtparam=strict_gpiod` stands in /boot/firmware/config.txt.
    """
    for path in modules.glob("pinctrl_*/parameters/persist_gpio_outputs"):
        return path.read_text().strip() in ("Y", "1")
    return None


def judge_release(flight: Preflight, keeps: bool | None) -> None:
    """Say what becomes of an open valve when guard and script die together."""
    resistor = "pull the reward pin to ground with 10 kΩ"
    if keeps is None:
        flight.note("release", WARN, "this kernel does not say whether it keeps pins at their level", resistor)
    elif keeps:
        found = (
            "pins keep their level when their process has died: the valve stays open if guard and script die together"
        )
        cure = "add dtparam=strict_gpiod to /boot/firmware/config.txt, and reboot; " + resistor
        flight.note("release", WARN, found, cure)
    else:
        flight.note("release", PASS, "strict_gpiod is in force: pins are released when their process has died")


def check_realtime(flight: Preflight, settings: RigSettings, outputs: Outputs | None) -> None:
    """Say whether other programs can delay guard, camera and loop."""
    with realtime.loop_in_real_time(settings.realtime) as found:
        if found == realtime.IN_FORCE and outputs is not None and not outputs.guard_is_in_real_time:
            found = realtime.describe("the guard did not get it")
    if found == realtime.IN_FORCE:
        flight.note("scheduling", PASS, found)
    else:
        flight.note("scheduling", WARN, found, realtime.HOW_TO if settings.realtime else "set realtime = 1")


def check_tone(flight: Preflight, settings: RigSettings, events: Events, devices: ExitStack) -> Tone | None:
    """See that the sound advances."""
    with flight.trying("tone"):
        tone = devices.enter_context(
            open_tone(settings.tone, settings.tone_volume, events, device=settings.tone_device)
        )
        time.sleep(SETTLE_S)
        if trouble := tone.trouble():
            flight.note("tone", FAIL, trouble, "check loudspeaker and sound server")
        elif settings.tone == "pyaudio":
            chosen = "" if settings.tone_device else ", the default sound device,"
            flight.note("tone", PASS, f"{tone.device}{chosen} takes samples, {tone.underflows} underflows")
        return tone
    return None


def check_lick(flight: Preflight, settings: RigSettings, events: Events, devices: ExitStack) -> None:
    """See that the lick sensor answers, and that nobody touches the spout."""
    if settings.lick == "none":
        flight.note("lick", WARN, "there is no sensor: the column lick stays 0", "set lick, if you have one")
        return
    with flight.trying("lick"):
        lick = devices.enter_context(closing(open_lick(settings, events, Tally())))
        if settings.lick == "simulated":
            return
        high = "the sensor answers, and feels a touch", "dry the spout; check thresholds"
        judge_input(flight, "lick", lick, high, "the sensor answers, and feels no touch")


def check_paw_line(flight: Preflight, settings: RigSettings, events: Events, devices: ExitStack) -> None:
    """See that the line of the paw can be read, and is low while nothing moves."""
    if "paw" not in settings.input_pins() or settings.outputs == "simulated":
        return
    with flight.trying("paw line"):
        line = devices.enter_context(closing(open_paw_line(settings, events)))
        high = "it is high: the mouse moves, or is said to", "check what drives it"
        judge_input(flight, "paw line", line, high, "it can be read, and is low: nothing moves")


def judge_input(flight: Preflight, name: str, device: Input, high: tuple[str, str], low: str) -> None:
    """Judge an input after a while: what to say, and to do, where it was high, and what to say where it was low."""
    time.sleep(SETTLE_S)
    if trouble := device.trouble():
        flight.note(name, FAIL, trouble, "check its wires")
    elif device.touched():
        flight.note(name, WARN, *high)
    else:
        flight.note(name, PASS, low)


def check_model(flight: Preflight, finder: AbstractContextManager[Pose], devices: ExitStack) -> Pose | None:
    """Load what finds the body parts."""
    with flight.trying("model"):
        pose = devices.enter_context(finder)
        flight.note("model", PASS, f"it knows {', '.join(pose.body_parts)}; {pose.runs_on}")
        return pose
    return None


def check_camera(
    flight: Preflight,
    settings: RigSettings,
    devices: ExitStack,
    outputs: Outputs | None,
    tone: Tone | None,
    pose: Pose | None,
) -> None:
    """Take frames: size, brightness, rate, losses, and how long after each of them an output is commanded."""
    in_real_time = realtime.loop_in_real_time(settings.realtime)
    with flight.trying("camera"), light_on(outputs), in_real_time:
        camera = devices.enter_context(CameraFactory.open(settings))
        console.print(f"taking {LATENCY_FRAMES} frames ...")
        camera.begin_session()
        times_s, latencies_ms, image = [], [], np.zeros((0, 0, 3), np.uint8)
        for frame in islice(camera, LATENCY_FRAMES):
            if pose is not None:
                pose.get_pose(frame.image)
            if tone is not None:
                tone.play(0.0)
            if outputs is not None:
                outputs.fail.off()  # a command like any other, and harmless
            latencies_ms.append((time.monotonic() - frame.captured_s) * 1e3)
            times_s.append(frame.time_s)
            image = frame.image
        judge_image(flight, settings, image)
        judge_rate(flight, settings, times_s, camera.lost)
        judge_latency(flight, settings, latencies_ms)
        judge_linear(flight, camera.is_linear)
        if outputs is not None and camera.can_expose and camera.is_linear is not False:
            console.print("exposing shorter ...")
            follows, sentence = verdict(measure(camera, settings.shutter_speed, settings.light_rois()))
            found, _, cure = sentence.partition("; ")
            flight.note("linearity", PASS if follows else FAIL, found, cure)


@contextmanager
def light_on(outputs: Outputs | None) -> Iterator[None]:
    """Switch the excitation light on for a while: without it every image is black."""
    if outputs is None:
        yield
        return
    outputs.light.on()
    try:
        yield
    finally:
        outputs.light.off()


def judge_image(flight: Preflight, settings: RigSettings, image: np.ndarray) -> None:
    """Judge size and brightness, and whether the gains are locked."""
    width, height = settings.resolution
    rois = settings.light_rois()
    if image.shape[:2] != (height, width):
        size = f"{image.shape[1]} x {image.shape[0]} px"
        flight.note("image", FAIL, f"{size} instead of {width} x {height}", "correct resolution")
    elif trouble := image_trouble(image, settings.max_saturated, rois):
        found, _, cure = trouble.partition(": ")
        flight.note("image", FAIL, found, cure)
    else:
        means = ", ".join(f"{name} {image[..., i].mean():.0f}" for i, name in enumerate(COLOURS[image.shape[2]]))
        flight.note("image", PASS, f"{width} x {height} px, mean {means} of 255")
    driver = CameraFactory.driver(settings.vid_source)
    if driver.stands_in:
        return
    if driver.gains_are_locked:
        flight.note("gains", PASS, "exposure, gain and colours are locked, as the camera itself reports")
    else:
        flight.note("gains", WARN, "it is unknown whether the camera changes its gains", "lock them in the camera")


def judge_linear(flight: Preflight, is_linear: bool | None) -> None:
    """Say whether ΔF/F is of light."""
    if is_linear:
        flight.note("linear", PASS, "the pictures are linear in light, as the camera says")
    elif is_linear is None:
        cure = "see in its manual whether gamma and picture processing are off"
        flight.note("linear", WARN, "it is unknown whether the pictures are linear in light", cure)
    else:
        found = "the pictures are processed: what they show of a change depends on brightness and colour"
        flight.note("linear", WARN, found, "set linear = 1, unless an old cohort must go on")


def judge_rate(flight: Preflight, settings: RigSettings, times_s: list[float], lost: int) -> None:
    """Judge frame rate, jitter and losses."""
    if len(times_s) < 2:
        flight.note("camera", FAIL, f"{len(times_s)} frames", "check the camera, or the recording")
        return
    periods_ms = np.diff(times_s) * 1e3
    rate = 1e3 / periods_ms.mean()
    good = abs(rate / settings.framerate - 1) <= RATE_TOLERANCE
    found = f"{rate:.2f} frames/s, periods {periods_ms.min():.1f} to {periods_ms.max():.1f} ms, {lost} lost"
    verdict = FAIL if not good else WARN if lost else PASS
    cure = "" if verdict == PASS else "correct framerate or shutter_speed" if not good else "close other programs"
    flight.note("camera", verdict, found, cure)


def judge_latency(flight: Preflight, settings: RigSettings, latencies_ms: list[float]) -> None:
    """Judge the time from a frame to the output; later than max_frame_age_ms there would be no water."""
    if not latencies_ms:
        return
    median, p99 = np.percentile(latencies_ms, [50, 99])
    limit_ms = settings.max_frame_age_s() * 1e3
    is_steady = p99 < limit_ms / 2 and p99 - median <= UNSTEADY_MS
    verdict = PASS if is_steady else WARN if median < limit_ms else FAIL
    found = f"frame to output over {len(latencies_ms)} frames: median {median:.2f} ms, p99 {p99:.2f} ms"
    late = f"there is no water after {limit_ms:.0f} ms: close other programs, lower framerate"
    unsteady = f"now and then it takes {p99 - median:.0f} ms longer than usual: close other programs, see scheduling"
    cure = "" if is_steady else late if p99 >= limit_ms / 2 else unsteady
    flight.note("latency", verdict, found, cure)
