"""Folders of sessions that were cut short, made without running one."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import tables

from rig.files.frame_file import FrameFile, Header
from rig.files.rows import ROWS_FILE, RowFile
from rig.files.session_tables import ABOUT, EVENT, EVENTS, FRAME, FRAMES, GrowingTables
from support.places import ROOT

SHAPE = (16, 24, 3)
STREAM = "image_stream.hdf5"


def image_of(n):
    """Return the frame that has this number; no two of them are alike."""
    image = np.zeros(SHAPE, np.uint8)
    image[...] = n % 251
    image[0, 0] = n // 251
    return image


def cut_short_session(folder, n, events=40, uncounted=0):
    """Make a session of n frames that was cut short, and some that the header does not count; return its folder."""
    folder.mkdir(parents=True)
    (folder / "config.ini").write_text(
        f"[configsection]\nconfig = x\n\n[x]\nresolution = {SHAPE[1]}, {SHAPE[0]}\nraw_image_file = {STREAM}\n"
    )
    rows = RowFile(folder / ROWS_FILE, ["frame", "time"])
    parts = GrowingTables(folder, STREAM, {"mouse_id": "m1", "session_type": "normal", "note": "é"})
    stream = FrameFile(folder / STREAM, Header(SHAPE))
    for i in range(n + uncounted):
        if i == n:
            stream.publish()
        rows.append(f"{i}\tnow\n")
        parts.add_frame((i, i / 15, 100 + i / 15, 0.001, 100 + i / 15))
        stream.append(image_of(i))
    if not uncounted:
        stream.publish()
    table = np.zeros(events, EVENT)
    table["time_s"], table["device"] = np.arange(events)[::-1], b"light"
    (folder / EVENTS).write_bytes(table.tobytes())
    os.close(stream._fd)  # as a kill leaves it
    rows.close()
    parts.close()
    return folder


def of_another_computer(folder):
    """Let a session be one of another computer, whose processes we do not see."""
    about = json.loads((folder / ABOUT).read_text())
    about["owner"]["machine"] = "another"
    (folder / ABOUT).write_text(json.dumps(about))


def what_is_lost(folder, n):
    """Return what is not right in a finished session of n frames, "" if nothing."""
    left = [path.name for path in folder.iterdir() if path.suffix in (".part", ".header") or path.name == "finishing"]
    with tables.open_file(str(folder / STREAM)) as file:
        images, root = file.root.raw_images[:], file.root
        frames, events = root.frames[:], root.events[:]
        note = root._v_attrs["note"]
    if left or len(images) != n or len(frames) != n or note != "é":
        return f"left {left}, {len(images)} images, {len(frames)} rows of /frames, note {note}"
    if any((images[i] != image_of(i)).any() for i in range(n)):
        return "other frames"
    is_right = frames["number"].tolist() == list(range(n)) and (np.diff(events["time_s"]) >= 0).all()
    return "" if is_right and frames.dtype == FRAME else "other rows"


def what_is_lost_unfinished(folder, n):
    """Return what a session that could not be finished does not hold any more, "" if nothing: the bytes themselves."""
    rows = (folder / ROWS_FILE).read_bytes().count(b"\n") - 1
    data = (folder / STREAM).read_bytes()[4096:]
    size = image_of(0).nbytes
    frames = [data[i * size : (i + 1) * size] == image_of(i).tobytes() for i in range(n)]
    missing = [name for name in (FRAMES, EVENTS, ABOUT) if not (folder / name).exists()]
    return "" if rows >= n and all(frames) and not missing else f"{rows} rows, {sum(frames)} frames, missing {missing}"


FINISH = """
import resource, signal, sys
from pathlib import Path
from rig.errors import LogError
from rig.files.finishing import finish
limit = int(sys.argv[2])
if limit:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
print("ready", flush=True)
sys.stdin.readline()
try:
    finish(Path(sys.argv[1]))
except LogError as error:
    print(error)
    sys.exit(1)
"""


class Finisher:
    """A process that has imported everything, and finishes a folder when it is told to."""

    def __init__(self, folder, limit=0):
        self._process = subprocess.Popen(
            [sys.executable, "-c", FINISH, str(folder), str(limit)],
            cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        assert self._process.stdout.readline() == "ready\n"

    def go(self):
        self._process.stdin.write("\n")
        self._process.stdin.flush()

    def kill(self):
        self._process.kill()
        self._process.communicate()

    def wait(self):
        """Return the status, and what it said."""
        said, _ = self._process.communicate(timeout=60)
        return self._process.returncode, said


def finish_in_a_process(folder, limit=0):
    """Finish a folder in another process, perhaps with a limit on the size of its files; return status and text."""
    finisher = Finisher(folder, limit)
    finisher.go()
    return finisher.wait()


def small_disk(folder, size):
    """Mount a small file system in memory; return whether that was possible."""
    Path(folder).mkdir(exist_ok=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "none", str(folder)]
    return os.geteuid() == 0 and subprocess.run(mount, capture_output=True).returncode == 0


def unmount(folder):
    subprocess.run(["umount", str(folder)], check=True)
