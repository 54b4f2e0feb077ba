# amaranth: UnusedElaboratable=no
"""An accelerator that takes an ADC's words, from 0 on, and gives such words."""

import re
from dataclasses import replace

import numpy as np
import pytest

from bitformer.boards.build.firmware import header
from bitformer.hw.golden import golden_vectors
from bitformer.hw.lowering.lower import lower
from bitformer.hw.lowering.reload import lower_reloadable, new_images, structure_hash
from bitformer.hw.scaling import scaling_data
from bitformer.hw.units.accelerator import Accelerator
from bitformer.hw.units.ports import InputPort, OutputPort
from bitformer.model import reference
from bitformer.model.config import NAMED_CONFIGS, TransformerConfig
from bitformer.model.errors import UserError
from bitformer.model.identity import model_hash
from bitformer.model.initialize import initialize
from bitformer.sim.run import simulate

BITS = 12
SIGNED = NAMED_CONFIGS["tiny"].replace(inputs=2, input_bits=BITS, output_bits=BITS)


def with_words(model):
    """The same model with an ADC's words at its ends."""
    return replace(model, config=model.config.replace(adc_words=True))


@pytest.fixture(scope="module")
def twins():
    """A model of signed numbers, and the same of an ADC's words."""
    model = initialize(SIGNED, samples=8)
    return model, with_words(model)


@pytest.fixture(scope="module")
def codes():
    """Words of three windows: random, all 0, and half of it the highest."""
    words = np.random.default_rng(0).integers(0, 1 << BITS, (3, 24, 2))
    words[1] = 0
    words[2, :12] = (1 << BITS) - 1
    return words


def expected_of(model, codes):
    """What comes out, computed with signed numbers: a word is 2048 more than its number."""
    results = reference.run(model, codes - 2048)[model.output.name]
    return (results.reshape(len(codes), -1) + 2048).ravel().tolist()


@pytest.mark.parametrize(("sent", "read"), [(1.0, 0.3), (0.3, 1.0)])
def test_words_in_words_out(streams, twins, codes, sent, read):
    signed, unsigned = twins
    expected = expected_of(signed, codes)
    assert len(set(expected)) > 5
    assert 0 <= min(expected) <= max(expected) < 4096
    dut = Accelerator(design=lower(unsigned))
    assert not dut.i.payload.shape().signed
    assert not dut.o.payload.shape().signed
    hear, taken = streams.hear(dut.o, len(expected), read, 1, 20_000)
    tell = streams.tell(dut.i, codes.ravel().tolist(), sent, 2)
    streams.run(dut, hear, background=[tell])
    assert taken == expected == dut.model(codes).ravel().tolist()


@pytest.mark.parametrize(
    "engine",
    [
        "python",
        pytest.param("native", marks=[pytest.mark.needs("compiler"), pytest.mark.slow]),
    ],
)
def test_engines_compare_the_models_numbers(twins, codes, engine):
    signed, unsigned = twins
    numbers = codes - 2048
    found = simulate(lower(unsigned), numbers, engine=engine, back_pressure=0.1)
    assert found.bit_exact
    assert (found.outputs == simulate(lower(signed), numbers).outputs).all()


def test_ports_of_signed_numbers_are_the_mutant(twins, codes):
    signed, unsigned = twins
    other = Accelerator(design=lower(signed))
    result = simulate(lower(unsigned), codes - 2048, accelerator=other)
    assert not result.bit_exact


@pytest.mark.parametrize("bits", [2, 8, 12])
def test_an_input_port_inverts_the_highest_bit(streams, bits):
    dut = InputPort(steps=1, channels=1, bits=bits, unsigned=True)
    words = [0, 1, (1 << bits) - 1, 1 << bits - 1, (1 << bits - 1) - 1]
    found = []

    async def consume(ctx):
        ctx.set(dut.i_release, 1)
        while len(found) < len(words):
            _, _, en, data = await ctx.tick().sample(dut.o_en, dut.o_data)
            if en:
                found.append(data)

    streams.run(dut, consume, background=[streams.tell(dut.i, words, 1.0, 0)])
    assert found == [word - (1 << bits - 1) for word in words]
    assert [data for _, data, _ in dut.model(words)] == found


@pytest.mark.parametrize("ways", [1, 2])
def test_an_output_port_inverts_the_highest_bit(streams, ways):
    bits, numbers = 5, [-16, -1, 0, 15, 7, -3]
    dut = OutputPort(features=6, bits=bits, ways=ways, unsigned=True)
    words = []
    for at in range(0, 6, ways):
        part = numbers[at : at + ways]
        words.append((sum((n & 31) << bits * k for k, n in enumerate(part)), (1 << ways) - 1))

    async def write(ctx):
        for word, valid in words:
            ctx.set(dut.i_word, word)
            ctx.set(dut.i_valid, valid)
            await ctx.tick()
        ctx.set(dut.i_valid, 0)

    hear, taken = streams.hear(dut.o, 6, 1.0, 0)
    streams.run(dut, hear, background=[write])
    assert taken == dut.model(words) == [number + 16 for number in numbers]


def test_golden_vectors_are_words(twins):
    signed, unsigned = twins
    for (x, y), (words, results) in zip(
        golden_vectors(signed, 3), golden_vectors(unsigned, 3), strict=True
    ):
        assert words == [number + 2048 for number in x]
        assert results == [number + 2048 for number in y]


def test_hashes_tell_words_from_numbers(twins):
    signed, unsigned = twins
    assert model_hash(signed) != model_hash(unsigned)
    first, second = lower_reloadable(signed), lower_reloadable(unsigned)
    assert structure_hash(first) != structure_hash(second)
    for design, model in ((first, unsigned), (second, signed)):
        with pytest.raises(
            UserError, match=r"^new weights must keep whether words are those of an ADC"
        ):
            new_images(design, model)
    assert new_images(second, unsigned)


def test_scaling_data_are_of_words(twins):
    data = scaling_data(twins[1])
    for name in ("input", "output"):
        assert data[name]["unsigned"] is True
        assert (data[name]["low"], data[name]["zero"], data[name]["high"]) == (0, 2048, 4095)
    assert "#define BITFORMER_MODEL_INPUT_BITS 12" in header(data)


@pytest.mark.parametrize("bits", [(12, 10), (4, 4), (7, 7)])
def test_words_of_both_ends_have_the_same_bits(bits):
    text = f"^input_bits and output_bits must be the same 8 to 16 for an ADC's words, not {bits[0]}"
    with pytest.raises(UserError, match=text):
        SIGNED.replace(input_bits=bits[0], output_bits=bits[1], adc_words=True)


def test_configurations_say_so():
    config = SIGNED.replace(adc_words=True)
    assert TransformerConfig.from_dict(config.to_dict()) == config
    older = {name: value for name, value in SIGNED.to_dict().items() if name != "adc_words"}
    assert TransformerConfig.from_dict(older) == SIGNED
    with pytest.raises(UserError, match=re.escape("adc_words must be")):
        SIGNED.replace(adc_words=1.5)
