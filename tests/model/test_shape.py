"""Parts and sizes of a model follow from its shape alone."""

import pytest

from bitformer.model.config import NAMED_CONFIGS, TransformerConfig
from bitformer.model.errors import UserError
from bitformer.model.shape import Shape
from bitformer.model.structure import graph, linear_shapes, tensor_components


@pytest.mark.parametrize("name", ["tiny", "etth1-48-24-ed"])
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


@pytest.mark.parametrize("later", [{"pre_norm": True}, {"activation": "gelu"}])
def test_a_later_field_is_written_where_it_says_something(later):
    """So what is derived of a model without it, digests among it, stays as it was."""
    config = NAMED_CONFIGS["tiny"]
    assert not later.keys() & config.to_dict().keys()
    other = config.replace(**later)
    assert later.items() <= other.to_dict().items()
    assert TransformerConfig.from_dict(other.to_dict()) == other
