"""Settings of brain/cla_reward_punish_1roi.py: one ROI."""

from collections.abc import Callable, Mapping
from operator import itemgetter
from typing import ClassVar

from rig.settings.clnf import ClnfSettings
from rig.settings.fields import CORTEX, setting


class OneRoiSettings(ClnfSettings):
    """One ROI is trained."""

    section: ClassVar[str] = "raspicambrain_reward_punish_1roi"
    label: ClassVar[str] = "1roi"
    own_key: ClassVar[str] = "roi"

    roi: str = setting(CORTEX, "the ROI that is trained", "SITE_L or SITE_R")

    def _no_such_site(self, name: str) -> str:
        if any(sign in name for sign in "+-*/%("):
            return "this is a rule on several ROIs; brain/cla_reward_punish_2roi.py runs it, as roi_operation"
        return super()._no_such_site(name)

    def roi_names(self) -> list[str]:
        """Return the one ROI."""
        return [self.roi]

    def rule(self) -> Callable[[Mapping[str, float]], float]:
        """Return what takes the ΔF/F of the ROI."""
        return itemgetter(self.roi)
