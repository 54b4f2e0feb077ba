"""The drawings of timetables in the docs: when each layer of a model holds each unit.

python benchmarks/timetable.py             says whether the drawings are those of today's designs
python benchmarks/timetable.py --write     and draws them anew, in docs/pictures
"""

import sys
from collections.abc import Iterator
from html import escape
from pathlib import Path

import click

from bitformer.hw.design import Design
from bitformer.hw.lowering.lower import lower
from bitformer.hw.timeline import Span, spans
from bitformer.model.config import named_config
from bitformer.model.initialize import initialize

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "pictures"
#: Of a window, and of a stream's step.
PICTURES = {"timetable.svg": "tiny", "step.svg": "etth1-96-24-stream"}

#: Sizes in units of the drawing: all of it, where time begins, a layer's row, a unit's bar.
WIDTH, LEFT, ROW, BAR = 1000, 150, 26, 9
TOP = 34
#: Colours of the page the drawing stands in; else these, in light and in dark.
STYLE = """<style>
.bf-s{font:12.5px system-ui,sans-serif;fill:var(--bf-soft,#52606d)}
.bf-t{font:13px system-ui,sans-serif;fill:var(--bf-ink,#1f2933)}
.bf-g{stroke:var(--bf-soft,#52606d);stroke-opacity:.25}
.bf-p{fill:var(--bf-line,#00796b)}.bf-q{fill:var(--bf-warm-line,#b7791f)}
@media (prefers-color-scheme:dark){.bf-s{fill:var(--bf-soft,#a9b3bd)}
.bf-t{fill:var(--bf-ink,#e4e7eb)}
.bf-p{fill:var(--bf-line,#4db6ac)}.bf-q{fill:var(--bf-warm-line,#e0b252)}}
</style>"""


def merged(found: list[Span]) -> Iterator[Span]:
    """Yield spans in order, those of a layer on a unit that meet as one."""
    last: dict[tuple[str, str], Span] = {}
    for span in sorted(found, key=lambda one: one.start):
        key = (span.layer, span.unit)
        before = last.get(key)
        if before is not None and span.start <= before.end:
            end = max(before.end, span.end)
            span = Span(layer=span.layer, unit=span.unit, start=before.start, end=end)
        elif before is not None:
            yield before
        last[key] = span
    yield from last.values()


def drawn(design: Design) -> str:
    """Return the timetable of a design as SVG: a row for each layer, a bar for each unit."""
    found = list(merged(spans(design)))
    layers = list(dict.fromkeys(span.layer for span in sorted(found, key=lambda one: one.start)))
    end = max(span.end for span in found)
    height = TOP + ROW * len(layers) + 44
    scale = (WIDTH - LEFT - 20) / end
    name = design.model.config.name
    title = f"The timetable of {name}: layers overlap on engine and post-processor"
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img">',
        f"<title>{escape(title)}</title>",
        STYLE,
        f'<rect class="bf-p" x="{LEFT}" y="8" width="14" height="10"/>',
        f'<text class="bf-s" x="{LEFT + 20}" y="17">matrix engine</text>',
        f'<rect class="bf-q" x="{LEFT + 130}" y="8" width="14" height="10"/>',
        f'<text class="bf-s" x="{LEFT + 150}" y="17">post-processor</text>',
    ]
    for cycle in range(0, end + 1, 100):
        x = LEFT + cycle * scale
        bottom = TOP + ROW * len(layers)
        lines += [
            f'<path class="bf-g" d="M{x:.1f} {TOP - 6} V{bottom + 6}"/>',
            f'<text class="bf-s" x="{x:.1f}" y="{bottom + 22}" text-anchor="middle">{cycle}</text>',
        ]
    for number, layer in enumerate(layers):
        y = TOP + ROW * number
        lines.append(
            f'<text class="bf-t" x="{LEFT - 10}" y="{y + 14}" text-anchor="end">{layer}</text>'
        )
        for span in (one for one in found if one.layer == layer):
            post = span.unit != "engine"
            place = f'x="{LEFT + span.start * scale:.1f}" y="{y + 1 + post * (BAR + 1)}"'
            size = f'width="{max(1.0, (span.end - span.start) * scale):.1f}" height="{BAR}"'
            lines.append(f'<rect class="bf-{"q" if post else "p"}" {place} {size}/>')
    cycles = f"cycles; a forecast takes {design.latency}"
    middle = (WIDTH + LEFT) / 2
    lines.append(
        f'<text class="bf-s" x="{middle}" y="{height - 6}" text-anchor="middle">{cycles}</text>'
    )
    return "\n".join([*lines, "</svg>"]) + "\n"


@click.command()
@click.option("--write", is_flag=True, help="Write the drawings in docs/pictures.")
def main(write: bool) -> None:
    """Draw the timetables of some models, or say whether the drawings are today's."""
    for name, config in PICTURES.items():
        text, path = drawn(lower(initialize(named_config(config)))), FOLDER / name
        if write:
            path.write_text(text, encoding="utf-8")
        elif path.read_text(encoding="utf-8") != text:
            sys.exit(f"{name}: the design has changed: --write draws it anew")
    click.echo("the drawings are today's")


if __name__ == "__main__":
    main()
