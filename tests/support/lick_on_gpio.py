"""A lick detector on a GPIO input, in its own process: `python -m tests.support.lick_on_gpio INPUTS`.

Writes which GPIOs are high into the file INPUTS, which the chip in memory reads, and prints whether a lick was felt.
"""

import sys
import time
from contextlib import closing
from pathlib import Path

from rig.devices.lick import open_lick
from rig.events import Events
from rig.protocol.tally import Tally
from rig.settings.fields import ROOT
from rig.settings.loading import load
from rig.settings.one_roi import OneRoiSettings

if __name__ == "__main__":
    values = {"vid_source": "SimCameraStream", "lick": "gpio", "lick_pin": "23"}
    cfg, _ = load(OneRoiSettings, ROOT / "config.ini", OneRoiSettings.section, values)
    with closing(open_lick(cfg, Events(), Tally())) as lick:
        for high in ("", "23", "22", "23"):
            Path(sys.argv[1]).write_text(high)
            time.sleep(0.1)
            lick.touched()
            print(int(lick.touched()))
