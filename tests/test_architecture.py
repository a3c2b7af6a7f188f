"""Imports point downward: scripts, then cameras, roi_manager and rig, then helper; vendors are imported late."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import ROOT

CAMERAS = {path.stem for path in ROOT.glob("*Stream.py")} | {"CameraFactory"}
MIDDLE = CAMERAS | {"roi_manager", "rig"}
SCRIPTS = sorted([*ROOT.glob("brain/*.py"), *ROOT.glob("behavior/*.py")])
VENDORS = {
    "picamera2",
    "RPi",
    "lgpio",
    "pyaudio",
    "dlclive",
    "torch",
    "adafruit_mpr121",
    "adafruit_extended_bus",
    "board",
}
SOURCES = sorted([*ROOT.glob("*.py"), *ROOT.glob("rig/*.py"), *SCRIPTS])


def imports(path, top_level_only=False):
    """Return the first names of all modules that a file imports."""
    tree = ast.parse(path.read_text())
    nodes = tree.body if top_level_only else ast.walk(tree)
    found = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add((node.module or "").split(".")[0])
    return found


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_vendors_are_imported_where_the_device_is_opened(path):
    assert not imports(path, top_level_only=True) & VENDORS


def test_helper_imports_nothing_of_ours():
    assert not imports(ROOT / "helper.py") & (MIDDLE | {"brain", "behavior"})


@pytest.mark.parametrize("path", [p for p in SOURCES if p not in SCRIPTS], ids=lambda path: path.name)
def test_nothing_imports_a_script_and_only_the_factory_a_driver(path):
    assert not imports(path) & {"brain", "behavior"}
    drivers = CAMERAS - {"CameraFactory", path.stem}
    assert not imports(path) & drivers


def test_drivers_need_neither_factory_nor_windows():
    for path in ROOT.glob("*Stream.py"):
        assert not imports(path) & {"CameraFactory", "roi_manager"}


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_a_script_stays_readable(path):
    text = path.read_text()
    assert len(text.splitlines()) <= 200
    assert "eval(" not in text
    loops = [
        node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.For) and node.end_lineno - node.lineno > 10
    ]
    assert all(loop.end_lineno - loop.lineno <= 60 for loop in loops)


def test_functions_are_short():
    lengths = []
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef):
                body = node.body[1:] if ast.get_docstring(node) else node.body
                lengths.append((body[-1].end_lineno - body[0].lineno + 1) if body else 0)
    assert sorted(lengths)[len(lengths) // 2] <= 6
    assert max(lengths) <= 55


def test_the_script_starts_from_any_folder_without_installing_anything(tmp_path):
    for script in SCRIPTS:
        done = subprocess.run(
            [sys.executable, str(script), "--help"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr


def test_no_path_of_a_single_machine():
    for path in [*SOURCES, *Path(ROOT / "tests").glob("*.py")]:
        assert "/ro" + "ot/" not in path.read_text()
