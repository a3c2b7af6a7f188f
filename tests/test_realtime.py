"""Real-time scheduling: in force where the system allows it, never required, and no danger when the loop hangs."""

import os
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from rig.devices import realtime
from rig.devices.frames import Frame, FrameQueue
from rig.devices.outputs import Outputs
from rig.events import Events
from support.pins import gpio_env, levels, needs_lgpio, read_edges
from support.places import DRIVERS, ROOT, SHORT
from support.runner import finished
from support.waiting import wait_until

BRIEF = SHORT | {"total_trials": "1", "initial_rest_dur": "1", "max_trial_dur": "1", "fail_rest_dur": "1"}


def is_allowed():
    """Return whether this process may have real-time scheduling."""
    done = subprocess.run(
        [sys.executable, "-c", "import os; os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(20))"],
        capture_output=True, check=False,
    )  # fmt: skip
    return done.returncode == 0


needs_fifo = pytest.mark.skipif(not is_allowed(), reason="real-time scheduling is not allowed here (rtprio)")
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become another user")


def scheduling(thread=0):
    """Return policy and number of a thread."""
    return os.sched_getscheduler(thread) & ~os.SCHED_RESET_ON_FORK, os.sched_getparam(thread).sched_priority


NORMAL = (os.SCHED_OTHER, 0)


@needs_fifo
def test_the_loop_and_the_threads_that_it_waits_for():
    ends = threading.Event()
    before = threading.Thread(target=ends.wait)
    before.start()
    with realtime.loop_in_real_time(True) as found:
        after = threading.Thread(target=ends.wait)
        after.start()
        seen = [scheduling(), scheduling(before.native_id), scheduling(after.native_id)]
        child = subprocess.run([sys.executable, "-c", "import os; print(os.sched_getscheduler(0))"],
                               capture_output=True, text=True, check=True)  # fmt: skip
    later = [scheduling(), scheduling(before.native_id)]
    ends.set()
    assert found == realtime.IN_FORCE
    assert seen == [(os.SCHED_FIFO, realtime.LOOP), (os.SCHED_FIFO, realtime.REST), NORMAL]
    assert int(child.stdout) == os.SCHED_OTHER, "what is started from it is normal"
    assert later == [NORMAL, NORMAL], "and so is the closing of the files"


def test_numbers_are_in_order():
    assert 20 >= realtime.GUARD > realtime.CAPTURE > realtime.LOOP > realtime.REST > 0


def test_off_changes_nothing():
    with realtime.loop_in_real_time(False) as found:
        assert (found, scheduling()) == (realtime.OFF, NORMAL)


AS_NOBODY = """
import os, resource
from rig.devices import realtime
resource.setrlimit(resource.RLIMIT_RTPRIO, ({rtprio}, {rtprio}))
os.setuid(65534)
print(realtime.ask(realtime.GUARD) or "granted", realtime.is_in_force(0))
"""


@needs_root
@pytest.mark.parametrize(
    ("rtprio", "expected"),
    [(0, "Operation not permitted False"), pytest.param(20, "granted True", marks=needs_fifo)],
    ids=["without leave it is a reason and no error", "the limits file is all that it takes"],
)
def test_a_user_without_rights(rtprio, expected):
    done = subprocess.run(
        [sys.executable, "-c", AS_NOBODY.format(rtprio=rtprio)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if "not allowed to raise maximum limit" in done.stderr:
        pytest.skip("this root cannot raise limits (CAP_SYS_RESOURCE)")
    assert done.stdout.strip() == expected


@needs_fifo
@pytest.mark.parametrize("wanted", [True, False])
def test_the_guard_gets_it_if_it_is_wanted(settings, wanted):
    with Outputs(settings(realtime=int(wanted)), Events()) as outputs:
        assert outputs.guard_is_in_real_time is wanted
        if wanted:
            assert scheduling(outputs._guard.pid) == (os.SCHED_FIFO, realtime.GUARD)


@needs_fifo
@pytest.mark.parametrize("wanted", [True, False])
def test_the_thread_of_the_camera_asks_with_its_first_frame(wanted):
    queue, seen = FrameQueue(4, 1.0, in_real_time=wanted), []

    def capture():
        for n in range(2):
            queue.put(Frame(n, n / 10, n / 10, np.zeros((2, 2, 3), np.uint8)))
        seen.append(scheduling())

    thread = threading.Thread(target=capture)
    thread.start()
    thread.join()
    assert seen == [(os.SCHED_FIFO, realtime.CAPTURE) if wanted else NORMAL]


@pytest.mark.parametrize("wanted", ["1", "0"])
def test_a_session_notes_whether_it_is_in_force(run, wanted):
    finished(run(settings=BRIEF | {"realtime": wanted}, fast=False))
    (event,) = run.session().of("realtime")
    in_force = wanted == "1" and is_allowed()
    assert event.value == in_force
    expected = realtime.IN_FORCE if in_force else realtime.OFF if wanted == "0" else "is not allowed here"
    assert expected in event.detail


def test_a_fast_session_does_not_take_a_core_for_itself(run):
    finished(run(settings=BRIEF))
    assert run.session().of("realtime") == []


@pytest.mark.parametrize("wanted", ["1", "0"])
def test_the_check_says_it(run, wanted):
    quick = SHORT | {"framerate": "60", "max_frame_age_ms": "60000", "realtime": wanted}
    done = finished(run("--check", settings=quick, fast=False, mouse=None, seed=None))
    in_force = wanted == "1" and is_allowed()
    said = "is in force" if in_force else "is off" if wanted == "0" else "is not allowed here"
    assert f"scheduling: real-time scheduling {said}" in done.stdout


@needs_fifo
@needs_lgpio
def test_a_loop_that_spins_loses_its_outputs_even_on_a_single_core(run, tmp_path):
    log, since = tmp_path / "edges", tmp_path / "since"
    env = gpio_env(log) | {"SPINS_SINCE": str(since)}
    env["PYTHONPATH"] += os.pathsep + str(DRIVERS)
    settings = SHORT | {
        "vid_source": "SpinningStream",
        "outputs": "gpio",
        "initial_rest_dur": "60",
        "max_silence_s": "2",
    }
    process = run.start(settings=settings, fast=False, env=env)
    try:
        wait_until(lambda: since.exists() and since.read_text().count(" "), timeout_s=30)
        began_s, policy = since.read_text().split()
        assert int(policy) & ~os.SCHED_RESET_ON_FORK == os.SCHED_FIFO
        assert levels(log)[21] == levels(log)[17] == 1
        wait_until(lambda: levels(log)[21] == levels(log)[17] == 0, timeout_s=10)
        dark_s = [edge[0] for edge in read_edges(log) if edge[1:] == (21, 0)][-1]
        assert 1.5 < dark_s - float(began_s) < 2.5
        time.sleep(0.2)
        assert process.poll() is None, "it still spins"
    finally:
        process.kill()
        process.communicate(timeout=20)
