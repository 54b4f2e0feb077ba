# amaranth: UnusedElaboratable=no
"""Which registers of a shell a reset clears: those that say what counts, and what a pin shows.

All others keep what they have until it is replaced: a reset would cost each a route.
"""

import re

import pytest
from amaranth.hdl import Fragment, signed
from amaranth.lib import memory
from registers_harness import registers

from bitformer.boards.shell.contract import Contract
from bitformer.boards.shell.counters import COUNTERS, ChangingRegisters
from bitformer.boards.shell.elastic.address_map import V2
from bitformer.boards.shell.elastic.bus import ElasticBus
from bitformer.boards.shell.elastic.endpoint import ElasticEndpoint
from bitformer.boards.shell.framed.endpoint import Endpoint
from bitformer.boards.shell.spi import SpiLink
from bitformer.boards.shell.uart import UartLink
from bitformer.boards.shell.weight_loader import WeightLoader
from bitformer.hw.families.ice40 import ICE40UP

SHAPES = {"input_shape": signed(12), "result_shape": signed(16)}
GOLDEN = (((1, 2), (3,)),) * 2


def endpoint(**contract):
    return Endpoint(contract=Contract(inputs=2, **contract), clock_hz=1_000_000, **SHAPES)


UNITS = {
    "elastic bus": lambda: ElasticBus(),
    "elastic endpoint": lambda: ElasticEndpoint(
        contract=Contract(inputs=2), addresses=V2, **SHAPES
    ),
    "spi": lambda: SpiLink(),
    "uart": lambda: UartLink(divisor=8, gap_bits=20),
    "counters": lambda: ChangingRegisters(),
    "counters in a block": lambda: ChangingRegisters(pipelined=True, block=True),
    "loader": lambda: WeightLoader(parts=((4, 3), (8, 1))),
    "endpoint": lambda: endpoint(vectors=GOLDEN),
    "reloadable endpoint": lambda: endpoint(vectors=GOLDEN, image=((4, 3),)),
    "fetching endpoint": lambda: endpoint(family=ICE40UP, remembers=True),
}


#: Of each unit what a reset clears, and what it does not. Numbers: so many that have no name.
CLEARED = {
    "elastic bus": (
        "fetched link__address link__unknown whole writing 6",
        "stage0 stage1 1",
    ),
    "elastic endpoint": (
        "in_name kept o_busy o_restart phase_state second 3",
        "index left low 1",
    ),
    "spi": (
        "answering ended link__drop link__rx__payload link__rx__valid passing place was_on whole 4",
        "stage0 stage1 1",
    ),
    "uart": (
        "framing_error fsm_state o__valid rest timer tx",
        "data silence stage0 stage1 timer",
    ),
    "counters": (
        "cleared 4",
        "two 1",
    ),
    "counters in a block": (
        "clear_d cleared count_d end_d last_d reason_d result_d run_d single_d 4",
        "late_d result_d two writes_d 1",
    ),
    "loader": (
        "enable o_addr o_en o_memory_en part place word",
        "byte_d data taken_complement_d taken_d word_d",
    ),
    "endpoint": (
        "_bits cleared crc_reg kept o_fault receiver_state second sender_state server_state "
        "working 8",
        "command has_room index left low sequence step two wrong 9",
    ),
    "reloadable endpoint": (
        "_bits block cleared crc_reg enable kept o_addr o_en o_fault o_memory_en part place "
        "receiver_state second sender_state server_state weights_state word working 9",
        "byte_d command data fits has_room index left low place sequence step "
        "taken_complement_d taken_d two word_d wrong 10",
    ),
    "fetching endpoint": (
        "_bits _known clear_d cleared count_d crc_reg end_d filling_d going kept last_d "
        "o_fault reason_d receiver_state result_d run_d second sender_state server_state "
        "single_d working 8",
        "_number _result again command has_room index late_d left low result_d sequence step "
        "two writes_d wrong 12",
    ),
}


def named(unit):
    """Registers that a reset clears, and others: names, and how many have none."""
    found = {True: [], False: []}
    for _, signal in registers(Fragment.get(unit, None)):
        found[not signal.reset_less].append(re.sub(r"_d\d+$", "_d", signal.name))
    for names in found.values():
        unnamed = [name for name in names if name.startswith("$")]
        names[:] = sorted({*names} - {*unnamed}) + [str(len(unnamed))] * bool(unnamed)
    return found[True], found[False]


@pytest.mark.parametrize("name", UNITS)
def test_a_reset_clears_what_says_what_counts(name):
    assert named(UNITS[name]()) == tuple(part.split() for part in CLEARED[name])


@pytest.mark.parametrize("name", [name for name in UNITS if name.endswith("endpoint")])
def test_memories_are_as_the_endpoint_says(monkeypatch, name):
    made, original = [], memory.Memory.__init__

    def recorded(self, *, shape, depth, **others):
        made.append((shape, depth))
        original(self, shape=shape, depth=depth, **others)

    monkeypatch.setattr(memory.Memory, "__init__", recorded)
    unit = UNITS[name]()
    Fragment.get(unit, None)
    # that of the counters is named where it may take a block
    specs = {*unit.memories} | ({COUNTERS} if isinstance(unit, Endpoint) else set())
    assert sorted(made) == sorted((spec.width, spec.depth) for spec in specs)
