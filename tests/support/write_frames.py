"""Writes frames as a session does until it is killed: `python -m tests.support.write_frames PATH`."""

import sys
import time
from itertools import count
from pathlib import Path

import numpy as np

from rig.files.frame_file import FrameFile, Header

if __name__ == "__main__":
    file = FrameFile(Path(sys.argv[1]), Header((64, 64, 3)))
    for n in count():
        file.append(np.full((64, 64, 3), n % 251, np.uint8))
        if n % 7 == 0:
            file.publish()
        time.sleep(0.001)
