"""What the rig promises, each tried many times by really breaking something.

`make torture` runs this file: many trials of each promise, and a table (half an hour).  tests/test_promises.py runs a
few of each.
"""

import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import tables
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests"), str(ROOT / "tools")]  # so that it runs as a program, too

from rig.files.reader import read_session
from rig.files.rows import ROWS_FILE
from rig.settings.one_roi import OneRoiSettings
from support.checks import direct_dff
from support.fork_server import ForkServer
from support.pins import PINS, gpio_env, levels, read_edges
from support.places import SCRIPT, SHORT, SPEED_SCRIPT
from support.processes import child_of
from support.waiting import end

VALVE = PINS["reward"]
# A session of some 25 frames with one reward and one failure.
TINY = SHORT | {
    "framerate": "10", "total_trials": "2", "initial_rest_dur": "0.5", "max_trial_dur": "0.5", "success_rest_dur": "0.5",
    "fail_rest_dur": "0.5", "reward_delay": "0", "reward_threshold": "0.00001", "resolution": "32, 32", "bregma": "16, 16",
    "ppmm": "3.2", "roi_size": "1, 1", "reward_s": "0.05", "fail_s": "0.05", "dff_history": "1", "tail_dur": "0.3",
    "trigger_stop_edge": "1",
}  # fmt: skip
# The same for CLMF, with the pins of CLNF.
PAWS = {key: TINY[key] for key in TINY if key not in ("bregma", "roi_size", "dff_history", "reward_threshold")}
PAWS |= {"trial_start": "immediate", "speed_threshold": "0.00001", "pose": "simulated", "video_file": ""}
PAWS |= {"start_center": "16, 16", "target_center": "16, 16", "start_radius_mm": "1", "target_radius_mm": "1"}
PAWS |= {"pin_numbering": "BCM", "reward_pin": "27", "light_pin": "21", "trigger_pin": "17"}

IN_A_MOVIE = {"store": "movie", "movie_codec": "ffv1", "video_file": "frames.mkv"}


def scratch():
    """Return a folder that goes away, even while a dying guard still writes its log there."""
    return tempfile.TemporaryDirectory(ignore_cleanup_errors=True)


@dataclass
class Result:
    """How often a promise was tried, and what went wrong."""

    promise: str
    trials: int = 0
    failures: list = field(default_factory=list)
    worst: str = ""

    def note(self, ok, what=""):
        self.trials += 1
        if not ok:
            self.failures.append(what)


def options(settings, data, mouse="m1", seed=1):
    """Return the arguments of a simulated session."""
    arguments = ["--simulate", "--no-window", "--mouse-id", mouse, "--data-root", str(data), "--seed", str(seed)]
    for key, value in settings.items():
        arguments += ["--set", f"{key}={value}"]
    return arguments


def start(settings, folder, env=None):
    """Start a paced session; return its process."""
    return subprocess.Popen(
        [sys.executable, str(SCRIPT), *options(settings, folder / "data")],
        env=os.environ | (env or {}), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip


def wait_for(condition, timeout_s=60.0):
    """Wait until the condition gives something, and return it; None when it never does."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.002)
    return None


def valve_was_opened(log):
    """Return whether the valve has ever been open."""
    return (VALVE, 1) in [edge[1:] for edge in read_edges(log)]


def closed_since(log, at_s):
    """Return the edges that closed the valve since then."""
    return [edge for edge in read_edges(log) if edge[1:] == (VALVE, 0) and edge[0] >= at_s]


def killed_script_closes_the_valve(n, seed=0):
    """Kill the script at a random moment while the valve is open: from the kill to the low pin."""
    result, dice, waits_ms = Result("script killed (-9) with the valve open: the pin goes low"), random.Random(seed), []
    for i in range(n):
        with scratch() as name:
            log = Path(name, "edges")
            script = subprocess.Popen(
                [sys.executable, "-m", "tests.support.open_valve"], cwd=ROOT, env=os.environ | gpio_env(log),
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            )  # fmt: skip
            wait_for(lambda log=log: valve_was_opened(log))
            time.sleep(dice.uniform(0, 0.5))
            was_open = levels(log)[VALVE] == 1
            killed_s = time.monotonic()
            script.kill()
            script.wait()
            closed = wait_for(lambda log=log, at=killed_s: closed_since(log, at), 5)
            if closed:
                waits_ms.append((closed[0][0] - killed_s) * 1e3)
            result.note(was_open and bool(closed), f"trial {i}: open {was_open}, low edge {closed}")
    if waits_ms:
        result.worst = f"after {np.median(waits_ms):.1f} ms (median), {max(waits_ms):.1f} ms (worst)"
    return result


def killed_guard_is_noticed(n, seed=0):
    """Kill the guard while the valve is open: the script takes the pins low itself, and ends with status 1."""
    result, dice, waits_ms = (
        Result("guard killed (-9) with the valve open: pins low, session ends"),
        random.Random(seed),
        [],
    )
    greedy = SHORT | {
        "outputs": "gpio", "reward_threshold": "0.00001", "reward_delay": "0", "initial_rest_dur": "0.3", "reward_s": "0.9",
        "success_rest_dur": "0.95", "fail_rest_dur": "0.5", "total_trials": "99",
    }  # fmt: skip
    for i in range(n):
        with scratch() as name:
            folder, log = Path(name), Path(name, "edges")
            process = start(greedy, folder, gpio_env(log))
            try:
                wait_for(lambda log=log: valve_was_opened(log))
                time.sleep(dice.uniform(0, 0.5))
                guard = child_of(process.pid, "rig.devices.valve_guard")
                killed_s = time.monotonic()
                os.kill(guard, signal.SIGKILL)
                process.wait(30)
            finally:
                end(process)
            edges = [edge for edge in read_edges(log) if edge[0] >= killed_s]
            lowered = {gpio for _, gpio, level in edges if level == 0}
            rose = [edge for edge in edges if edge[2] == 1]
            waits_ms += [(edge[0] - killed_s) * 1e3 for edge in edges[:1]]
            session = read_session(next((folder / "data" / "m1").iterdir()))
            whole = has_whole_rows(session) and len(session) == len(session.images)
            ok = process.returncode == 1 and lowered == set(PINS.values()) and not rose and whole
            result.note(ok, f"trial {i}: status {process.returncode}, lowered {lowered}, rose {rose}, whole {whole}")
    if waits_ms:
        result.worst = f"after {np.median(waits_ms):.0f} ms (median), {max(waits_ms):.0f} ms (worst)"
    return result


def has_whole_rows(session):
    """Return whether each line of VideoTimestamp.txt is a whole row, the last one too."""
    text = (session.folder / ROWS_FILE).read_text(encoding="utf-8")
    return text.endswith("\n") and len(text.splitlines()) == len(session) + 1


def killed_session_keeps_its_frames(n, seed=0, more=None):
    """Kill a session at a random moment: the files open as they are, and at most the last second is missing."""
    result, dice, missing_s = (
        Result(f"session killed (-9){stored_in(more)}: frames and rows whole, at most 1 s missing"),
        random.Random(seed),
        [],
    )
    for i in range(n):
        with scratch() as name:
            folder = Path(name)
            settings = SHORT | {"framerate": str(dice.choice([15, 60, 100])), "initial_rest_dur": "60"} | (more or {})
            process = start(settings, folder)
            rows = wait_for(lambda folder=folder: list(folder.glob("data/m1/*/VideoTimestamp.txt")))
            time.sleep(dice.uniform(0.2, 2.5))
            process.kill()
            killed = datetime.now()
            process.wait()
            result.note(*check_killed(rows[0].parent, float(settings["framerate"]), killed, missing_s))
            if result.failures:
                result.failures[-1] = f"trial {i}: {result.failures[-1]}"
    if missing_s:
        result.worst = f"missing {np.median(missing_s):.2f} s (median), {max(missing_s):.2f} s (worst)"
    return result


def stored_in(more):
    """Say where sessions with further settings keep their frames, if not as usual."""
    return f", store = {more['store']}" if more else ""


def check_killed(folder, rate, killed, missing_s):
    """Return whether a killed session is whole, and what is wrong with it."""
    session = read_session(folder)
    images, numbers = session.images[:], session.columns["frame"].tolist()
    n = len(images)
    kept_until = datetime.strptime(session.columns["time"][n - 1], "%Y-%m-%d %H:%M:%S.%f") if n else None
    if kept_until is not None:
        missing_s.append((killed - kept_until).total_seconds())
    if numbers != list(range(len(numbers))) or len(session) < n or not has_whole_rows(session):
        return False, f"{n} frames, rows {numbers[:3]} to {numbers[-1:]}"
    if kept_until is not None and killed - kept_until > timedelta(seconds=1):
        return False, f"{(killed - kept_until).total_seconds():.2f} s are missing"
    box = [int(v) for v in session.settings["m1_l"].split(",")]
    apart = np.abs(direct_dff(images, box, n=round(6 * rate)) - session.columns["roi_dff"][:n]) > 1e-12
    if apart.any():
        return False, f"frame {apart.argmax()} is not the one that was decided on"
    return True, ""


def every_device_call_may_fail(step=1, script=SCRIPT, settings=TINY):
    """Let each call of each device fail once: pins low, tone silent, files closed, whatever call it was."""
    result = Result(f"each call of each device fails once, {script.name}: pins low, files closed")
    with scratch() as name:
        server = ForkServer(name)
        try:
            calls = one_session(server, script, settings, Path(name), None)[0]["calls"]
            first_of_its_kind = {calls.index(kind) for kind in calls}
            for k in sorted(set(range(0, len(calls), step)) | first_of_its_kind):
                answer, problem = one_session(server, script, settings, Path(name), k)
                result.note(not problem, f"call {k}, {answer['failed']}: {problem}")
        finally:
            server.close()
    result.worst = f"{len(set(calls))} kinds of calls"
    return result


def one_session(server, script, settings, top, fail_at):
    """Run a session with one failing call; return the answer of the server, and what is wrong."""
    folder = Path(tempfile.mkdtemp(dir=top))
    env = gpio_env(folder / "edges")
    arguments = [*options(settings | {"outputs": "gpio"}, folder / "data"), "--fast"]
    answer = server.run(script, arguments, env, fail_at)
    left, problem = levels(folder / "edges"), ""
    if fail_at is None and answer["status"] != 0:
        problem = f"status {answer['status']}: {answer['err']}"
    elif fail_at is not None and answer["status"] != 1:
        problem = f"status {answer['status']}: {answer['err'][-300:]}"
    elif any(left.values()):
        problem = f"levels {left}"
    else:
        problem = what_is_open(folder / "data")
    shutil.rmtree(folder)
    return answer, problem


def what_is_open(data):
    """Return what is not closed and complete in the folder of a session, if there is one."""
    for folder in data.glob("m1/*"):
        session = read_session(folder)
        left = [path.name for path in folder.iterdir() if path.suffix in (".part", ".starting", ".header")]
        with tables.open_file(str(session.images.path)) as file:
            table = len(file.root.frames) if "/frames" in file else -1
        counts = {len(session), len(session.images), table}
        tones = [event.value for event in session.of("tone")]
        if left or len(counts) > 1 or not has_whole_rows(session) or (tones and tones[-1] != 0):
            return f"left {left}, counts {counts}, last tone {tones[-1:]}"
    return ""


def any_settings_run_or_are_refused(n, seed=0):
    """Change settings at random: the session runs, or ends with status 2, one message and no folder."""
    result, dice = (
        Result("random settings: the session runs, or status 2, no traceback, no folder"),
        random.Random(seed),
    )
    refused = 0
    with scratch() as name:
        server = ForkServer(name)
        try:
            for i in range(n):
                folder = Path(tempfile.mkdtemp(dir=name))
                config = folder / "config.ini"
                config.write_text(mutate_file((ROOT / "config.ini").read_text(), dice))
                arguments = [*options(TINY | mutate_settings(dice), folder / "data"), "--fast", "--config", str(config)]
                answer = server.run(SCRIPT, arguments, {"TMPDIR": str(folder)}, stop_after_s=1.5)
                refused += answer["status"] == 2
                problem = what_is_wrong(answer, folder)
                result.note(not problem, f"trial {i}: {problem}; {arguments}")
                shutil.rmtree(folder, ignore_errors=True)
        finally:
            server.close()
    result.worst = f"{refused} refused, {n - refused} ran"
    return result


def what_is_wrong(answer, folder):
    """Return what is wrong with the end of a session whose settings were changed at random."""
    text = answer["out"] + answer["err"]
    if "Traceback" in text or answer["status"] not in (0, 1, 2, 143):
        return f"status {answer['status']}: {text[-600:]}"
    if answer["status"] == 1 and not re.search(r"no new frame for|do not agree|disk", answer["err"]):
        return f"status 1: {answer['err']}"
    if answer["status"] == 2 and (not answer["err"].strip() or list(folder.glob("**/VideoTimestamp.txt"))):
        return f"no message, or a folder: {answer['err']}"
    return ""


VALUES = ["", "0", "1", "-1", "2", "0.5", "1e9", "1e-9", "nan", "inf", "-inf", "x", "1, 2", "3,", ",", "99999999999999999999",
          "M1_R", "off", "{}", "[]", "~", "/", "../x", "é", "0x10", "1 2", "True", "none", "%", "$(x)", "a=b", "256, 256",
          "no_audio_random_reward", "start_roi", "continue", "simulated", "BOARD", "12", "40"]  # fmt: skip
LEAVE = {"data_root", "placed", "outputs", "tone", "lick", "vid_source", "raw_image_file"}
"""What would start real devices, or write elsewhere."""


def mutate_settings(dice):
    """Return a few settings with odd values."""
    keys = sorted(set(OneRoiSettings.model_fields) - LEAVE)
    changed = {dice.choice(keys): dice.choice(VALUES) for _ in range(dice.randint(0, 3))}
    if dice.random() < 0.1:
        changed["".join(dice.choices("abcdefgh_", k=6))] = dice.choice(VALUES)
    return changed


def mutate_file(text, dice):
    """Return the text of a configuration with an accident or none."""
    lines = text.splitlines()
    at = dice.randrange(len(lines))
    accident = dice.randrange(6)
    if accident == 0:
        del lines[at]
    elif accident == 1:
        lines.insert(at, lines[dice.randrange(len(lines))])
    elif accident == 2:
        lines[at] = lines[at][: dice.randrange(len(lines[at]) + 1)]
    elif accident == 3:
        lines[at] = "".join(dice.sample(lines[at], len(lines[at])))
    return "\n".join(lines) + "\n"


def full_disk_ends_the_session(n, seed=0, more=None):
    """Fill the disk at a random moment: the session ends with one sentence, and all that was written is readable."""
    result, dice = (
        Result(f"disk full during a session{stored_in(more)}: it ends, every stored frame is readable"),
        random.Random(seed),
    )
    for i in range(n):
        with scratch() as name:
            data = Path(name, "data")
            data.mkdir()
            mount = ["mount", "-t", "tmpfs", "-o", "size=60m", "none", str(data)]
            if os.geteuid() or subprocess.run(mount, capture_output=True).returncode:
                result.worst = "not tried: needs root to mount a small file system"
                return result
            try:
                result.note(*fill_in_the_middle(Path(name), data, dice.uniform(0.3, 1.5), i, more))
            finally:
                subprocess.run(["umount", str(data)], check=True)
    return result


def fill_in_the_middle(folder, data, after_s, i, more=None):
    """Fill the disk some time after the session has begun; return whether all is well, and what was found."""
    settings = SHORT | {"framerate": "30", "initial_rest_dur": "20", "total_trials": "1"} | (more or {})
    process = start(settings, folder)
    try:
        wait_for(lambda: list(data.glob("m1/*/VideoTimestamp.txt")))
        time.sleep(after_s)
        with (data / "ballast").open("wb", buffering=0) as file:
            try:
                while True:
                    file.write(b"x" * 4096)
            except OSError:
                pass
        process.wait(60)
    finally:
        end(process)
    session = read_session(next((data / "m1").iterdir()))
    # Frames of a movie are written a few at a time, when their rows are on disk.
    most = len(session.images) + (30 if more else 1)
    whole = has_whole_rows(session) and len(session.images) <= len(session) <= most
    found = f"trial {i}: status {process.returncode}, {len(session.images)} frames, {len(session)} rows"
    return process.returncode == 1 and whole, found


def main():
    """Try everything many times, and print the table."""
    from support import promises_animal, promises_data  # they stand on this file

    console, table = Console(), Table("promise", "trials", "failures", "measured")
    failed = False
    for work in (
        lambda: killed_script_closes_the_valve(200),
        lambda: killed_guard_is_noticed(50),
        lambda: killed_session_keeps_its_frames(200),
        lambda: killed_session_keeps_its_frames(100, more=IN_A_MOVIE),
        lambda: every_device_call_may_fail(),
        lambda: every_device_call_may_fail(1, SPEED_SCRIPT, PAWS),
        lambda: any_settings_run_or_are_refused(500),
        lambda: full_disk_ends_the_session(20),
        lambda: full_disk_ends_the_session(10, more=IN_A_MOVIE),
        lambda: promises_animal.stopped_guard_holds_no_valve(50),
        lambda: promises_animal.stopped_loop_is_dark_and_silent(50),
        lambda: promises_animal.old_frames_give_no_water(200),
        lambda: promises_animal.spoiled_ledger_resets_no_cap(20),
        lambda: promises_data.finishing_faults_lose_no_frame(60),
    ):
        result = work()
        table.add_row(result.promise, str(result.trials), str(len(result.failures)), result.worst)
        console.print(f"{result.promise}: {result.trials} trials, {len(result.failures)} failures; {result.worst}")
        for failure in result.failures[:10]:
            console.print(f"  {failure}", style="red", markup=False)
        failed = failed or bool(result.failures)
    console.print(table)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
