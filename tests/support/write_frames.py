"""Writes frames as a session does until it is killed: `python -m tests.support.write_frames PATH`, HDF5 or movie."""

import sys
import time
from itertools import count
from pathlib import Path

import numpy as np

from rig.files.frame_file import FrameFile, Header
from rig.files.movie import Movie

if __name__ == "__main__":
    path, shape = Path(sys.argv[1]), (64, 64, 3)
    file = FrameFile(path, Header(shape)) if path.suffix == ".hdf5" else Movie(path, shape, 30, "ffv1")
    for n in count():
        file.append(np.full(shape, n % 251, np.uint8))
        if n % 7 == 0:
            file.publish()
        time.sleep(0.001)
