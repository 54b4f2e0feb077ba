"""Parts of words; tests/hw/units/test_weight_columns.py has what becomes of them."""

from bitformer.hw.weight_layout import WeightLayout


def test_without_weights_a_word_is_one_part_of_a_bit():
    layout = WeightLayout(bits=2, columns=2, formats={}, half_bits=0, even=False)
    assert (layout.units, layout.kinds) == (1, ())
    assert (layout.kinds_of_number(0).bits, layout.kinds_of_number(0).pair) == (1, False)
