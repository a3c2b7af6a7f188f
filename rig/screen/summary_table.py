"""The summary as the terminal shows it when a session has ended."""

import contextlib
from collections.abc import Iterable, Mapping

from rich.table import Table

from rig.settings.told import told_of
from rig.terminal import console, terminal

LINEAR = {
    "yes": "yes",
    "no": "no: processed pictures (linear = 0); compare with sessions of the same kind only",
    "unknown": "unknown: the camera does not say",
}


def print_summaries(summaries: Iterable[tuple[Mapping[str, str], Mapping[str, object]]]) -> None:
    """Show how sessions went, each with its notes, unless the terminal takes no more text."""
    if terminal.is_stuck:
        return
    with contextlib.suppress(OSError):
        for values, notes in summaries:
            print_table(values, notes)


def water_in_words(values: Mapping[str, str]) -> str:
    """Return what the mouse has had, and what was withheld."""
    withheld = f"; {values['withheld_rewards']} rewards withheld" if values["withheld_rewards"] != "0" else ""
    if values["water_ul"] == "uncalibrated":
        return f"uncalibrated, {values['reward_s']} s each{withheld}"
    return f"{values['water_ul']} µl, today {values['water_day_ul']} µl{withheld}"


def print_table(values: Mapping[str, str], notes: Mapping[str, object]) -> None:
    """Print the summary as a table."""
    table = Table(show_header=False, box=None, padding=(0, 2))
    success = f"{100 * float(values['success_rate']):.0f} %" if values["success_rate"] else "no trial ended"
    told = told_of(values)
    rows = (
        ("ended by", told.ended_by(values["ended_by"])),
        ("trials", values["trials"]),
        ("rewards", values["rewards"]),
        ("water", water_in_words(values)),
        ("success rate", success),
        ("frames", f"{values['frames']}, {values['lost_frames']} lost, {values['unsaved_frames']} not stored"),
        ("decided late", f"{values['stale_frames']} frames, which gave no water"),
        ("latency", f"frame to output: median {values['latency_median_ms']} ms, p99 {values['latency_p99_ms']} ms"),
        ("", f"in the first 200 frames: {values['latency_of_first_frames_ms']} ms"),
        ("linear in light", LINEAR[values["linear"]]),
        ("session type", values["session_type"]),
    )
    noted = [(name.replace("_", " "), str(value)) for name, value in told.notes(notes).items()]
    for name, value in [*told.rows(rows), *noted]:
        table.add_row(name, value)
    console.print(table)
    console.print(f"  session folder: {values['data_path']}", soft_wrap=True)  # in one piece, to be copied
