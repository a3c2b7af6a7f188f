"""What the preview's pointer and keys do to the ROIs: pure, without a window and without a file.

The state is a settings object, which holds the places of the ROIs, and the name of the ROI that is selected.  Every
command that changes something keeps the state before it, so that all of them can be undone.
"""

from collections.abc import Callable, Sequence
from itertools import cycle
from typing import Any, NamedTuple

from rig.devices.same_place import SamePlace
from rig.settings.common import RigSettings
from roi_manager import CENTRE, Circle, Grip, Rect

Roi = Rect | Circle
Point = tuple[float, float]

ESC, TAB, ENTER, BACKSPACES = 27, 9, 13, (8, 127)
TYPED = "abcdefghijklmnopqrstuvwxyz0123456789_."  # OpenCV gives no capital letters
LONGEST_TEXT = 30
CLICK_PX = 3.0  # of the window: a shorter drag is a click
LEAST_PX = 4  # width and height of an ROI
COLORS = ((0, 0, 255), (255, 200, 0), (0, 255, 255), (255, 0, 255), (0, 160, 255))  # of the ROIs, BGR


class State(NamedTuple):
    """What can be undone.

    Attributes
    ----------
    settings : RigSettings
    selected : str
        Name of the ROI that is drawn and changed.
    """

    settings: Any
    selected: str


class Asking(NamedTuple):
    """A question that is answered by typing.

    Attributes
    ----------
    what : str
    then : callable
        Takes the text; returns why it cannot be used, "" if it can.
    """

    what: str
    then: Callable[[str], str]


class Picking(NamedTuple):
    """A place that is asked for by a click.

    Attributes
    ----------
    what : str
    then : callable
        Takes x, y, px from the corner of the image.
    """

    what: str
    then: Callable[[Point], None]


class Editor:
    """Moves, resizes and resets ROIs.

    Parameters
    ----------
    settings : RigSettings
    colors : sequence of (int, int, int)
        Of the ROIs, BGR.
    zoom : float
        Pixels of the window for each of the image.

    Attributes
    ----------
    start : RigSettings
        As the preview began.
    as_read : RigSettings
        Without the places of the mouse; where `reset` puts an ROI.
    same_place : SamePlace or None
        The registration to the mouse's first day; None where none is wanted.
    settings : RigSettings
        With everything as it is now.
    selected : str
    said : str
        A sentence on the newest command.
    refused : bool
        That sentence says why it was not done.
    asking : Asking or None
    typed : str
    picking : Picking or None
    shows_help : bool
    pointer : tuple of float or None
        Where the pointer is, x, y px from the corner of the image.
    """

    draws = False  # a drag on an empty place draws the selected ROI
    HELP: tuple[tuple[str, str], ...] = (
        ("drag inside", "move an ROI"),
        ("drag its edge", "resize it"),
        ("Tab, click", "select another ROI"),
        ("r", "reset it to where the settings put it"),
        ("u", "undo"),
        ("s", "save a picture of the preview"),
        ("h", "show or hide this help"),
        ("Esc", "start the session; cancel what was begun"),
    )

    def __init__(self, settings: RigSettings, colors: Sequence[tuple[int, int, int]] = COLORS, zoom: float = 1) -> None:
        self.start = self.as_read = settings
        self.same_place: SamePlace | None = None
        self._state = State(settings, settings.shown_rois()[0])
        self._before: list[State] = []
        self._colors, self._zoom = colors, zoom
        self.said, self.refused, self.shows_help = "", False, False
        self.asking: Asking | None = None
        self.typed = ""
        self.picking: Picking | None = None
        self.pointer: Point | None = None
        self._pressed: Point | None = None
        self._grip: Grip | None = None
        self._held: Roi | None = None  # as it was when the button went down
        self._dragged: Roi | None = None  # as it is now

    @property
    def settings(self) -> Any:
        """With everything as it is now."""
        return self._state.settings

    @property
    def selected(self) -> str:
        """Name of the ROI that is drawn and changed."""
        return self._state.selected

    def rois(self) -> list[Roi]:
        """Return all ROIs as they are now, also the one that is being dragged."""
        names = zip(self.settings.shown_rois(), cycle(self._colors), strict=False)
        rois = [self.settings.make_roi(name, color) for name, color in names]
        dragged = self._dragged
        return [dragged if dragged is not None and roi.name == dragged.name else roi for roi in rois]

    def roi(self) -> Roi:
        """Return the selected ROI."""
        return next(roi for roi in self.rois() if roi.name == self.selected)

    # The pointer: x, y in px from the corner of the image

    def press(self, x: float, y: float) -> None:
        """Take hold of an ROI, answer a question by the place, or begin to draw."""
        self.say("")
        if self.asking is not None or self.shows_help:
            return
        if self.picking is not None:
            picking, self.picking = self.picking, None
            picking.then((x, y))
            return
        self._pressed = x, y
        self._grip, self._held = self._under(x, y)
        if self._held is not None:
            self._state = self._state._replace(selected=self._held.name)

    def move(self, x: float, y: float, is_pressed: bool) -> None:
        """Let the pointer be at x, y."""
        self.pointer = x, y
        if self._pressed is None:
            return
        if not is_pressed:  # the button came up where the window did not see it
            self._let_go()
        elif max(abs(x - self._pressed[0]), abs(y - self._pressed[1])) * self._zoom >= CLICK_PX or self._dragged:
            self._drag(x, y)

    def release(self) -> None:
        """Keep what was dragged, or say why it cannot be."""
        dragged, held = self._dragged, self._held
        self._let_go()
        if dragged is None or (held is not None and dragged.place() == held.place()):
            return
        if self._was_sized(dragged, held) and (trouble := self._too_small(dragged)):
            self._refuse(trouble)
        elif self._change(self.settings.with_places([dragged])):
            self.say(f"{dragged.name}: {self.settings.describe_place(dragged.name)}")

    def leave(self) -> None:
        """The pointer is over no picture."""
        self.pointer = None

    def _let_go(self) -> None:
        self._pressed = self._grip = self._held = self._dragged = None

    def _under(self, x: float, y: float) -> tuple[Grip | None, Roi | None]:
        """Return what a press takes hold of: the selected ROI first, then the smallest."""
        order = sorted(self.rois(), key=lambda roi: (roi.name != self.selected, roi.area()))
        for roi in order:
            if (grip := roi.grip_at(x, y, self._zoom)) is not None:
                return grip, roi
        return None, None

    def _drag(self, x: float, y: float) -> None:
        width, height = self.settings.resolution
        assert self._pressed is not None
        from_x, from_y = self._pressed
        if self._held is None:
            if self.draws:
                self._dragged = self.roi().drawn(from_x, from_y, x, y, width, height)
        elif self._grip == CENTRE:
            self._dragged = self._held.shifted(x - from_x, y - from_y, width, height)
        else:
            assert self._grip is not None
            self._dragged = self._held.stretched(self._grip, x, y, width, height)

    def _was_sized(self, dragged: Roi, held: Roi | None) -> bool:
        return held is None or held.place()[2:] != dragged.place()[2:]

    def least_px(self) -> tuple[float, float]:
        """Return the least width and height of an ROI, px."""
        return LEAST_PX, LEAST_PX

    def _too_small(self, roi: Roi) -> str:
        """Return why an ROI cannot be as small as it was drawn; nothing where it can."""
        left, top, right, bottom = roi.box()
        width, height = (right - left, bottom - top) if isinstance(roi, Rect) or roi.r else (0, 0)
        least_w, least_h = self.least_px()
        if width >= least_w and height >= least_h:
            return ""
        least = f"{least_w:.0f} x {least_h:.0f} px"
        return f"{roi.name} would be {width:.0f} x {height:.0f} px; it needs at least {least}: draw it larger"

    # The keys

    def key(self, code: int) -> bool:
        """Take a key; return whether the session is to start."""
        if self.asking is not None:
            self._type(code)
        elif code == ESC:
            return not self._cancel()
        elif self.shows_help:
            self.shows_help = False
        elif code == TAB:
            self._select_next()
        elif (command := self.commands().get(chr(code))) is not None:
            self.say("")
            self.picking = None
            command()
        return False

    def commands(self) -> dict[str, Callable[[], None]]:
        """Return {key: what it does}."""
        return {"u": self.undo, "r": self.reset, "h": self.toggle_help}

    def _cancel(self) -> bool:
        """Cancel what was begun; return whether anything was."""
        if self.shows_help:
            self.shows_help = False
            return True
        if self.picking is not None:
            self.picking = None
            self.say("cancelled")
            return True
        return False

    def _type(self, code: int) -> None:
        """Let a key join the answer to a question."""
        assert self.asking is not None
        if code == ESC:
            self.asking, self.typed = None, ""
            self.say("cancelled")
        elif code in BACKSPACES:
            self.typed = self.typed[:-1]
        elif code == ENTER:
            self._answer()
        elif chr(code) in TYPED:
            self.say("")
            self.typed = (self.typed + chr(code))[:LONGEST_TEXT]

    def _answer(self) -> None:
        assert self.asking is not None
        self.say("")
        if trouble := self.asking.then(self.typed):
            self._refuse(trouble)
        else:
            self.asking, self.typed = None, ""

    def ask(self, what: str, then: Callable[[str], str]) -> None:
        """Ask for a text."""
        self.asking, self.typed = Asking(what, then), ""

    def toggle_help(self) -> None:
        """Show or hide the help."""
        self.shows_help = not self.shows_help

    def undo(self) -> None:
        """Go back to before the last change."""
        if not self._before:
            self._refuse("nothing is left to be undone")
            return
        self._let_go()
        self._state = self._before.pop()
        self.say("undone")

    def reset(self) -> None:
        """Put the selected ROI back to where the settings put it."""
        after = self.settings.without_place(self.selected, self.as_read)
        if after == self.settings:
            self._refuse(f"{self.selected} has not been placed: {after.describe_place(self.selected)}")
            return
        if self._change(after):
            self.say(f"{self.selected}: {after.describe_place(self.selected)}")

    def _select_next(self) -> None:
        names = self.settings.shown_rois()
        after = names[(names.index(self.selected) + 1) % len(names)]
        self._state = self._state._replace(selected=after)
        self.say(f"{after} is selected")

    # What there is to read, and to draw

    def pointer_line(self) -> str:
        """Return where the pointer is."""
        return "" if self.pointer is None else f"pointer  x {self.pointer[0]:.0f}, y {self.pointer[1]:.0f} px"

    def line(self) -> str:
        """Return the newest sentence, or what is asked for."""
        if self.asking is not None:
            return f"{self.asking.what}: {self.typed}_   (Enter; Esc cancels)"
        return f"{self.picking.what}   (Esc cancels)" if self.picking is not None else self.said

    # What all commands share

    def _change(self, settings: RigSettings, selected: str | None = None) -> bool:
        """Take new settings, and keep those before for `undo`; say what is wrong with them, and return False."""
        if trouble := next(iter(settings.contradictions()), ""):
            self._refuse(trouble)
            return False
        self._let_go()  # what is held may be gone, or have another name
        self._before.append(self._state)
        self._state = State(settings, self.selected if selected is None else selected)
        return True

    def say(self, text: str) -> None:
        """Say a sentence on the newest command."""
        self.said, self.refused = text, False

    def _refuse(self, text: str) -> None:
        self.said, self.refused = text, True
