"""What the scripts share, one concern a file."""

import os

# A notebook that looks into a growing image_stream.hdf5 must not keep the rig from finishing it.  HDF5 reads this
# when it is first loaded.
os.environ.setdefault("HDF5_USE_FILE_LOCKING", "FALSE")
# The matrices here are small: a second thread of numpy gains nothing, and costs milliseconds while the cores are busy.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
