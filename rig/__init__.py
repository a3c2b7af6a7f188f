"""What the scripts share, one concern a file."""

import os

# A notebook that looks into a growing image_stream.hdf5 must not keep the rig from finishing it.  HDF5 reads this
# when it is first loaded.
os.environ.setdefault("HDF5_USE_FILE_LOCKING", "FALSE")
