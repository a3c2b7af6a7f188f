"""The movie of a session: a small one to look at (H.264), or a lossless one that can hold the frames alone (FFV1).

A lossless movie keeps the promises of the HDF5 file: whatever ends the session, the frames before can be read, and each
of them has its row.  So the encoder writes into memory, and `publish` appends that when the rows are on disk.
"""

import os
import tempfile
import time
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from rig.disk import write_at
from rig.errors import LogError
from rig.files.matroska import frames_in, is_lossless

MISSING = (
    "PyAV, which encodes the movie, is not installed ({error}); it comes with CLMF, and for CLNF with 'make "
    "setup-analysis': run 'make setup' once, then 'source .venv/bin/activate' (Jetson: .venv-clmf) and the script "
    "again, or leave video_file empty"
)
TICKS_PER_S = 90000
TRIAL_FRAMES = 10


class Codec(NamedTuple):
    """How a movie is encoded: library, its options, form of pixels with three and with one channel, key frames."""

    name: str
    options: dict[str, str]
    colours: str
    grey: str
    key_frame_every: int


CODECS = {
    # Good to look at and cheap to encode; one key frame a second at 30 frames/s, so that players can jump.
    "h264": Codec("libx264", {"preset": "ultrafast", "crf": "20", "tune": "zerolatency"}, "yuv420p", "yuv420p", 30),
    # Each frame stands by itself, with a checksum.  On the noise of cameras Golomb-Rice codes (coder 0) are as small as
    # the range coder, in half the time.
    "ffv1": Codec("ffv1", {"level": "3", "coder": "0", "slices": "4", "slicecrc": "1"}, "bgr0", "gray", 1),
}
# In pieces: what was written before a kill or a full disk can still be played.
IN_FRAGMENTS = {"movflags": "frag_keyframe+empty_moov+default_base_moof", "flush_packets": "1"}
A_CLUSTER_A_FRAME = {"cluster_time_limit": "0", "flush_packets": "1"}
CONTAINERS = {".mp4": ("mp4", IN_FRAGMENTS), ".mov": ("mov", IN_FRAGMENTS), ".mkv": ("matroska", A_CLUSTER_A_FRAME)}


class PendingFile:
    """A new file whose bytes wait in memory until they are written; the container writes into it.

    Parameters
    ----------
    path : Path
    """

    def __init__(self, path: Path) -> None:
        self.fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o644)
        self._waiting = bytearray()
        self._written = self._at = 0

    def write(self, data: bytes) -> int:
        """Take bytes; what stands in the file already is corrected there, as the container does when it is closed."""
        end = self._written + len(self._waiting)
        if self._at != end:
            self.flush()
            write_at(self.fd, data, self._at)
            self._written = max(end, self._at + len(data))
        else:
            self._waiting += data
        self._at += len(data)
        return len(data)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to a place of the file."""
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._written + len(self._waiting)}[whence]
        self._at = start + offset
        return self._at

    def tell(self) -> int:
        """Return the place in the file."""
        return self._at

    def flush(self) -> None:
        """Append what waits to the file; after an error it still waits."""
        write_at(self.fd, memoryview(self._waiting), self._written)
        self._written += len(self._waiting)
        self._waiting = bytearray()


class Movie:
    """A movie while it grows; every frame is shown for one period of the frame rate.

    Parameters
    ----------
    path : Path
        Its ending names the container.
    frame_shape : tuple of int
        (height, width, channels).
    framerate : float
    codec : str
        A key of CODECS.

    Raises
    ------
    LogError
        PyAV is missing or cannot encode.
    """

    def __init__(self, path: Path, frame_shape: tuple[int, int, int], framerate: float, codec: str = "h264") -> None:
        try:
            import av
        except ImportError as error:
            raise LogError(MISSING.format(error=error)) from None
        self._av, self._framerate, self._is_grey, self._n = av, framerate, frame_shape[2] == 1, 0
        self._file = PendingFile(path)
        container, container_options = CONTAINERS[path.suffix]
        try:
            self._container = av.open(self._file, "w", format=container, options=container_options)
            self._stream = self._add_stream(CODECS[codec], frame_shape)
            self._container.start_encoding()  # so that there is a file, also of a session without frames
            self._file.flush()
        except (av.FFmpegError, ValueError) as error:
            os.close(self._file.fd)
            raise LogError(f"the movie {path} cannot be begun ({error})") from None
        self._is_open = True
        self._closed_at: Path | None = None

    def _add_stream(self, codec: Codec, frame_shape: tuple[int, int, int]) -> Any:
        rate = Fraction(self._framerate).limit_denominator(1001)
        stream = self._container.add_stream(codec.name, rate=rate, options=codec.options)
        stream.height, stream.width = frame_shape[:2]
        stream.pix_fmt, stream.gop_size = codec.grey if self._is_grey else codec.colours, codec.key_frame_every
        stream.time_base = stream.codec_context.time_base = Fraction(1, TICKS_PER_S)
        stream.thread_count = 1  # the loop needs the other cores
        return stream

    def append(self, image: np.ndarray) -> None:
        """Add a frame (height, width, channels) uint8, BGR or grey; it is in the file after the next `publish`."""
        pixels, form = (image[..., 0], "gray") if self._is_grey else (image, "bgr24")
        frame = self._av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format=form)
        frame.time_base = Fraction(1, TICKS_PER_S)
        frame.pts = round(self._n / self._framerate * TICKS_PER_S)
        self._encode(frame)
        self._n += 1

    def publish(self, is_to_last: bool = True) -> None:
        """Write what was encoded, when the rows of these frames are on disk.

        Parameters
        ----------
        is_to_last : bool
            Bring it to disk, too: nothing else holds these frames.
        """
        self._file.flush()
        if is_to_last:
            os.fdatasync(self._file.fd)

    def is_linked(self) -> bool:
        """Return whether the file still has a name."""
        return os.fstat(self._file.fd).st_nlink > 0

    def path(self) -> Path:
        """Return where the file is now, or was when it was closed; its folder may have been renamed."""
        return self._closed_at or Path(os.readlink(f"/proc/self/fd/{self._file.fd}"))

    def close(self) -> None:
        """Write what the encoder still holds, and close; harmless when repeated."""
        if not self._is_open:
            return
        self._is_open = False
        try:
            self._encode(None)
            self._container.close()
            self.publish()
        finally:
            self._closed_at = self.path()
            os.close(self._file.fd)

    def _encode(self, frame: Any) -> None:
        try:
            self._container.mux(self._stream.encode(frame))
        except self._av.FFmpegError as error:
            if isinstance(error, OSError):
                raise
            raise LogError(f"the movie can no longer be encoded ({error})") from None


def time_movie(name: str, frame_shape: tuple[int, int, int], framerate: float, codec: str) -> float:
    """Return how long this computer takes to encode a frame of noise, s; LogError if it cannot encode such a movie."""
    image = np.random.default_rng(0).integers(0, 256, frame_shape, np.uint8)
    with tempfile.TemporaryDirectory() as folder:
        movie = Movie(Path(folder, f"trial{Path(name).suffix}"), frame_shape, framerate, codec)
        began_s = time.perf_counter()
        try:
            for _ in range(TRIAL_FRAMES):
                movie.append(image)
        finally:
            movie.close()
    return (time.perf_counter() - began_s) / TRIAL_FRAMES


def count_frames(path: Path) -> int:
    """Return how many frames a movie holds, without decoding it."""
    if is_lossless(path):
        return len(frames_in(path))
    import av

    with av.open(str(path)) as container:
        return sum(packet.size > 0 for packet in container.demux(video=0))
