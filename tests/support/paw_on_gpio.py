"""The line of the paw on a GPIO input, in its own process: `python -m tests.support.paw_on_gpio INPUTS`.

Writes which GPIOs are high into the file INPUTS, which the chip in memory reads, and prints whether the paw moved.
"""

import sys
import time
from contextlib import closing
from pathlib import Path

from rig.devices.paw_line import open_paw_line
from rig.events import Events
from rig.settings.fields import ROOT
from rig.settings.loading import load
from rig.settings.one_roi import OneRoiSettings

if __name__ == "__main__":
    values = {"vid_source": "SimCameraStream", "paw_pin": "24"}
    cfg, _ = load(OneRoiSettings, ROOT / "config.ini", OneRoiSettings.section, values)
    with closing(open_paw_line(cfg, Events())) as line:
        for high in ("", "24", "23", "24"):
            Path(sys.argv[1]).write_text(high)
            time.sleep(0.1)
            line.touched()
            print(int(line.touched()))
