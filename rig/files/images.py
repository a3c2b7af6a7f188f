"""The frames of a session, read from disk where they are asked for: from the HDF5 file, or from a lossless movie."""

import contextlib
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from rig.errors import SettingsError
from rig.files.hdf5 import dataset, opened
from rig.files.matroska import Place, frames_in, is_lossless

READ_AT_ONCE = 16  # frames, while iterating
LOSSLESS_ENDING = ".mkv"
NO_PYAV = (
    "{path}: PyAV, which reads the frames of a lossless movie, is not installed ({error}); run 'make setup-analysis', "
    "or 'source .venv-clmf/bin/activate' and the same again"
)


class Images:
    """The frames in an HDF5 file.

    `images[7]`, `images[10:20]` and `images[:]` give arrays (..., height, width, channels) uint8, BGR or grey (one
    channel); iterating gives a frame at a time.

    Parameters
    ----------
    path : Path
        An HDF5 file with /raw_images.

    Attributes
    ----------
    shape : tuple of int
        (n, height, width, channels).

    Raises
    ------
    SettingsError
        There is none, or its frames have another form.
    """

    def __init__(self, path: Path) -> None:
        self.path, self._is_known = path, False
        with self._open() as node:
            if node.ndim != 4 or node.shape[3] not in (1, 3) or node.dtype != np.uint8:
                shape = ", ".join(str(size) for size in node.shape)
                raise SettingsError(
                    f"/raw_images in {path} has the shape ({shape}) and the type {node.dtype}; "
                    "needed are (n, height, width, 3) and uint8, or 1 in place of 3 for grey"
                )
            self._n, *self._frame_shape = (int(size) for size in node.shape)

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """See above."""
        height, width, channels = self._frame_shape
        return self._n, height, width, channels

    def __len__(self) -> int:
        return self._n

    def __getitem__(self, which: int | slice) -> np.ndarray:
        with self._open() as node:
            frames: np.ndarray = node[which]
            return frames

    def __iter__(self) -> Iterator[np.ndarray]:
        with self._open() as node:
            for start in range(0, len(node), READ_AT_ONCE):
                yield from node[start : start + READ_AT_ONCE]

    @contextlib.contextmanager
    def _open(self) -> Iterator[h5py.Dataset]:
        """Open /raw_images for a moment."""
        with opened(self.path, self._is_known) as file:
            self._is_known = True
            node = dataset(file, "raw_images")
            if node is None:
                raise SettingsError(f"{self.path} has no /raw_images")
            yield node


class MovieImages(Images):
    """The frames in a lossless movie; they are counted without PyAV, and decoded with it.

    Parameters
    ----------
    path : Path
        A movie of which `is_lossless` is true.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._places = frames_in(path)
        except OSError as error:
            raise SettingsError(f"{path} cannot be read ({error.strerror})") from None
        self._n = len(self._places)

    @cached_property
    def _frame_shape(self) -> list[int]:  # type: ignore[override]
        if not self._places and is_lossless(self.path):
            return [0, 0, 3]  # no frame says how large it is
        with self._decoder() as (_, decoder):
            return [decoder.height, decoder.width, 1 if is_grey(decoder) else 3]

    def __getitem__(self, which: int | slice) -> np.ndarray:
        if isinstance(which, slice):
            wanted = self._places[which]
            found = np.empty((len(wanted), *self._frame_shape), np.uint8)
            for i, image in enumerate(self._decoded(wanted)):
                found[i] = image
            return found
        return next(self._decoded([self._places[which]]))

    def __iter__(self) -> Iterator[np.ndarray]:
        return self._decoded(self._places)

    def _decoded(self, places: list[Place]) -> Iterator[np.ndarray]:
        """Yield the frames that lie at these places of the file."""
        if not places:
            return  # a movie without frames cannot even be opened
        with self.path.open("rb") as file, self._decoder() as (av, decoder):
            form, channels = ("gray", 1) if is_grey(decoder) else ("bgr24", 3)
            for place in places:
                (frame,) = decoder.decode(av.Packet(place.read(file.fileno())))
                yield frame.to_ndarray(format=form).reshape(decoder.height, decoder.width, channels)

    @contextlib.contextmanager
    def _decoder(self) -> Iterator[tuple[Any, Any]]:
        """Return PyAV, and what decodes the frames; it knows their form."""
        try:
            import av
        except ImportError as error:
            raise SettingsError(NO_PYAV.format(path=self.path, error=error)) from None
        try:
            with av.open(str(self.path)) as container:
                yield av, container.streams.video[0].codec_context
        except (av.FFmpegError, IndexError, ValueError, OSError) as error:
            raise SettingsError(f"{self.path} is damaged and cannot be read ({error})") from None


def is_grey(decoder: Any) -> bool:
    """Return whether the frames of a movie are grey; one without frames does not know their form."""
    return decoder.format is not None and decoder.format.name == "gray"


def frames_file(folder: Path, stream: Path, settings: Mapping[str, str]) -> Path:
    """Return the file that holds the frames of a session: the HDF5 file, or a lossless movie.

    Parameters
    ----------
    folder : Path
    stream : Path
        The HDF5 file, which may be missing.
    settings : mapping of str to str
        Those of the session.
    """
    movie = folder / Path(settings.get("video_file", "")).name
    if settings.get("store") == "movie":
        return movie
    return movie if not stream.is_file() and is_lossless(movie) else stream


def open_images(path: Path) -> Images:
    """Open a file that holds frames."""
    return MovieImages(path) if path.suffix == LOSSLESS_ENDING else Images(path)
