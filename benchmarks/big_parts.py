"""Larger parts: cycles of one model as lanes double, in one row of tokens and in several.

python benchmarks/big_parts.py                 lowered alone: seconds
python benchmarks/big_parts.py --samples 2     and the fastest of each part simulated natively
python benchmarks/big_parts.py --write         and docs/lanes.md written, its table and picture
"""

import itertools
import sys

import click
import numpy as np
from lanes import REPORT, put
from rich.console import Console
from running import run
from tables import console, grouped, markdown_table, show, yes

from bitformer.hw.design import Design
from bitformer.hw.lowering.lower import lower
from bitformer.hw.lowering.place import crowding
from bitformer.hw.lowering.soft_columns import room
from bitformer.hw.parts import PARTS
from bitformer.model.config import named_config
from bitformer.model.errors import UserError
from bitformer.model.initialize import initialize
from bitformer.model.picture import picture
from bitformer.sim.run import simulate

PICTURE = REPORT.parent / "pictures" / "big_parts.svg"
CONFIG = "grid-24-64-4"
BIG = ("xc7s50", "xc7s100")
PRODUCTS = (32, 64, 128, 256)
#: Token rows, post-processors of each, and what part of the products columns of LUTs make.
SHAPES = [
    (rows, posts, soft)
    for rows, posts in itertools.product((1, 2, 4, 8), repeat=2)
    if posts <= rows
    for soft in (0, 2)
]
#: A further row or post-processor must save this share of the cycles, as where lowering chooses.
WORTH = 0.01
COLUMNS = ("part", "products a cycle", "one row", "rows × columns", "posts", "latency")
MORE = ("times fewer", "DSP", "LUT, by rule", "as predicted", "bit-exact")


def fits(design: Design) -> bool:
    """Whether a part has DSP blocks, memories and, by the rule of lowering, LUTs for a design."""
    part = PARTS[design.part]
    memories, _ = crowding(design.stores.values(), part)
    return design.geometry.dsps <= part.dsps and not memories and room(design) >= 0


def value(design: Design) -> float:
    """What is least of the best design."""
    return design.latency * (1 + WORTH * (design.geometry.rows + design.geometry.posts))


def designs(model, part: str, products: int, shapes) -> list[Design]:
    """The designs of so many products a cycle that fit a part."""
    found = []
    for rows, posts, share in shapes:
        soft = products // share // 2 // rows if share else 0
        options = {"soft": soft} if soft else {}
        hard = products - 2 * rows * soft
        try:
            design = lower(model, part=part, lanes=hard, rows=rows, posts=posts, **options)
        except UserError:
            continue
        if design.geometry.columns * rows * 2 == products and fits(design):
            found.append(design)
    return found


def row_of(part: str, products: int, plain: Design | None, own: Design, said) -> list[str]:
    """A number of products, as texts for ``COLUMNS`` and ``MORE``."""
    geometry = own.geometry
    soft = f" + {geometry.weights.soft}" if geometry.weights.soft else ""
    return [
        part,
        str(products),
        grouped(plain.latency if plain else None),
        f"{geometry.rows} × {geometry.hard}{soft}",
        str(geometry.posts),
        grouped(own.latency),
        f"{plain.latency / own.latency:.2f}" if plain else "–",
        f"{geometry.dsps} of {PARTS[part].dsps}",
        grouped(round(PARTS[part].luts - room(own))),
        yes(said and said.latency[0] == own.latency),
        yes(said and said.bit_exact),
    ]


def draw(lines: dict[str, list[tuple[int, int]]]) -> None:
    """Write the picture: cycles by products a cycle, both in powers of two."""
    PICTURE.parent.mkdir(exist_ok=True)
    with picture(PICTURE, figsize=(6.4, 3.6)) as (_, axes):
        for name, points in lines.items():
            axes.plot(*zip(*points, strict=True), marker="o", label=name)
        axes.set_xscale("log", base=2)
        axes.set_yscale("log", base=2)
        axes.set_xticks(PRODUCTS, [str(one) for one in PRODUCTS])
        ticks = [5000, 10_000, 20_000, 40_000]
        axes.set_yticks(ticks, [grouped(one) for one in ticks])
        axes.set_xlabel("products a cycle")
        axes.set_ylabel("cycles")
        axes.set_title(f"{CONFIG}: one forecast")
        axes.legend()


@click.command()
@click.option("--samples", type=click.IntRange(0), default=0, show_default=True)
@click.option("--engine", default="native", show_default=True, help="native, python or auto.")
@click.option("--write", is_flag=True, help="Write docs/lanes.md and its picture.")
def main(samples, engine, write):
    """Lower one model for larger parts, with ever more products a cycle."""
    screen, err = console(), Console(stderr=True, highlight=False)
    model = initialize(named_config(CONFIG), 0)
    rows, lines, good = [], {}, True
    for part in BIG:
        several, before = [], None
        one_row = []
        for products in PRODUCTS:
            with err.status(f"{part}: {products} products a cycle"):
                found = designs(model, part, products, SHAPES)
                plain = designs(model, part, products, [(1, 1, 0)])
                if not found:
                    raise UserError(f"part {part} must have room for {products} products a cycle")
                own = min(found, key=value)
                said = None
                if samples and products == PRODUCTS[-1]:
                    windows = model.random_windows(np.random.default_rng(0), samples)
                    said = simulate(own, windows, engine=engine)
            rows.append(row_of(part, products, plain[0] if plain else None, own, said))
            good &= before is None or own.latency < before
            good &= said is None or (said.bit_exact and said.latency[0] == own.latency)
            before = own.latency
            several.append((products, own.latency))
            if plain:
                one_row.append((products, plain[0].latency))
        lines |= {f"{part}, rows of tokens": several, f"{part}, one row": one_row}
    show(screen, COLUMNS + MORE, rows)
    if write:
        table = markdown_table(COLUMNS + MORE, rows)
        REPORT.write_text(put(REPORT.read_text(encoding="utf-8"), "parts", table), encoding="utf-8")
        draw({name: points for name, points in lines.items() if points})
        err.print(f"Wrote {REPORT} and {PICTURE}")
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    run(main)
