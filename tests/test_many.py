"""Many sessions at once: one after another, by processes of this computer, and by the workers of a real scheduler."""

import argparse
import json
import os
import shutil
import subprocess
import sys
from contextlib import contextmanager
from functools import partial
from types import SimpleNamespace

import pytest

pytest.importorskip("distributed", reason="'make setup-analysis' installs what many sessions at once need")

from analysis.many import Where, add_options, for_each, refuse_other_code
from analysis.sweep import tries_of
from analysis.what_if_session import try_session
from rig.errors import SettingsError
from rig.files.reader import read_session
from support import tasks
from support.places import ROOT
from support.sessions import recorded
from support.waiting import end, wait_until

__all__ = ["recorded"]

SERIAL, HERE = Where(1, ""), Where(2, "")


@pytest.fixture
def sessions(recorded, tmp_path):
    """Five sessions, a to e."""
    return [shutil.copytree(recorded("1roi"), tmp_path / "m1" / name) for name in "abcde"]


@contextmanager
def cluster(tmp_path, n_workers):
    """A real scheduler with its workers, each a process; yields its address and the processes of the workers."""
    file, processes = tmp_path / "scheduler.json", []
    env = os.environ | {"PYTHONPATH": str(ROOT / "tests")}  # for the tasks of these tests
    common = ["--host", "127.0.0.1", "--no-dashboard", "--scheduler-file", str(file)]

    def start(what, *arguments):
        command = [sys.executable, "-m", f"distributed.cli.dask_{what}", *common, *arguments]
        with (tmp_path / f"{what}{len(processes)}.log").open("w") as log:
            processes.append(subprocess.Popen(command, cwd=ROOT, env=env, stdout=log, stderr=log))

    try:
        start("scheduler", "--port", "0")
        wait_until(lambda: file.is_file() and file.read_text().rstrip().endswith("}"), 60)
        for _ in range(n_workers):
            start("worker", "--no-nanny", "--nthreads", "1", "--local-directory", str(tmp_path))
        address = address_in(file)
        wait_until(lambda: n_workers_of(address) == n_workers, 60)
        yield address, processes[1:]
    finally:
        for process in processes:
            end(process)


def address_in(file):
    """Return the address of the scheduler that wrote this file."""
    return json.loads(file.read_text())["address"]


def n_workers_of(address):
    """Return how many workers a scheduler has."""
    from distributed import Client

    with Client(address, timeout=30) as client:
        return len(client.scheduler_info(n_workers=-1)["workers"])


def rows_of(results):
    """Return the values of all sessions, and see that none failed."""
    assert [each.reason for each in results] == [""] * len(results)
    return [each.value for each in results]


def test_processes_give_what_one_after_another_gives(sessions):
    task = partial(try_session, tries=tries_of(["reward_threshold=0.02"], None))
    serial, here = (for_each(task, sessions[:3], where, "x") for where in (SERIAL, HERE))
    assert [each.folder for each in here] == sessions[:3]
    assert repr(rows_of(here)) == repr(rows_of(serial))


@pytest.mark.parametrize("where", [SERIAL, HERE], ids=["serial", "processes"])
def test_a_session_that_fails_is_a_result_with_its_reason(tmp_path, where):
    folders = [tmp_path / name for name in "abcd"]
    a, b, c, d = for_each(tasks.refuse_second, folders, where, "x")
    assert (a.value, d.value) == ("a", "d")
    assert b.reason == f"{tmp_path / 'b'}: no"
    assert "an error of the program, please report it (ZeroDivisionError('it is zero'))" in c.reason


def test_a_session_that_kills_every_worker_does_not_end_the_others(tmp_path):
    found = for_each(tasks.die_always, [tmp_path / name for name in "abcd"], HERE, "x")
    assert [each.value for each in found] == ["a", "b", None, "d"]
    assert "every worker that tried it was killed" in found[2].reason


def test_a_worker_of_a_cluster_that_dies_costs_only_its_session(sessions, tmp_path):
    rows = [len(read_session(folder)) for folder in sessions]
    with cluster(tmp_path, 2) as (address, workers):
        found = for_each(tasks.die_the_first_time, sessions, Where(1, address), "x")
        wait_until(lambda: sum(worker.poll() is not None for worker in workers) == 1)
    assert rows_of(found) == rows
    tried = {folder.name: (folder / "worked_on_by").read_text().count("\n") for folder in sessions}
    assert tried["c"] == 2
    assert sum(tried.values()) <= len(sessions) + 2, "what the dead worker had finished may be asked for once more"


def test_one_session_named_twice_is_worked_on_once(sessions):
    found = for_each(tasks.note_and_count, [sessions[0], sessions[0]], HERE, "x")
    assert [each.folder for each in found] == [sessions[0]] * 2
    assert (sessions[0] / "worked_on_by").read_text().count("\n") == 1


def test_a_cluster_without_workers_is_one_sentence(tmp_path):
    with cluster(tmp_path, 0) as (address, _), pytest.raises(SettingsError, match="it has no worker; start one"):
        for_each(tasks.count_rows, [tmp_path], Where(1, address), "x")


def test_workers_with_other_code_are_refused():
    client = SimpleNamespace(run=lambda function: {"tcp://w1": function(), "tcp://w2": "another"})
    with pytest.raises(SettingsError, match=r"--scheduler tcp://h:1: the worker tcp://w2 runs the code another, and"):
        refuse_other_code("tcp://h:1", client)


def test_no_scheduler_is_one_sentence(tmp_path, monkeypatch):
    monkeypatch.setattr("analysis.many.ANSWERS_WITHIN_S", 1)
    with pytest.raises(SettingsError, match="no Dask scheduler answers there"):
        for_each(tasks.count_rows, [tmp_path], Where(1, "tcp://127.0.0.1:9"), "x")


@pytest.mark.parametrize("text", ["0", "-1", "two", "1.5", ""])
def test_jobs_are_whole_numbers_from_1_on(text, capsys):
    parser = argparse.ArgumentParser()
    add_options(parser)
    with pytest.raises(SystemExit):
        parser.parse_args([f"--jobs={text}"])
    assert f"{text}: expected a whole number from 1 on" in capsys.readouterr().err
