"""Which code and which libraries a session was run with."""

import platform
import subprocess
from importlib import metadata

from rig.settings.fields import ROOT

LIBRARIES = (
    "numpy", "opencv-python", "tables", "pydantic", "PyAudio", "picamera2", "rpi-lgpio", "deeplabcut-live", "torch",
    "tensorflow", "tensorflow-cpu", "onnxruntime", "onnxruntime-gpu", "av",
)  # fmt: skip


def versions() -> dict[str, str]:
    """Return {'code_version': commit, 'version_of_LIBRARY': version} of what is installed."""
    return {"code_version": code_version()} | library_versions()


def code_version() -> str:
    """Return the git commit of this code, with '-dirty' where files were changed since."""
    command = ["git", "-C", str(ROOT), "describe", "--always", "--dirty", "--abbrev=40"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return "unknown: not a git checkout"


def library_versions() -> dict[str, str]:
    """Return {'version_of_LIBRARY': version}; an optional library that is absent is left out."""
    found = {"version_of_python": platform.python_version()}
    for name in LIBRARIES:
        try:
            found[f"version_of_{name.replace('-', '_')}"] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found
