"""The command line that all experiments share: everything is read and checked here, before a device is opened."""

import argparse
import difflib
import math
import sys
from collections.abc import Mapping, Sequence, Set
from pathlib import Path
from typing import Generic, TypeVar

from typing_extensions import NamedTuple  # that of Python 3.10 cannot be generic

from CameraFactory import CameraFactory
from rig.devices.same_place import SamePlace
from rig.devices.water import Dose, dose_of
from rig.errors import LogError, SettingsError
from rig.files.about import Script, running_script
from rig.files.arms import in_its_arm
from rig.files.auto_threshold import with_threshold
from rig.files.blue_fit import with_blue
from rig.files.finishing import finish
from rig.files.first_day import open_same_place
from rig.files.ledger import MOUSE_ID, had_today_ul, known_mice
from rig.files.places import PLACES_FILE, with_places_of
from rig.files.session_tables import cut_short
from rig.files.space import check_data_root, missing_after_a_kill_s, nearest_folder
from rig.files.subject import SUBJECT_FILE, read_lab, read_subject
from rig.files.summary import simulated_summary
from rig.files.yokes import This, Yoke
from rig.protocol.trials import Baseline, Course
from rig.protocol.yoked import course_of
from rig.questions import ask_everything
from rig.settings.common import RigSettings
from rig.settings.fields import is_file_of_ours
from rig.settings.lab import Lab
from rig.settings.loading import add_config_arguments, choose_section, load, parse_overrides, said_of_the_original
from rig.settings.sentences import complaints
from rig.terminal import console, print_banner

SIMULATED = {"vid_source": "SimCameraStream"} | dict.fromkeys(("outputs", "tone", "lick", "pose"), "simulated")

LONGEST_MOUSE_ID = 64
REPLAYS = "replays"  # the folder of replays, below data_root

BASELINE_EXAMPLE = (
    "  %(prog)s --baseline 300                     before the first day: where would the threshold lie?\n"
)
EPILOG = f"""examples
  %(prog)s                                    the rig as config.ini sets it up
  %(prog)s --check                            before the animal comes: does everything work?
  %(prog)s --simulate                         a simulated mouse, on any computer
  %(prog)s --set total_trials=10 --set audio=0.5
{BASELINE_EXAMPLE}  %(prog)s --simulate --fast --no-window --config SESSION/config.ini \\
      --set vid_source=VideoStream --set vid_root=SESSION
                                              replay a recorded session

exit status: 0 finished, or stopped with Esc; 1 the rig failed; 2 bad settings or arguments; 130 Ctrl-C; 143 SIGTERM"""

MISSING_S = 1.0  # the promise after a kill; a disk that cannot keep it is named

S_co = TypeVar("S_co", bound=RigSettings, covariant=True)
S = TypeVar("S", bound=RigSettings)


class Options(NamedTuple, Generic[S_co]):
    """What the command line and the configuration say.

    Attributes
    ----------
    settings : RigSettings
        With the ROIs where the mouse has them.
    as_read : RigSettings
        As configuration and command line say, without the places of the mouse.
    config : Path
        The file that the preview writes bregma, scale and angle to.
    section : str
        Its section.
    window, fast : bool
    baseline_s : float or None
        Record a baseline of this length, without trials.
    trials : Course
        The trials of this session, or its baseline.
    dose : Dose
        One reward.
    simulated : dict
        {device: what stands in for it, in words}.
    mouse_id : str
    today_ul : float
        What the mouse has had today, µl.
    check : bool
        Try every device, and run no session.
    replay_of : str
        The recording that is replayed; '' in any other session.
    script : Script or None
        As it is run.
    lab : Lab
        What [lab] of the configuration says.
    yoke : Yoke or None
        What a yoked session is yoked to.
    threshold_from : str
        The baseline that the threshold comes from, in words; '' where it was given as a number.
    same_place : SamePlace or None
        The registration to the mouse's first day; None where none is wanted, as in a replay.
    blue_from : str
        The baseline that the coefficients of blue come from, in words; '' where there was none.
    """

    settings: S_co
    as_read: S_co
    config: Path
    section: str
    window: bool
    fast: bool
    baseline_s: float | None
    trials: Course
    dose: Dose
    simulated: Mapping[str, str]
    mouse_id: str
    today_ul: float
    check: bool
    replay_of: str = ""
    script: Script | None = None
    lab: Lab = Lab()
    yoke: Yoke | None = None
    threshold_from: str = ""
    same_place: SamePlace | None = None
    blue_from: str = ""


def prepare(model: type[S], doc: str | None, arguments: list[str] | None = None) -> Options[S]:
    """Read command line and configuration, check everything, and ask for the mouse.

    Parameters
    ----------
    model : type
        Settings class of the experiment.
    doc : str
        The script's docstring: its first line, and the protocol, are shown by --help.
    arguments : list of str, optional
        Instead of those of the process.

    Raises
    ------
    SettingsError
        With one sentence per complaint.
    """
    args = parse(model, doc, arguments)
    config = Path(args.config).expanduser()
    section, sentence = choose_section(model, config, args.section)
    overrides = overrides_of(args, model)
    settings, unused = load(model, config, section, overrides)
    CameraFactory.refuse(settings)
    if args.fast and not CameraFactory.driver(settings.vid_source).can_be_fast:
        raise SettingsError(
            f"--fast: vid_source = {settings.vid_source} gives frames at its own pace; only a simulated camera "
            "(SimCameraStream) or a recording (VideoStream) can be run faster"
        )
    replay_of = replayed(settings)
    if replay_of:
        refuse_water_of_a_replay(settings, overrides)
        settings = apart_from_sessions(settings, overrides)
    simulated = simulated_devices(settings)
    print_banner(simulated)
    if sentence:
        console.print(sentence, soft_wrap=True)
    say_what_is_not_used(said_of_the_original(model, config, section, overrides, unused), unused)
    dose, no_trials = dose_of(settings, config), Baseline(0.0, settings.frame_period_s())
    if settings.reward_ul is not None:
        not_used = f"reward_s = {settings.reward_s:g} is not used, because reward_ul is set"
        console.print(f"a reward is {dose.describe()}; {not_used}", soft_wrap=True)
    known = (
        settings,
        settings,
        config,
        section,
        not args.no_window,
        args.fast,
        args.baseline,
        no_trials,  # as long as the mouse, and so its arm, is not known
        dose,
        simulated,
    )
    if args.check:
        return Options(*known, "", 0.0, check=True)
    check_data_root(settings, args.baseline)
    say_if_slow(nearest_folder(settings.data_root))
    finish_sessions_cut_short(settings)
    mice = known_mice(settings.data_root)
    asked = args.mouse_id is None
    if asked and args.no_questions:
        raise SettingsError("--no-questions: the mouse ID is missing; add --mouse-id ID")
    mouse_id = (
        ask_until_good(mice, settings.summary_file)
        if asked
        else check_mouse_id(args.mouse_id, mice, settings.summary_file)
    )
    this = This(settings, mouse_id, bool(simulated))
    settings, yoke = in_its_arm(this, settings, overrides.keys(), replay_of, args.baseline is not None)
    if yoke is not None and not settings.blind:
        console.print(yoke.describe(), soft_wrap=True)
    today_ul = had_today_ul(settings.data_root, mouse_id, dose, settings.max_day_ul is not None)
    if "camera" not in simulated and not args.no_questions and sys.stdin.isatty():  # a simulated mouse has no weight
        ask_everything(settings, config, mouse_id)
    read_subject(settings.data_root / mouse_id / SUBJECT_FILE)  # what is wrong there is said before the session
    options = Options(*known, mouse_id, today_ul, False, replay_of, running_script(), read_lab(config), yoke)
    if not replay_of:  # its places are those of the recorded session, moved already
        same_place = open_same_place(settings, settings.data_root / mouse_id, simulated.get("camera", ""))
        options = options._replace(same_place=same_place)
    settings, is_simulated = at_places_of(settings, mouse_id, overrides.keys(), args.no_window), "camera" in simulated
    has_trials = args.baseline is None and not replay_of
    settings, blue_from = with_blue(settings, mouse_id, is_simulated, has_trials)
    settings, threshold_from = with_threshold(settings, mouse_id, is_simulated, args.baseline is not None)
    trials = course_of(settings.plan(), args.baseline, None if yoke is None else yoke.score)
    return options._replace(settings=settings, trials=trials, blue_from=blue_from, threshold_from=threshold_from)


def replayed(settings: RigSettings) -> str:
    """Return the recording that is replayed in place of a camera; '' where none is."""
    return str(settings.recording().absolute()) if CameraFactory.driver(settings.vid_source).replays else ""


def say_what_is_not_used(of_the_original: Sequence[str], unused: Sequence[str]) -> None:
    """Print what became of a section of the original, or else the keys that this experiment does not need."""
    lines = of_the_original or ([f"not used by this experiment: {', '.join(unused)}"] if unused else [])
    for line in lines:
        console.print(line, soft_wrap=True)


def at_places_of(settings: S, mouse_id: str, given: Set[str], says_all: bool) -> S:
    """Return the settings with the ROIs where this mouse has them; say which those are, or where each ROI is."""
    settings, said = with_places_of(settings, settings.data_root / mouse_id / PLACES_FILE, given)
    if problems := list(settings.contradictions()):
        raise complaints(f"{settings.data_root / mouse_id / PLACES_FILE}", problems)
    for name in settings.shown_rois():
        if name in said or says_all:
            console.print(said.get(name, f"{name}: {settings.describe_place(name)}"), soft_wrap=True)
    return settings


def refuse_water_of_a_replay(settings: RigSettings, overrides: Mapping[str, str]) -> None:
    """Raise SettingsError where a replay would open a real valve and nobody has asked for that on the command line."""
    if settings.outputs != "gpio":
        return
    if "outputs" not in overrides:
        raise SettingsError(
            f"outputs = gpio: vid_source = {settings.vid_source} replays a recording; it would open the real valve, "
            "and count the water for the mouse; add --simulate or --set outputs=simulated; "
            "--set outputs=gpio on the command line does it all the same"
        )
    if "data_root" not in overrides:
        raise SettingsError(
            "outputs=gpio: this replay would open the real valve; add --data-root DIR, so that its water is counted in "
            "the ledger there"
        )


def apart_from_sessions(settings: S, overrides: Mapping[str, str]) -> S:
    """Return settings that keep a replay apart from real sessions, unless the command line says where it belongs."""
    if "data_root" in overrides or settings.data_root.name == REPLAYS:
        return settings
    folder = settings.data_root / REPLAYS
    console.print(f"this is a replay: it is stored in {folder}", soft_wrap=True)
    return settings.model_copy(update={"data_root": folder})


def say_if_slow(folder: Path) -> None:
    """Say how much a kill or a power cut may take on a disk that is slow to sync."""
    try:
        sync_s, missing_s = missing_after_a_kill_s(folder)
    except OSError:
        return  # what is wrong there is said when the session cannot be stored
    if missing_s > MISSING_S:
        console.print(
            f"{folder}: a sync takes {sync_s:.2f} s; a kill or a power cut may take the last {missing_s:.1f} s",
            style="yellow",
            soft_wrap=True,
        )


def overrides_of(args: argparse.Namespace, model: type[RigSettings]) -> dict[str, str]:
    """Return the settings that the command line overrides."""
    simulated = {key: value for key, value in SIMULATED.items() if args.simulate and key in model.model_fields}
    overrides = simulated | parse_overrides(args.set)
    if args.data_root is not None:
        overrides["data_root"] = args.data_root
    if args.seed is not None:
        overrides["seed"] = args.seed
    if args.baseline is not None:
        overrides["adaptive_threshold"] = "0"  # nothing can be earned
    return overrides


def finish_sessions_cut_short(settings: RigSettings) -> None:
    """Finish the files of sessions below data_root that a kill or a power cut has left open, and say so."""
    for folder in cut_short(settings.data_root):
        try:
            finish(folder)
        except (LogError, SettingsError) as error:
            console.print(f"a session was cut short, and its files cannot be finished: {error}", soft_wrap=True)
        else:
            console.print(f"{folder}: this session was cut short; its files are finished now", soft_wrap=True)


def parse(model: type[RigSettings], doc: str | None, arguments: list[str] | None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=doc,
        epilog=EPILOG.replace(BASELINE_EXAMPLE, BASELINE_EXAMPLE if model.has_baseline else ""),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add_config_arguments(parser, model.section)
    parser.add_argument("--mouse-id", metavar="ID", help="asked for without it")
    parser.add_argument("--no-questions", action="store_true", help="ask for nothing at the start")
    parser.add_argument("--data-root", metavar="DIR", help="the same as --set data_root=DIR")
    parser.add_argument("--simulate", action="store_true", help="simulate every device that --set does not name")
    parser.add_argument("--no-window", action="store_true", help="start at once, without preview and window")
    parser.add_argument("--fast", action="store_true", help="do not wait for the time of simulated or replayed frames")
    parser.add_argument("--seed", metavar="N", help="the same order of silent trials, the same simulated mouse")
    parser.add_argument(
        "--check", action="store_true", help="try every device, say what works and what to do; no session"
    )
    parser.set_defaults(baseline=None)
    if model.has_baseline:
        parser.add_argument(
            "--baseline",
            metavar="SECONDS",
            type=positive_seconds,
            help="record without trials, tone and water; print how often the signal crosses which threshold by itself",
        )
    return parser.parse_args(arguments)


def positive_seconds(text: str) -> float:
    """Return the number of seconds that the command line gives."""
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds <= 86400:
        raise argparse.ArgumentTypeError(f"{text}: expected a number of seconds, more than 0 and at most a day")
    return seconds


def simulated_devices(settings: RigSettings) -> dict[str, str]:
    """Return {device: what stands in for it}; real devices are not in it."""
    driver = CameraFactory.driver(settings.vid_source)
    devices = {"camera": f"{driver.stands_in}, {settings.vid_root}" if driver.replays else driver.stands_in}
    for device in ("outputs", "tone", "lick", "pose"):
        devices[device] = "simulated" if getattr(settings, device, "") == "simulated" else ""
    return {device: what for device, what in devices.items() if what}


def ask_until_good(known: Set[str], summary_file: str) -> str:
    """Ask for the mouse until the answer can be used, saying why one cannot."""
    while True:
        answer = ask_mouse_id(known)
        try:
            return check_mouse_id(answer, known, summary_file)
        except SettingsError as error:
            console.print(str(error), style="bold red", soft_wrap=True)


def ask_mouse_id(known: Set[str]) -> str:
    """Ask at the terminal, and once more for a mouse that this rig does not know but knows one like it."""
    try:
        mouse_id = input("Please enter mouse ID: ").strip()
        near = difflib.get_close_matches(mouse_id.lower(), {mouse.lower(): mouse for mouse in known}, n=1)
        if near and mouse_id not in known:
            like = next(mouse for mouse in sorted(known) if mouse.lower() == near[0])
            again = input(
                f"{mouse_id} is new on this rig, which knows {like}. Enter for {like}, or type the ID again: "
            )
            return again.strip() or like
    except EOFError:
        raise SettingsError("the mouse ID is missing: type it at the prompt, or add --mouse-id ID") from None
    return mouse_id


def check_mouse_id(mouse_id: str, known: Set[str], summary_file: str = "") -> str:
    """Return the ID if it can name a folder below data_root, and is not a known one spelt otherwise."""
    if not MOUSE_ID.fullmatch(mouse_id):
        raise SettingsError(
            f"mouse ID {mouse_id!r}: letters, digits, '_', '-' and '.' only, beginning with a letter or digit; "
            "it names a folder"
        )
    if len(mouse_id) > LONGEST_MOUSE_ID:
        raise SettingsError(
            f"mouse ID {mouse_id[:20]!r}...: it has {len(mouse_id)} characters, and may have {LONGEST_MOUSE_ID}; "
            "shorten it"
        )
    if is_file_of_ours(mouse_id) or mouse_id.lower() in {summary_file.lower(), simulated_summary(summary_file).lower()}:
        raise SettingsError(f"mouse ID {mouse_id!r}: this is the name of a file below data_root; choose another ID")
    alike = sorted(mouse for mouse in known if mouse.lower() == mouse_id.lower())
    if alike and mouse_id not in known:
        raise SettingsError(
            f"mouse ID {mouse_id!r}: this rig knows {alike[0]}; IDs that differ only in case would be two mice, each "
            f"with its own water; use {alike[0]}"
        )
    return mouse_id
