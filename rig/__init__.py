"""What the scripts share, one concern a file."""

import os
import sys
from importlib.util import find_spec

NEEDED = ("numpy", "cv2", "tables", "h5py", "pydantic", "rich", "configupdater", "typing_extensions")

# Here, because everything imports this first.
if missing := [name for name in NEEDED if find_spec(name) is None]:
    sys.exit(
        f"{', '.join(missing)}: not installed for {sys.executable}; run 'make setup' once, and in every new terminal "
        "'source .venv/bin/activate' (with a .pt model '.venv-clmf/bin/activate')"
    )

# A notebook that looks into a growing image_stream.hdf5 must not keep the rig from finishing it.  HDF5 reads this
# when it is first loaded.
os.environ.setdefault("HDF5_USE_FILE_LOCKING", "FALSE")
# The matrices here are small: a second thread of numpy gains nothing, and costs milliseconds while the cores are busy.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
# What OpenCV and FFmpeg print about a camera or movie that does not open; the rig says it in a sentence.  OpenCV reads
# the first when it is loaded, FFmpeg the second when it is first used.
os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
