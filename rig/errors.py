"""The errors that end a session.  Each carries one sentence for the person at the rig, and an exit status."""


class RigError(Exception):
    """The rig cannot go on: a device failed, the disk is full.  The script ends with exit status 1."""

    exit_status = 1


class NoSession(RigError):  # noqa: N818 - it is not an error
    """The user wants no session after all.  The script ends with exit status 0."""

    exit_status = 0


class SettingsError(RigError):
    """The settings or the command line cannot be used.  The script ends with exit status 2."""

    exit_status = 2


class CameraError(RigError):
    """The camera is missing, gives something other than it was asked for, or stopped."""


class OutputError(RigError):
    """An output pin cannot be driven."""


class ToneError(RigError):
    """The tone cannot be played."""


class LickError(RigError):
    """The lick sensor does not answer."""


class PawLineError(RigError):
    """The line of the paw cannot be read."""


class PoseError(RigError):
    """The body parts cannot be found: DeepLabCut-Live is missing, or its result cannot be used."""


class LogError(RigError):
    """The session cannot be written to disk."""


class AlignmentError(RigError):
    """Edges that another machine recorded cannot be aligned with a session."""


class FitError(RigError):
    """The coefficient of blue cannot be fitted."""
