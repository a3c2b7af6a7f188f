"""Many sessions, one task each, through Dask: on the cores of this computer, or on a lab's cluster.

A task gets the folder of a session.  It must give the same when it is run again, and write its files as a whole or not
at all: then a worker that dies costs only the session that it had.
"""

import argparse
import logging
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Generic, NamedTuple, TypeVar

from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, TextColumn, TimeRemainingColumn

from rig.errors import RigError, SettingsError
from rig.files.versions import code_version
from rig.terminal import console

ANSWERS_WITHIN_S = 10
MISSING = "several sessions at once need Dask ({error}); run 'make setup-analysis', or add --jobs 1"
Value = TypeVar("Value")
Task = Callable[[Path], Value]


@dataclass(frozen=True)
class Result(Generic[Value]):  # no NamedTuple: Python 3.10 has no generic ones
    """What a session gave, or why it gave nothing.

    Attributes
    ----------
    folder : Path
    value : object or None
    reason : str
        '' where there is a value.
    """

    folder: Path
    value: Value | None
    reason: str


class Where(NamedTuple):
    """Where the tasks run: how many at once here, or the scheduler of a cluster ('' for here)."""

    jobs: int
    scheduler: str


def add_options(parser: argparse.ArgumentParser) -> None:
    """Let the command line say where many sessions are worked on, and that the arms of blind ones may be known."""
    parser.add_argument(
        "--unblind", action="store_true", help="sessions with blind = 1: show everything, as the cohort is done"
    )
    parser.add_argument(
        "--jobs",
        metavar="N",
        type=positive,
        default=cores(),
        help="sessions at once on this computer (default: %(default)s)",
    )
    parser.add_argument(
        "--scheduler",
        metavar="tcp://HOST:8786",
        default="",
        help="use the workers of a Dask cluster instead: docs/cluster.md",
    )


def positive(text: str) -> int:
    """Return a whole number from 1 on."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text}: expected a whole number from 1 on")
    return int(text)


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0))


def for_each(task: Task[Value], folders: Sequence[Path], where: Where, doing: str) -> list[Result[Value]]:
    """Run a task on each session, and show how far it is.

    Parameters
    ----------
    task : callable
        Of a module that the workers can import, not of the script that was started; `functools.partial` of one is fine.
    folders : sequence of Path
    where : Where
    doing : str
        What the progress bar says.

    Returns
    -------
    list of Result
        In the order of the folders.  A session that fails is one with a reason.

    Raises
    ------
    RigError
        Dask is not installed, or the cluster cannot be used.
    """
    wanted = [Path(os.path.abspath(folder)) for folder in folders]
    found: dict[Path, Result[Value]] = {}
    with progress_bar(BarColumn(), MofNCompleteColumn()) as bar:
        bar_of_all = bar.add_task(doing, total=len(wanted))
        for result in results(task, list(dict.fromkeys(wanted)), where):
            found[result.folder] = result
            bar.advance(bar_of_all)
    return [replace(found[folder], folder=named) for folder, named in zip(wanted, folders, strict=True)]


def results(task: Task[Value], folders: Sequence[Path], where: Where) -> Iterator[Result[Value]]:
    """Yield what each session gives, as it comes."""
    if not where.scheduler and min(where.jobs, len(folders)) == 1:
        yield from (attempt(task, folder) for folder in folders)
    else:
        yield from results_of_workers(task, folders, where)


def attempt(task: Task[Value], folder: Path) -> Result[Value]:
    """Run a task on one session; whatever goes wrong with it must not end the others."""
    try:
        return Result(folder, task(folder), "")
    except RigError as error:
        return Result(folder, None, str(error))
    except Exception as error:  # noqa: BLE001 - of any library; it stands in the result
        return Result(folder, None, f"{folder}: an error of the program, please report it ({error!r})")


def results_of_workers(task: Task[Value], folders: Sequence[Path], where: Where) -> Iterator[Result[Value]]:
    """Yield what each session gives, worked on by several processes."""
    try:
        from distributed import as_completed
    except ImportError as error:
        raise RigError(MISSING.format(error=error)) from None
    with connected(where, len(folders)) as client:
        futures = {client.submit(attempt, task, folder, pure=False): folder for folder in folders}
        # With results: what is fetched at once is not lost with the worker that has it.
        for future, found in as_completed(list(futures), with_results=True, raise_errors=False):
            folder = futures.pop(future)
            yield found if future.status == "finished" else Result(folder, None, why_lost(folder, future.exception()))
            future.release()


def why_lost(folder: Path, error: BaseException) -> str:
    """Say why no worker could finish a session."""
    from distributed import KilledWorker

    if isinstance(error, KilledWorker):
        return f"{folder}: every worker that tried it was killed; is there enough memory for it?"
    return f"{folder}: no worker could run it ({error!r})"


@contextmanager
def connected(where: Where, n_tasks: int) -> Iterator[Any]:
    """Connect with the workers: those of a cluster, or new processes of this computer."""
    import dask
    from distributed import Client, LocalCluster

    if where.scheduler:
        with connected_to(where.scheduler) as client:
            yield client
        return
    n_workers = min(where.jobs, n_tasks)
    with (
        # Else a computer that takes long to start a process again gives its place up, and in the end has no worker.
        dask.config.set({"distributed.deploy.lost-worker-timeout": "1 day"}),
        LocalCluster(
            n_workers=n_workers, threads_per_worker=1, host="127.0.0.1", memory_limit=0, silence_logs=logging.CRITICAL,
            dashboard_address="127.0.0.1:0",  # any port: else a second program finds the usual one taken
        ) as cluster,
        Client(cluster) as client,
    ):  # fmt: skip
        yield client


@contextmanager
def connected_to(scheduler: str) -> Iterator[Any]:
    """Connect with a cluster, and see that its workers run this code.

    Raises
    ------
    SettingsError
        There is no scheduler, or no worker, or a worker has other code.
    """
    from distributed import Client

    try:
        client = Client(scheduler, timeout=ANSWERS_WITHIN_S)
    except (OSError, ValueError) as error:
        raise SettingsError(f"--scheduler {scheduler}: no Dask scheduler answers there ({error})") from None
    with client:
        refuse_other_code(scheduler, client)
        yield client


def refuse_other_code(scheduler: str, client: Any) -> None:
    """Raise SettingsError unless the cluster has workers and all run the code of this folder."""
    try:
        found: dict[str, str] = client.run(code_version)
    except ImportError as error:
        raise SettingsError(
            f"--scheduler {scheduler}: its workers cannot import CLoPy ({error}); start them in its folder, as "
            "docs/cluster.md says"
        ) from None
    if not found:
        raise SettingsError(f"--scheduler {scheduler}: it has no worker; start one, as docs/cluster.md says")
    own = code_version()
    for worker, code in found.items():
        if code != own:
            raise SettingsError(f"--scheduler {scheduler}: the worker {worker} runs the code {code}, and this is {own}")


def progress_bar(*columns: ProgressColumn) -> Progress:
    """Return a progress bar; nothing is shown where standard output is no terminal."""
    shown = (TextColumn("{task.description}"), *columns, TimeRemainingColumn())
    return Progress(*shown, console=console, transient=True, disable=not console.is_terminal)
