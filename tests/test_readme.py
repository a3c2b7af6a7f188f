"""The README and the pages in docs are true: commands run, tables are those of the code, files and links exist."""

import ast
import os
import re
import shlex
import subprocess
import sys

import pytest

from CameraFactory import Driver
from rig.settings.table import markdown_tables
from support.places import ROOT, SCRIPTS


def page(name):
    """Return the text of a page of the top folder."""
    return (ROOT / name).read_text(encoding="utf-8")


def section(text, title):
    """Return what a page says below a heading of the second rank."""
    return text.split(f"\n## {title}\n")[1].split("\n## ")[0]


README, FILES, SETTINGS = (page(name) for name in ("README.md", "docs/files.md", "docs/settings.md"))
PAGES = (
    "README.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    *sorted(f"docs/{path.name}" for path in ROOT.glob("docs/*.md")),
)
BLOCKS = [block for name in PAGES for block in re.findall(r"```runnable\n(.*?)```", page(name), re.S)]
COMMANDS = sorted({line for block in BLOCKS for line in block.splitlines()})
LONGEST_README = 150  # lines: it is the door, the rooms are in docs
TOP_FOLDERS = ("analysis", "brain", "behavior", "rig", "tests", "tools", "docs", "models", "benchmarks")
TO_BE_WRITTEN = {
    "MyCameraStream.py",
    "subject.ini",
    "places.ini",
    "data_root/MOUSE/places.ini",
}  # by whoever adds a camera; by the rig
OLD_COMMANDS = {"rig.outputs", "rig.lick", "rig.tone_player", "rig.pose", "rig.session_log"}  # the changelog names them
IN_CODE_MARKS = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")


def named_files(text):
    """Return the files and folders of this repository that a page names, in code marks or as the target of a link."""
    names = IN_CODE_MARKS.findall(text)
    named = {name for name in names if re.fullmatch(r"[\w/.-]+\.(?:py|ini|md|cff|sh|pt)", name) or name == "LICENSE"}
    named |= {name for name in names if re.fullmatch(rf"(?:{'|'.join(TOP_FOLDERS)})/[\w/.-]*", name)}
    return named


def links(text):
    """Return where the links and pictures of a page lead, (file, anchor), but for those to the web."""
    targets = re.findall(r"\]\(([^)\s]+)\)", re.sub(r"```.*?```", "", text, flags=re.S))
    return {tuple(target.partition("#")[::2]) for target in targets if not target.startswith("https://")}


def anchors(text):
    """Return the anchors of the headings of a page, as GitHub makes them."""
    titles = re.findall(r"^#+ (.*)$", re.sub(r"```.*?```", "", text, flags=re.S), re.M)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def named_modules(text):
    """Return the modules of rig/ that a page starts with `python -m`, or ends with `pkill`."""
    return set(re.findall(r"(?:python -m|pkill -9 -f) (rig[\w.]*)", text))


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_run(command, tmp_path):
    words = shlex.split(command)
    assert words[0] == "python"
    env = os.environ | {"HOME": str(tmp_path)}
    done = subprocess.run([sys.executable, *words[1:]], cwd=ROOT, env=env, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


def test_there_are_commands():
    assert len(COMMANDS) == 3


def test_the_session_is_read_as_shown(run):
    assert run(settings=run.short | {"total_trials": "1"}).returncode == 0
    (folder,) = run.data.glob("m1/*")
    (block,) = re.findall(r"```python\n(.*?)```", FILES, re.S)
    assert block.count('"SESSION"') == 1
    code = block.replace('"SESSION"', repr(str(folder)))
    code += "assert session.images[0:10].shape == (10, 128, 128, 3)\nprint(*session.trials.dtype.names, sep=', ')"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert f"a row for each: {done.stdout.strip()}" in block


def test_tables_of_settings_are_those_of_the_code():
    tables = SETTINGS.split("<!-- settings -->\n")[1].split("\n<!-- end of settings -->")[0]
    assert tables == markdown_tables(), "run: python -m rig.settings"


@pytest.mark.parametrize("name", PAGES)
def test_every_file_that_a_page_names_is_there(name):
    folder = (ROOT / name).parent
    absent = {file for file in named_files(page(name)) if not (ROOT / file).exists() and not (folder / file).exists()}
    assert absent - TO_BE_WRITTEN == set()


@pytest.mark.parametrize("name", PAGES)
def test_every_link_leads_somewhere(name):
    for file, anchor in links(page(name)):
        target = (ROOT / name).parent / file if file else ROOT / name
        assert target.is_file(), file
        assert not anchor or anchor in anchors(target.read_text(encoding="utf-8")), f"{file}#{anchor}"


def test_every_page_is_one_click_from_the_readme():
    linked = {file for file, _ in links(README)}
    assert [name for name in PAGES if name != "README.md" and name not in linked] == []


def test_the_readme_is_short():
    assert len(README.splitlines()) < LONGEST_README


@pytest.mark.parametrize("name", PAGES)
def test_every_command_that_a_page_names_is_there(name):
    commands = named_modules(page(name)) - (OLD_COMMANDS if name == "CHANGELOG.md" else set())
    for module in commands:
        path = ROOT / module.replace(".", "/")
        assert path.with_suffix(".py").is_file() or (path / "__main__.py").is_file(), module


def test_every_command_is_in_a_page():
    named = set().union(*(named_modules(page(name)) for name in PAGES))
    commands = {f"rig.commands.{path.stem}" for path in ROOT.glob("rig/commands/*.py") if path.stem != "__init__"}
    assert commands - named == set()


def test_every_module_is_named_where_a_newcomer_looks_or_lies_in_a_room_that_is():
    named = named_files(section(README, "Where is it?"))
    modules = [*ROOT.glob("*.py"), *ROOT.glob("rig/**/*.py"), *SCRIPTS]
    paths = [path.relative_to(ROOT) for path in modules if path != ROOT / "rig" / "__init__.py"]
    assert [str(path) for path in paths if str(path) not in named and f"{path.parent}/" not in named] == []


def test_every_room_stands_on_a_floor_of_the_plan():
    named = named_files(section(page("CONTRIBUTING.md"), "The plan of the house"))
    rooms = {f"rig/{path.name}" for path in ROOT.glob("rig/*.py") if path.name != "__init__.py"}
    rooms |= {f"{path.parent.relative_to(ROOT)}/" for path in ROOT.glob("rig/*/*.py")}
    rooms |= {path.name for path in ROOT.glob("*.py") if not path.name.endswith("Stream.py")}
    assert rooms - named == set()


def test_pages_agree_on_how_long_the_torture_takes():
    said = [
        re.findall(r"\w+(?: \w+)? an hour", page(name))
        for name in ("docs/safety.md", "Makefile", "tests/support/promises.py")
    ]
    assert said[0] == said[1] == said[2]
    assert len(said[0]) == 1


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_columns_are_described(script):
    tree = ast.parse(script.read_text(encoding="utf-8"))
    (columns,) = [
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and node.targets[0].id == "COLUMNS"
    ]
    for name in columns:
        assert f"\n| {name} |" in FILES or f"`{name}` (" in FILES, name


def test_driver_as_described():
    """CONTRIBUTING.md names everything that a camera driver must have."""
    described = section(page("CONTRIBUTING.md"), "A camera")
    methods = [name for name in vars(Driver) if not name.startswith("_")]
    for name in {*Driver.__annotations__, *methods}:
        assert re.search(rf"`{name}\b", described), name


def test_citation_is_plain_yaml():
    """Of YAML it uses only what this test can check: `key: value`, `- item`, quotes where a value has a colon."""
    plain, quoted = r"\w(?:(?!: | #)[^\"])*", r'"[^"\\]*"'
    line = re.compile(rf"(?:  )*(?:- )?(?:[\w-]+:(?: (?:{plain}|{quoted}))?|{plain})")
    assert [text for text in page("CITATION.cff").splitlines() if not line.fullmatch(text)] == []


def test_citation_names_software_and_paper():
    software, paper = page("CITATION.cff").split("\npreferred-citation:\n")
    top_level = dict(re.findall(r"^([\w-]+):(?: (.*))?$", software, re.M))
    assert top_level.keys() >= {"cff-version", "message", "title", "authors", "license"}
    assert top_level["license"] == "BSD-3-Clause"
    (version,) = re.findall(r'^version = "(.*)"$', page("pyproject.toml"), re.M)
    assert top_level["version"] == version
    assert "\nauthors:\n  - name: CLoPy contributors\n" in software
    assert re.findall(r"family-names: (\w+)", paper) == ["Gupta", "Murphy"]
    assert "  journal: eLife\n" in paper
    assert "  doi: 10.7554/eLife.105070\n" in paper


def test_license_is_the_one_that_is_cited():
    text = page("LICENSE")
    assert text.startswith("BSD 3-Clause License\n\nCopyright (c) 2026, CLoPy contributors\n")
    assert [line[:2] for line in text.splitlines() if re.match(r"\d\. ", line)] == ["1.", "2.", "3."]
