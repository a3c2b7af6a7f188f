"""The tables of an NWB file: trials, ROIs and sites, and what happened when."""

from collections.abc import Iterable, Sequence
from itertools import zip_longest
from typing import Any

import numpy as np
from hdmf.common.table import MeaningsTable
from pynwb import NWBFile
from pynwb.core import VectorData
from pynwb.event import DurationVectorData, EventsTable, TimestampVectorData
from pynwb.ophys import ImagingPlane, PlaneSegmentation

from analysis.evidence import Missing
from analysis.exports.nwb_source import Source
from rig.devices.outputs import NAMES as OUTPUTS
from rig.files.clocks import experiment_s
from rig.files.reader import Event
from rig.protocol.trials import FAIL, NONE, SUCCESS
from rig.settings.clnf import ClnfSettings
from roi_manager import Circle, Rect

OUTCOMES = {SUCCESS: "success", FAIL: "failure", NONE: "cut short"}
MEANINGS = {
    "success": "the signal of reward_delay ago was above its threshold",
    "failure": "that did not happen within max_trial_dur",
    "cut short": "the session ended during the trial",
}
COMMANDED, DRIVEN = "commanded: ", "driven"
KNOWN = frozenset({*OUTPUTS, "tone", "lick", "trial"})
OF_USER = frozenset({"note", "pause"})
ARTEFACTS = frozenset({"veto", "paw"})
Values = Sequence[Any] | np.ndarray
Columns = dict[str, tuple[str, Values]]
"""{name: (description, values)}."""


# ---- trials


def add_trials(nwb: NWBFile, source: Source) -> None:
    """Add the trials; nothing in a session without one."""
    try:
        trials = source.evidence.trials
    except Missing:
        return
    columns: Columns = {
        "number": ("number of the trial, from 1", trials["number"]),
        "outcome": ("how the trial ended", [OUTCOMES[int(outcome)] for outcome in trials["outcome"]]),
        "tone": ("whether the trial had a tone", trials["tone"]),
        "threshold": ("threshold on the last frame of the trial, in the unit of the signal", trials["threshold"]),
        "latency": ("time from the start to the outcome, s", trials["latency_s"]),
        "peak": ("largest signal in the trial", peaks(source, trials)),
        "reward_time": ("when the first reward in the trial was commanded, s", reward_times_s(source, trials)),
    }
    columns = {name: column for name, column in columns.items() if says_something(column[1])}
    for name, (what, _) in columns.items():
        nwb.add_trial_column(name=name, description=what)
    for i, trial in enumerate(trials):
        last_s = trial["end_s"] if trial["outcome"] else source.evidence.time_s[-1]
        end_s = last_s + source.evidence.period_s  # its last frame belongs to it, as in a trial of one frame
        row = {name: values[i] for name, (_, values) in columns.items()}
        nwb.add_trial(start_time=float(trial["start_s"]), stop_time=float(end_s), **row)
    meanings = MeaningsTable(target=nwb.trials["outcome"], description="What the outcomes mean.")
    for value, meaning in MEANINGS.items():
        meanings.add_row(value=value, meaning=meaning)
    nwb.trials.add_meanings_table(meanings)


def says_something(values: Values) -> bool:
    """Return whether a column is more than NaN in every row."""
    numbers = np.asarray(values)
    return numbers.dtype.kind != "f" or not bool(np.isnan(numbers).all())


def peaks(source: Source, trials: np.ndarray) -> list[float]:
    """Return the largest signal in each trial; a speed that could not be trusted is left out."""
    try:
        signal = source.evidence.trusted
    except Missing:
        return [np.nan] * len(trials)
    within = [signal[source.session.columns["trial"] == number] for number in trials["number"]]
    return [float(np.nanmax(values)) if not np.isnan(values).all() else np.nan for values in within]


def reward_times_s(source: Source, trials: np.ndarray) -> list[float]:
    """Return when the first reward of each trial was commanded, s; NaN where none was."""
    columns, found = source.session.columns, {}
    for event in reversed(source.session.of("reward", COMMANDED)):
        found[event.frame] = event.time_s - source.zero_s
    by_trial = [columns["frame"][columns["trial"] == number].tolist() for number in trials["number"]]
    return [next((found[frame] for frame in frames if frame in found), np.nan) for frames in by_trial]


# ---- ROIs


def segmentation(source: Source, plane: ImagingPlane) -> tuple[PlaneSegmentation, list[str]]:
    """Return a row for each ROI and each site in the image, the trained ones first, and the names of those."""
    settings = source.settings
    assert isinstance(settings, ClnfSettings)
    trained = settings.roi_names()
    table = PlaneSegmentation(
        name="PlaneSegmentation",
        description="The trained ROIs, the user's own, and the cortical sites; pixels are x, y of the image.",
        imaging_plane=plane,
    )
    for name, what in (
        ("roi_name", "name of the ROI or site"),
        ("trained", "whether the rule used this ROI"),
        ("ml_mm", "how far to the left of bregma, mm; of a site that was not placed by hand as in the atlas"),
        ("ap_mm", "how far in front of bregma, mm"),
    ):
        table.add_column(name=name, description=what)
    for name in dict.fromkeys([*settings.shown_rois(), *settings.seeds()]):
        pixels = pixels_of(settings.make_roi(name), settings.resolution)
        if pixels:
            left, anterior = place_mm(settings, name)
            table.add_roi(pixel_mask=pixels, roi_name=name, trained=name in trained, ml_mm=left, ap_mm=anterior)
    return table, trained


def pixels_of(roi: Rect | Circle, resolution: tuple[int, int]) -> list[tuple[int, int, float]]:
    """Return x, y and the weight 1 of the pixels of an ROI, as far as they lie in the image."""
    left, top, right, bottom = (int(edge) for edge in roi.box())
    width, height = resolution
    columns, rows = range(max(0, left), min(right, width)), range(max(0, top), min(bottom, height))
    return [(x, y, 1.0) for y in rows for x in columns if roi.contains(x, y)]


def place_mm(settings: ClnfSettings, name: str) -> tuple[float, float]:
    """Return how far an ROI lies left and anterior of bregma, mm: of a site that was not moved as its site says."""
    site = settings.site_mm(name)
    if site is not None and name.lower() not in settings.placed:
        return site
    return settings.head().to_mm(*settings.make_roi(name).centre())


# ---- what happened when


def add_events(nwb: NWBFile, source: Source) -> None:
    """Add everything that happened, on the clock of the frames; a table that would be empty is left out."""
    session = source.session
    if not len(session.frames):
        return  # without them nobody knows how the clocks of events and frames belong together
    pulses = [event for event in session.events if event.device in OUTPUTS and event.detail.startswith(COMMANDED)]
    edges = [event for event in session.events if event.device in OUTPUTS and event.detail.startswith(DRIVEN)]
    others = [event for event in session.events if event.device not in KNOWN | OF_USER | ARTEFACTS]
    add_table(
        nwb,
        source,
        "OutputPulses",
        "Outputs as they were commanded.",
        pulses,
        output_columns(pulses)
        | {
            "duration": (
                "length of the pulse, s; NaN: until the next one of this output",
                [pulse_s(e) for e in pulses],
            ),
        },
    )
    add_table(nwb, source, "OutputEdges", "Outputs as they were driven.", edges, output_columns(edges))
    tones = session.of("tone")
    add_table(
        nwb,
        source,
        "ToneEvents",
        "Tones as they were commanded.",
        tones,
        {
            "frequency_hz": ("frequency, Hz; 0 is silence", [event.value for event in tones]),
        },
    )
    licks = session.of("lick")
    touches = [event for event in licks if event.value]
    add_table(
        nwb,
        source,
        "LickEvents",
        "Touches of the spout.",
        touches,
        {
            "duration": ("until the tongue let go, s; NaN where that was not seen", touch_lengths_s(licks)),
        },
    )
    add_table(nwb, source, "Troubles", "Troubles with devices.", others, what_columns(others))
    artefacts = [event for event in session.events if event.device in ARTEFACTS]
    what = "Crossings that were vetoed, with the bits of what vetoed them, and when the line of the paw rose and fell."
    add_table(nwb, source, "Artefacts", what, artefacts, what_columns(artefacts))
    notes = [event for event in session.events if event.device in OF_USER]
    add_table(nwb, source, "Notes", "Notes and pauses of who ran the session.", notes, what_columns(notes))


def add_sync_pulses(nwb: NWBFile, source: Source) -> None:
    """Add every pulse for other machines, on the clock of the frames: what their recordings are aligned by."""
    pulses, frames = source.session.sync, source.session.frames
    if not len(pulses) or not len(frames):
        return
    lengths_s = pulses["fell_s"] - pulses["rose_s"]
    columns: Columns = {
        "line": ("frame: a pulse per frame; trigger: the same on the trigger pin; barcode", pulses["line"].astype(str)),
        "value": ("number of the frame, or the barcode that the pulse is a part of", pulses["value"]),
        "duration": ("length of the pulse, s", lengths_s),
    }
    times_s = experiment_s(pulses["rose_s"], frames) - source.zero_s
    add_events_table(nwb, "SyncPulses", "Pulses for other machines, as they were driven.", times_s, columns)


def add_table(nwb: NWBFile, source: Source, name: str, what: str, events: Sequence[Event], columns: Columns) -> None:
    """Add a table of events, unless there is none."""
    if events:
        add_events_table(nwb, name, what, np.array([event.time_s for event in events]) - source.zero_s, columns)


def add_events_table(nwb: NWBFile, name: str, what: str, times_s: np.ndarray, columns: Columns) -> None:
    """Add a table of what happened at these times, s since the first frame."""
    made = [TimestampVectorData(name="timestamp", description="since the first frame, s", data=times_s)]
    for column, (about, values) in columns.items():
        kind = DurationVectorData if column == "duration" else VectorData
        if says_something(values):
            made.append(kind(name=column, description=about, data=list(values)))
    nwb.add_events_table(EventsTable(name=name, description=what, source_description="CLoPy", columns=made))


def output_columns(events: Iterable[Event]) -> Columns:
    """Return output and level of events of outputs."""
    found = list(events)
    return {
        "output": ("name of the output", [event.device for event in found]),
        "level": ("whether it was high", [bool(event.value) for event in found]),
    }


def what_columns(events: Iterable[Event]) -> Columns:
    """Return what happened, with its value and detail."""
    found = list(events)
    return {
        "what": ("what it is about", [event.device for event in found]),
        "value": ("number that goes with it, as text", [f"{event.value:g}" for event in found]),
        "detail": ("in words", [event.detail for event in found]),
    }


def pulse_s(event: Event) -> float:
    """Return the length of a pulse as it was commanded, s; NaN for on and off."""
    words = event.detail.removeprefix(COMMANDED).split(" ")
    return float(words[0]) if words[1:] == ["s"] else np.nan


def touch_lengths_s(licks: Sequence[Event]) -> list[float]:
    """Return how long each touch lasted, s: until the next event, if that is its release; NaN otherwise."""
    return [
        after.time_s - event.time_s if after is not None and not after.value else np.nan
        for event, after in zip_longest(licks, licks[1:])
        if event.value
    ]
