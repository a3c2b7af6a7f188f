"""Sessions with lines for other machines: CLNF, run as a user runs it, with the real rpi-lgpio on a chip in memory."""

import re
import signal

import h5py
import numpy as np
import pytest

from rig.errors import AlignmentError
from rig.files.barcodes import decode
from rig.files.reader import read_session
from support.pins import PINS, SYNC, SYNC_PINS, gpio_env, levels, needs_lgpio, read_edges
from support.places import ROOT, SHORT, SHORT_PAWS
from support.runner import Runner, SpeedRunner, finished, without_time
from support.sync import assert_frames_are_marked, edges_of_pin, seen_by_another_clock
from support.waiting import end, wait_until

BRIEF = SHORT | SYNC | {
    "outputs": "gpio", "framerate": "30", "total_trials": "2", "initial_rest_dur": "3", "max_trial_dur": "4",
    "reward_delay": "0.5", "reward_threshold": "0.02",
}  # fmt: skip
ALL_LOW = dict.fromkeys((PINS | SYNC_PINS).values(), 0)


@pytest.fixture(scope="module")
def with_lines(tmp_path_factory):
    """A session at its own pace, with both lines and a trigger in step with the frames; and what the chip saw."""
    folder = tmp_path_factory.mktemp("lines")
    run, log = Runner(folder), folder / "edges"
    finished(run(settings=BRIEF | {"trigger_mode": "frames"}, fast=False, env=gpio_env(log)))
    return run.session(), log


def test_every_frame_has_a_pulse_that_is_stored_as_it_was_driven(with_lines):
    session, log = with_lines
    assert_frames_are_marked(session, "frame", edges_of_pin(log, SYNC_PINS["frame"]))
    assert_frames_are_marked(session, "trigger", edges_of_pin(log, PINS["trigger"]))


def test_the_valve_goes_before_the_pulse_of_its_frame(with_lines):
    session, log = with_lines
    pulses = {int(p["value"]): float(p["rose_s"]) for p in session.sync if p["line"] == b"frame"}
    rising_s, _ = edges_of_pin(log, PINS["reward"])
    rewarded = [event.frame for event in session.of("reward", "commanded: 0")]
    assert len(rewarded) == len(rising_s) > 0
    for frame, rose_s in zip(rewarded, rising_s, strict=True):
        assert rose_s < pulses[frame]


def test_barcodes_are_on_the_pin_and_in_the_file(with_lines):
    session, log = with_lines
    assert len(session.barcodes) >= 2
    seen = decode(*edges_of_pin(log, SYNC_PINS["barcode"]))
    known = set(seen) & set(session.barcodes)
    assert known, "on a busy machine an edge may have come late, and the end may have cut one off, but not all"
    rose_s = session.sync["rose_s"][session.sync["line"] == b"barcode"]
    assert max(np.abs(rose_s - seen[value]).min() for value in known) < 2e-3
    assert levels(log) == ALL_LOW


def test_the_table_has_a_version_and_a_name_of_its_own(with_lines):
    session, _ = with_lines
    with h5py.File(session.folder / "image_stream.hdf5") as file:
        assert file.attrs["sync_version"] in (b"1", "1")
        assert file["sync"].dtype.names == ("line", "value", "rose_s", "fell_s")
        assert len(file["sync"]) == len(session.sync)
    assert not {"frame", "barcode"} & {event.device for event in session.events}, "/events stays readable"
    assert not list(session.folder.glob("*.part"))


def test_the_edges_of_the_frame_line_align_another_machine(with_lines):
    session, log = with_lines
    rising_s, _ = edges_of_pin(log, SYNC_PINS["frame"])
    there_s, to_other = seen_by_another_clock(rising_s)
    found = session.align(there_s)
    assert found.matched >= 0.9 * len(rising_s)
    captured_s, time_s = session.frames["captured_s"], session.frames["time_s"]
    np.testing.assert_allclose(found.to_session(to_other(captured_s)), time_s, rtol=0, atol=1e-4)
    np.testing.assert_allclose(found.to_other(time_s), to_other(captured_s), rtol=0, atol=1e-4)


def sampled(edges, began_s, rate_hz=30000):
    """Return a line as a recorder of ephys samples it, 0 or 1."""
    line = np.zeros(int((edges[1][-1] - began_s + 2) * rate_hz), np.uint8)
    for rose_s, fell_s in zip(*edges, strict=True):
        line[int((rose_s - began_s) * rate_hz) + 1 : int((fell_s - began_s) * rate_hz) + 1] = 1
    return line


def test_a_recording_of_ephys_is_aligned_as_the_page_says(with_lines, tmp_path, monkeypatch):
    """The spikes of the example come 10 ms after each frame."""
    session, log = with_lines
    frame_line, barcode_line = (edges_of_pin(log, SYNC_PINS[line]) for line in ("frame", "barcode"))
    began_s = barcode_line[0][0] - 2
    np.save(tmp_path / "line.npy", sampled(frame_line, began_s))
    np.save(tmp_path / "spike_samples.npy", (session.frames["captured_s"] + 0.01 - began_s) * 30000)
    monkeypatch.chdir(tmp_path)
    page = (ROOT / "docs" / "synchronisation.md").read_text(encoding="utf-8")
    by_frames, use, by_barcodes = re.findall(r"```python\n(.*?)```", page, re.S)
    names = {}
    exec(by_frames.replace("SESSION", str(session.folder)) + use, names)  # noqa: S102 - our own page
    assert (names["frame"] == np.arange(len(session))).mean() > 0.95, "but for frames that came late"
    assert len(names["rewards_in_ephys_s"]) == len(session.of("reward", "commanded: 0"))
    np.save(tmp_path / "line.npy", sampled(barcode_line, began_s))
    load = by_frames.partition("found =")[0].replace("SESSION", str(session.folder))
    exec(load + by_barcodes + use, names)  # noqa: S102
    assert names["found"].line == "barcode"
    assert (names["frame"] == np.arange(len(session))).mean() > 0.95


def test_another_session_is_refused(with_lines):
    session, _ = with_lines
    unrelated_s = np.arange(len(session)) / 30 + np.random.default_rng(0).gamma(2, 1e-4, len(session))
    with pytest.raises(AlignmentError, match="it is not certain"):
        session.align(unrelated_s)


@needs_lgpio
def test_paw_sessions_have_the_lines_too(tmp_path):
    run, log = SpeedRunner(tmp_path), tmp_path / "edges"
    lines = {"frame_pin": 11, "barcode_pin": 15, "trigger_mode": "frames", "trigger_stop_edge": "0"}  # BOARD numbers
    brief = {"total_trials": "1", "initial_rest_dur": "3", "max_trial_dur": "3", "pose": "simulated", "video_file": ""}
    finished(run(settings=SHORT_PAWS | brief | lines | {"outputs": "gpio"}, fast=False, env=gpio_env(log)))
    session = run.session()
    assert_frames_are_marked(session, "frame", edges_of_pin(log, 17))
    assert_frames_are_marked(session, "trigger", edges_of_pin(log, 27))
    there_s, to_other = seen_by_another_clock(edges_of_pin(log, 17)[0])
    aligned_s = session.align(there_s).to_other(session.frames["time_s"])
    np.testing.assert_allclose(aligned_s, to_other(session.frames["captured_s"]), rtol=0, atol=1e-4)
    assert len(session.barcodes) >= 1
    assert set(levels(log).values()) == {0}


def test_a_session_without_lines_has_no_table(run):
    finished(run())
    session = run.session()
    assert len(session.sync) == 0
    assert (session.barcodes, "sync_version" in session.attributes) == ({}, False)
    with h5py.File(session.folder / "image_stream.hdf5") as file:
        assert set(file) == {"raw_images", "frames", "events"}
    with pytest.raises(AlignmentError, match="this session has no pulses for other machines"):
        session.align(np.arange(100.0))


@needs_lgpio
def test_a_replay_marks_nothing_and_decides_the_same(with_lines, run, tmp_path):
    session, _ = with_lines
    replay = {"vid_source": "VideoStream", "vid_root": str(session.folder), "config": session.folder / "config.ini"}
    log = tmp_path / "edges"
    done = run("--config", replay.pop("config"), settings=replay | {"outputs": "gpio"}, fast=False, env=gpio_env(log))
    finished(done)
    again = run.session()
    assert without_time(again) == without_time(session)
    assert len(again.sync) == 0
    lines = {*SYNC_PINS.values(), PINS["trigger"]}
    assert not [edge for edge in read_edges(log) if edge[1] in lines and edge[2]], "its frames were never now"


@needs_lgpio
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT], ids=lambda n: n.name)
def test_a_session_that_is_ended_leaves_the_lines_low_and_their_pulses_stored(run, tmp_path, number):
    log = tmp_path / "edges"
    process = run.start(settings=BRIEF | {"initial_rest_dur": "60"}, fast=False, env=gpio_env(log))
    try:
        folder = run.wait_for_rows(90)
        process.send_signal(number)
        process.communicate(timeout=30)
    finally:
        end(process)
    wait_until(lambda: levels(log) == ALL_LOW)
    session = read_session(folder)
    assert session.was_cut_short == (number == signal.SIGKILL)
    marked = session.sync[session.sync["line"] == b"frame"]["value"]
    assert marked.tolist() == list(range(len(marked)))
    assert len(marked) >= 60, "at most a second is missing"
    rising_s, _ = edges_of_pin(log, SYNC_PINS["frame"])
    there_s, to_other = seen_by_another_clock(rising_s)
    captured_s = session.frames["captured_s"]
    np.testing.assert_allclose(
        session.align(there_s).to_other(session.frames["time_s"]), to_other(captured_s), atol=1e-4
    )


def test_a_killed_session_is_finished_with_its_pulses(run):
    folder = run.killed(60, settings=BRIEF | {"outputs": "simulated", "initial_rest_dur": "60"})
    before = read_session(folder).sync
    assert len(before) >= 20
    done = finished(run(mouse="m2", settings=SHORT))
    assert f"{folder}: this session was cut short; its files are finished now" in done.stdout
    after = read_session(folder)
    assert (after.was_cut_short, after.sync.tolist()) == (False, before.tolist())
