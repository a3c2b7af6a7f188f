"""Settings of brain/cla_reward_punish_2roi.py: a rule on several ROIs."""

from collections.abc import Callable, Mapping
from typing import Annotated, ClassVar

from pydantic import AfterValidator

from rig.protocol.roi_operation import RoiOperation
from rig.settings.clnf import ClnfSettings
from rig.settings.fields import CORTEX, setting


def check_rule(text: str) -> str:
    """Return the rule in one line if it can be computed; ValueError with a sentence otherwise."""
    rule = " ".join(text.split())
    RoiOperation(rule)
    return rule


class TwoRoiSettings(ClnfSettings):
    """A rule on several ROIs is trained."""

    section: ClassVar[str] = "raspicambrain_reward_punish_2roi"
    label: ClassVar[str] = "2roi"
    own_key: ClassVar[str] = "roi_operation"

    roi_operation: Annotated[str, AfterValidator(check_rule)] = setting(
        CORTEX, "the rule: names of ROIs and numbers with + - * / % and parentheses", "expression"
    )

    def roi_names(self) -> list[str]:
        """Return the ROIs that the rule names."""
        return RoiOperation(self.roi_operation).names

    def rule(self) -> Callable[[Mapping[str, float]], float]:
        """Return the rule."""
        return RoiOperation(self.roi_operation)
