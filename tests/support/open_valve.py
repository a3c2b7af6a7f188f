"""Opens the valve and switches the light on, says so, and waits to be killed: `python -m tests.support.open_valve`."""

import time

from rig.devices.outputs import Outputs
from rig.events import Events
from rig.settings.fields import ROOT
from rig.settings.loading import load
from rig.settings.one_roi import OneRoiSettings

if __name__ == "__main__":
    cfg, _ = load(OneRoiSettings, ROOT / "config.ini", OneRoiSettings.section, {"vid_source": "SimCameraStream"})
    outputs = Outputs(cfg, Events())
    outputs.reward.pulse(0.9)
    outputs.light.on()
    print("open", flush=True)
    time.sleep(60)
