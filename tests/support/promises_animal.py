"""The promises to the animal, each tried by really stopping something; a part of `make torture`."""

import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from busy_computer import busy_computer
from rig.devices.calibration import fit
from rig.devices.water import Dose
from rig.errors import SettingsError
from rig.files.ledger import HEADER, LEDGER_FILE, had_today_ul
from rig.files.reader import read_session
from support.pins import PINS, gpio_env, levels, read_edges
from support.places import ROOT, SHORT
from support.processes import child_of
from support.promises import Result, scratch, start, wait_for
from support.sound import sound_server
from support.waiting import end

VALVE, LIGHT, TRIGGER = PINS["reward"], PINS["light"], PINS["trigger"]
MAX_SILENCE_S = 2.0
ALLOWED_OPEN_S, ALLOWED_SILENCE_S = 0.25, 0.5  # beyond what was commanded, and beyond max_silence_s


def stopped_guard_holds_no_valve(n, seed=0):
    """Stop the guard at a random moment around a pulse, every second time on a busy machine: how long it was open."""
    result, dice, over_s = Result("guard stopped (SIGSTOP) around a pulse: the valve closes"), random.Random(seed), []
    for i in range(n):
        with scratch() as name, busy_computer(4 if i % 2 else 0):
            log, seconds = Path(name, "edges"), dice.choice([0.05, 0.1, 0.3])
            program = subprocess.Popen(
                [sys.executable, "-m", "tests.support.pulses"], cwd=ROOT, env=os.environ | gpio_env(log),
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            )  # fmt: skip
            try:
                program.stdout.readline()
                guard = child_of(program.pid, "rig.devices.valve_guard")
                program.stdin.write(f"{seconds}\n")
                program.stdin.flush()
                time.sleep(dice.uniform(0, seconds))
                with contextlib.suppress(ProcessLookupError):
                    os.kill(guard, signal.SIGSTOP)
                program.stdin.close()
                program.wait(30)
                with contextlib.suppress(ProcessLookupError):
                    os.kill(guard, signal.SIGCONT)
            finally:
                program.stdout.close()
                program.kill()
                program.wait()
            open_s = opened_for_s(log)
            over_s += [open_s - seconds] if open_s else []
            closed = levels(log).get(VALVE) == 0
            ok = closed and (open_s is None or open_s <= seconds + ALLOWED_OPEN_S)
            result.note(ok, f"trial {i}: {seconds} s commanded, open for {open_s} s, closed {closed}")
    if over_s:
        result.worst = f"open at most {1e3 * max(over_s):.0f} ms longer than commanded"
    return result


def opened_for_s(log):
    """Return how long the valve was open at its longest; None where it never was."""
    edges, rose_s, longest_s = [edge for edge in read_edges(log) if edge[1] == VALVE], None, None
    for at_s, _, level in edges:
        if level and rose_s is None:
            rose_s = at_s
        elif not level and rose_s is not None:
            longest_s, rose_s = max(at_s - rose_s, longest_s or 0.0), None
    return longest_s


def stopped_loop_is_dark_and_silent(n, seed=0):
    """Stop the script in a trial with a tone: until light and trigger are low, and until the tone is silent."""
    result, dice = Result("script stopped (SIGSTOP) in a trial: light off, tone silent"), random.Random(seed)
    dark_s, quiet_s = [], []
    sounds = all(shutil.which(program) for program in ("pulseaudio", "pactl", "parec"))
    sounding = SHORT | {
        "outputs": "gpio",
        "tone": "pyaudio" if sounds else "simulated",
        "session_type": "single_audio_normal_reward",
        "initial_rest_dur": "0.5",
        "max_trial_dur": "60",
        "reward_threshold": "9",
        "reward_delay": "0",
        "max_silence_s": str(MAX_SILENCE_S),
    }
    with sound_server() if sounds else contextlib.nullcontext() as speaker:
        for i in range(n):
            with scratch() as name:
                log = Path(name, "edges")
                env = gpio_env(log) | (speaker.env if sounds else {})
                process = start(sounding, Path(name), env)
                try:
                    wait_for(lambda speaker=speaker, log=log: is_loud(speaker) if sounds else levels(log).get(LIGHT))
                    time.sleep(dice.uniform(0, 0.5))
                    process.send_signal(signal.SIGSTOP)
                    stopped_s = time.monotonic()
                    dark = wait_for(lambda log=log: levels(log).get(LIGHT) == levels(log).get(TRIGGER) == 0, 10)
                    dark_s.append(time.monotonic() - stopped_s)
                    quiet = not sounds or wait_for(lambda speaker=speaker: not is_loud(speaker), 10)
                    quiet_s.append(time.monotonic() - stopped_s)
                    limit_s = MAX_SILENCE_S + ALLOWED_SILENCE_S
                    ok = dark and quiet and dark_s[-1] <= limit_s and quiet_s[-1] <= limit_s
                    result.note(ok, f"trial {i}: dark after {dark_s[-1]:.2f} s, silent after {quiet_s[-1]:.2f} s")
                finally:
                    process.send_signal(signal.SIGCONT)
                    end(process)
    if dark_s:
        tone = f", silent after {max(quiet_s):.2f} s" if sounds else "; the tone was not tried: no sound server here"
        result.worst = f"dark after {max(dark_s):.2f} s{tone} (worst; max_silence_s = {MAX_SILENCE_S:g})"
    return result


def is_loud(speaker):
    """Return whether the newest 20 ms that were played hold a tone."""
    samples = speaker.samples()[-960:]
    return bool(len(samples)) and bool(np.abs(samples).max() > 0.05)


def old_frames_give_no_water(n, seed=0, a_session=10):
    """Stop the script for a while, again and again, with a mouse that would earn water in every frame."""
    result, dice, n_late = (
        Result("stalls of 0.1 to 0.8 s: no water on frames older than allowed"),
        random.Random(seed),
        0,
    )
    greedy = SHORT | {
        "framerate": "60", "resolution": "64, 64", "bregma": "34, 32", "ppmm": "6.4", "roi_size": "1, 1",
        "initial_rest_dur": "0.2", "success_rest_dur": "0", "fail_rest_dur": "0.1", "max_trial_dur": "0.2",
        "total_trials": "9999", "reward_threshold": "0.000001", "reward_delay": "0", "adaptive_threshold": "0",
        "max_frame_age_ms": "50", "max_rewards_per_min": "100000", "reward_s": "0.001",
    }  # fmt: skip
    while result.trials < n:
        with scratch() as name:
            folder = Path(name)
            process = start(greedy, folder)
            try:
                wait_for(lambda folder=folder: list(folder.glob("data/m1/*/VideoTimestamp.txt")))
                time.sleep(0.5)
                for _ in range(a_session):
                    process.send_signal(signal.SIGSTOP)
                    time.sleep(dice.uniform(0.1, 0.8))
                    process.send_signal(signal.SIGCONT)
                    time.sleep(dice.uniform(0.1, 0.4))
            finally:
                process.send_signal(signal.SIGCONT)
                end(process)
            session = read_session(next(folder.glob("data/m1/*")))
            late = session.frames["age_s"] > 0.05
            paid = session.columns["reward"] == 1
            n_late += int(late.sum())
            wrong = int((late & paid).sum())
            for stall in range(a_session):
                result.note(not wrong or stall, f"{wrong} rewards on frames older than 50 ms")
            if not paid.any():
                result.note(False, "no frame gave water at all")
    result.worst = f"{n_late} late frames"
    return result


def spoiled_ledger_resets_no_cap(n, seed=0):
    """Spoil a row of today in the ledger: the session with a cap is refused, or all water counts."""
    result, dice, refused = Result("ledger spoiled: no cap is reset"), random.Random(seed), 0
    line = fit("BCM 27", 50, [0.05, 0.4], [0.075, 0.425])
    today = time.strftime("%Y-%m-%d")
    good = f"{today} 08:00:00,m1,20260101000000,0.3000,6.500"
    accidents = [
        lambda row: row.replace(today, time.strftime("%d/%m/%Y")),
        lambda row: '"' + row,
        lambda row: row[: dice.randrange(3, len(row) - 6)],
        lambda row: row.replace("6.500", "nan"),
        lambda row: row.replace("6.500", "-6.5"),
        lambda row: row.replace("m1", "M1"),
        lambda row: row.replace(",", ";"),
        lambda row: row.replace("0.3000", "0,3000"),
        lambda row: "\0" * len(row),
        lambda row: row.replace("6.500", "1e999"),
    ]
    for i in range(n):
        with scratch() as name:
            rows = [good] * 5
            at, accident = dice.randrange(5), accidents[i % len(accidents)]
            rows[at] = accident(good)
            Path(name, LEDGER_FILE).write_text("\n".join([HEADER, *rows]) + "\n")
            try:
                ul = had_today_ul(Path(name), "m1", Dose(0.3, 6.5, line), has_cap=True)
                result.note(ul >= 5 * 6.5 - 1e-9, f"trial {i}: {rows[at]!r} counts as {ul} µl of 32.5")
            except SettingsError as error:
                refused += 1
                result.note(f"line {at + 2}:" in str(error), f"trial {i}: {error}")
    result.worst = f"{refused} refused with their line, {n - refused} counted whole"
    return result
