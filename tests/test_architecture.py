"""The plan of the house: floors, rooms, and what may import what."""

import ast
import subprocess
import sys
from itertools import combinations

import pytest

from support.floors import CAMERAS, FLOOR_OF, FLOORS, SOURCES, circles, imports, module_of, parse, room_of, trespasses
from support.places import ROOT, SCRIPTS
from support.shapes import shared_run

VENDORS = {
    "picamera2",
    "RPi",
    "lgpio",
    "pyaudio",
    "dlclive",
    "torch",
    "tensorflow",
    "onnxruntime",
    "av",
    "adafruit_mpr121",
    "adafruit_extended_bus",
    "board",
    "gi",
}
# What only analysis/ may need: a rig runs without them.
OF_THE_ANALYSIS = {
    "hdmf",
    "isal",
    "jinja2",
    "matplotlib",
    "ndx_pose",
    "nwbinspector",
    "pandas",
    "pynwb",
    "scipy",
    "statsmodels",
}
LONGEST_SCRIPT = 150  # lines: a script is read like a methods section
LONGEST_LOOP = 40  # lines: the science of one frame fits on a screen


@pytest.mark.parametrize("path", SOURCES, ids=module_of)
def test_imports_point_downward(path):
    assert trespasses(module_of(path), parse(path)) == []


def test_every_source_has_a_floor():
    assert {room_of(module_of(path)) for path in SOURCES} - {None} <= FLOOR_OF.keys()
    assert all(room_of(module_of(path)) for path in SOURCES)


def test_no_circle_within_a_room():
    edges = {module_of(path): {imported for imported, _ in imports(parse(path))} for path in SOURCES}
    assert circles(edges) == []


@pytest.mark.parametrize(
    ("module", "source", "fragment"),
    [
        ("rig.files.log", "import rig.screen.window", "rig.screen is on floor 8, not below floor 8 of rig.files"),
        ("rig.protocol.dff", "def f():\n    from rig.settings.common import RigSettings", "rig.settings is on floor 4"),
        ("rig.events", "if __name__ == '__main__':\n    from rig.ending import run", "rig.ending is on floor 2"),
        (
            "rig.devices.lick",
            "from rig.simulated.lick import SimLick",
            "only in the function that opens one of the two",
        ),
        ("rig.books", "from rig import preflight", "rig.preflight is on floor 13, not below floor 13 of rig.books"),
        ("CameraFactory", "import PiCameraStream", "PiCameraStream is on floor 14, not below floor 7"),
    ],
)
def test_a_trespass_is_seen(module, source, fragment):
    (found,) = trespasses(module, ast.parse(source))
    assert fragment in found


def test_a_twin_may_be_opened():
    opener = "def open_lick():\n    from rig.simulated.lick import SimLick"
    assert trespasses("rig.devices.lick", ast.parse(opener)) == []


def test_a_circle_is_seen():
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": set()}) == ["a", "b", "c"]


def test_floors_list_every_room_once():
    rooms = [room for rooms in FLOORS for room in rooms]
    assert len(rooms) == len(set(rooms))


@pytest.mark.parametrize("path", SOURCES, ids=module_of)
def test_vendors_are_imported_where_the_device_is_opened(path):
    at_the_top = {imported.split(".")[0] for imported, function in imports(parse(path)) if not function}
    assert not at_the_top & VENDORS


@pytest.mark.parametrize("path", SOURCES, ids=module_of)
def test_a_rig_runs_without_the_libraries_of_the_analysis(path):
    imported = {name.split(".")[0] for name, _ in imports(parse(path))}
    assert room_of(module_of(path)) == "analysis" or not imported & OF_THE_ANALYSIS
    assert "matplotlib.pyplot" not in {name for name, _ in imports(parse(path))}, "it keeps figures, and opens windows"


def test_no_file_next_to_a_script_hides_a_library():
    """The folder of a script comes first on its path: `tables.py` there would be taken for PyTables."""
    imported = {name.split(".")[0] for path in SOURCES for name, _ in imports(parse(path))}
    next_to_scripts = {path.stem for room in ("analysis", "brain", "behavior") for path in (ROOT / room).iterdir()}
    assert not next_to_scripts & (imported | sys.stdlib_module_names)


def test_nothing_names_a_driver_but_the_settings_of_a_simulated_rig():
    """Drivers say what they are themselves; only `--simulate` and messages to the user name one."""
    for path in SOURCES:
        if module_of(path) in CAMERAS:
            continue
        compared = [
            constant.value
            for node in ast.walk(parse(path))
            if isinstance(node, ast.Compare)
            for constant in ast.walk(node)
            if isinstance(constant, ast.Constant) and constant.value in CAMERAS
        ]
        assert compared == [], path


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_a_script_reads_like_a_methods_section(path):
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= LONGEST_SCRIPT
    assert "eval(" not in text
    loop = next(
        node
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.For) and "rig.frames" in ast.unparse(node.iter)
    )
    assert loop.end_lineno - loop.lineno < LONGEST_LOOP


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_an_experiment_cannot_reorder_acting_and_storing(path):
    """Scripts act through `rig.act` and store through `books.write`, in this order, and touch no device themselves."""
    calls = [ast.unparse(node.func) for node in ast.walk(parse(path)) if isinstance(node, ast.Call)]
    assert calls.count("rig.act") == calls.count("books.write") == 1
    assert calls.index("rig.act") < calls.index("books.write")
    devices = ("rig.tone.", "rig.outputs.", "rig.water.", "rig.lick.", "rig.camera.")
    assert [call for call in calls if call.startswith(devices)] == []


@pytest.mark.parametrize(("one", "other"), [*combinations(SCRIPTS, 2)], ids=lambda path: path.name)
def test_two_scripts_share_no_run_of_lines(one, other):
    """What is the same in two experiments stands in rig/, once: no six lines in a row, not even with other names."""
    assert shared_run(one.read_text(encoding="utf-8"), other.read_text(encoding="utf-8")) < 6


def test_a_shared_run_is_seen():
    lines = [f"x{i} = f(x{i - 1}, {i})" for i in range(7)]
    renamed = [f"y{i} = g(y{i - 1}, {i + 5})" for i in range(7)]
    assert shared_run("\n".join(["a = [1]", *lines]), "\n".join([*renamed, "b = {}"])) == 7
    assert shared_run("\n".join(lines), "\n".join([*renamed[:3], "# a comment", "", *renamed[3:]])) == 7
    assert shared_run("\n".join(lines), "\n".join([*renamed[:3], "if b:", "    pass", *renamed[3:]])) == 4


@pytest.mark.parametrize("process", ["rig.devices.valve_guard", "rig.devices.tone_process"])
def test_processes_that_must_not_die_of_weight_import_next_to_nothing(process):
    heavy = ["numpy", "cv2", "tables", "pydantic", "rich"]
    code = f"import sys, {process}; print([name for name in {heavy} if name in sys.modules], len(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    found, _, count = done.stdout.strip().rpartition(" ")
    assert found == "[]"
    assert int(count) < 150, "modules; an interpreter that has imported nothing has about 40"


def test_a_script_starts_from_any_folder_without_installing_anything(tmp_path):
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
    for path in [*SOURCES, *ROOT.glob("tests/**/*.py")]:
        assert "/ro" + "ot/" not in path.read_text(encoding="utf-8"), path
