"""The pictures of an NWB file: frames of both colours, compressed, their mean, and the movie."""

from collections.abc import Callable, Iterator
from pathlib import Path

import h5py
import numpy as np
from hdmf.backends.hdf5 import H5DataIO
from isal import isal_zlib
from pynwb import NWBFile
from pynwb.base import Images
from pynwb.device import Device
from pynwb.image import GrayscaleImage, ImageSeries
from pynwb.ophys import ImagingPlane, OnePhotonSeries, OpticalChannel

from analysis.exports.nwb_source import Source
from rig.files.reader import Images as Frames
from rig.protocol.dff import BLUE, GREEN
from rig.settings.clnf import ClnfSettings

CHUNK_FRAMES, CHUNK_PX = 240, 64  # 1 MB: a compromise between one ROI over time and one whole frame
LEVEL = 2  # of ISA-L, as small as gzip 1; any other filter would need a plugin to be read
SERIES = "OnePhotonSeries"
MEANS = {GREEN: "mean_green", BLUE: "mean_blue"}
SIDES = {"u": "up", "d": "down", "l": "left", "r": "right"}


def add_frames(nwb: NWBFile, source: Source, camera: Device) -> ImagingPlane:
    """Add both colours, each on its own imaging plane, to be filled by `fill`; return the plane of green."""
    planes = list(planes_of(source, camera))
    for plane in planes:
        nwb.add_imaging_plane(plane)
        if source.pictures is not None:
            nwb.add_acquisition(series_on(plane, source, source.pictures))
    return planes[0]


def series_on(plane: ImagingPlane, source: Source, frames: Frames) -> OnePhotonSeries:
    """Return the frames of one colour, still empty."""
    n, height, width, _ = frames.shape
    chunks = min(n, CHUNK_FRAMES), min(width, CHUNK_PX), min(height, CHUNK_PX)
    made: OnePhotonSeries = source.frames.make(
        OnePhotonSeries,
        name=plane.name.replace("ImagingPlane", SERIES),
        description=f"{plane.description} Frame, x (column), y (row) of the image.",
        data=H5DataIO(shape=(n, width, height), dtype=np.uint8, chunks=chunks, compression="gzip", compression_opts=1),
        imaging_plane=plane,
        unit="n.a.",
        exposure_time=float(source.session.settings["shutter_speed"]) / 1e6,
    )
    return made


def fill(file: h5py.File, frames: Frames, progress: Callable[[float], None]) -> None:
    """Write all frames of both colours, and their mean.

    Parameters
    ----------
    file : h5py.File
        In which all else has been written.
    frames : Frames
    progress : callable
        Is given the share of the frames that has been written, 0 to 1.
    """
    colours = {GREEN: file[f"acquisition/{SERIES}Green/data"], BLUE: file[f"acquisition/{SERIES}Blue/data"]}
    sums = dict.fromkeys(colours, 0.0)
    for start in range(0, len(frames), CHUNK_FRAMES):
        block = frames[start : start + CHUNK_FRAMES]
        for which, data in colours.items():
            turned = np.ascontiguousarray(block[..., which].transpose(0, 2, 1))
            write_chunks(data, start, turned)
            sums[which] = sums[which] + turned.sum(axis=0, dtype=np.uint64)
        progress(min(1.0, (start + CHUNK_FRAMES) / len(frames)))
    for which, name in MEANS.items():
        file[f"processing/ophys/SummaryImages/{name}"][...] = sums[which] / len(frames)


def write_chunks(data: h5py.Dataset, start: int, frames: np.ndarray) -> None:
    """Write frames (n, width, height) from one on, as chunks that are compressed here.

    The bytes are those that HDF5 itself would read: it takes six times as long to make them.
    """
    _, wide, high = data.chunks
    _, width, height = frames.shape
    for x in range(0, width, wide):
        for y in range(0, height, high):
            chunk = np.zeros(data.chunks, np.uint8)  # whole also at the edges
            part = frames[:, x : x + wide, y : y + high]
            chunk[tuple(slice(size) for size in part.shape)] = part
            data.id.write_direct_chunk((start, x, y), isal_zlib.compress(chunk, LEVEL))


def planes_of(source: Source, camera: Device) -> Iterator[ImagingPlane]:
    """Yield the imaging planes of green and blue."""
    assert isinstance(source.settings, ClnfSettings)
    head, lab, settings = source.settings.head(), source.lab, source.settings
    left_mm, anterior_mm = head.to_mm(0, 0)
    frame = (
        f"Bregma. origin_coords: how far the first pixel lies to the left of bregma, and in front of it. "
        f"x goes along the columns of the image, y along its rows; the nose points {SIDES[settings.nose]}, "
        f"and the head is turned by {settings.head_angle:g} degrees, clockwise in the image."
    )
    for name, what, excitation, emission, indicator in (
        ("Green", "Green channel: fluorescence.", lab.green_excitation_nm, lab.green_emission_nm, lab.indicator),
        ("Blue", "Blue channel: reflected light.", lab.blue_excitation_nm, lab.blue_emission_nm, "none: reflectance"),
    ):
        yield ImagingPlane(
            name=f"ImagingPlane{name}",
            description=what,
            optical_channel=OpticalChannel(
                name=name, description=what, emission_lambda=np.nan if emission is None else emission
            ),
            device=camera,
            excitation_lambda=np.nan if excitation is None else excitation,
            indicator=indicator or "unknown",
            location="Isocortex",
            reference_frame=frame,
            origin_coords=[left_mm / 1e3, anterior_mm / 1e3],
            grid_spacing=[1e-3 / settings.ppmm] * 2,
        )


def mean_images(frames: Frames) -> Images:
    """Return the mean picture of both colours, still empty."""
    _, height, width, _ = frames.shape
    images = Images(name="SummaryImages", description="What the camera saw, of each colour.")
    for name in MEANS.values():
        empty = np.zeros((width, height), np.float32)
        images.add_image(GrayscaleImage(name=name, description="mean of all frames; x, y", data=empty))
    return images


def add_movie(nwb: NWBFile, source: Source, camera: Device, movie: Path) -> ImageSeries:
    """Add the movie, by its place relative to the NWB file."""
    width, height = source.settings.resolution
    series: ImageSeries = source.rows.make(
        ImageSeries,
        name="BehaviorVideo",
        description="The frames of the session in the same order, a row of the log each, as an H.264 movie.",
        external_file=[movie.as_posix()],
        starting_frame=[0],
        format="external",
        dimension=[width, height],
        device=camera,
        unit="n.a.",
        num_samples=len(source.session),
    )
    nwb.add_acquisition(series)
    return series
