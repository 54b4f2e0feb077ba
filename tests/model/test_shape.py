"""Parts and sizes of a model follow from its shape alone."""

import pytest

from bitformer.model.config import NAMED_CONFIGS, TransformerConfig
from bitformer.model.errors import UserError
from bitformer.model.shape import Shape
from bitformer.model.structure import graph, linear_shapes, tensor_components


@pytest.mark.parametrize("name", ["tiny", "etth1-48-24-ed", "mixer-96-24"])
def test_bits_and_names_decide_no_part(name):
    config = NAMED_CONFIGS[name]
    shape = Shape(**{field: getattr(config, field) for field in Shape.__dataclass_fields__})
    for parts in (graph, linear_shapes, tensor_components):
        assert parts(shape) == parts(config)
    assert (shape.macs, shape.components) == (config.macs, config.components)


def test_a_shape_refuses_what_a_configuration_does():
    wrong = {"window": 10, "patch": 4, "d_model": 8, "ffn": 8}
    for kind in (Shape, lambda **sizes: TransformerConfig(name="wrong", **sizes)):
        with pytest.raises(
            UserError, match=r"^patch must divide window \(10\), not be 4: try --patch 5$"
        ):
            kind(**wrong)


def test_a_configuration_is_written_name_first():
    assert next(iter(NAMED_CONFIGS["tiny"].to_dict())) == "name"


@pytest.mark.parametrize(
    "later", [{"pre_norm": True}, {"activation": "gelu"}, {"fused": True}, {"task": "classify"}]
)
def test_a_later_field_is_written_where_it_says_something(later):
    """So what is derived of a model without it, digests among it, stays as it was."""
    config = NAMED_CONFIGS["tiny"].replace(heads=1)
    assert not later.keys() & config.to_dict().keys()
    other = config.replace(**later)
    assert later.items() <= other.to_dict().items()
    assert TransformerConfig.from_dict(other.to_dict()) == other


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"heads": 2},
            r"^heads must be 1 with fused, whose one weight serves one head, not 2: give \"heads\":"
            r" 1 or \"fused\": false$",
        ),
        (
            {"block": "mlp"},
            r"^fused must be false with block mlp, which has no keys, not true: give"
            r' "fused": false or "block": "attention"$',
        ),
        ({"fused": "yes"}, r"^fused must be one of \(False, True\), not 'yes'$"),
        ({"pre_norm": 1.5}, r"^pre_norm must be one of \(False, True\), not 1.5$"),
    ],
)
def test_mistakes_in_kinds_of_layers(changes, message):
    with pytest.raises(UserError, match=message):
        Shape(**{"window": 8, "d_model": 8, "ffn": 8, "fused": True} | changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"task": "sort"},
            r"^task must be one of \('forecast', 'classify', 'detect'\), not 'sort'$",
        ),
        (
            {"horizon": 1},
            r"^horizon must be the number of classes, 2 to 256, with task classify, not 1$",
        ),
        ({"horizon": 257}, r"^horizon must be the number of classes, 2 to 256, .*, not 257$"),
        (
            {"decoder_layers": 1},
            r"^decoder_layers must be 0 with task classify, not 1: its scores are one row$",
        ),
        (
            {"calendar": ("hour",)},
            r"^calendar must be empty with task classify, not \['hour'\]: a class is told by its",
        ),
        (
            {"adc_words": True},
            r"^adc_words must be false with task classify, not true: an answer is a class's number",
        ),
    ],
)
def test_what_a_classifier_has_not(changes, message):
    fields = {"name": "c", "window": 8, "d_model": 8, "ffn": 8, "horizon": 3, "task": "classify"}
    with pytest.raises(UserError, match=message):
        TransformerConfig(**fields | changes)
    assert TransformerConfig(**fields).task == "classify"
