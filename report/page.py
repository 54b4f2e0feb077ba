"""The page itself: facts as plain data in, one HTML file out, with nothing to load from elsewhere.

What a chart shows is in the page once, as JSON; the scripts beside the template draw it. The
templates make tables of the same facts, for whoever reads or listens instead.
"""

import json
import math
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from bitformer.model.errors import UserError
from bitformer.model.files import ready_file, write_whole
from bitformer.report.tables import ROWS, number, percent

__all__ = ["MOST_BYTES", "as_json", "rendered", "write_page"]

#: The most that a page may take: mail servers and reviewers take 2 MB.
MOST_BYTES = 2_000_000
#: Scripts and styles, in their order.
_SCRIPTS = ("core.js", "lines.js", "bars.js", "gantt.js", "pareto.js", "energy.js", "start.js")
_STYLES = ("page.css", "charts.css")
#: Sections of the page by the part that they show, in their order, each of which has a template.
_SECTIONS = {
    "search": "Search",
    "forecasts": "Forecasts",
    "classes": "Classes",
    "detections": "Detections",
    "bits": "Bits and rounding",
    "timetable": "Timetable",
    "resources": "Resources",
    "energy": "Energy",
    "builds": "Builds",
    "history": "Training",
    "verified": "Verified",
}


def as_json(facts: Any) -> str:
    """Return facts as JSON that may stand in a script element, whatever texts they hold.

    Numbers that are not finite are null.
    """
    text = json.dumps(_finite(facts), ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    for letter in "<>&\u2028\u2029":
        text = text.replace(letter, f"\\u{ord(letter):04x}")
    return text


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _asset(name: str) -> str:
    return (resources.files("bitformer.report") / "assets" / name).read_text(encoding="utf-8")


def rendered(facts: Mapping[str, Any]) -> str:
    """Return the page of facts: a title, a verdict, and the parts that there are."""
    from jinja2 import Environment, PackageLoader, StrictUndefined  # late: not for --help

    environment = Environment(
        loader=PackageLoader("bitformer.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"num": number, "pct": percent}
    environment.globals |= ROWS
    there = [(part, name) for part, name in _SECTIONS.items() if part in facts["parts"]]
    if facts["kind"] == "build":  # what it is about comes first
        there.sort(key=lambda section: section[0] != "builds")
    return environment.get_template("page.html.j2").render(
        facts=facts,
        sections=there,
        json=as_json(facts),
        styles=[_asset(name) for name in _STYLES],
        scripts=[_asset(name) for name in _SCRIPTS],
    )


def write_page(facts: Mapping[str, Any], path: Path) -> Path:
    """Write the page of facts, whole or not at all.

    Raises
    ------
    UserError
        If the file cannot be written, or would be larger than :data:`MOST_BYTES`.
    """
    text = rendered(facts).encode("utf-8", errors="replace")
    if len(text) > MOST_BYTES:
        raise UserError(
            f"Report {path} must be at most {MOST_BYTES} bytes, and is {len(text)}: what it shows"
            " is too large for a page"
        )
    write_whole(ready_file(path), text)
    return path
