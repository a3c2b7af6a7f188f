"""A drawn mouse on a computer whose disk takes SYNC_TAKES_S seconds for each sync."""

import os
import time

from SimCameraStream import SimCameraStream


def slow(sync):
    def synced(fd):
        time.sleep(float(os.environ["SYNC_TAKES_S"]))
        sync(fd)

    return synced


os.fsync, os.fdatasync = slow(os.fsync), slow(os.fdatasync)


class SlowDiskStream(SimCameraStream):
    """Only the disk differs."""
