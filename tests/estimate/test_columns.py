"""What synthesis keeps of the words of the engine's columns, by hand."""

from types import SimpleNamespace

from bitformer.estimate.columns import Columns, column_quantities
from bitformer.hw.weight_layout import WeightFormat, WeightLayout


def terms(formats, *, bits, columns, half=0, wide, keys=0, pairs=False, high=None, low=0, group=0):
    layout = WeightLayout(bits=bits, columns=columns, formats=formats, half_bits=half, even=False)
    high = (1 << bits) - 1 if high is None else high
    found = Columns(
        layout=layout,
        column_bits=wide,
        half_bits=half,
        keys=WeightFormat(pair=pairs, field=keys * (2 if pairs else 1)) if keys else None,
        low=low,
        high=high,
        group=group,
    )
    return SimpleNamespace(**column_quantities(found))


def plain(field):
    return WeightFormat(pair=False, field=field)


def test_one_format_needs_no_multiplexer():
    found = terms({"a": plain(4)}, bits=16, columns=4, wide=4)
    # columns 2 and 3 are late enough for shift registers
    assert (found.engine_bits, found.delayed_bits, found.waiting_bits) == (16, 8, 0)
    assert (found.selected_parts, found.selected_bits, found.selected_beyond) == (0, 0, 0)


def test_keys_in_the_weights_place():
    found = terms({"a": plain(4)}, bits=16, columns=4, wide=4, keys=4)
    assert (found.engine_bits, found.delayed_bits) == (16, 8)
    assert (found.selected_parts, found.selected_bits, found.selected_beyond) == (0, 16, 0)


def test_what_is_constant_but_for_keys_is_a_reset():
    """Here weights reach two columns of four: of the others a register is reset, or has a key."""
    found = terms({"a": plain(4)}, bits=8, columns=4, wide=4, keys=4)
    assert (found.engine_bits, found.selected_bits) == (16, 8)


def test_columns_in_groups_wait_for_their_keys():
    """Each group's words come a cycle later for each column before: its first are not delayed."""
    found = terms({"a": plain(4)}, bits=16, columns=4, wide=4, keys=4, group=2)
    assert (found.delayed_bits, found.waiting_bits) == (0, 8)
    found = terms({"a": plain(4)}, bits=24, columns=6, wide=4, keys=4, group=3)
    # of each group the third column's; and the second group's weights wait
    assert (found.delayed_bits, found.waiting_bits) == (8, 12)


def test_copies_of_a_sign_are_one_bit():
    narrow = terms({"a": plain(2)}, bits=4, columns=2, wide=6, keys=2)
    assert (narrow.engine_bits, narrow.selected_bits) == (4, 4)
    # the key's own third bit is no copy
    assert terms({"a": plain(2)}, bits=4, columns=2, wide=6, keys=3).engine_bits == 6


def test_parts_of_a_word():
    formats = {"a": plain(8), "b": plain(4)}
    found = terms(formats, bits=16, columns=2, wide=8)
    # of the narrow format's two parts: four bits a column are different
    assert (found.selected_parts, found.selected_bits, found.engine_bits) == (8, 16, 16)


def test_bits_that_never_change_are_none():
    assert terms({"a": plain(4)}, bits=8, columns=2, wide=4, high=0b0111_0111).engine_bits == 6
    stuck = terms({"a": plain(4)}, bits=8, columns=2, wide=4, low=0b0001_0001)
    assert stuck.engine_bits == 6
    # with keys in their place they are again
    assert terms({"a": plain(4)}, bits=8, columns=2, wide=4, high=0, keys=4).engine_bits == 8


def test_a_pair_that_the_engine_takes_as_it_is():
    pair = {"a": WeightFormat(pair=True, field=8)}
    found = terms(pair, bits=16, columns=2, half=4, wide=8)
    assert (found.engine_bits, found.selected_bits) == (16, 0)
    # and one of narrower weights, which are extended to four bits each
    narrow = {"a": WeightFormat(pair=True, field=4)}
    assert terms(narrow, bits=8, columns=2, half=4, wide=8).engine_bits == 8


def test_luts_that_select():
    """A LUT of six inputs takes a bit's sources, and what tells them apart."""
    # keys or weights: two sources, one bit that tells
    assert terms({"a": plain(4)}, bits=16, columns=4, wide=4, keys=4).selecting_luts == 16
    one = terms({"a": plain(4)}, bits=16, columns=4, wide=4)
    assert one.selecting_luts == 0
    # of the lowest bit eight sources, and four bits that tell the part and the format: three LUTs
    # of the others the sign is chosen once, out of eight by three, and each takes it or its own
    parts = {"a": plain(2), "b": plain(16)}
    found = terms(parts, bits=16, columns=1, wide=16)
    assert (found.selected_bits, found.selecting_luts) == (16, 3 + 2 + 15)


def test_columns_of_luts_have_no_keys():
    """They have weights alone."""
    pair = WeightFormat(pair=True, field=4)
    layout = WeightLayout(
        bits=16,
        columns=4,
        formats={"a": pair},
        half_bits=2,
        even=False,
        soft=2,
        short=frozenset({pair, plain(4)}),
    )
    of = {"layout": layout, "column_bits": 4, "half_bits": 2, "low": 0, "high": (1 << 16) - 1}
    without = column_quantities(Columns(**of, keys=None))
    found = column_quantities(Columns(**of, keys=WeightFormat(pair=False, field=4)))
    assert (without["selecting_luts"], found["selecting_luts"]) == (0, 8)
    assert found["engine_bits"] == without["engine_bits"] == 16
