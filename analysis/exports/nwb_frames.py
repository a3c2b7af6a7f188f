"""The pictures of an NWB file: frames of both colours, compressed, their mean, and the movie."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from hdmf.backends.hdf5 import H5DataIO
from hdmf.data_utils import GenericDataChunkIterator
from pynwb import NWBFile
from pynwb.base import Images
from pynwb.device import Device
from pynwb.image import GrayscaleImage, ImageSeries
from pynwb.ophys import ImagingPlane, OnePhotonSeries, OpticalChannel

from analysis.exports.nwb_source import Source
from rig.files.reader import Images as Frames
from rig.settings.clnf import ClnfSettings

BLUE, GREEN = 0, 1
CHUNK_FRAMES, CHUNK_PX = 240, 64  # 1 MB: a compromise between one ROI over time and one whole frame
GZIP = 1  # a higher level is slower, and no smaller; any other filter would need a plugin to be read
SAMPLED = 240  # frames for the mean image
SIDES = {"u": "up", "d": "down", "l": "left", "r": "right"}


class Blocks:
    """The frames, read in blocks; both colours are cut from the same one.

    Parameters
    ----------
    frames : Frames
    progress : callable
        Is given the share of all frames that has been read, 0 to 1.
    """

    def __init__(self, frames: Frames, progress: Callable[[float], None]) -> None:
        self.frames, self._progress = frames, progress
        self._which, self._block = (0, 0), np.zeros((0, 0, 0, 3), np.uint8)

    def colour(self, start: int, stop: int, which: int) -> np.ndarray:
        """Return (stop - start, width, height) of one colour."""
        if (start, stop) != self._which:
            self._block = self.frames[start:stop]
            self._which = start, stop
            self._progress(stop / len(self.frames))
        turned: np.ndarray = self._block[..., which].transpose(0, 2, 1)
        return turned


class Colour(GenericDataChunkIterator):
    """One colour of all frames, (frame, x, y), as HDF5 asks for it."""

    def __init__(self, blocks: Blocks, which: int) -> None:
        self._blocks, self._which = blocks, which
        n, width, height = self._get_maxshape()
        deep = min(n, CHUNK_FRAMES)
        chunk = deep, min(width, CHUNK_PX), min(height, CHUNK_PX)
        super().__init__(chunk_shape=chunk, buffer_shape=(deep, width, height))

    def _get_data(self, selection: tuple[slice, ...]) -> np.ndarray:
        frames, x, y = selection
        return np.ascontiguousarray(self._blocks.colour(frames.start, frames.stop, self._which)[:, x, y])

    def _get_maxshape(self) -> tuple[int, int, int]:
        n, height, width, _ = self._blocks.frames.shape
        return n, width, height

    def _get_dtype(self) -> np.dtype[Any]:
        return np.dtype("uint8")


def add_frames(nwb: NWBFile, source: Source, camera: Device, progress: Callable[[float], None]) -> ImagingPlane:
    """Add both colours, each on its own imaging plane; return the plane of green."""
    planes = list(planes_of(source, camera))
    frames = source.session.images
    blocks = Blocks(frames, progress) if frames is not None and len(frames) else None
    for plane, which in zip(planes, (GREEN, BLUE), strict=True):
        nwb.add_imaging_plane(plane)
        if blocks is not None:
            colour = plane.name.removeprefix("ImagingPlane")
            series = source.frames.make(
                OnePhotonSeries,
                name=f"OnePhotonSeries{colour}",
                description=f"{plane.description} Frame, x (column), y (row) of the image.",
                data=H5DataIO(Colour(blocks, which), compression="gzip", compression_opts=GZIP),
                imaging_plane=plane,
                unit="n.a.",
                exposure_time=float(source.session.settings["shutter_speed"]) / 1e6,
            )
            nwb.add_acquisition(series)
    return planes[0]


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


def mean_images(source: Source) -> Images | None:
    """Return the mean picture of both colours, of frames spread over the session; None without frames."""
    frames = source.session.images
    if frames is None or not len(frames):
        return None
    which = np.unique(np.linspace(0, len(frames) - 1, SAMPLED).astype(int))
    mean = np.mean([frames[int(i)] for i in which], axis=0)
    images = Images(name="SummaryImages", description="What the camera saw, of each colour.")
    for name, colour in (("mean_green", GREEN), ("mean_blue", BLUE)):
        what = f"mean of {len(which)} frames spread evenly over the session; x, y"
        images.add_image(GrayscaleImage(name=name, description=what, data=mean[..., colour].T.astype(np.float32)))
    return images


def add_movie(nwb: NWBFile, source: Source, camera: Device, movie: Path) -> ImageSeries:
    """Add the movie, by its place relative to the NWB file."""
    width, height = source.settings.resolution
    how = {"num_samples": len(source.session)}
    series = source.rows.make(
        ImageSeries,
        name="BehaviorVideo",
        description="The frames of the session in the same order, a row of the log each, as an H.264 movie.",
        external_file=[movie.as_posix()],
        starting_frame=[0],
        format="external",
        dimension=[width, height],
        device=camera,
        unit="n.a.",
        **how,
    )
    nwb.add_acquisition(series)
    return series
