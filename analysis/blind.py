"""What the report of a blind session says, and who refuses one: everything else of it gives the arm away."""

from collections.abc import Iterable
from pathlib import Path

from matplotlib.figure import Figure

from analysis.checks import UNKNOWN, Check
from analysis.evidence import Evidence
from analysis.figures.cortex import CORRELATION, IMAGE
from analysis.figures.course import thinned
from analysis.figures.paw import PATH, TRACKING
from analysis.figures.spec import Spec, grid
from analysis.figures.stability import STABILITY, TIMING
from rig.errors import SettingsError
from rig.files.reader import Session, find_files
from rig.settings.told import told_of

CURE = "add --unblind when the cohort is done"
MARK = f"This report is blind: what the mouse heard and earned is left out; {CURE}."
SAID = "Blind: signal, pictures and checks of the rig only."
CHECKS = frozenset(
    {"frames lost", "frames late", "frames unsaved", "rows = frames", "trials", "signal recomputed", "tone underflows",
     "linear in light", "image levels", "drift of the light", "movement"}
)  # fmt: skip
"""Those that no arm answers otherwise than another; a new check is hidden until it stands here."""


def draw_signal(evidence: Evidence, figure: Figure) -> None:
    """Draw the signal over the whole session, and nothing else."""
    signal = evidence.trusted
    (axes,) = grid(figure, 1, 1)
    axes.plot(*thinned(evidence.time_s / 60, signal), color="0.25", linewidth=0.5)
    axes.set(xlabel="minutes", ylabel=evidence.unit, xlim=(0, max(evidence.time_s[-1] / 60, 1e-3)))


SIGNAL = Spec(
    "signal",
    "The signal",
    "Good: the signal looks alike from start to end. Bad: it jumps, drifts or lies flat.",
    draw_signal,
)
FIGURES = (SIGNAL, IMAGE, CORRELATION, STABILITY, TIMING)
FIGURES_OF_PAWS = (SIGNAL, PATH, TRACKING, STABILITY, TIMING)


def is_blind(session: Session) -> bool:
    """Return whether a session was run with blind = 1."""
    return told_of(session.settings).is_blind


def hides(session: Session, unblind: bool) -> bool:
    """Return whether a report must hide the arm of a session."""
    return is_blind(session) and not unblind


def shown_checks(checks: Iterable[Check]) -> list[Check]:
    """Return the checks that a blind report shows; why one could not be made may give the arm away."""
    shown = [check for check in checks if check.name in CHECKS]
    return [check._replace(reason="not known") if check.light == UNKNOWN else check for check in shown]


def refuse_blind(folders: Iterable[Path], unblind: bool, what: str) -> None:
    """Raise SettingsError where a session is blind, and nobody says that the cohort is done.

    Parameters
    ----------
    folders : iterable of Path
    unblind : bool
    what : str
        What would give the arms away, in words.
    """
    blind = [] if unblind else [each for each in folders if says_blind(each)]
    if blind:
        raise SettingsError(
            f"{blind[0]}: a blind session, one of {len(blind)} here; {what} would give the arm away; {CURE}"
        )


def says_blind(path: Path) -> bool:
    """Return whether the settings of a session say that it is blind; whoever reads it says what is wrong with them."""
    try:
        return told_of(find_files(path).settings).is_blind
    except SettingsError:
        return False
