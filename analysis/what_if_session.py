"""One session with each of the wanted settings; first with its own, which must give the rows of the log."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from analysis.replay.compare import Difference, first_difference
from analysis.replay.experiment import run_again
from analysis.replay.recorded import Recorded, open_recorded
from analysis.sweep import Try
from analysis.what_if_rows import Row, recorded_row, row_of


class Tried(NamedTuple):
    """What a session gave.

    Attributes
    ----------
    said : str
        How the check with its own settings went.
    is_same : bool
        All rows were identical then.
    rows : list of Row
    """

    said: str
    is_same: bool
    rows: list[Row]


def nobody(share: float) -> None:
    """Show nobody how far it is."""


def try_session(folder: Path, tries: Sequence[Try]) -> Tried:
    """Open a session, and do the same as `try_recorded`: a task of its own."""
    return try_recorded(open_recorded(folder), tries)


def try_recorded(recorded: Recorded, tries: Sequence[Try], progress: Callable[[float], None] = nobody) -> Tried:
    """Check a session with its own settings, then run it with the others.

    Parameters
    ----------
    recorded : Recorded
    tries : sequence of Try
    progress : callable
        Is given the share that is done, 0 to 1.
    """
    session, own = recorded.session, recorded.settings({})
    wanted = [recorded.settings(one.overrides) for one in tries]
    boxes = [box for settings in (own, *wanted) for box in settings.light_boxes().values()]
    n_steps = len(tries) + 2  # reading is the first
    recorded.read_patches(boxes, lambda share: progress(share / n_steps))
    found = first_difference(session, run_again(recorded, own, recorded.is_baseline), recorded.n_frames())
    rows = [recorded_row(session)]
    for done, (one, settings) in enumerate(zip(tries, wanted, strict=True), start=2):
        progress(done / n_steps)
        rows.append(row_of(one.label, one.value, session, run_again(recorded, settings)))
    return Tried(how_it_went(recorded, found), found is None, rows)


def how_it_went(recorded: Recorded, found: Difference | None) -> str:
    """Say whether the session with its own settings has the rows of the log."""
    folder, n = recorded.session.folder, recorded.n_frames()
    if found is None:
        return f"{folder}: checked, the same settings give the same {n} rows, every column but the time"
    where = f"on row {found.row} of {n}" if found.column != "number of rows" else f"after row {found.row}"
    return (
        f"{folder}: NOT THE SAME ROWS with the same settings: {found.column} is {found.now} {where}, and "
        f"{found.logged} in the log{reason_for(recorded)}; do not trust the rows below"
    )


def reason_for(recorded: Recorded) -> str:
    """Say why a session cannot be run again as it was, where that can be seen."""
    frames = recorded.session.frames
    if not len(frames):
        return " (a recording without the times of its frames, as those of the original, cannot be repeated exactly)"
    if recorded.session.of("log"):
        return " (the disk was too slow: some frames were not stored)"
    code = recorded.session.versions.get("code_version")
    return f" (it was run with the code {code})" if code else ""
