"""The README is true: its commands run, its tables are those of the code."""

import os
import re
import shlex
import subprocess
import sys

import pytest

from conftest import ROOT
from rig.settings import markdown_table

README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = [line for block in re.findall(r"```runnable\n(.*?)```", README, re.S) for line in block.splitlines()]


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_run(command, tmp_path):
    words = shlex.split(command)
    assert words[0] == "python"
    env = os.environ | {"HOME": str(tmp_path)}
    done = subprocess.run([sys.executable, *words[1:]], cwd=ROOT, env=env, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


def test_there_are_commands():
    assert len(COMMANDS) == 3


def test_table_of_settings_is_that_of_the_code():
    table = README.split("<!-- settings -->\n")[1].split("\n<!-- end of settings -->")[0]
    assert table == markdown_table(), "run: python -m rig.settings"


def test_every_file_and_picture_it_names_is_there():
    names = set(re.findall(r"`([\w/]+\.(?:py|ini))`", README)) | set(re.findall(r"\]\((docs/[^)]+)\)", README))
    absent = {name for name in names if not (ROOT / name).exists()}
    assert absent == {"MyCameraStream.py"}
    for path in [*ROOT.glob("*.py"), *(p for p in ROOT.glob("rig/*.py") if p.name != "__init__.py")]:
        name = str(path.relative_to(ROOT))
        small = {"rig/errors.py", "rig/events.py", "rig/frames.py", "rig/pacing.py", "rig/camera_bench.py"}
        assert name in README or name in small, f"{name} is not in the table of what is where"


def test_columns_are_described():
    from conftest import SCRIPT

    columns = re.search(r"COLUMNS = \((.*?)\)", SCRIPT.read_text()).group(1)
    for name in re.findall(r'"(\w+)"', columns):
        assert f"\n| {name} |" in README
