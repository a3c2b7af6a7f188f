"""Make a cohort of simulated mice with a known effect, to try `analysis/cohort.py` on.

    .venv/bin/python tools/simulate_cohort.py FOLDER [--mice 8] [--days 6]

Each session is run by the rig itself, with --simulate --fast and few trials.  The mice of the arm `trained` get a lower
threshold from day to day, those of `control` the one of day 1, so the success of the first rises and that of the others
does not.  A few sessions are missing.  Then:

    .venv/bin/python analysis/cohort.py FOLDER --simulated --calendar --missing complete --out FOLDER-statistics
"""

import argparse
import subprocess
import sys
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
SCRIPT = ROOT / "brain" / "cla_reward_punish_1roi.py"
FIRST_DAY = date(2026, 1, 5)
HARD, EASY = 0.12, 0.05  # thresholds, ΔF/F, of the first and of the last day
SETTINGS = {
    "resolution": "64, 64",
    "bregma": "33, 32",
    "ppmm": "6.4",
    "total_trials": "8",
    "initial_rest_dur": "7",
    "max_trial_dur": "8",
    "success_rest_dur": "2",
    "fail_rest_dur": "2",
}


class Plan(NamedTuple):
    """A session that is to be run: of a mouse (from 0) in a group, on a day (from 0)."""

    mouse: int
    group: str
    day: int

    @property
    def name(self) -> str:
        """The ID of the mouse."""
        return f"sim{self.mouse + 1}"


def planned(mice: int, days: int) -> Iterator[Plan]:
    """Yield all sessions but the missing ones: the second half of the mice is the arm `control`."""
    for mouse in range(mice):
        for day in range(days):
            if not is_missing(mouse, day):
                yield Plan(mouse, "trained" if mouse < mice / 2 else "control", day)


def is_missing(mouse: int, day: int) -> bool:
    """Return whether a mouse has no session on a day: one mouse of each four lacks a day, and another one two."""
    return (mouse % 4 == 1 and day == 3) or (mouse % 4 == 2 and day in (2, 4) and mouse > 3)


def threshold(plan: Plan, days: int) -> float:
    """Return the threshold of a session, ΔF/F."""
    return HARD if plan.group == "control" else HARD + (EASY - HARD) * plan.day / max(1, days - 1)


def command(plan: Plan, days: int, root: Path) -> list[str]:
    """Return the command that runs a session."""
    settings = SETTINGS | {"reward_threshold": f"{threshold(plan, days):.4f}"}
    words = [sys.executable, str(SCRIPT), "--simulate", "--fast", "--no-window", "--mouse-id", plan.name]
    words += ["--data-root", str(root), "--seed", str(1000 * plan.mouse + plan.day + 1)]
    return words + [word for key, value in settings.items() for word in ("--set", f"{key}={value}")]


def run(plan: Plan, days: int, root: Path) -> Path:
    """Run a session, and give its folder the name of its day; return the folder."""
    folder = root / plan.name
    wanted = folder / f"{FIRST_DAY + timedelta(days=plan.day):%Y%m%d}090000"
    if wanted.exists():
        return wanted
    before = set(folder.glob("*/"))
    subprocess.run(command(plan, days, root), check=True, capture_output=True, stdin=subprocess.DEVNULL)
    (made,) = set(folder.glob("*/")) - before
    (folder / "subject.ini").write_text(f"[subject]\nsex = {'MF'[plan.mouse % 2]}\ngroup = {plan.group}\n")
    return made.rename(wanted)


def main() -> None:
    """Run all sessions of a cohort."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where the sessions are stored; those that are there stay")
    parser.add_argument("--mice", type=int, default=8)
    parser.add_argument("--days", type=int, default=6)
    args = parser.parse_args()
    plans = list(planned(args.mice, args.days))
    for i, plan in enumerate(plans, 1):
        print(f"{i}/{len(plans)}: {run(plan, args.days, args.folder.resolve())}", flush=True)


if __name__ == "__main__":
    main()
