"""The per-frame series of an NWB file: ΔF/F, feedback signal, threshold, tone, licks, pose, times of the frames."""

from typing import Any

import numpy as np
from ndx_pose import PoseEstimation, PoseEstimationSeries, Skeleton, Skeletons
from pynwb import NWBFile, ProcessingModule, TimeSeries
from pynwb.behavior import BehavioralTimeSeries
from pynwb.device import Device
from pynwb.image import ImageSeries
from pynwb.ophys import DfOverF, PlaneSegmentation

from analysis.exports.nwb_source import Source
from analysis.replay.recorded import body_parts_of
from rig.devices.pose import columns_of

SPEED = {
    "px/frame": "Speed of the control point. In mm/s it is this number times the frame rate, divided by the scale "
    "(ppmm, px/mm) of the settings.",
    "mm/s": "Speed of the control point.",
}


def add_dff(module: ProcessingModule, source: Source, rois: PlaneSegmentation, names: list[str]) -> None:
    """Add ΔF/F of the trained ROIs, (n_rows, n_rois), as it was used in the loop."""
    columns = dff_columns(source, names)
    if not columns:
        return
    holder = DfOverF(name="DfOverF")
    module.add(holder)
    series = {"": (columns, "ΔF/F, green minus blue_coefficient times blue, as the loop computed it for each frame.")}
    for colour in ("green", "blue"):
        of_colour = [f"{name}_{colour}" for name in names]
        if all(name in source.session.columns for name in of_colour):
            series[colour.capitalize()] = (
                of_colour,
                f"ΔF/F of {colour}, before one colour is subtracted from the other.",
            )
    for ending, (logged, what) in series.items():
        source.rows.make(
            holder.create_roi_response_series,
            name=f"RoiResponseSeries{ending}",
            description=what,
            data=np.stack([source.session.columns[name] for name in logged], axis=1),
            rois=rois.create_roi_table_region(region=list(range(len(names))), description="the trained ROIs, in order"),
            unit="n.a.",
        )


def dff_columns(source: Source, names: list[str]) -> list[str]:
    """Return the columns with the ΔF/F of these ROIs; none where the log lacks one of them."""
    columns = source.session.columns
    found = [f"{name}_dff" if f"{name}_dff" in columns else "roi_dff" for name in names]
    is_whole = len(set(found)) == len(names) and all(name in columns for name in found)
    return found if is_whole else []


def add_behaviour(module: ProcessingModule, source: Source) -> None:
    """Add what the mouse was shown and did, a value for each row."""
    columns, settings = source.session.columns, source.settings
    unit = "n.a." if source.is_cortex else settings.signal_unit.replace("px", "pixels")
    is_in_dff = source.is_cortex and not any(
        name.endswith("_dff") and name not in ("roi_dff", "global_dff") for name in columns
    )
    rows: list[tuple[str, str, str, str, Any]] = [
        ("Threshold", settings.threshold_column, unit, "Threshold used for this frame.", float),
        ("Tracked", "tracked", "n.a.", "Whether the speed could be trusted.", bool),
        ("Outcome", "reward", "n.a.", "1 success, -1 failure, on the frame that ends the trial; else 0.", np.int8),
        ("Licked", "lick", "n.a.", "Whether the spout was touched since the last frame.", bool),
        ("GlobalChange", "global_dff", "n.a.", "ΔF/F that nearly the whole window shares: of the light.", float),
        ("Movement", "movement_px", "pixels", "How far the picture lies from where its baseline was.", float),
        ("Artefacts", "veto", "n.a.", "Sum of 1 light, 2 movement, 4 pixels, 8 paw: what is not brain.", np.int8),
    ]
    if not is_in_dff:
        what = "Value of the rule, from the ΔF/F of its ROIs." if source.is_cortex else SPEED[settings.signal_unit]
        rows.insert(0, ("FeedbackSignal", settings.signal_column, unit, what, float))
    holder = BehavioralTimeSeries(name="BehavioralTimeSeries")
    module.add(holder)
    for name, column, of_unit, what, kind in rows:
        if column in columns:
            data = columns[column].astype(kind)
            holder.add_timeseries(source.rows.make(TimeSeries, name=name, description=what, data=data, unit=of_unit))


def add_tone(nwb: NWBFile, source: Source) -> None:
    """Add the tone that was commanded on each row."""
    if "freq" not in source.session.columns:
        return
    series = source.rows.make(
        TimeSeries,
        name="ToneFrequency",
        description="Tone commanded; 0 is silence.",
        data=source.session.columns["freq"].astype(float),
        unit="Hz",
    )
    nwb.add_stimulus(series)


def add_frame_times(module: ProcessingModule, source: Source) -> None:
    """Add number, age and latency of each frame."""
    stored = source.session.frames[: len(source.frame_times_s)]
    numbers = stored["number"] if len(stored) else source.session.columns["frame"]
    columns = [("FrameNumber", "n.a.", "Number of the frame by the camera; a gap is a lost frame.", numbers)]
    if len(stored):
        latency_s = stored["output_s"] - stored["captured_s"]
        columns += [
            ("FrameAge", "s", "How old the frame was when the decision on it began.", stored["age_s"]),
            ("Latency", "s", "From the capture of the frame until tone and outputs had been commanded.", latency_s),
        ]
    for name, unit, what, data in columns:
        timing = source.frames if len(stored) else source.rows
        module.add(timing.make(TimeSeries, name=name, description=what, data=data, unit=unit))


def add_pose(module: ProcessingModule, source: Source, camera: Device, movie: ImageSeries | None) -> None:
    """Add the body parts, as the network found them."""
    settings, versions = source.session.settings, source.session.versions
    runs_on = str(source.session.notes.get("pose_runs_on", ""))
    parts = body_parts_of(source.session)
    if not parts:
        return
    skeleton = Skeleton(name="Skeleton", nodes=list(parts), edges=np.zeros((0, 2), np.uint8))
    module.add(Skeletons(skeletons=[skeleton]))
    is_simulated = settings.get("pose") == "simulated"
    module.add(
        PoseEstimation(
            name="PoseEstimation",
            description="Body parts on each frame, found while the session ran.",
            pose_estimation_series=[pose_series(source, part) for part in parts],
            device=camera,
            scorer="simulated" if is_simulated else settings.get("dlc_model_path", "unknown").rpartition("/")[2],
            source_software="CLoPy, simulated" if is_simulated else runs_on or "DeepLabCut-Live",
            source_software_version=None if runs_on else versions.get("version_of_deeplabcut_live"),
            skeleton=skeleton,
            source_video=movie,
        )
    )


def pose_series(source: Source, part: str) -> PoseEstimationSeries:
    """Return place and likelihood of a body part."""
    x, y, likelihood = (source.session.columns[name] for name in columns_of((part,)))
    return source.rows.make(
        PoseEstimationSeries,
        name=part,
        description=f"Place of {part} in the image.",
        data=np.stack([x, y], axis=1),
        unit="pixels",
        reference_frame="0, 0 is the upper left corner of the image; x goes to the right, y down.",
        confidence=likelihood,
        confidence_definition="Likelihood, as the network gives it.",
    )
