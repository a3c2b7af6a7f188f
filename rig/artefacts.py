"""Watches in the loop for what is not brain, and vetoes the crossings that fall on it."""

from collections.abc import Sequence

from rig.devices.frames import Frame
from rig.protocol.artefacts import LIGHT, MOVEMENT, PAW, PIXELS, GlobalChange, Movement, are_spent, named
from rig.protocol.delays import DelayLine
from rig.session import Act, Rig
from rig.settings.clnf import ClnfSettings
from roi_manager import Circle, Rect

ARTEFACT_COLUMNS = ("global_dff", "movement_px", "veto")
"""Of VideoTimestamp.txt: what the whole window has in common, how far the picture has moved, and the bits of both,
of the pixels and of the paw."""


class Artefacts:
    """What is not brain, frame by frame; `veto` of the settings says which of it vetoes a crossing.

    A signal is tested reward_delay after its frame, so what counts is what was seen on that frame.  That is known by
    then, and costs the reward no time; without a delay it is looked for before, but only where the signal has crossed.

    Parameters
    ----------
    cfg : ClnfSettings
    rig : Rig
    rois : sequence of Rect or Circle
    """

    def __init__(self, cfg: ClnfSettings, rig: Rig, rois: Sequence[Rect | Circle]) -> None:
        n_frames, period_s = cfg.history_frames(), cfg.frame_period_s()
        self._cfg, self._rig, self._rois = cfg, rig, rois
        self._light, self._movement = GlobalChange(n_frames), Movement(n_frames)
        self._vetoing, self._then = cfg.veto_bits(), DelayLine(cfg.reward_delay, period_s)
        self._tests_now = cfg.reward_delay < period_s / 2
        self._frame: Frame | None = None
        self._columns: dict[str, float] = {}
        self._vetoed = self._vetoed_before = 0

    def veto(self, frame: Frame) -> bool:
        """Return whether a crossing that is tested on this frame is not to count; asked only where there is one."""
        if not self._vetoing:
            return False
        if self._tests_now:
            self._look(frame)
        self._vetoed = int(self._then.at(frame.time_s)) & self._vetoing
        return self._vetoed > 0

    def columns(self, act: Act) -> dict[str, float]:
        """Return the columns of this frame, after acting; note a crossing of a trial that was vetoed, once."""
        self._look(act.frame)
        vetoed, self._vetoed = (self._vetoed if act.step.trial else 0), 0
        if vetoed and not self._vetoed_before:
            self._rig.tally.vetoed += 1
            self._rig.events.add("veto", vetoed, f"crossing vetoed: {named(vetoed)}")
        self._vetoed_before = vetoed
        return self._columns

    def _look(self, frame: Frame) -> None:
        """Look at a frame, once."""
        if frame is self._frame:
            return
        self._frame, cfg = frame, self._cfg
        global_dff, movement_px = frame.measured or (self._light.push(frame.image), self._movement.push(frame.image))
        bits = LIGHT * (abs(global_dff) > cfg.max_global_dff) | MOVEMENT * (movement_px > cfg.max_movement_px)
        bits |= PIXELS * any(are_spent(roi.crop(frame.image), cfg.max_saturated) for roi in self._rois)
        bits |= PAW * (self._rig.paw.touched() or frame.paw_moved)
        self._then.push(frame.time_s, bits)
        self._columns = dict(zip(ARTEFACT_COLUMNS, (global_dff, movement_px, bits), strict=True))
