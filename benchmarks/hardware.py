"""Whether the hardware is still the same: what 119 designs are, against a record of them.

    python benchmarks/hardware.py                              all designs against the record
    python benchmarks/hardware.py grid-12-32-4 tiny            these only
    python benchmarks/hardware.py --synthesize                 and what six of them take, by Yosys
    python benchmarks/hardware.py --write --synthesize         the record written anew

A change of the form of the code changes none of it. Where the hardware is to change, the record is
written in the same commit, and its difference says what changed. The designs come from untrained
models: the published grid, the named configurations, one of 1-bit weights, some of all that lower
may be asked for, and random ones of every family of shapes.
"""

import hashlib
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import click
import numpy as np
from rich.console import Console
from running import run

from bitformer.estimate.shapes import FAMILIES, drawn
from bitformer.hw.design import Design
from bitformer.hw.lowering.lower import lower
from bitformer.hw.memory import StoreSpec
from bitformer.hw.queues import queues_of
from bitformer.model.config import NAMED_CONFIGS, TransformerConfig, named_config
from bitformer.model.errors import UserError
from bitformer.model.initialize import initialize
from bitformer.model.later import said
from bitformer.model.precision import Precision
from bitformer.synth.synthesize import synthesize

__all__ = ["DESIGNS", "RECORD", "SYNTHESIZED", "differences", "facts", "read_record"]

RECORD = Path(__file__).resolve().with_name("hardware.json")

#: The designs that are synthesized: of every kind one.
SYNTHESIZED = (
    "tiny",
    "grid-12-32-4",
    "grid-6-8-6",
    "etth1-96-24-w2a4",
    "etth1-48-24-ed",
    "tiny-w1a8",
)


def _random(seed: int) -> Callable[[], Design]:
    """A model whose shape and bits are drawn, with lanes and a part drawn too."""

    def build() -> Design:
        rng = np.random.default_rng([1409, seed])

        def one_of(*choices: Any) -> Any:
            return choices[int(rng.integers(len(choices)))]

        patch, tokens, decoder = one_of(1, 2, 3), one_of(4, 6, 9), seed % 2
        heads = one_of(1, 2, 4)
        config = TransformerConfig(
            name=f"random-{seed}",
            window=patch * tokens,
            inputs=one_of(1, 3),
            horizon=patch * (tokens // 2),
            patch=patch,
            d_model=heads * one_of(3, 4, 6),
            layers=one_of(1, 2),
            heads=heads,
            ffn=one_of(7, 12, 24),
            norm=one_of("layer", "batch"),
            pooling="flatten" if decoder else one_of("mean", "flatten"),
            subtract_last=one_of(False, True),
            input_bits=one_of(6, 8, 12),
            output_bits=one_of(6, 8, 12),
            decoder_layers=decoder,
        )
        drawn = {
            name: Precision(weights=one_of(1, 2, 4, 6, 8, 16), activations=one_of(4, 6, 8, 16))
            for name in config.components
        }
        model = initialize(config.replace(precision=drawn), seed=seed)
        return lower(model, part=one_of("xc7s15", "xc7s6"), lanes=one_of(None, 4, 6))

    return build


def _untrained(config: TransformerConfig) -> Callable[[], Design]:
    return lambda: lower(initialize(config))


#: How each design is made, by its name.
DESIGNS: Mapping[str, Callable[[], Design]] = {
    name: _untrained(named_config(name))
    for bits in (4, 6, 8)
    for width in (8, 16, 32, 64)
    for name in (f"grid-{window}-{width}-{bits}" for window in (6, 12, 18, 24))
}
DESIGNS |= {name: _untrained(config) for name, config in NAMED_CONFIGS.items()}
DESIGNS["tiny-w1a8"] = _untrained(
    named_config("tiny").replace(name="tiny-w1a8", default=Precision(weights=1, activations=8))
)
#: What a layer may be, all of it that is not the default.
DESIGNS["tiny-layers"] = _untrained(
    named_config("tiny").replace(
        name="tiny-layers", heads=1, fused=True, pre_norm=True, activation="gelu"
    )
)
DESIGNS |= {f"random-{seed}": _random(seed) for seed in (1, 2, 3)}


def _shape(family: str, number: int) -> Callable[[], Design]:
    """The design of this number of a family of shapes."""
    return lambda: next(islice(drawn(1, (family,)), number, None)).lowered()


DESIGNS |= {f"{name}-{n}": _shape(name, n) for name in FAMILIES for n in range(2)}


def _asked(name: str, **asked: Any) -> Callable[[], Design]:
    """A named configuration, lowered as it is asked for."""
    return lambda: lower(initialize(named_config(name)), **asked)


#: What lower chooses where it may, for parts of each family of FPGAs.
ASKED: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "luts": ("grid-12-32-4", {"soft": "auto"}),
    "luts-of-many": ("grid-24-64-4", {"soft": "auto"}),
    "luts-of-w2a8": ("grid-12-32-w2a8", {"soft": 8}),
    "rows": ("etth1-96-24", {"rows": "auto", "soft": "auto"}),
    "rows-of-w2a8": ("etth1-96-24-w2a8", {"rows": 4, "posts": 2, "soft": 4}),
    "effort": ("etth1-96-24", {"effort": 40}),
    "results": ("grid-18-64-6", {"placement": {"results": "auto"}}),
    "results-of-a-small-part": (
        "grid-18-64-4",
        {"placement": {"results": "auto"}, "part": "xc7s6"},
    ),
    "unpacked": ("etth1-48-24-ed", {"pack": False}),
    "factors": ("grid-12-32-8", {"immediate": False}),
    "ecp5": ("etth1-96-24", {"part": "lfe5u-25f"}),
    "ecp5-luts": ("grid-12-32-4", {"part": "lfe5u-25f", "soft": "auto"}),
    "ice40": ("grid-12-32-4", {"part": "ice40up5k"}),
    "ice40-path": ("etth1-96-24-w2a8", {"part": "ice40up5k"}),
    "phases": ("etth1-96-24-stream", {"phases": 8}),
    "ice40-phases": ("grid-12-32-4-stream", {"phases": 3, "part": "ice40up5k"}),
    "ice40-unpacked": ("tiny", {"part": "ice40up5k", "pack": False, "lanes": 5}),
}
DESIGNS |= {f"asked-{name}": _asked(model, **options) for name, (model, options) in ASKED.items()}


def _digest(lines: Iterable[str]) -> dict[str, Any]:
    """How many lines, and the SHA-256 over them."""
    found, count = hashlib.sha256(), 0
    for line in lines:
        found.update(f"{line}\n".encode())
        count += 1
    return {"count": count, "sha256": found.hexdigest()}


def _timetable(design: Design) -> Iterator[str]:
    """Each row's place and cycles; what it waited for is a matter of words."""
    for event in (event for timeline in design.timelines for event in timeline.events):
        row = event.row
        cycles = (event.issue, event.engine_last, event.post_last, *event.writes.tolist())
        yield f"{row.tensor} {row.tensor} {row.row} {row.first}: {' '.join(map(str, cycles))}"


def _program(design: Design) -> Iterator[str]:
    """The decoder's constants, an operation a line, and the program's words."""
    for operation in design.program.operations:
        yield " ".join(v if isinstance(v, str) else str(int(v)) for v in said(operation).values())
    yield f"{design.program.word_bits} bits"
    yield from (f"{word:x}" for word in design.program.words())


def _placement(spec: StoreSpec) -> str:
    """A store on a line: words x bits, how it is written and read, where it is."""
    words = [f"{spec.depth}x{spec.width}", spec.placement, "ROM" if spec.rom else "RAM"]
    if spec.granule:
        words.append(f"granule {spec.granule}")
    if spec.read_ports != 1:
        words.append(f"{spec.read_ports} read ports")
    if spec.asynchronous:
        words.append("asynchronous")
    words += [f"tile {t.rows}x{t.width} at {t.first} in {t.ramb18}" for t in spec.tiles]
    return ", ".join(words)


def _engine(design: Design) -> str:
    """The engine's size on a line."""
    geometry = design.geometry
    return (
        f"{geometry.columns} columns, {geometry.ways} results a cycle,"
        f" {geometry.accumulator_bits} bits each, {geometry.dsps} DSPs,"
        f" {sum(design.packed.values())} of {len(design.packed)} operations packed"
    )


def _taken(design: Design, note: Callable[[str], None]) -> dict[str, Any]:
    """What Yosys finds."""
    result = synthesize(design, progress=lambda _done, _total, what: note(what))
    taken = result.resources
    return {
        "tool": result.tool,
        "luts": taken.luts,
        "luts_as_memory": taken.luts_as_memory,
        "ffs": taken.ffs,
        "ramb18": taken.ramb18,
        "dsps": taken.dsps,
        "levels": result.depth.levels,
        "chains": result.depth.chains,
        "loads": result.control.loads if result.control else 0,
    }


def facts(
    name: str, *, synthesis: bool = False, note: Callable[[str], None] = lambda _text: None
) -> dict[str, Any]:
    """What a design is, as the record says it; with ``synthesis`` also what it takes."""
    design = DESIGNS[name]()
    images = {
        store: _digest(f"{word:x}" for word in words)
        for store, words in sorted(design.images.items())
        if words
    }
    found: dict[str, Any] = {
        "latency": design.latency,
        "interval": design.interval,
        "engine": _engine(design),
        "geometry": _digest(f"{name} {value}" for name, value in said(design.geometry).items()),
        "queues": said(queues_of(design)),
        "bounds": _digest(f"{tensor} {bound}" for tensor, bound in sorted(design.bounds.items())),
        "timetable": _digest(_timetable(design)),
        "program": _digest(_program(design)),
        "images": images,
        "stores": {store: _placement(spec) for store, spec in sorted(design.stores.items())},
    }
    if synthesis and name in SYNTHESIZED:
        found["synthesis"] = _taken(design, note)
    return found


def differences(old: Any, new: Any, field: str = "") -> Iterator[str]:
    """What differs, a field a line: ``images.weights.sha256: 1a2b… was 3c4d…``."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in [*old, *(key for key in new if key not in old)]:
            inner = f"{field}.{key}" if field else key
            yield from differences(old.get(key), new.get(key), inner)
    elif old != new:
        yield f"{field}: {_short(new)}, was {_short(old)}"


def _short(value: Any) -> str:
    if value is None:
        return "nothing"
    text = str(value)
    return text if len(text) != 64 else f"{text[:12]}…"


def read_record(path: Path = RECORD) -> dict[str, dict[str, Any]]:
    """The recorded designs by name."""
    return json.loads(path.read_text(encoding="utf-8"))


def _written(record: Mapping[str, Any]) -> str:
    """A design a line: a difference of two records says which changed."""
    lines = (f"{json.dumps(name)}: {json.dumps(one)}" for name, one in record.items())
    return "{\n" + ",\n".join(lines) + "\n}\n"


@click.command(help=__doc__)
@click.argument("names", nargs=-1, metavar="[DESIGN]...")
@click.option("--write/--check", help="Write the record anew, or compare with it [check].")
@click.option("--synthesize", "synthesis", is_flag=True, help="Also by Yosys; minutes.")
@click.option("--record", type=click.Path(path_type=Path), default=RECORD, show_default=True)
def main(names: tuple[str, ...], write: bool, synthesis: bool, record: Path) -> None:
    for name in names:
        if name not in DESIGNS:
            raise UserError(f"DESIGN must be one of {', '.join(DESIGNS)}, not {name!r}")
    err = Console(stderr=True, highlight=False)
    old = read_record(record) if record.exists() else {}
    new, changed = dict(old) if names else {}, 0
    for name in names or DESIGNS:
        with err.status(name) as status:

            def note(text, status=status, name=name):
                status.update(f"{name}: {text}")

            new[name] = facts(name, synthesis=synthesis, note=note)
        before = dict(old.get(name, {}))
        counted = before.pop("synthesis", None)
        if "synthesis" in new[name]:
            before["synthesis"] = counted
        found = list(differences(before, new[name]))
        if not found and counted:
            new[name]["synthesis"] = counted
        changed += bool(found)
        for line in found:
            print(f"{name}: {line}", flush=True)
    gone = [] if names else [name for name in old if name not in DESIGNS]
    for name in gone:
        print(f"{name}: is no design any more")
    if write:
        record.write_text(_written(new), encoding="utf-8")
        err.print(f"Wrote {record}")
        return
    err.print(f"{len(names or DESIGNS)} designs, {changed} not as recorded")
    sys.exit(bool(changed or gone))


if __name__ == "__main__":
    run(main)
