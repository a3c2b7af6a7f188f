"""What a recorded session says about itself, read back and typed; what it does not say is empty."""

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from CameraFactory import CameraFactory, Driver
from rig.errors import RigError
from rig.settings.common import is_driver

ATTRIBUTES = frozenset(
    {"mouse_id", "session_type", "linear", "ended_by", "rig", "simulated", "replay_of", "utc_offset", "time_zone",
     "script", "script_sha256", "channels"}
)  # fmt: skip
"""Of the HDF5 file, besides versions and notes."""


@dataclass(frozen=True)
class Metadata:
    """What a session says about itself besides its settings.

    Attributes
    ----------
    mouse_id, session_type, ended_by : str
    linear : bool or None
        Whether the pictures were linear in light; None where nobody knows.
    rig : str
        Its name.
    simulated : tuple of str
        The devices that were not real, as in ('camera', 'outputs').  Sessions from before it was stored: by their
        settings.
    replay_of : str
        The recording that was replayed; '' in any other session.
    utc_offset : timedelta or None
        How far the wall clock was ahead of UTC when the session began.
    time_zone : str
        As 'Europe/Berlin'.
    script, script_sha256 : str
        The file of the script, which lies in the session's folder, and the SHA-256 of its bytes.
    """

    mouse_id: str
    session_type: str
    ended_by: str
    linear: bool | None
    rig: str
    simulated: tuple[str, ...]
    replay_of: str
    utc_offset: timedelta | None
    time_zone: str
    script: str
    script_sha256: str

    @property
    def is_real(self) -> bool:
        """Whether every device was real, as far as the session says."""
        return not self.simulated and not self.replay_of


def metadata_of(settings: Mapping[str, str], attributes: Mapping[str, Any]) -> Metadata:
    """Return what settings and attributes of a session say about it."""
    said = {name: str(attributes.get(name, "")) for name in ATTRIBUTES}
    return Metadata(
        said["mouse_id"],
        said["session_type"],
        said["ended_by"],
        {"yes": True, "no": False}.get(said["linear"]),
        said["rig"],
        simulated_of(settings) if "simulated" not in attributes else words(said["simulated"]),
        said["replay_of"] if "replay_of" in attributes else replay_of(settings),
        offset_of(said["utc_offset"]),
        said["time_zone"],
        said["script"],
        said["script_sha256"],
    )


def words(text: str) -> tuple[str, ...]:
    """Return what stands between the commas of the attribute `simulated`; nothing for 'no'."""
    return () if text in ("no", "") else tuple(text.split(", "))


def simulated_of(settings: Mapping[str, str]) -> tuple[str, ...]:
    """Return the devices that were not real by the settings of a session."""
    driver = driver_of(settings)
    camera = ("camera",) if driver is not None and driver.stands_in else ()
    return camera + tuple(key for key in ("outputs", "tone", "lick", "pose") if settings.get(key) == "simulated")


def replay_of(settings: Mapping[str, str]) -> str:
    """Return the recording that was replayed by the settings of a session; '' for none."""
    driver = driver_of(settings)
    return settings.get("vid_root", "") if driver is not None and driver.replays else ""


def driver_of(settings: Mapping[str, str]) -> type[Driver] | None:
    """Return the camera driver that the settings name; None for one that is not here, as those of the original."""
    name = settings.get("vid_source", "")
    with contextlib.suppress(RigError):
        return CameraFactory.driver(name) if is_driver(name) else None
    return None


def offset_of(text: str) -> timedelta | None:
    """Return the offset that +01:00 means; None for anything else."""
    with contextlib.suppress(ValueError):
        return datetime.strptime(text, "%z").utcoffset()
    return None
