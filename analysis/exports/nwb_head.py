"""What an NWB file says about the session as a whole: whose it is, where and when, mouse, camera, settings."""

from uuid import NAMESPACE_OID, uuid5

from pynwb import NWBFile
from pynwb.core import DynamicTable, VectorData
from pynwb.device import Device, DeviceModel
from pynwb.file import Subject

from analysis.exports.nwb_source import Source
from rig.devices.calibration import CALIBRATION_FILE, pin_of, read_calibrations

CORTEX = (
    "Closed-loop neurofeedback: a head-fixed mouse hears a tone that follows the ΔF/F of its cortex, and earns water "
    "when that crosses a threshold."
)
PAW = (
    "Closed-loop movement feedback: a head-fixed mouse hears a tone that follows the speed of its paw, and earns water "
    "when that crosses a threshold."
)
KEYWORDS = ("closed loop", "head-fixed")
OF_CORTEX, OF_PAW = ("neurofeedback", "widefield calcium imaging"), ("movement feedback", "pose estimation")
NOT_KEPT = frozenset({"seeds_mm", "data_root"})
"""The sites are rows of the segmentation; where the session lay on a disk says nothing."""


def new_file(source: Source) -> NWBFile:
    """Return an NWB file that says what is known about the session, without data."""
    lab, about, mouse = source.lab, source.session.metadata, source.subject
    nwb = NWBFile(
        session_description=described(source),
        identifier=str(uuid5(NAMESPACE_OID, f"CLoPy {lab.rig} {source.mouse} {source.began.isoformat()}")),
        session_start_time=source.began,
        session_id=source.session_id,
        experimenter=[name.strip() for name in lab.experimenter.split(";")] if lab.experimenter else None,
        institution=lab.institution or None,
        lab=lab.lab or None,
        experiment_description=CORTEX if source.is_cortex else PAW,
        keywords=[*KEYWORDS, *(OF_CORTEX if source.is_cortex else OF_PAW), *([] if about.is_real else ["simulated"])],
        notes=" ".join(line for line in notes_of(source) if line) or None,
        was_generated_by=programs_of(source),
    )
    weight_g = source.weight_g
    nwb.subject = Subject(
        subject_id=source.mouse,
        sex=mouse.sex or None,
        date_of_birth=source.born,
        species=mouse.species or None,
        strain=mouse.strain or None,
        genotype=mouse.genotype or None,
        weight=None if weight_g is None else f"{weight_g:g} g",
        description=described_mouse(source),
    )
    return nwb


def described(source: Source) -> str:
    """Return what was run, and what of it was not real."""
    about, settings = source.session.metadata, source.settings
    trained = getattr(settings, settings.own_key)
    lines = [f"{settings.label}, {settings.own_key} = {trained}, {about.session_type or settings.session_type.name}."]
    if about.ended_by:
        lines.append(f"Ended by: {about.ended_by}.")
    if about.replay_of:
        lines.append("A replay of a recording: the mouse was not on the rig.")
    elif about.simulated:
        lines.append(f"Simulated: {', '.join(about.simulated)}.")
    return " ".join(lines)


def described_mouse(source: Source) -> str:
    """Return what is known about the mouse and has no place of its own."""
    mouse = source.subject
    said = {"group": mouse.group, "implant": mouse.implant, "notes": mouse.notes}
    return "; ".join(["head-fixed", *(f"{key}: {value}" for key, value in said.items() if value)])


def notes_of(source: Source) -> list[str]:
    """Return what is known about the rig, a sentence each."""
    about = source.session.metadata
    return [
        f"Rig: {about.rig}." if about.rig else "",
        f"Time zone: {about.time_zone}." if about.time_zone else "",
        "" if source.utc_offset is not None else "The offset from UTC is not known: session_start_time may be wrong.",
        f"Script: {about.script}, SHA-256 {about.script_sha256}." if about.script else "",
        "" if about.linear is None else f"Pictures linear in light: {'yes' if about.linear else 'no'}.",
    ]


def programs_of(source: Source) -> list[list[str]]:
    """Return [program, version] of what has made the data."""
    versions = source.session.versions
    libraries = [[key.removeprefix("version_of_"), versions[key]] for key in versions if key.startswith("version_of_")]
    return [["CLoPy", versions.get("code_version", "unknown")], *libraries]


def add_camera(nwb: NWBFile, source: Source) -> Device:
    """Add the camera."""
    lab, settings = source.lab, source.session.settings
    model = None
    if lab.camera_model:
        maker, name = lab.camera_manufacturer or "unknown", lab.camera_model.replace("/", "-")
        model = DeviceModel(name=name, manufacturer=maker, description="the camera")
        nwb.add_device_model(model)
    what = f"Taken by {settings.get('vid_source', 'an unknown driver')}."
    camera = Device(name="Camera", description=what, model=model)
    nwb.add_device(camera)
    return camera


def settings_table(source: Source) -> DynamicTable:
    """Return every setting of the session with its unit and meaning, and the calibration of the valve."""
    rows = [
        (key, value, *unit_and_meaning(source, key))
        for key, value in source.session.settings.items()
        if key not in NOT_KEPT
    ]
    rows += [(key, str(value), "", "of the session as a whole") for key, value in source.session.notes.items()]
    rows += calibration_rows(source)
    names = ("key", "value", "unit", "meaning")
    columns = [
        VectorData(name=name, description=f"{name} of the setting", data=list(data))
        for name, data in zip(names, zip(*rows, strict=True), strict=True)
    ]
    return DynamicTable(name="settings", description="The settings of the session, as used.", columns=columns)


def unit_and_meaning(source: Source, key: str) -> tuple[str, str]:
    """Return unit and meaning of a setting; a line with the name of an ROI is the place where it was put."""
    field = type(source.settings).model_fields.get(key)
    if field is None:
        return source.settings.place_form, "place of this ROI"
    extra = field.json_schema_extra
    return str(extra.get("unit", "")) if isinstance(extra, dict) else "", field.description or ""


def calibration_rows(source: Source) -> list[tuple[str, str, str, str]]:
    """Return rows about the calibration of the valve; none where there was none."""
    path = source.session.folder / CALIBRATION_FILE
    found = read_calibrations(path).get(pin_of(source.settings))
    if found is None:
        return []
    return [
        ("valve_date", found.date, "", "when the valve was calibrated"),
        ("valve_ul_per_s", f"{found.ul_per_s:g}", "µl/s", "water for each second that the valve is open"),
        ("valve_ul_at_0", f"{found.ul_at_0:g}", "µl", "to be added to that for each pulse"),
    ]
