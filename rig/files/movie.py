"""The movie next to the log: the frames of image_stream.hdf5 again, small and easy to look at."""

import tempfile
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from rig.errors import LogError

MISSING = (
    "PyAV, which encodes the movie, is not installed ({error}); it lies in the environment of CLMF: run 'make setup' "
    "once, then 'source .venv-clmf/bin/activate' and the script again, or leave video_file empty"
)
# Good to look at and cheap to encode; one key frame a second at 30 frames/s, so that players can jump.
CODEC, OPTIONS, KEY_FRAME_EVERY = "libx264", {"preset": "ultrafast", "crf": "20", "tune": "zerolatency"}, 30
# In fragments: what was written before a kill or a full disk can still be played.
CONTAINER_OPTIONS = {"movflags": "frag_keyframe+empty_moov+default_base_moof", "flush_packets": "1"}
TICKS_PER_S = 90000


class Movie:
    """An H.264 movie while it grows; every frame is shown for one period of the frame rate.

    Parameters
    ----------
    path : Path
    resolution : tuple of int
        Width, height px.
    framerate : float

    Raises
    ------
    LogError
        PyAV is missing or cannot encode.
    """

    def __init__(self, path: Path, resolution: tuple[int, int], framerate: float) -> None:
        try:
            import av
        except ImportError as error:
            raise LogError(MISSING.format(error=error)) from None
        self._av, self._framerate = av, framerate
        self._n = 0
        try:
            self._container = av.open(str(path), "w", options=CONTAINER_OPTIONS)
            rate = Fraction(framerate).limit_denominator(1001)
            self._stream = self._container.add_stream(CODEC, rate=rate, options=OPTIONS)
            self._stream.width, self._stream.height = resolution
            self._stream.pix_fmt, self._stream.gop_size = "yuv420p", KEY_FRAME_EVERY
            self._stream.time_base = self._stream.codec_context.time_base = Fraction(1, TICKS_PER_S)
            self._stream.thread_count = 1  # the loop needs the other cores
            self._container.start_encoding()  # so that there is a file, also of a session without frames
        except (av.FFmpegError, ValueError) as error:
            raise LogError(f"the movie {path} cannot be begun ({error})") from None
        self._is_open = True

    def append(self, image: np.ndarray) -> None:
        """Add a frame (height, width, 3) uint8 BGR.  A full disk is reported by the file of the frames, not here."""
        frame = self._av.VideoFrame.from_ndarray(image, format="bgr24")
        frame.time_base = Fraction(1, TICKS_PER_S)
        frame.pts = round(self._n / self._framerate * TICKS_PER_S)
        self._encode(frame)
        self._n += 1

    def close(self) -> None:
        """Write what the encoder still holds, and close; harmless when repeated."""
        if not self._is_open:
            return
        self._is_open = False
        try:
            self._encode(None)
        finally:
            self._container.close()

    def _encode(self, frame: Any) -> None:
        try:
            self._container.mux(self._stream.encode(frame))
        except self._av.FFmpegError as error:
            if isinstance(error, OSError):
                raise
            raise LogError(f"the movie can no longer be encoded ({error})") from None


def check_movie(resolution: tuple[int, int], framerate: float) -> None:
    """Raise LogError if a movie with such frames could not be encoded on this computer."""
    width, height = resolution
    with tempfile.TemporaryDirectory() as folder:
        movie = Movie(Path(folder, "trial.mp4"), resolution, framerate)
        try:
            movie.append(np.zeros((height, width, 3), np.uint8))
        finally:
            movie.close()


def count_frames(path: Path) -> int:
    """Return how many frames a movie holds, without decoding it."""
    import av

    with av.open(str(path)) as container:
        return sum(packet.size > 0 for packet in container.demux(video=0))
