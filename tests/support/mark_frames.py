"""Marks frames and sends barcodes, says so, and waits to be killed: `python -m tests.support.mark_frames`."""

import itertools
import time

from rig.devices.outputs import Outputs
from rig.events import Events
from rig.settings.fields import ROOT
from rig.settings.loading import load
from rig.settings.one_roi import OneRoiSettings

if __name__ == "__main__":
    wanted = {"vid_source": "SimCameraStream", "frame_pin": "5", "barcode_pin": "6"}
    cfg, _ = load(OneRoiSettings, ROOT / "config.ini", OneRoiSettings.section, wanted)
    outputs = Outputs(cfg, Events())
    outputs.begin_session()
    print("marking", flush=True)
    for number in itertools.count():
        outputs.mark(number)
        time.sleep(0.002)  # faster than the pulses can follow: the line is high as often as it can be
