"""What the rig promises about data, each tried many times by really breaking something; see promises.py."""

import os
import random
import time
from pathlib import Path

from rig.files.frame_file import PAGE, kept_header
from rig.files.session_tables import ABOUT, EVENTS, FRAMES
from support.parts import (
    STREAM,
    Finisher,
    cut_short_session,
    finish_in_a_process,
    small_disk,
    unmount,
    what_is_lost,
    what_is_lost_unfinished,
)

LARGEST_TAIL = 30_000  # bytes; more than finishing appends to a session of these sizes


def finishing_faults_lose_no_frame(n, seed=0):
    """Let finishing a session fail in some way: afterwards every frame is there, in the finished file or as it was."""
    from support.promises import Result, scratch  # here, because that file imports this one

    result, dice, kinds = Result("finishing a session fails in some way: no frame is lost"), random.Random(seed), {}
    for i in range(n):
        fault = FAULTS[i % len(FAULTS)]
        with scratch() as name:
            problem = fault(Path(name), dice.randint(1, 300), dice)
        kinds[fault.__name__] = kinds.get(fault.__name__, 0) + 1
        result.note(not problem, f"trial {i}, {fault.__name__}: {problem}")
    result.worst = ", ".join(f"{count} {kind.replace('_', ' ')}" for kind, count in kinds.items())
    return result


def kept_and_then_finished(folder, n, status, said):
    """Return what is wrong with a session whose finishing failed: all is kept, said so, and finished afterwards."""
    if status == 0:
        return what_is_lost(folder, n)
    if lost := what_is_lost_unfinished(folder, n):
        return lost
    if "everything is kept" not in said or "safe" in said:
        return f"it says {said!r}"
    status, said = finish_in_a_process(folder)
    return said if status else what_is_lost(folder, n)


def a_file_size_limit(top, n, dice):
    folder = cut_short_session(top / "s", n)
    limit = (folder / STREAM).stat().st_size + dice.randint(0, LARGEST_TAIL)
    return kept_and_then_finished(folder, n, *finish_in_a_process(folder, limit))


def a_full_disk(top, n, dice):
    if not small_disk(top / "disk", "2m"):
        return "not tried: needs root to mount a small file system"
    try:
        folder, ballast = cut_short_session(top / "disk" / "s", n), top / "disk" / "ballast"
        free = os.statvfs(folder).f_bavail * os.statvfs(folder).f_frsize
        ballast.write_bytes(bytes(max(0, free - dice.randint(0, LARGEST_TAIL))))
        status, said = finish_in_a_process(folder)
        if status and (lost := what_is_lost_unfinished(folder, n)):
            return lost
        ballast.unlink()
        return kept_and_then_finished(folder, n, status, said)
    finally:
        unmount(top / "disk")


def killed(top, n, dice):
    folder = cut_short_session(top / "s", n)
    for _ in range(dice.randint(1, 3)):  # also while the next one repairs
        finisher = Finisher(folder)
        finisher.go()
        time.sleep(dice.uniform(0, 0.2))
        finisher.kill()
        if (folder / ABOUT).exists() and (lost := what_is_lost_frames(folder, n)):
            return lost
    status, said = finish_in_a_process(folder)
    return said if status else what_is_lost(folder, n)


def what_is_lost_frames(folder, n):
    """Return what a session lacks whose finishing was killed; the parts may be on their way out, the frames never."""
    lost = what_is_lost_unfinished(folder, n)
    return lost if lost and f", {n} frames," not in lost else ""


def a_header_of_nuls(top, n, dice):
    folder = cut_short_session(top / "s", n, uncounted=dice.choice([0, 0, 3]))
    kept_header(folder / STREAM).write_bytes(bytes(dice.choice([PAGE, PAGE, 100])))
    if dice.random() < 0.5:
        with (folder / STREAM).open("r+b") as file:
            file.write(bytes(PAGE))
        counted = (folder / FRAMES).stat().st_size // 40  # the new header counts the frames that have records
        status, said = finish_in_a_process(folder)
        return said if status else what_is_lost(folder, counted)
    status, said = finish_in_a_process(folder)
    return said if status else what_is_lost(folder, n)


def a_truncated_part(top, n, dice):
    folder = cut_short_session(top / "s", n)
    part = folder / dice.choice([FRAMES, EVENTS, ABOUT])
    whole = part.read_bytes()
    part.write_bytes(whole[: dice.randrange(len(whole))])
    status, said = finish_in_a_process(folder)
    if part.name == EVENTS:
        return said if status else what_is_lost(folder, n)
    if status == 0:
        return f"{part.name} of {len(whole)} bytes was cut, and nobody noticed"
    if lost := what_is_lost_unfinished(folder, n):
        return lost
    part.write_bytes(whole)
    return kept_and_then_finished(folder, n, status, said)


def two_finishers(top, n, dice):
    folder = cut_short_session(top / "s", n)
    two = [Finisher(folder), Finisher(folder)]
    two[0].go()
    time.sleep(dice.uniform(0, 0.03))
    two[1].go()
    ends = [each.wait() for each in two]
    return str(ends) if min(status for status, _ in ends) else what_is_lost(folder, n)


FAULTS = (a_file_size_limit, a_full_disk, killed, a_header_of_nuls, a_truncated_part, two_finishers)
