"""USB3 Vision cameras that are plugged in and that this user may not open: Aravis does not even list them."""

import os
from collections.abc import Callable
from pathlib import Path

CLASS, SUBCLASS = "ef", "05"  # of USB3 Vision


def forbidden(
    devices: Path = Path("/sys/bus/usb/devices"),
    nodes: Path = Path("/dev/bus/usb"),
    may: Callable[[Path, int], bool] = os.access,
) -> list[str]:
    """Return the names of these cameras.

    Parameters
    ----------
    devices, nodes : Path
        Where the kernel lists what is plugged in, and where it is opened.
    may : callable
        Whether a file may be opened, as `os.access` says.
    """
    interfaces = sorted(devices.glob("*:*"))
    cameras = {devices / path.name.split(":")[0] for path in interfaces if is_camera(path)}
    return sorted(
        text(path / "product") or path.name for path in cameras if not may(node(path, nodes), os.R_OK | os.W_OK)
    )


def is_camera(interface: Path) -> bool:
    """Return whether an interface of a USB device is that of a USB3 Vision camera."""
    return (text(interface / "bInterfaceClass"), text(interface / "bInterfaceSubClass")) == (CLASS, SUBCLASS)


def node(device: Path, nodes: Path) -> Path:
    """Return the file by which a USB device is opened."""
    return nodes / f"{int(text(device / 'busnum') or 0):03}" / f"{int(text(device / 'devnum') or 0):03}"


def text(path: Path) -> str:
    """Return what the kernel says in a file; nothing where the device has just been unplugged."""
    try:
        return path.read_text().strip()
    except OSError:
        return ""
