"""Stores of every shape on the iCE40UP: synthesized, against their own model and the estimate."""

import random
from collections import Counter

import pytest
from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In

from bitformer.estimate.stores import design_terms
from bitformer.hw.families.family import Kind
from bitformer.hw.families.ice40 import ICE40UP
from bitformer.hw.memory import StoreSpec
from bitformer.hw.tiling import best_tiling
from bitformer.hw.units.store import Store
from bitformer.sim.netlist.simulator import NetlistSimulator
from bitformer.synth.synthesize import synthesized_netlist

pytestmark = [pytest.mark.slow, pytest.mark.needs("yosys")]

CYCLES = 300
#: Words, bits, and what else a store is made of.
SHAPES = {
    # one port, and whole words: each shape of a block, and stacks of them
    "word": {"depth": 200, "width": 16},
    "byte": {"depth": 512, "width": 8},
    "nibble": {"depth": 1000, "width": 4},
    "pair": {"depth": 2048, "width": 2},
    "bit": {"depth": 2000, "width": 1},
    "wide": {"depth": 30, "width": 43},
    "stacked": {"depth": 600, "width": 16},
    "beside": {"depth": 1100, "width": 6, "granule": 3},
    # words that are written in parts, of the bits that shapes have or of others
    "parts": {"depth": 288, "width": 16, "granule": 4},
    "halves": {"depth": 300, "width": 12, "granule": 6},
    "narrow": {"depth": 448, "width": 8, "granule": 4, "read_ports": 2},
    "columns": {"depth": 28, "width": 48, "granule": 8},
    "soon": {"depth": 250, "width": 16, "granule": 8, "read_ports": 2, "early": True},
    # registers
    "few": {"depth": 5, "width": 9, "granule": 3, "placement": "registers"},
    "twice": {"depth": 6, "width": 4, "read_ports": 2, "placement": "registers"},
    "many": {"depth": 70, "width": 2, "placement": "registers"},
    # tables
    "rom": {"depth": 700, "width": 20, "rom": True},
    "early": {"depth": 250, "width": 30, "rom": True, "early": True},
    "table": {"depth": 60, "width": 5, "rom": True, "placement": "distributed"},
    "cut": {"depth": 900, "width": 16, "rom": True, "blocks": 3},
}


def made(depth, width, blocks=0, **options):
    """A store's specification; with ``blocks`` it is cut."""
    spec = {"placement": "block", "name": "one", "depth": depth, "width": width} | options
    tiles = best_tiling(depth, width, blocks, ICE40UP.block_ram) if blocks else ()
    return StoreSpec(**spec, tiles=tiles)


SPECS = {name: made(**shape) for name, shape in SHAPES.items()}


def contents(spec):
    chance = random.Random(spec.depth)
    return [chance.getrandbits(spec.width) for _ in range(spec.depth)] if spec.rom else []


class Stores(wiring.Component):
    """Stores side by side, whose ports lead outside by their names."""

    def __init__(self):
        self.stores = {name: Store(spec=spec, init=contents(spec)) for name, spec in SPECS.items()}
        super().__init__(
            {
                f"{name}_{port}": member
                for name, store in self.stores.items()
                for port, member in store.signature.members.items()
            }
        )

    def elaborate(self, platform):
        m = Module()
        for name, store in self.stores.items():
            m.submodules[f"store_{name}"] = store
            for port, member in store.signature.members.items():
                inside, outside = getattr(store, port), getattr(self, f"{name}_{port}")
                m.d.comb += inside.eq(outside) if member.flow is In else outside.eq(inside)
        return m


@pytest.fixture(scope="module")
def netlist():
    return synthesized_netlist(Stores(), family=ICE40UP)


def steps(spec, chance):
    """Inputs of a store, cycle by cycle; of few addresses none is read where it is written.

    With an early register, nor in the cycle before.
    """
    enables, before = spec.width // (spec.granule or spec.width), []
    for _ in range(CYCLES):
        low, span = chance.choice([(0, 4), (spec.depth - 4, 4), (0, spec.depth)])
        low, span = max(0, low), min(span, spec.depth)
        step = {f"addr_{port}": low + chance.randrange(span) for port in range(spec.read_ports)}
        if not spec.rom:
            step |= {"w_addr": low + chance.randrange(span)}
            step |= {"w_data": chance.getrandbits(spec.width), "w_en": chance.getrandbits(enables)}
            read = [step[f"addr_{port}"] for port in range(spec.read_ports)]
            if step["w_addr"] in read + before * spec.early:
                step["w_en"] = 0
            before = read
        yield step


def shown(netlist):
    """What each store is given, and what it answers, cycle by cycle."""
    given = {name: list(steps(spec, random.Random(name))) for name, spec in SPECS.items()}
    simulator, answers = NetlistSimulator(netlist, ICE40UP), []
    for cycle in range(CYCLES):
        inputs = {f"{n}_{port}": v for n in given for port, v in given[n][cycle].items()}
        answers.append(simulator.step(**inputs))
    return given, answers


def test_they_are_their_models(netlist):
    given, answers = shown(netlist)
    known = 0
    for name, store in Stores().stores.items():
        expected = store.model(given[name])
        for cycle, words in enumerate(expected[: -store.latency]):
            for port, word in enumerate(words):
                # what is in a RAM before it is written is nobody's
                if store.spec.rom or cycle > CYCLES // 2:
                    known += word is not None
                    assert answers[cycle + store.latency][f"{name}_data_{port}"] == word, name
    assert known > 10 * CYCLES


def blocks(netlist):
    """Block RAMs by the store that they are in."""
    cells = netlist["modules"]["top"]["cells"]
    found = Counter()
    for cell, content in cells.items():
        if ICE40UP.primitive(content["type"]).kind is Kind.BLOCK_RAM:
            found[cell.split("store_")[1].split(".")[0]] += 1
    return found


def test_blocks_are_estimated_exactly(netlist):
    images = {name: contents(spec) for name, spec in SPECS.items()}
    terms = dict(zip(SPECS, design_terms(SPECS, images, ICE40UP), strict=True))
    assert blocks(netlist) == {name: one.ramb18 for name, one in terms.items() if one.ramb18}
    # a word that is written in parts has no block for each part: single bits are masked
    assert terms["parts"].ramb18 == 2
    assert terms["columns"].ramb18 == 3


def test_a_mask_that_is_ignored_is_found(netlist):
    """The mutant: a block whose bits are all written."""
    cells = netlist["modules"]["top"]["cells"]
    masked = [n for n, c in cells.items() if "store_parts" in n and "MASK" in c["connections"]]
    mutant = {**cells}
    for name in masked:
        connections = {**cells[name]["connections"], "MASK": ["0"] * 16}
        mutant[name] = {**cells[name], "connections": connections}
    top = {**netlist["modules"]["top"], "cells": mutant}
    changed = {**netlist, "modules": {**netlist["modules"], "top": top}}
    _, answers = shown(netlist)
    _, others = shown(changed)
    assert answers != others
