"""Opens the outputs, pulses the valve for each number of seconds on standard input, and prints what went wrong."""

import sys
import time

from rig.devices.outputs import Outputs
from rig.errors import OutputError
from rig.events import Events
from rig.settings.fields import ROOT
from rig.settings.loading import load
from rig.settings.one_roi import OneRoiSettings

if __name__ == "__main__":
    cfg, _ = load(OneRoiSettings, ROOT / "config.ini", OneRoiSettings.section, {"vid_source": "SimCameraStream"})
    outputs, problem = Outputs(cfg, Events()), ""
    outputs.on_driven = lambda seconds, n: print(f"driven {seconds:.6f} {n}", flush=True)
    outputs.light.on()
    print("ready", flush=True)
    for line in sys.stdin:
        try:
            outputs.reward.pulse(float(line))
        except OutputError as error:
            problem = str(error)
            break
        time.sleep(float(line) + 0.4)
    try:
        outputs.check()
        outputs.close()
    except OutputError as error:
        problem = str(error)
    print(problem or outputs.trouble() or "all is well", flush=True)
