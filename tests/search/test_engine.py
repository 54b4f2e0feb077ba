"""An engine is asked for in the same words everywhere."""

import pytest

import bitformer
from bitformer.hw.lowering.lower import lower
from bitformer.model.config import named_config
from bitformer.model.initialize import initialize
from bitformer.search.engine import Engine

ENGINES = (
    Engine(),
    Engine(lanes=8, pack=False),
    Engine(rows=2, posts=2),
    Engine(rows=4, posts=2, soft=4),
    Engine(rows=2, soft=0),
    Engine(soft=6),
    Engine(phases=3),
)


@pytest.mark.parametrize("engine", ENGINES, ids=lambda one: str(one) or "plain")
def test_python_and_lowering_are_told_the_same(engine):
    config = named_config("tiny")
    if engine.phases > 1:
        config = config.replace(stream=True, causal=True, position="relative")
    model = initialize(config)
    wanted = lower(model, **engine.options)
    assert lowered(model, engine).program == wanted.program
    assert Engine(**engine.options) == engine


def lowered(model, engine):
    return bitformer.lower(bitformer.Model(model), **engine.asked).lowered


def test_the_command_line_is_told_the_same():
    said = [engine.arguments for engine in ENGINES]
    assert said == [
        "",
        "--lanes 8 --no-pack",
        "--rows 2 --posts 2",
        "--rows 4 --posts 2 --lut-lanes 32",
        "--rows 2 --lut-lanes 0",
        "--lut-lanes 12",
        "--phases 3",
    ]
    names = [str(engine) for engine in ENGINES]
    assert names[3:] == ["4rows-2posts-4soft", "2rows-0soft", "6soft", "3phases"]
    assert len(set(names)) == len(names)
