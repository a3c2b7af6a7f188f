"""A GenICam camera through Aravis: found, opened, and set feature by feature, each read back and compared."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rig.devices import usb_vision
from rig.errors import CameraError

FAKE = "Fake_"
"""How the id of Aravis' own simulated camera begins."""
MISSING = "Aravis is not installed for this Python; run 'make setup-genicam', or add --simulate to try without a camera"
NOT_FOUND = "switch it on, check its cable (docs/genicam.md)"
RULE = "install the udev rule of docs/genicam.md, then plug it in again"

# What changes pictures by itself, or bends their light, and how it is off.
AUTOMATIC = ("ExposureAuto", "GainAuto", "BlackLevelAuto", "BalanceWhiteAuto")
BENDING = ("GammaEnable", "LUTEnable")
STRAIGHT_GAMMA = 1.0


def load() -> Any:
    """Return the library Aravis.

    Raises
    ------
    CameraError
        It is not installed.
    """
    try:
        import gi

        gi.require_version("Aravis", "0.8")
        from gi.repository import Aravis
    except (ImportError, ValueError) as error:  # ValueError: PyGObject is there, Aravis is not
        raise CameraError(f"{MISSING} ({error})") from None
    return Aravis


@contextmanager
def refusals(what: str, cure: str = "") -> Iterator[None]:
    """Turn what Aravis raises into a sentence that begins with `what`."""
    from gi.repository import GLib

    try:
        yield
    except GLib.Error as error:
        raise CameraError(f"{what}: {error.message}{cure and f'; {cure}'}") from None


def open_camera(aravis: Any, genicam_id: str) -> Any:
    """Open the camera of this id, or the only one.

    Parameters
    ----------
    aravis : module
    genicam_id : str
        As Aravis lists it, or an address in the network; '' for the only one.

    Returns
    -------
    Aravis.Camera

    Raises
    ------
    CameraError
        There is none, or another program or the system's permissions keep us from it.
    """
    if genicam_id.startswith(FAKE):
        aravis.enable_interface("Fake")
    aravis.update_device_list()
    found = [aravis.get_device_id(i) for i in range(aravis.get_n_devices())]
    what = f"genicam_id = {genicam_id}" if genicam_id else "genicam_id"
    refuse_forbidden(found, genicam_id)
    if not genicam_id and len(found) != 1:
        raise CameraError(
            f"{what}: choose one of {', '.join(found)}" if found else f"no GenICam camera was found; {NOT_FOUND}"
        )
    camera = try_to_open(aravis, genicam_id or found[0], what, found)
    if camera.is_gv_device() and not camera.get_device().is_controller():
        raise CameraError(f"{what}: another program holds this camera; close it, and wait a few seconds")
    return camera


def refuse_forbidden(found: list[str], genicam_id: str) -> None:
    """Raise CameraError where the camera may be one that this user may not open."""
    forbidden = usb_vision.forbidden()
    if forbidden and (not found or (genicam_id and genicam_id not in found)):
        raise CameraError(f"the camera {', '.join(forbidden)} is plugged in, but you may not open it; {RULE}")


def try_to_open(aravis: Any, genicam_id: str, what: str, found: list[str]) -> Any:
    """Open a camera; say in a sentence why that cannot be done."""
    from gi.repository import GLib

    try:
        return aravis.Camera.new(genicam_id)
    except GLib.Error as error:
        if "busy" in error.message.lower():
            reason = "another program holds this camera; close it"
        elif "access" in error.message.lower() or "permission" in error.message.lower():
            reason = f"you may not open this camera; {RULE}"
        elif error.matches(GLib.quark_from_string("arv-device-error-quark"), aravis.DeviceError.NOT_FOUND):
            reason = f"there is no such camera; found were {', '.join(found) or 'none'}"
        else:
            reason = f"the camera does not answer; {NOT_FOUND}"
        raise CameraError(f"{what}: {reason} ({error.message})") from None


class Features:
    """What can be set in a camera.

    Parameters
    ----------
    camera : Aravis.Camera
    """

    def __init__(self, camera: Any) -> None:
        self._camera = camera

    def has(self, name: str) -> bool:
        """Return whether the camera has a feature, and it can be used now."""
        with refusals(name):
            return bool(self._camera.is_feature_available(name))

    def set(self, name: str, value: str | bool | float, key: str, tolerance: float = 0.0) -> None:
        """Set a feature by its name, and compare.

        Parameters
        ----------
        name : str
            As GenICam's Standard Features Naming Convention has it.
        value : str, bool or float
        key : str
            What the user set, for the sentence.
        tolerance : float
            Share of the value.

        Raises
        ------
        CameraError
            The camera lacks it, or has another value afterwards.
        """
        kind = {str: "string", bool: "boolean", float: "float"}[type(value)]
        if not self.has(name):
            raise CameraError(f"{key}: the camera has no feature {name}; leave this setting empty")
        with refusals(f"{key}: the camera refuses {name} = {value}"):
            getattr(self._camera, f"set_{kind}")(name, value)
            got = getattr(self._camera, f"get_{kind}")(name)
        near = isinstance(value, float) and abs(got - value) <= tolerance * abs(value)
        if got != value and not near:
            raise CameraError(f"{key}: the camera has {name} = {got} where {value} was asked for")

    def set_number(self, key: str, value: float, feature: str, unit: str, tolerance: float = 0.01) -> None:
        """Set a number that Aravis knows, whatever the camera calls it, and compare.

        Parameters
        ----------
        key : str
            The setting.
        value : float
        feature : str
            In Aravis' words, as in `exposure_time`.
        unit : str
        tolerance : float
            Share of the value.
        """
        said = f"{key} = {value:g}"
        if not getattr(self._camera, f"is_{feature}_available")():
            raise CameraError(f"{said}: the camera has no {feature.replace('_', ' ')} to set")
        with refusals(f"{said}: the camera refuses it"):
            low, high = bounds(getattr(self._camera, f"get_{feature}_bounds")())
            if not low * (1 - tolerance) <= value <= high * (1 + tolerance):
                raise CameraError(f"{said}: the camera can do {low:g} to {high:g} {unit}")
            getattr(self._camera, f"set_{feature}")(value)
            got = getattr(self._camera, f"get_{feature}")()
        if abs(got - value) > max(tolerance * abs(value), 1e-6):
            raise CameraError(
                f"{said}: the camera gives {got:g} {unit}; set a value that it can do ({low:g} to {high:g})"
            )

    def switch_off_what_changes_pictures(self) -> None:
        """Switch automatic functions and gamma off, as far as the camera has them, and verify it."""
        for name in (*AUTOMATIC, *BENDING):
            if self.has(name):
                off = "Off" if name in AUTOMATIC else False
                self.set(name, off, f"{name} must be off, because ΔF/F needs fixed gains and linear pictures")
        if self.has("Gamma") and not self.has("GammaEnable"):
            self.set("Gamma", STRAIGHT_GAMMA, "Gamma must be 1, because ΔF/F needs linear pictures", 1e-3)


def bounds(of_aravis: Any) -> tuple[float, float]:
    """Return smallest and largest value, as PyGObject gives them."""
    return float(of_aravis[0]), float(of_aravis[1])


def when_lost(camera: Any, tell: Callable[[CameraError], None]) -> None:
    """Let `tell` know when the camera no longer answers."""
    lost = CameraError("the camera no longer answers: it was unplugged or switched off; check its cable, start again")
    camera.get_device().connect("control-lost", lambda _device: tell(lost))
