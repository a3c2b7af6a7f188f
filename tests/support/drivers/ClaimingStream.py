"""A drawn mouse behind a driver that says it is a real camera."""

from typing import ClassVar

from SimCameraStream import SimCameraStream


class ClaimingStream(SimCameraStream):
    """Stands in for nothing, as it says."""

    stands_in: ClassVar[str] = ""
