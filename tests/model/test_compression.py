"""What a model stores, counted by hand."""

import pytest

from bitformer.model.compression import published_ratio, stored_size
from bitformer.model.config import TransformerConfig, named_config
from bitformer.model.initialize import initialize
from bitformer.model.precision import Precision, keep_precise

SMALL = TransformerConfig(
    name="t", window=4, d_model=4, ffn=6, default=Precision(weights=2, activations=8)
)


def test_every_bit_is_counted():
    model = initialize(SMALL)
    size = stored_size(model)
    weights = 4 * 1 + 4 * 4 * 4 + 2 * 4 * 6 + 16
    assert size.bits["weights"] == 2 * weights
    # softmax: 8 entries of 8 bits and 256 of 9; LayerNorm: 192 of 9; positions 4 x 4 of 8 bits
    assert size.bits["tables"] == 64 + 256 * 9 + 192 * 9 + 4 * 4 * 8
    biases = 4 + 4 * 4 + 6 + 4 + 1
    assert size.float_bits == 32 * (weights + biases + 2 * 2 * 4 + 4 * 4)
    assert size.total == sum(size.bits.values())
    assert size.ratio == size.float_bits / size.total


def test_as_published_counts_linear_layers_alone():
    assert published_ratio(SMALL) == 16
    inputs, rest = 2 * (4 * 2) + 5, 2 * (4 * 20 + 6 * 5 + 4 * 7)
    config = SMALL.replace(decoder_layers=1, precision=keep_precise({}, 32))
    cross = 4 * 20
    full = 32 * (inputs + rest + cross)
    assert published_ratio(config) == pytest.approx(full / (32 * (inputs + cross) + 2 * rest))


def test_the_two_bit_encoder_decoder_is_small_enough():
    """The target of arXiv 2408.16495, and what integers in the precise layers make of it."""
    config = named_config("etth1-48-24-ed")
    full = config.replace(precision=keep_precise(config.precision, 32))
    assert published_ratio(full) >= 7.46545
    assert published_ratio(config) >= 10
