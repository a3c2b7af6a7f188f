"""Scripts, run as a user runs them."""

import os
import subprocess
import sys
import time

from rig.files.reader import read_session
from support.places import SCRIPT, SHORT, SHORT_PAWS, SPEED_SCRIPT
from support.waiting import end, wait_until


class Runner:
    """Runs a script as a user does, in another folder than the repository."""

    script, short = SCRIPT, SHORT

    def __init__(self, tmp_path):
        self.tmp_path = tmp_path
        self.data = tmp_path / "data"

    def command(
        self, *arguments, settings=None, simulate=True, window=False, fast=True, mouse="m1", seed=1, script=None
    ):
        command = [sys.executable, "-W", "error", str(script or self.script), *map(str, arguments)]
        if mouse is not None:
            command += ["--mouse-id", mouse]
        if "--data-root" not in arguments:
            command += ["--data-root", str(self.data)]
        for key, value in (self.short if settings is None else settings).items():
            command += ["--set", f"{key}={value}"]
        for wanted, flag in ((simulate, "--simulate"), (not window, "--no-window"), (fast, "--fast")):
            command += [flag] if wanted else []
        return command + (["--seed", str(seed)] if seed is not None else [])

    def __call__(self, *arguments, env=None, stdin="", **options):
        """Run to the end; return the finished process, with its output."""
        return subprocess.run(
            self.command(*arguments, **options),
            cwd=self.tmp_path,
            env=os.environ | (env or {}),
            input=stdin,
            capture_output=True,
            text=True,
            timeout=120,
        )

    def start(self, *arguments, env=None, **options):
        """Start, and return the running process."""
        return subprocess.Popen(
            self.command(*arguments, **options),
            cwd=self.tmp_path,
            env=os.environ | (env or {}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def session(self, mouse="m1"):
        """Return the newest session."""
        return read_session(max(path for path in (self.data / mouse).iterdir() if path.is_dir()))

    def wait_for_rows(self, n, mouse="m1"):
        """Wait until a running session has written n rows; return its folder."""
        wait_until(
            lambda: any(len(f.read_text().splitlines()) > n for f in self.data.glob(f"{mouse}/*/VideoTimestamp.txt"))
        )
        return next(self.data.glob(f"{mouse}/*"))

    def killed(self, n_rows, *arguments, settings=None, env=None, after_s=0.0):
        """Run a session, end it by kill -9 when it has n rows and `after_s` later; return its folder."""
        process = self.start(*arguments, settings=settings, env=env, fast=False)
        try:
            folder = self.wait_for_rows(n_rows)
            time.sleep(after_s)
            process.kill()
            process.communicate(timeout=20)
        finally:
            end(process)
        return folder


class SpeedRunner(Runner):
    """Runs the CLMF script."""

    script, short = SPEED_SCRIPT, SHORT_PAWS


def finished(done):
    """Return a process that has ended well, and said nothing on standard error."""
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    return done


def without_time(session):
    """Return the columns of a session as lists, without the wall clock: what two equal sessions share."""
    return {name: column.tolist() for name, column in session.columns.items() if name != "time"}


def frames_of(session):
    """Return how many frames each file of a session holds: rows, images, /frames; all the same in a finished one."""
    return {len(session), len(session.images), len(session.frames)}


def add_to_section(config, text):
    """Add lines to the section of the one-ROI script."""
    before = config.read_text()
    assert before.count("roi = M1_L\n") == 1
    config.write_text(before.replace("roi = M1_L\n", "roi = M1_L\n" + text))
