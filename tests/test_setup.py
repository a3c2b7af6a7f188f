"""tools/setup.sh: what it decides on which machine.  Its functions are sourced; what they call are stand-ins."""

import ast
import os
import re
import subprocess
import sys

import pytest

from support.floors import SOURCES, parse
from support.places import ROOT

INSTALLED = """\
installed python3, python3-supported-min (= 3.13.5-1)
installed libglib2.0-0t64, libglib2.0-0 (= 2.84.4-3~deb13u1), libgio (= 2.84.4)
installed libgl1,
config-files xvfb,
"""
PI, JETSON, PC = "Raspberry Pi 5 Model B Rev 1.0", "NVIDIA Jetson Orin Nano Developer Kit", ""
TESTS_ONLY = {"git", "xvfb", "xdotool", "pulseaudio", "pulseaudio-utils"}
PIP = """#!/bin/sh
# python -m pip COMMAND ...: notes the command; `show PACKAGE` looks into the folder "packages"
here=$(dirname "$0")/../packages
if [ "$1 $2" != "-m pip" ]; then exec PYTHON "$@"; fi
for last in "$@"; do :; done
case "$*" in
    *" show "*) [ -e "$here/$last" ] ;;
    *) echo "$@" >> "$here/../commands" ;;
esac
"""


@pytest.fixture
def sh(tmp_path):
    """Run lines with the functions of setup.sh; return what they print.  `model` is the computer's."""
    tools = tmp_path / "stand-ins"
    tools.mkdir()
    listing = tmp_path / "dpkg"
    listing.write_text(INSTALLED)
    (tools / "dpkg-query").write_text(f"#!/bin/sh\ncat {listing}\n")
    (tools / "dpkg-query").chmod(0o755)

    def run(lines, model=PC, fails=False, **env):
        script = f'source {ROOT}/tools/setup.sh\nmodel="{model}"\n{lines}'
        path = f"{tools}:{os.environ['PATH']}"
        done = subprocess.run(
            ["bash", "-c", script], cwd=tmp_path, env=os.environ | {"PATH": path} | env, capture_output=True, text=True
        )
        assert (done.returncode != 0) == fails, done.stderr
        return done.stdout + done.stderr

    run.installed = listing
    return run


def python_of_version(folder, version):
    """Make a Python that says that it is of this version."""
    path = folder / f"python{version}"
    numbers = tuple(int(part) for part in version.split("."))
    path.write_text(
        f'#!/bin/sh\nif [ "$1" = --version ]; then echo Python {version}.0; exit; fi\n'
        f'exec {sys.executable} -c "import sys; sys.version_info = {(*numbers, 0)}; $2"\n'
    )
    path.chmod(0o755)
    return path


@pytest.fixture
def venv(tmp_path):
    """An environment whose pip only notes what it is told; `packages` are those that it has."""
    folder = tmp_path / ".venv-clmf"
    for name in ("bin", "packages", "lib/python3.12/site-packages"):
        (folder / name).mkdir(parents=True)
    (folder / "bin" / "python").write_text(PIP.replace("PYTHON", sys.executable))
    (folder / "bin" / "python").chmod(0o755)
    return folder


def commands(venv):
    path = venv / "commands"
    return path.read_text().splitlines() if path.exists() else []


@pytest.mark.parametrize(("model", "more"), [(PC, set()), (PI, {"i2c-tools"}), (JETSON, {"i2c-tools"})])
def test_what_only_tests_need_is_not_installed_on_a_rig(sh, model, more):
    packages = set(sh("packages_for clnf clmf", model).split())
    assert not packages & TESTS_ONLY
    assert packages >= more | {"python3", "libasound2-plugins", "portaudio19-dev"}
    assert ("python3-picamera2" in packages) == (model == PI)
    assert set(sh("packages_for clnf tests", model).split()) >= packages | TESTS_ONLY


GENICAM = {"gir1.2-aravis-0.8", "libgirepository1.0-dev", "libcairo2-dev", "pkg-config"}


def test_aravis_is_installed_only_where_it_is_wanted_and_its_simulated_cameras_only_for_tests(sh):
    assert not (GENICAM | {"aravis-tools"}) & set(sh("packages_for clnf clmf tests").split())
    packages = set(sh("packages_for genicam").split())
    assert packages >= GENICAM
    assert not {"aravis-tools", "python3-gi"} & packages
    assert "aravis-tools" in sh("packages_for clnf genicam tests").split()
    assert "python3-gi" in sh("packages_for genicam", PI).split(), "the environments see it there"


def test_aravis_joins_the_environments_that_are_there(sh, venv):
    said = sh("install_genicam; install_genicam")
    assert said == "Installing Python packages into .venv-clmf: requirements-genicam.txt\n", "once"
    (installed,) = commands(venv)
    assert installed.endswith("install --use-pep517 -r requirements-genicam.txt")
    (venv / "bin" / "python").unlink()
    assert sh("install_genicam", fails=True) == "There is no .venv yet; run 'make setup' first\n"


def test_the_documentation_needs_no_package_of_the_rig(sh):
    assert sh("packages_for docs", PI).split() == ["python3", "python3-venv"]
    assert sh("for part in clnf clmf docs analysis; do folder_of $part; done").split() == [
        ".venv",
        ".venv-clmf",
        ".venv-docs",
        ".venv",
    ]
    assert sh("for part in onnx tensorflow; do folder_of $part; done").split() == [".venv", ".venv-tensorflow"]


@pytest.mark.parametrize("server", ["pipewire-pulse", "pipewire-alsa", "pipewire-audio"])
def test_tests_do_not_push_out_the_sound_server_of_a_desktop(sh, server):
    sh.installed.write_text(INSTALLED + f"installed {server},\n")
    assert "pulseaudio" not in sh("packages_for clnf tests", PI).split()


def test_a_renamed_package_is_known_and_a_removed_one_is_not(sh):
    missing = sh("printf '%s\\n' python3 libglib2.0-0 libgl1 xvfb gcc | grep -vxF -f <(installed)").split()
    assert missing == ["xvfb", "gcc"]


def test_nothing_missing_is_no_word_and_no_apt(sh):
    assert sh("apt-get() { echo called; }; install_packages python3 libglib2.0-0 libgl1") == ""


@pytest.mark.parametrize(
    ("part", "version", "good"),
    [
        ("clnf", "3.9", False),
        ("clnf", "3.10", True),
        ("clnf", "3.13", True),
        ("onnx", "3.13", True),
        ("tensorflow", "3.12", True),
        ("tensorflow", "3.13", False),
        ("clmf", "3.9", False),
        ("clmf", "3.10", True),
        ("clmf", "3.12", True),
        ("clmf", "3.13", False),
    ],
)
def test_which_python_serves_what(sh, tmp_path, part, version, good):
    said = sh(f"check_python {part}", fails=not good, PYTHON=str(python_of_version(tmp_path, version)))
    if good:
        assert said == ""
        return
    assert "The rig runs on Python 3.10 to 3.13, DeepLabCut-Live on 3.10 to 3.12" in said
    assert f"is Python {version}.0" in said
    cures = {"clmf": "PYTHON=python3.12 make setup-dlclive", "tensorflow": "PYTHON=python3.12 make setup-tensorflow"}
    assert [each for each, cure in cures.items() if cure in said] == [part] * (part in cures)
    assert ("A model in an .onnx file needs none of it" in said) == (part in cures)


@pytest.mark.parametrize(
    ("model", "parts"), [(PC, ["clnf", "onnx", "analysis"]), (PI, ["clnf"]), (JETSON, ["clnf", "clmf"])]
)
def test_what_is_installed_without_a_word(sh, model, parts):
    """On a rig no reports unless asked for; DeepLabCut-Live, 2 GB, by itself only on a Jetson."""
    assert sh("default_parts", model).split() == parts


def test_deeplabcut_live_is_kept_up_to_date_where_it_was_installed_once(sh, venv):
    (venv / "ready").touch()
    assert sh("default_parts").split() == ["clnf", "onnx", "clmf", "analysis"]


def test_reports_get_what_they_need_in_each_environment_that_there_is(sh, tmp_path, venv):
    install = "install_clnf() { :; }; install_analysis"
    assert sh(install) == "", "no environment is ready"
    (venv / "ready").touch()
    assert sh(install).split(": ") == ["Installing Python packages into .venv-clmf", "requirements-analysis.txt\n"]
    (command,) = commands(venv)
    assert command.endswith("-r requirements-analysis.txt")
    for name in ("requirements.txt", "requirements-analysis.txt", "tools/setup.sh"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (1000, 1000))
    assert sh(install) == "", "it is there already"


def test_the_versions_are_those_of_the_project():
    page = (ROOT / "pyproject.toml").read_text()
    assert 'requires-python = ">=3.10"' in page
    assert 'target-version = "py310"' in page
    assert "--target=3.10-" in (ROOT / "Makefile").read_text()


def bases_of_generic_tuples(tree):
    """Return where the NamedTuple of each generic one comes from."""
    imported = {
        alias.asname or alias.name: node.module
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    bases = [[ast.unparse(base).split("[")[0] for base in node.bases] for node in ast.walk(tree)
             if isinstance(node, ast.ClassDef)]  # fmt: skip
    return [imported["NamedTuple"] for names in bases if {"NamedTuple", "Generic"} <= set(names)]


def test_no_tuple_is_generic_as_python_3_10_cannot():
    """What vermin does not see: typing.NamedTuple can be generic from 3.11 on."""
    assert bases_of_generic_tuples(
        ast.parse("from typing import Generic, NamedTuple\nclass A(NamedTuple, Generic[T]): pass")
    ) == ["typing"]
    for path in SOURCES:
        assert "typing" not in bases_of_generic_tuples(parse(path)), path


def test_what_is_ready_is_left_alone_until_its_files_change(sh, tmp_path, venv):
    (tmp_path / "tools").mkdir()
    files = [tmp_path / "requirements.txt", tmp_path / "tools" / "setup.sh"]
    ask = "if is_ready .venv-clmf ready requirements.txt; then echo yes; else echo no; fi"
    for file in files:
        file.touch()
        os.utime(file, (1000, 1000))
    assert sh(ask) == "no\n", "it was never made"
    (venv / "ready").touch()
    assert sh(ask) == "yes\n"
    for file in files:
        os.utime(file)
        os.utime(venv / "ready", (2000, 2000))
        assert sh(ask) == "no\n"
        os.utime(file, (1000, 1000))
    (venv / "bin" / "python").unlink()
    assert sh(ask) == "no\n", "its Python is gone, as after a new version of the system"


def test_jetson_the_second_setup_keeps_the_pins(sh, venv):
    """rpi-lgpio and Jetson.GPIO both bring a folder RPi; removing one removes that of the other."""
    pins = venv / "lib" / "python3.12" / "site-packages" / "RPi" / "GPIO"
    (venv / "packages" / "Jetson.GPIO").touch()
    pins.mkdir(parents=True)
    sh("jetson_pins .venv-clmf", JETSON)
    assert commands(venv) == [], "all is well"

    (venv / "packages" / "rpi-lgpio").touch()
    sh("jetson_pins .venv-clmf", JETSON)
    uninstalled, installed = commands(venv)
    assert uninstalled.endswith("uninstall --yes rpi-lgpio")
    assert "install --force-reinstall --no-deps Jetson.GPIO" in installed, "the folder is gone with the other"


def test_jetson_pins_that_an_earlier_setup_has_deleted_come_back(sh, venv):
    (venv / "packages" / "Jetson.GPIO").touch()
    sh("jetson_pins .venv-clmf", JETSON)
    (installed,) = commands(venv)
    assert "install --force-reinstall --no-deps Jetson.GPIO" in installed


def add_package(venv, name, version, text=""):
    """Let the environment have a package that is only its name and version."""
    site = venv / "lib" / "python3.12" / "site-packages"
    (site / name).mkdir()
    (site / name / "__init__.py").write_text("raise ImportError('its libraries are not here')")
    (site / name / "version.py").write_text(text)
    info = site / f"{name}-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    return {"PYTHONPATH": str(site)}


@pytest.mark.parametrize(("cuda", "kept"), [("'12.6'", True), ("None", False)])
def test_jetson_torch_with_cuda_is_kept(sh, venv, cuda, kept):
    add_package(venv, "torch", "2.8.0", f"cuda = {cuda}\n")
    env = add_package(venv, "torchvision", "0.23.0")
    assert sh("cuda_torch .venv-clmf", JETSON, **env).split() == (
        ["torch==2.8.0", "torchvision==0.23.0"] if kept else []
    )


@pytest.mark.parametrize(
    ("model", "cuda", "asked_for"),
    [
        (JETSON, "'12.6'", "-c .venv-clmf/kept.txt"),
        (JETSON, "None", "-r requirements-torch.txt"),
        (PC, "'12.6'", "-r requirements-torch.txt"),
    ],
)
def test_which_torch_is_asked_for(sh, venv, model, cuda, asked_for):
    add_package(venv, "torch", "2.8.0", f"cuda = {cuda}\n")
    env = add_package(venv, "opencv-python", "4.11.0.86")
    said = sh("install_clmf", model, **env)
    first, *_ = commands(venv)
    assert first.endswith(f"-r requirements-clmf.txt {asked_for}")
    assert ("torch cannot use the GPU yet" in said) == (model == JETSON and cuda == "None")
    assert (venv / "ready").exists()


@pytest.mark.parametrize(("own", "installs"), [(True, 0), (False, 1)])
def test_jetson_onnx_runtime_of_nvidia_is_kept(sh, venv, own, installs):
    if own:
        (venv / "packages" / "onnxruntime-gpu").touch()
    sh("jetson_onnx .venv-clmf", JETSON)
    assert sum("onnxruntime" in command for command in commands(venv)) == installs


def test_torch_is_named_only_where_setup_can_leave_it_out():
    named = re.compile(r"^torch", re.MULTILINE)
    pages = {path.name: path.read_text() for path in ROOT.glob("requirements*.txt")}
    assert [name for name, page in pages.items() if named.search(page)] == ["requirements-torch.txt"]


def test_requirements_know_the_jetson_and_the_blinka_that_hides_rpi_lgpio():
    markers = pytest.importorskip("packaging.requirements")
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    wanted = [markers.Requirement(line) for line in lines if line and not line.startswith(("#", "-"))]
    pi = {"platform_system": "Linux", "python_version": "3.11", "platform_release": "6.12.25+rpt-rpi-2712"}
    jetson = {"platform_system": "Linux", "python_version": "3.10", "platform_release": "5.15.148-tegra"}

    def gpio(machine):
        return {each.name for each in wanted if "GPIO" in each.name.upper() and each.marker.evaluate(machine)}

    assert gpio(pi) == {"rpi-lgpio"}
    assert gpio(jetson) == {"Jetson.GPIO"}
    (blinka,) = (each for each in wanted if each.name == "Adafruit-Blinka")
    assert not blinka.specifier.contains("9.2.0")


def test_an_unknown_part_is_refused():
    done = subprocess.run(["bash", ROOT / "tools" / "setup.sh", "camera"], capture_output=True, text=True)
    assert (done.returncode, done.stderr.count("there is no part 'camera'")) == (2, 1)
