#!/usr/bin/env python3
"""Sessions in the formats of others: NWB, wfield, DeepLabCut, ALF.

Each session is read, and copied into files of its own; nothing of it is changed.  A file that is there already is
written anew.
"""

import argparse
import importlib
import multiprocessing
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # so that it runs from any folder

from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from analysis.sessions import folders_of
from rig.ending import run
from rig.errors import RigError
from rig.files.metadata import offset_of
from rig.files.reader import read_session
from rig.terminal import console

FORMATS = ("nwb", "wfield", "dlc", "alf")
OF_NWB = frozenset({"incomplete", "utc_offset"})
MISSING = "export --to {to} needs more Python packages ({error}); run 'make setup-analysis'"
EPILOG = """examples
  %(prog)s SESSION --to nwb                          into the folder of the session
  %(prog)s DATA_ROOT/MOUSE --to nwb --out DANDISET   all sessions of a mouse, in folders as DANDI wants them
  %(prog)s SESSION SESSION SESSION --to wfield --out DIR --jobs 2

exit status: 0 all were exported; 1 or 2 some were not, and each said why"""


class Wanted(NamedTuple):
    """How a session is to be exported.

    Attributes
    ----------
    to : str
        One of FORMATS.
    out : Path or None
        Where to; None for the folder of the session.
    incomplete : bool
        NWB: although metadata are missing.
    utc_offset : timedelta or None
        NWB: of sessions that do not say it.
    """

    to: str
    out: Path | None = None
    incomplete: bool = False
    utc_offset: timedelta | None = None


class Exported(NamedTuple):
    """What came of the export of a session.

    Attributes
    ----------
    folder : Path
    files : list of Path
        What was written.
    said : list of str
        What there is to know about it.
    error : str
        Why it was not exported; '' if it was.
    status : int
        Exit status.
    """

    folder: Path
    files: list[Path]
    said: list[str]
    error: str = ""
    status: int = 0


def main() -> int:
    """Read the command line, export, print what was written."""
    args = parse()
    wanted = Wanted(args.to, args.out, args.incomplete, args.utc_offset)
    folders = list(dict.fromkeys(folder for path in args.sessions for folder in folders_of(path.expanduser())))
    writer_of(wanted.to)  # what is not installed is said once
    status = 0
    with progress_bar() as bar:
        task = bar.add_task(f"to {wanted.to}", total=len(folders))
        for done in export_all(folders, wanted, args.jobs, lambda n: bar.update(task, completed=n)):
            report(done)
            status = max(status, done.status)
    return status


def parse() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("sessions", metavar="SESSION", nargs="+", type=Path, help="folder of a session, or of a mouse")
    parser.add_argument("--to", choices=FORMATS, required=True, help="format")
    parser.add_argument("--out", metavar="DIR", type=Path, help="where to; the folder of each session without it")
    parser.add_argument("--jobs", metavar="N", type=number_of_jobs, default=1, help="sessions at once; default 1")
    parser.add_argument("--incomplete", action="store_true", help="nwb: although metadata are missing")
    parser.add_argument(
        "--utc-offset", metavar="+HH:MM", type=utc_offset, help="nwb: of sessions that do not say how far from UTC"
    )
    args = parser.parse_args()
    if args.to != "nwb" and (args.incomplete or args.utc_offset is not None):
        parser.error(f"--incomplete and --utc-offset are for --to nwb, not for --to {args.to}")
    if args.out is not None:
        args.out = args.out.expanduser()
    return args


def number_of_jobs(text: str) -> int:
    """Return how many sessions are exported at once."""
    if not text.isdigit() or not 1 <= int(text) <= 64:
        raise argparse.ArgumentTypeError(f"{text} is no whole number from 1 to 64")
    return int(text)


def utc_offset(text: str) -> timedelta:
    """Return the offset that +01:00 means."""
    found = offset_of(text)
    if found is None:
        raise argparse.ArgumentTypeError(f"{text} is no offset from UTC, as +01:00 or -05:00")
    return found


def export_session(folder: Path, wanted: Wanted, progress: Callable[[float], None] = lambda _share: None) -> Exported:
    """Export one session; its files are there as a whole, or not at all, and a second time they are the same.

    Parameters
    ----------
    folder : Path
    wanted : Wanted
    progress : callable
        Is given the share that has been done, 0 to 1.
    """
    said: list[str] = []
    try:
        write = writer_of(wanted.to)
        session = read_session(folder)
        extra: dict[str, Any] = {key: getattr(wanted, key) for key in OF_NWB} | {"say": said.append}
        out = session.folder if wanted.out is None else wanted.out
        files = write(session, out, progress, **(extra if wanted.to == "nwb" else {}))
    except RigError as error:
        return Exported(folder, [], said, str(error), error.exit_status)
    return Exported(folder, files, said)


def writer_of(to: str) -> Callable[..., list[Path]]:
    """Return what writes a format.

    Raises
    ------
    RigError
        A package that it needs is not installed.
    """
    try:
        write: Callable[..., list[Path]] = importlib.import_module(f"analysis.exports.{to}").write
    except ImportError as error:
        raise RigError(MISSING.format(to=to, error=error)) from None
    return write


def export_all(
    folders: Sequence[Path], wanted: Wanted, jobs: int, progress: Callable[[float], None]
) -> Iterator[Exported]:
    """Export sessions, yield each as it is done; `progress` is given how many are, with parts of one."""
    if jobs == 1 or len(folders) == 1:
        for i, folder in enumerate(folders):
            yield export_session(folder, wanted, lambda share, i=i: progress(i + share))  # type: ignore[misc]
        return
    spawn = multiprocessing.get_context("spawn")  # HDF5 must not be forked
    pool = ProcessPoolExecutor(min(jobs, len(folders)), spawn, initializer=leave_ctrl_c_to_the_first_process)
    try:
        running = {pool.submit(export_session, folder, wanted): folder for folder in folders}
        for n, future in enumerate(as_completed(running)):
            try:
                done = future.result()
            except BrokenProcessPool:
                done = Exported(running[future], [], [], f"{running[future]}: its process was killed; try again", 1)
            progress(n + 1)
            yield done
    except BaseException:
        for process in multiprocessing.active_children():
            process.terminate()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def leave_ctrl_c_to_the_first_process() -> None:
    """Let a process that exports end only when it is asked to by the one that has started it; it cleans up then."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))


def report(done: Exported) -> None:
    """Print what came of a session."""
    for path in done.files:
        console.print(f"{path}", soft_wrap=True)
    for sentence in done.said:
        console.print(f"  {sentence}", soft_wrap=True)
    if done.error:
        console.print(f"not exported: {done.error}", style="bold red", soft_wrap=True)


def progress_bar() -> Progress:
    """Return a progress bar; nothing is shown where standard output is no terminal."""
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)


if __name__ == "__main__":
    run(main)
