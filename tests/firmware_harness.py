"""Models that know scales, and the files that a build writes of them for firmware."""

import dataclasses
import importlib.util
from types import SimpleNamespace

from model_changes import with_tensor

from bitformer.boards.build.firmware import write_firmware
from bitformer.model.config import NAMED_CONFIGS
from bitformer.model.initialize import initialize

__all__ = ["FLAGS", "NAMES", "micro_of", "trained", "written"]

#: Names of columns that would end a string of C, mean something in it, or are not ASCII.
NAMES = ['a"b\\', "*/ ??/ ??)", "Öl °C\n7", "%d\\x41"]
FLAGS = "-std=c99 -Wall -Wextra -Wconversion -Wshadow -Werror -pedantic"


def trained(
    *,
    bits=(10, 10),
    words=False,
    exponents=(-5, -6),
    zero=0,
    mean=None,
    std=None,
    target=None,
    calendar=(),
    task="forecast",
    horizon=6,
    linear_path=True,
    **data,
):
    """A model of four inputs that knows scales, and was never trained."""
    config = NAMED_CONFIGS["tiny"].replace(inputs=4, input_bits=bits[0], output_bits=bits[1])
    shape = {"task": task, "horizon": horizon, "linear_path": linear_path}
    config = config.replace(adc_words=words, calendar=calendar, **shape)
    model = initialize(config, samples=8)
    model = with_tensor(model, "input", exponent=exponents[0])
    model = with_tensor(model, "output", exponent=exponents[1], zero=zero)
    target_mean, target_std = target or (20.173, 3.1415926)
    dataset = {
        "inputs": NAMES,
        "target": NAMES[2],
        "mean": mean or [20.173, -1e-3, 0.0, 123456.789],
        "std": std or [3.1415926, 0.1, 1.0, 9876.54321],
        "target_mean": target_mean,
        "target_std": target_std,
        **data,
    }
    return dataclasses.replace(model, meta={"dataset": dataset})


def written(model, folder):
    """Write what firmware needs of a model."""
    write_firmware(SimpleNamespace(model=model), folder)


def micro_of(folder):
    """The module for MicroPython that stands in a build."""
    spec = importlib.util.spec_from_file_location("micro", folder / "bitformer_micro.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
