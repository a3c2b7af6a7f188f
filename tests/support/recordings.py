"""Recordings as a session would have stored them."""

import numpy as np
import tables


def write_recording(folder, images, numbers=None, framerate=15):
    """Write frames (n, height, width, 3) and their times into a folder; return the settings that replay them."""
    table = np.zeros(len(images), [("number", "i8"), ("time_s", "f8")])
    table["number"] = np.arange(len(images)) if numbers is None else numbers
    table["time_s"] = table["number"] / framerate
    with tables.open_file(str(folder / "image_stream.hdf5"), "w") as file:
        file.create_array("/", "raw_images", images)
        file.create_table("/", "frames", table)
    return {"vid_source": "VideoStream", "vid_root": str(folder)}
