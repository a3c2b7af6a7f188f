"""Runs scripts in children of one process that has imported everything already: a session in a fraction of a second.

`ForkServer` is what tests use; run as a program this file is the server.  On request a child lets the k-th call of
any device fail, and reports how many calls there were.
"""

import importlib
import json
import os
import runpy
import signal
import subprocess
import sys
import tempfile
import traceback
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

# Every call that a script makes on a device: the camera, the pins, the tone, the tongue, the pose.
DEVICE_CALLS = {
    "SimCameraStream.SimCameraStream": ("start", "begin_session", "let_sense", "read", "stop"),
    "rig.devices.outputs.Output": ("on", "off", "pulse", "stop_edge"),
    "rig.devices.outputs.Outputs": ("command", "all_off", "check", "close"),
    "rig.simulated.tone.SimTone": ("play", "trouble", "stop"),
    "rig.simulated.lick.SimLick": ("touched", "trouble", "close"),
    "rig.simulated.pose.SimPose": ("get_pose", "close"),
}
# What a script imports takes a second; a child of the server has it already.
IMPORTED_BEFORE = (
    "cv2", "tables", "rich.live", "pydantic", "SimCameraStream", "VideoStream", "rig.baseline", "rig.books", "rig.preflight",
    "rig.protocol.adaptive", "rig.protocol.roi_operation", "rig.protocol.tracking", "rig.screen.preview_cortex",
    "rig.screen.preview_paw", "rig.settings.two_roi", "rig.simulated.cortex", "rig.simulated.paws",
)  # fmt: skip


class ForkServer:
    """The server, and how to ask it.

    Parameters
    ----------
    folder : Path
        Working folder of the scripts.
    """

    def __init__(self, folder):
        self._process = subprocess.Popen(
            [sys.executable, "-W", "error", __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=folder,
            text=True,
        )

    def run(self, script, arguments, env=None, fail_at=None, stop_after_s=60.0):
        """Run a script to its end; return {'status', 'out', 'err', 'calls', 'failed'}."""
        request = {
            "script": str(script), "arguments": [str(a) for a in arguments], "env": env or {}, "fail_at": fail_at,
            "stop_after_s": stop_after_s,
        }  # fmt: skip
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def close(self):
        self._process.stdin.close()
        self._process.wait(20)
        self._process.stdout.close()


class InjectedError(RuntimeError):
    """A device fails."""


def count_calls(fail_at, report):
    """Let the call number `fail_at` of any device raise; keep the count in `report`."""
    report |= {"calls": [], "failed": ""}
    for place, methods in DEVICE_CALLS.items():
        module, _, name = place.rpartition(".")
        owner = getattr(importlib.import_module(module), name)
        for method in methods:
            setattr(owner, method, wrapped(getattr(owner, method), f"{name}.{method}", fail_at, report))


def wrapped(call, name, fail_at, report):
    def counted(*arguments, **values):
        report["calls"].append(name)
        if len(report["calls"]) - 1 == fail_at:
            report["failed"] = name
            raise InjectedError(f"{name} fails on purpose")
        return call(*arguments, **values)

    return counted


def child(request, report_path):
    """Run the script in this process, and leave a report."""
    os.environ.update(request["env"])
    tempfile.tempdir = None  # TMPDIR may be another one now
    report = {}
    count_calls(request["fail_at"], report)
    signal.setitimer(signal.ITIMER_REAL, request["stop_after_s"])
    signal.signal(signal.SIGALRM, lambda *_: os.kill(os.getpid(), signal.SIGTERM))
    sys.argv = [request["script"], *request["arguments"]]
    status = 0
    try:
        runpy.run_path(request["script"], run_name="__main__")
    except SystemExit as end:
        status = end.code or 0
    except BaseException:
        traceback.print_exc()
        status = 1
    sys.stdout.flush()
    sys.stderr.flush()
    report["status"] = status
    Path(report_path).write_text(json.dumps(report))


def serve():
    """Answer requests until the input ends."""
    sys.path.insert(0, str(ROOT))
    for name in IMPORTED_BEFORE:
        importlib.import_module(name)
    for line in sys.stdin:
        with tempfile.TemporaryDirectory() as folder:
            paths = [os.path.join(folder, name) for name in ("out", "err", "report")]
            pid = os.fork()
            if pid == 0:
                for fd, path in ((0, os.devnull), (1, paths[0]), (2, paths[1])):
                    os.dup2(os.open(path, os.O_RDWR | os.O_CREAT), fd)
                code = 1
                try:
                    child(json.loads(line), paths[2])
                    code = 0
                finally:
                    os._exit(code)
            _, raw = os.waitpid(pid, 0)
            answer = {"status": -1, "calls": [], "failed": "", "raw": raw}
            if os.path.exists(paths[2]):
                answer |= json.loads(Path(paths[2]).read_text())
            answer |= {"out": Path(paths[0]).read_text(), "err": Path(paths[1]).read_text()}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    serve()
