"""Configurations of the original CLoPy, said in the words of this rig; docs/moving_in.md tells users what that means.

A section is taken for one of the original by a key that only the original has.  Its settings are translated before they
are checked; the file itself stays as it is.
"""

import re
from collections.abc import Iterable, Mapping, Set
from pathlib import Path
from typing import NamedTuple

UNUSED = frozenset(
    {
        "ar_config",
        "dff_range",
        "end_rest_dur",
        "epix_libpath",
        "formatfile",
        "moghistory",
        "num_cams",
        "offline_video_file",
        "reward_threshold_mm",
        "roi_names",
        "sensor_mode_v1",
        "sessionduration",
        "spont_sess_duration",
        "start_freq",
        "start_rest_dur",
        "var_threshold",
    }
)
"""Keys of the original that nothing here needs."""
RENAMED = {
    "control_joint": ("control_point",),
    "rest_duration": ("initial_rest_dur", "success_rest_dur", "fail_rest_dur"),
    "trial_duration": ("max_trial_dur",),
}
"""Keys of the original that are called otherwise here."""
COLOR = re.compile(r"roi\d+color")
PLACED_HERE = "placed_here"
"""A key of ours in a section of the original: the ROIs whose lines are places that are wanted, and so are used."""

HARD_CODED = {
    "control_point": {
        "pin_numbering": "BOARD",
        "reward_pin": "7",
        "fail_pin": "12",
        "light_pin": "40",
        "trigger_pin": "13",
        "trigger_stop_edge": "1",
        "reward_s": "0.1",
        "tail_dur": "2",
    }
}
"""By the key that tells an experiment: settings that must be given here, and stood in the original's script."""
PLACE = re.compile(r"\s*\d+\s*,\s*\d+\s*(,\s*\d+\s*,\s*\d+\s*)?")
BOX = re.compile(r"\s*\d+(\s*,\s*\d+){3}\s*")
STALE = (
    "{lines}: the original writes such lines and never reads them; place an ROI in the preview, "
    "or add 'placed_here = {name}' to use its line"
)
PROCESSED = (
    "{threshold} was found on processed pictures, and pictures are linear in light here: find yours with --baseline, "
    "or add 'linear = 0' to go on as before"
)
OF_TRIALS = ("total_trials", "max_trial_dur", "initial_rest_dur", "success_rest_dur", "fail_rest_dur")
NO_DELAYS = {"audio_delay": "0", "reward_delay": "0"}
"""Of sections without delays: their scripts had none."""
USUAL_PLACES = {"ppmm": "25.6", "bregma": "135, 128"}
"""Of sections whose ROIs all have their own lines: only the marks in the preview need them."""

SENTECH, ARAVIS = "SentechCameraStream", "AravisCameraStream"
"""The original's driver of an industrial camera (USB3 Vision), and the one of all such cameras here."""
CAMERAS = {
    "EpixCameraStream": "a frame grabber of EPIX",
    "AR0135CameraStream": "an ArduCam shield",
}
"""Drivers of the original that this rig does not have, and what they open."""


class Move(NamedTuple):
    """What becomes of a section of the original.

    Attributes
    ----------
    values : dict of str to str
        Its settings in the words of this rig.
    translated : list of str
        What is said otherwise here, as in 'trial_duration = 30 as max_trial_dur'.
    added : dict of str to str
        Settings that the section does not have, and that stood in the original's script.
    unused : list of str
        Keys that nothing here needs.
    stale : list of str
        Lines with the place of an ROI that are not used.
    is_of_the_original : bool
        False where the section is one of this rig, and left as it is.
    """

    values: dict[str, str]
    translated: list[str]
    added: dict[str, str]
    unused: list[str]
    stale: list[str]
    is_of_the_original: bool = True


def with_session(folder: Path) -> Path:
    """Return the folder itself, or S1 in it, where the original keeps a session of the cortex."""
    return folder / "S1" if (folder / "S1").is_dir() else folder


def is_of_the_original(keys: Iterable[str]) -> bool:
    """Return whether a section with these keys of its own is one of the original."""
    return any(is_key(key) for key in keys)


def is_key(key: str) -> bool:
    """Return whether only the original has this key."""
    return key in UNUSED or key in RENAMED or COLOR.fullmatch(key) is not None


def moved_in(
    values: Mapping[str, str], shared: Set[str], own_key: str, known: Set[str], sites: Set[str], is_archived: bool
) -> Move:
    """Say a section of the original in the words of this rig; one that is none is left as it is.

    Parameters
    ----------
    values : mapping
        The section, {key: text}.
    shared : set of str
        Keys that it has from [DEFAULT] only.
    own_key : str
        The setting by which the experiment is known: roi, roi_operation or control_point.
    known : set of str
        The settings of all experiments.
    sites : set of str
        ROIs that have a place without a line, lower case.
    is_archived : bool
        The file lies in the folder of a session, where the line of a trained ROI says where it was.
    """
    own = {key: value for key, value in values.items() if key not in shared}
    moved = {key: value for key, value in values.items() if not is_unused(key) and key != PLACED_HERE}
    if not is_of_the_original(own):
        return Move(moved, [], {}, [], [], is_of_the_original=False)
    translated = [*rename(moved, own), *shorten_exposure(moved)]
    lines = {key for key in moved.keys() - known - shared if PLACE.fullmatch(moved[key])}
    used = places_in_use(moved, lines, own_key, sites, is_archived)
    used |= lines & set(names_of(own.get(PLACED_HERE, "")))
    for key in lines - used:
        del moved[key]
    added = what_the_script_had(moved, shared, own_key, used)
    unused = {key for key in own if is_unused(key)} | {key for key in lines - used if key.startswith("roi")}
    return Move(moved | added, translated, added, sorted(unused), sorted(lines - used - unused))


def why_not(values: Mapping[str, str], own_key: str = "") -> str:
    """Return why no script here can run a section of the original as it is; '' where that is not known."""
    if "moghistory" in values:
        return "it is of a program of the original that measures movement in the image, which this rig does not have"
    names = values.get("roi_names", "")
    if names and own_key == "roi_operation" and own_key not in values:
        return f"its rule stood in the original's script; add it, as in --set roi_operation={names.replace(',', '-')}"
    return ""


def is_unused(key: str) -> bool:
    """Return whether nothing here needs a key of the original."""
    return key in UNUSED or COLOR.fullmatch(key) is not None


def names_of(text: str) -> list[str]:
    """Return the names in a rule or a list, lower case."""
    return [name.lower() for name in re.findall(r"[^\W\d]\w*", text)]


def rename(moved: dict[str, str], own: Mapping[str, str]) -> list[str]:
    """Call everything as it is called here; return what was translated."""
    said = []
    for old, new in RENAMED.items():
        missing = [key for key in new if key not in own]
        text = moved.pop(old, None)
        if text is not None and missing:
            moved |= dict.fromkeys(missing, text)
            said.append(f"{old} = {text} as {', '.join(missing)}")
    for which in ("start", "target"):
        if f"{which}_center" not in own and f"{which}_roi" in own:
            moved[f"{which}_center"] = own[f"{which}_roi"]
            said.append(f"{which}_roi = {own[f'{which}_roi']} as {which}_center")
    if moved.get("vid_source") == SENTECH:
        moved["vid_source"] = ARAVIS
        said.append(f"vid_source = {SENTECH} as {ARAVIS} (docs/genicam.md)")
    return said


def shorten_exposure(moved: dict[str, str]) -> list[str]:
    """Cut an exposure to the length of a frame, as the original's camera did by itself; return what was translated."""
    try:
        asked_us, longest_us = int(moved["shutter_speed"]), int(1e6 / float(moved["framerate"]))
    except (KeyError, ValueError, ZeroDivisionError, OverflowError):
        return []  # the complaint about the value itself says more
    if not 0 < longest_us < asked_us:
        return []
    moved["shutter_speed"] = str(longest_us)
    return [f"shutter_speed = {asked_us} as {longest_us}, because a frame lasts no longer"]


def places_in_use(
    moved: Mapping[str, str], lines: Set[str], own_key: str, sites: Set[str], is_archived: bool
) -> set[str]:
    """Return the lines with the place of an ROI that the original has used: it computed those of sites anew."""
    trained = lines & set(names_of(moved.get(own_key, "")))
    return {key for key in trained if BOX.fullmatch(moved[key]) and (is_archived or key not in sites)}


def what_the_script_had(moved: Mapping[str, str], shared: Set[str], own_key: str, placed: Set[str]) -> dict[str, str]:
    """Return settings that stood in the original's script, where this section does not have them itself."""
    names = set(names_of(moved.get(own_key, "")))
    usual = NO_DELAYS | (USUAL_PLACES if names and names <= placed else {})
    added = {key: text for key, text in usual.items() if key not in moved}
    must_be_own = {key: text for key, text in HARD_CODED.get(own_key, {}).items() if key not in moved.keys() - shared}
    return added | must_be_own


def in_lines(section: str, move: Move, taken: Iterable[str], unused: Iterable[str]) -> list[str]:
    """Return a short table of what was taken, translated, added and not used; nothing for a section of this rig.

    Parameters
    ----------
    section : str
    move : Move
    taken : iterable of str
        The settings that this experiment has.
    unused : iterable of str
        The keys that it does not need.
    """
    if not move.is_of_the_original:
        return []
    added = {key: f"{key} = {text}" for key, text in move.added.items()}
    had = [text for key, text in added.items() if key not in USUAL_PLACES]
    assumed = [text for key, text in added.items() if key in USUAL_PLACES]
    new = {*move.added, *(key for one in move.translated for key in names_of(one))}
    rows = {
        "taken": ", ".join(sorted(key for key in taken if key in move.values and key not in new)),
        "translated": "; ".join(move.translated),
        "added": f"{', '.join(had)} (as in its script)" if had else "",
        "assumed": f"{', '.join(assumed)} (for the marks in the preview; set yours)" if assumed else "",
        "not used": ", ".join(unused),
        "defaults": ", ".join(key for key in OF_TRIALS if key not in move.values),
        "stale ROIs": STALE.format(lines=", ".join(move.stale), name=most_wanted(move)) if move.stale else "",
        "threshold": PROCESSED.format(threshold=move.values["reward_threshold"]) if is_of_old_light(move) else "",
    }
    head = f"[{section}] is a section of the original CLoPy; docs/moving_in.md says what is different here"
    return [head, *(f"  {name:11} {text}" for name, text in rows.items() if text)]


def most_wanted(move: Move) -> str:
    """Return the stale line that one might want to use: that of a trained ROI, if there is one."""
    trained = names_of(" ".join(move.values.get(key, "") for key in ("roi", "roi_operation")))
    return next((name for name in move.stale if name in trained), move.stale[0])


def is_of_old_light(move: Move) -> bool:
    """Return whether a threshold on ΔF/F belongs to the processed pictures of the original."""
    return "reward_threshold" in move.values and "linear" not in move.values


def answer(key: str) -> str:
    """Return the names here of a key of the original, as the end of a sentence; '' for any other key."""
    return f"; in this rig it is {', '.join(RENAMED[key])}" if key in RENAMED else ""


def camera(name: str) -> str:
    """Say what replaces a camera of the original that this rig does not have; '' for any other one."""
    if name == SENTECH:
        return f"this is a camera of the original; in this rig it is {ARAVIS} (docs/genicam.md)"
    if name not in CAMERAS:
        return ""
    return (
        f"this is a camera of the original, {CAMERAS[name]}; set vid_source = OpenCVCameraStream if OpenCV can open "
        f"yours, or write {name}.py (CONTRIBUTING.md, 'A camera'); --simulate tries everything else without it"
    )
