# amaranth: UnusedElaboratable=no
"""Which registers a reset clears: those that say what counts, and those that a unit shows.

All others keep what they have. A reset would cost each a route, and take it out of the blocks and
the shift registers in LUTs that it is to be part of. Where a register is not to be one of these,
since they answer late, it is cleared for that.
"""

import re
from collections import defaultdict

import pytest
from amaranth.hdl import Fragment
from postprocessor_harness import TABLES, make
from registers_harness import registers
from unit_harness import COMPONENTS, DSP, GOOD

from bitformer.hw import column_groups
from bitformer.hw.lowering.lower import lower
from bitformer.hw.memory import DEEP, StoreSpec
from bitformer.hw.units.accelerator import Accelerator
from bitformer.hw.units.row_statistics import RowStatistics
from bitformer.hw.units.store import Store
from bitformer.model.config import TransformerConfig
from bitformer.model.initialize import initialize
from bitformer.model.precision import Precision

W4A8, W8A8 = (Precision(weights=bits, activations=8) for bits in (4, 8))
SMALL = {"name": "small", "d_model": 8, "ffn": 12, "window": 12, "patch": 2, "horizon": 4}
ROWS = {**SMALL, "heads": 2, "subtract_last": True, "linear_path": True, "default": W4A8}
ENDS = {"window": 24, "d_model": 16, "horizon": 12, "precision": {"Lpath": W8A8, "Loutput": W8A8}}
#: Models, and how each is lowered: with all that is not in every design.
DESIGNS = [
    (
        {**ROWS, "calendar": ("hour", "weekday"), "activation": "gelu", "input_bits": 16},
        {"rows": 4, "posts": 2, "lanes": 32},
    ),
    (ROWS | ENDS, {"rows": 4, "posts": 2, "lanes": 32, "soft": 4, "broad": 4}),
    ({**SMALL, "task": "detect", "patch": 1, "subtract_last": True}, {"lanes": 4}),
    ({**SMALL, "task": "classify"}, {"lanes": 4}),
    (
        {**SMALL, "patch": 1, "d_model": 16, "default": Precision(weights=4, activations=4)},
        {"lanes": 8, "soft": 5, "placement": {"dynamic": "distributed"}},
    ),
]
#: Of each unit what a reset clears, but for delays' numbers. Numbers: so many that have no name.
CLEARED = {
    "Accelerator": "following group_end i_w operand_format own_part_n reads split_late_valid "
    "split_valid takes_kept_n",
    "AddressGenerator": "o_act o_op o_valid o_weight 1",
    "AxiStream": "event_tlast_missing event_tlast_unexpected result sample",
    "BlockWriter": "o_addr o_en",
    "ClassChoice": "complete number o__valid",
    "ColumnStore": "",
    "Detector": "busy compared complete fresh last o__payload o__valid o_judged_addr "
    "o_judged_w_addr summed write 2",
    "Drain": "column fresh head tail 1",
    "Exponential": "o_weight",
    "Gelu": "",
    "InputPort": "asleep base channel half o_count o_current o_oldest place 1",
    "KeyValueWriter": "head o_addr o_en o_write word 2 3",
    "MatrixEngine": "",
    "Normalizer": "o_multiplier o_u",
    "Operands": "o_x valid valid_out",
    "OutputPort": "arrived head left stored tail upper",
    "PostProcessor": "drain_valid is_vector shown_valid slot_valid vector_op vector_valid",
    "Reciprocal": "last",
    "RowMaximum": "last o_maximum valid",
    "RowStatistics": "active begin complete finished first head turn turn_late 1 2",
    "Sequencer": "coming due o_addr o_issue o_matrix o_phase o_start o_vector timer waiting 1",
    "SplitStore": "",
    "Store": "w_en",
    "TableRows": "",
    "VectorSlots": "active dst_kept res_kept",
}
#: Cleared only where a dot product has several addresses: it is no shift register there.
SOMETIMES = {("Operands", "first")}


def units():
    """Units with their usual parameters and unusual ones, and whole designs."""
    yield from (COMPONENTS[name](**GOOD[name]()) for name in GOOD if name != "PostProcessor")
    yield from (make(operations, ways, **more) for operations, ways, more in TABLES.values())
    for more in ({"features": 4, "bits": 16}, {"features": 8, "bits": 6, "soft": True}):
        for apart in (1, 30):
            yield RowStatistics(**more, ways=2, multiplier=DSP, apart=apart)
    for placement, rom in (("distributed", False), ("distributed", True), ("block", False)):
        depth = 16 if rom else 2 * DEEP
        yield Store(spec=StoreSpec(name="one", depth=depth, width=8, placement=placement, rom=rom))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(column_groups, "_LOADS", 4)
        for shape, options in DESIGNS:
            model = initialize(TransformerConfig(**shape), seed=1, samples=8)
            yield Accelerator(design=lower(model, **options))


@pytest.fixture(scope="module")
def found():
    """Of each unit, whether a reset clears it: the registers' names."""
    names = defaultdict(lambda: {True: set(), False: set()})
    for unit in units():
        unnamed = defaultdict(int)
        for own, signal in registers(Fragment.get(unit, None), type(unit).__name__):
            name = re.sub(r"_d\d+$", "", signal.name)
            if name.startswith("$"):
                unnamed[own] += not signal.reset_less
            elif (own, name) not in SOMETIMES:
                names[own][not signal.reset_less].add(re.sub(r"_\d+(?=_|$)", "_n", name))
        for own, count in unnamed.items():
            if count:
                names[own][True].add(str(count))
    return names


@pytest.mark.parametrize("name", GOOD)
def test_a_reset_clears_what_says_what_counts(found, name):
    cleared, kept = found[name][True], found[name][False]
    assert cleared == set(CLEARED[name].split())
    assert not cleared & kept
