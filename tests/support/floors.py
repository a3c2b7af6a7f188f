"""The floors of the house, from the top down.

Imports point downward only, and rooms on one floor do not import each other.

A room is a folder of rig/, a file of rig/, or a file of the top folder.  Files of one room may import each other, but
not in a circle.
"""

import ast
from pathlib import Path

from support.places import ROOT

CAMERAS = frozenset(path.stem for path in ROOT.glob("*Stream.py"))
SCRIPTS = frozenset({"brain", "behavior"})
FLOORS = (
    {"analysis"},  # reads sessions, and runs the scripts' run_session
    SCRIPTS,
    CAMERAS,  # imported by CameraFactory at run time only
    {"rig.preflight", "rig.baseline", "rig.commands", "rig.books", "rig.artefacts"},
    {"rig.session"},
    {"rig.registering"},
    {"rig.options"},
    {"rig.questions"},
    {"rig.screen", "rig.files"},
    {"CameraFactory"},
    {"rig.devices"},
    {"rig.simulated"},
    {"rig.settings"},
    {"rig.protocol"},
    {"rig.ending"},
    {"rig.terminal", "rig.events", "rig.errors", "rig.disk", "helper", "roi_manager"},
)
FLOOR_OF = {room: len(FLOORS) - i for i, rooms in enumerate(FLOORS) for room in rooms}
# Only in the function that opens one of the two may a real device reach its simulated twin.
TWINS = "rig.simulated"
SOURCES = tuple(
    sorted(
        path
        for pattern in ("*.py", "rig/**/*.py", "brain/*.py", "behavior/*.py", "analysis/**/*.py")
        for path in ROOT.glob(pattern)
        if path not in (ROOT / "rig" / "__init__.py", ROOT / "analysis" / "__init__.py")
    )
)


def module_of(path):
    """Return the name by which a file is imported."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def room_of(module):
    """Return the room of a module: None for what is not ours."""
    parts = module.split(".")
    if parts[0] == "rig":
        return ".".join(parts[:2]) if len(parts) > 1 else None
    return parts[0] if parts[0] in FLOOR_OF else None


def imports(tree):
    """Return [(module, the function it is imported in)] of a file, also within functions and `__main__` blocks."""
    found = []

    def visit(node, function):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            function = node.name
        if isinstance(node, ast.Import):
            found.extend((alias.name, function) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            found.append((node.module, function))
            # `from rig import session` names a module in the list, not in the part before it
            found.extend((f"{node.module}.{alias.name}", function) for alias in node.names if node.module == "rig")
        for child in ast.iter_child_nodes(node):
            visit(child, function)

    visit(tree, "")
    return found


def trespasses(module, tree):
    """Return a sentence for every import of a file that does not point downward."""
    room, wrong = room_of(module), []
    for imported, function in imports(tree):
        other = room_of(imported)
        if other is None or other == room:
            continue
        pair = f"{module} imports {imported}"
        if FLOOR_OF[other] >= FLOOR_OF[room]:
            wrong.append(f"{pair}: {other} is on floor {FLOOR_OF[other]}, not below floor {FLOOR_OF[room]} of {room}")
        elif other == TWINS and room == "rig.devices" and not function.startswith("open_"):
            wrong.append(f"{pair}: a real device reaches its twin only in the function that opens one of the two")
    return wrong


def circles(edges):
    """Return the modules that lie on a circle of {module: modules it imports}."""
    left = {module: set(others) & edges.keys() for module, others in edges.items()}
    while free := [module for module, others in left.items() if not others]:
        for module in free:
            del left[module]
        for others in left.values():
            others.difference_update(free)
    return sorted(left)


def parse(path: Path):
    """Return the syntax tree of a file."""
    return ast.parse(path.read_text(encoding="utf-8"))
