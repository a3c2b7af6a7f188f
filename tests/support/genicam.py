"""Aravis' simulated cameras: one in memory, and one that speaks GigE Vision on the loopback."""

import fcntl
import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import pytest

from rig.devices import genicam
from rig.errors import CameraError
from support.waiting import end, wait_until

PROGRAM = "arv-fake-gv-camera-0.8"
SERIAL = "CLOPY1"
GIGE_ID = f"Aravis-Fake-{SERIAL}"
IN_MEMORY = {"genicam_id": "Fake_1"}
BRIEF = {"shutter_speed": "2000", "camera_timeout_s": "5"}
"""For a machine that is busy with other tests."""
PAW_SESSION = {
    "vid_source": "AravisCameraStream",
    "genicam_id": GIGE_ID,
    "outputs": "simulated",
    "tone": "simulated",
    "total_trials": "1",
    "initial_rest_dur": "1",
    "max_trial_dur": "2",
    "fail_rest_dur": "1",
    "trial_start": "immediate",
    "tail_dur": "0.5",
}
"""A CLMF session of one trial on the camera that speaks GigE Vision."""


def why_not():
    """Return why there is no Aravis here; nothing where there is."""
    try:
        genicam.load()
    except CameraError as error:
        return str(error)
    return "" if shutil.which(PROGRAM) else f"{PROGRAM} is not installed"


MISSING = why_not()
needs_aravis = pytest.mark.skipif(bool(MISSING), reason=MISSING)


def listed():
    """Return the ids of the cameras that are there now."""
    aravis = genicam.load()
    aravis.update_device_list()
    return [aravis.get_device_id(i) for i in range(aravis.get_n_devices())]


@contextmanager
def gige_camera(*options):
    """Run a GigE Vision camera on the loopback; yields its process.  Its port is one for all, so tests take turns."""
    with (Path(tempfile.gettempdir()) / "clopy-fake-gige.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        process = subprocess.Popen([PROGRAM, "-i", "127.0.0.1", "-s", SERIAL, *options])
        try:
            wait_until(lambda: GIGE_ID in listed(), 20)
            yield process
        finally:
            process.kill()
            end(process)


@cache
def plain_description():
    """Return the text by which the camera in memory describes itself at first."""
    text, _ = genicam.load().Camera.new("Fake_1").get_device().get_genicam_xml()
    return text


def description(more):
    """Return the text by which a simulated camera describes itself, with more features.

    Parameters
    ----------
    more : dict of str to str
        The XML of each further feature by its name.
    """
    text = plain_description()
    links = "".join(f"<pFeature>{name}</pFeature>" for name in more)
    text = text.replace(
        '<Category Name="Debug" NameSpace="Standard">', f'<Category Name="Debug" NameSpace="Standard">{links}'
    )
    return text.replace("</RegisterDescription>", "".join(more.values()) + "</RegisterDescription>")


def register(name, address):
    """Return the XML of 4 bytes in the memory of the camera."""
    return (
        f'<IntReg Name="{name}Register"><Address>{address}</Address><Length>4</Length><AccessMode>RW</AccessMode>'
        "<pPort>Device</pPort><Sign>Unsigned</Sign><Endianess>BigEndian</Endianess></IntReg>"
    )


def switch(name, address):
    """Return the XML of a Boolean that is on at first: the memory is 0."""
    value = f"<pValue>{name}Register</pValue><OnValue>0</OnValue><OffValue>1</OffValue>"
    return f'<Boolean Name="{name}">{value}</Boolean>{register(name, address)}'


def switch_that_stays_on(name):
    """Return the XML of a Boolean that takes what is written, and stays on."""
    formulas = "<FormulaTo>FROM</FormulaTo><FormulaFrom>1</FormulaFrom>"
    value = f"<pValue>{name}Converter</pValue><OnValue>1</OnValue><OffValue>0</OffValue>"
    return (
        f'<Boolean Name="{name}">{value}</Boolean><IntConverter Name="{name}Converter">{formulas}'
        f"<pValue>{name}Register</pValue></IntConverter>{register(name, '0x420')}"
    )


def number(name, address, kind="Integer"):
    """Return the XML of a number from 0 to 100."""
    limits = "<Min>0</Min><Max>100</Max>" if kind == "Integer" else ""
    return f'<{kind} Name="{name}"><pValue>{name}Register</pValue>{limits}</{kind}>{register(name, address)}'


def choice(name, address, entries):
    """Return the XML of an enumeration; the first entry is the one at first."""
    lines = "".join(f'<EnumEntry Name="{entry}"><Value>{n}</Value></EnumEntry>' for n, entry in enumerate(entries))
    value = f"<pValue>{name}Register</pValue>"
    return f'<Enumeration Name="{name}">{lines}{value}</Enumeration>{register(name, address)}'
