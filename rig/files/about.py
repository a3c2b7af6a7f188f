"""What a session says about itself: whose it is, where and when it was run, by which script, and what is simulated.

None of this can be found out afterwards.
"""

import hashlib
import os
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

LOCALTIME = Path("/etc/localtime")
IN_ZONES = "zoneinfo/"  # of the path of a zone's file; its name follows


class Script(NamedTuple):
    """The script as it was run: the name of its file, and the bytes in it."""

    name: str
    source: bytes

    @property
    def sha256(self) -> str:
        """Return the SHA-256 of the bytes, in hexadecimal."""
        return hashlib.sha256(self.source).hexdigest()


@dataclass(frozen=True)
class About:
    """What a session says about itself.

    Attributes
    ----------
    mouse_id, session_type : str
    linear : str
        Whether the pictures are linear in light: yes, no or unknown.
    rig : str
        The name of the rig; '' where [lab] does not say.
    simulated : tuple of str
        The devices that are not real, as in ('camera', 'outputs'); a recording is no real camera.
    replay_of : str
        The recording that is replayed; '' in any other session.
    script : Script or None
    lab : mapping of str to str
        The lines of [lab].
    files : mapping of str to str
        Further files that are kept with the session, {name: text}.
    """

    mouse_id: str
    session_type: str
    linear: str = "unknown"
    rig: str = ""
    simulated: tuple[str, ...] = ()
    replay_of: str = ""
    script: Script | None = None
    lab: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)

    @property
    def what_is_simulated(self) -> str:
        """Say what is not real, in the words of the summary: no, replay, or the devices."""
        return "replay" if self.replay_of else ", ".join(self.simulated) or "no"

    def attributes(self) -> dict[str, str]:
        """Return what the HDF5 file says, {name: text}."""
        said = {
            "mouse_id": self.mouse_id,
            "session_type": self.session_type,
            "linear": self.linear,
            "rig": self.rig,
            "simulated": ", ".join(self.simulated) or "no",
            "replay_of": self.replay_of,
            "utc_offset": utc_offset(),
            "time_zone": time_zone(),
        }
        if self.script is not None:
            said |= {"script": self.script.name, "script_sha256": self.script.sha256}
        return said

    def save(self, folder: Path) -> None:
        """Write the script as run, [lab] and the further files into the folder of the session."""
        with (folder / "config.ini").open("a", encoding="utf-8") as config:
            config.writelines(["\n[lab]\n", *(f"{key} = {text}\n" for key, text in self.lab.items())] * bool(self.lab))
        if self.script is not None:
            (folder / self.script.name).write_bytes(self.script.source)
        for name, text in self.files.items():
            (folder / name).write_text(text, encoding="utf-8")


def running_script() -> Script | None:
    """Return the script that this process runs; None where it runs none, as at a prompt of Python."""
    path = getattr(sys.modules["__main__"], "__file__", None)
    return None if path is None else Script(Path(path).name, Path(path).read_bytes())


def utc_offset() -> str:
    """Return how far the wall clock is ahead of UTC now, as +01:00."""
    seconds = time.localtime().tm_gmtoff
    hours, minutes = divmod(abs(seconds) // 60, 60)
    return f"{'-' if seconds < 0 else '+'}{hours:02d}:{minutes:02d}"


def time_zone(localtime: Path = LOCALTIME) -> str:
    """Return the time zone of the wall clock, as Europe/Berlin; its abbreviation where the system knows no more."""
    named = os.environ.get("TZ", "").lstrip(":") or os.path.realpath(localtime)
    before, is_in_zones, name = named.partition(IN_ZONES)
    if is_in_zones:
        return name
    return time.localtime().tm_zone if before.startswith("/") else named
