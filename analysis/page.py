"""The page of a report: one HTML file with its pictures inside, without scripts; all text is escaped."""

import base64
import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from matplotlib.figure import Figure as Drawing

from analysis.checks import Check
from analysis.evidence import Evidence, Missing
from analysis.figures.spec import Spec
from rig.disk import replace_file
from rig.errors import RigError

TEMPLATE = "page.html.j2"
WIDTH, DPI = 10.0, 110  # inches, dots per inch


class Picture(NamedTuple):
    """A figure on the page: its picture as base64, or why it is missing."""

    key: str
    title: str
    reads: str
    png: str = ""
    missing: str = ""


class Cell(NamedTuple):
    """A cell of a table, with a link or without."""

    text: str
    link: str = ""


class Table(NamedTuple):
    """A table of the page."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]


class Page(NamedTuple):
    """What stands on the page; everything is plain text.

    Attributes
    ----------
    title, heading, about, said, footer : str
    marks : sequence of str
        What a reader must not miss, as that a session was simulated.
    numbers : sequence of (str, str)
        The big numbers, each with its words.
    checks, figures, tables
        As they follow on each other.
    """

    title: str
    heading: str
    about: str
    marks: Sequence[str]
    numbers: Sequence[tuple[str, str]]
    said: str
    checks: Sequence[Check]
    figures: Sequence[Picture]
    tables: Sequence[Table]
    footer: str


def draw_all(specs: Iterable[Spec], evidence: Evidence) -> list[Picture]:
    """Draw every figure, or say why it is missing."""
    return [draw_one(spec, evidence) for spec in specs]


def draw_one(spec: Spec, evidence: Evidence) -> Picture:
    """Draw a figure, or say why it is missing."""
    drawing = new_drawing(spec.height)
    try:
        spec.draw(evidence, drawing)
    except Missing as reason:
        return Picture(spec.key, spec.title, spec.reads, missing=str(reason))
    return Picture(spec.key, spec.title, spec.reads, png=as_base64(drawing))


def new_drawing(height: float) -> Drawing:
    """Return an empty drawing as wide as the page."""
    return Drawing(figsize=(WIDTH, height), dpi=DPI, layout="constrained")


def as_base64(drawing: Drawing) -> str:
    """Return a drawing as PNG in base64."""
    file = io.BytesIO()
    drawing.savefig(file, format="png")
    return base64.b64encode(file.getvalue()).decode()


def write_page(path: Path, page: Page) -> None:
    """Write the page, as a whole or not at all.

    Raises
    ------
    RigError
        The file cannot be written.
    """
    try:
        replace_file(path, html_of(page))
    except OSError as error:
        raise RigError(f"{path}: the report cannot be written ({error.strerror})") from None


def html_of(page: Page) -> bytes:
    """Return the page as an HTML file."""
    loader = FileSystemLoader(Path(__file__).parent)
    environment = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    return environment.get_template(TEMPLATE).render(page._asdict()).encode()
