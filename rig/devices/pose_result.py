"""What every model must give: a pose that can be used, of an animal that it knows."""

import numpy as np

from rig.errors import PoseError, SettingsError
from rig.settings.clmf import ClmfSettings

WARM_UP_FRAMES = 5  # the first ones allocate memory and choose kernels


def said_by(error: Exception) -> str:
    """Return what an error of a library says, in one line that is not too long."""
    return " ".join(str(error).split())[:200] or type(error).__name__


def usable(pose: np.ndarray, n_parts: int, library: str) -> np.ndarray:
    """Return the pose, (n_parts, 3), as it is.

    Raises
    ------
    PoseError
        It has another shape, or a number in it is not finite.
    """
    if pose.shape != (n_parts, 3) or not np.isfinite(pose).all():
        raise PoseError(
            f"{library} gave a pose of shape {pose.shape}, finite: {np.isfinite(pose).all()}, where finite "
            f"x, y and likelihood of {n_parts} body parts are needed; check the model"
        )
    return pose


def refuse_drawn(settings: ClmfSettings, is_synthetic: bool, sees_a_mouse: bool) -> None:
    """Raise SettingsError if a model that knows only drawn mice is to find a real one."""
    if is_synthetic and sees_a_mouse:
        raise SettingsError(
            f"dlc_model_path = {settings.dlc_model_path}: this model knows only the drawn mouse of SimCameraStream, "
            "not a real one; name a model that was trained on your camera, or add --simulate"
        )
