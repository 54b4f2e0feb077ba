"""Whether a training may be called good by what rounding costs it, as its task measures that."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from bitformer.model.config import TransformerConfig
from bitformer.model.fidelity import rounding_failure
from bitformer.model.ir import IntegerModel
from bitformer.model.task import task_for

if TYPE_CHECKING:
    from bitformer.model.training_run import TrainResult

__all__ = ["rounding_failure_of"]


def rounding_failure_of(
    result: "TrainResult",
    config: TransformerConfig,
    model: IntegerModel | None,
    *,
    wider: Sequence[str] = (),
) -> str | None:
    """Return what is wrong if rounding cost too much; None where all is well.

    ``model`` is the integer model; None where parts are kept in floats. ``wider`` as of
    :func:`bitformer.model.fidelity.rounding_failure`.
    """
    task = task_for(config)
    if model is not None:
        exponent = model.results.exponent
    else:
        from bitformer.model.export import load_run  # late: it imports torch

        exponent = load_run(result.run_dir)[0].activations.exponents()["output"]
    return rounding_failure(
        result.float_val,
        result.quantized_val,
        task.rounding_step(exponent),
        wider=wider,
        name=task.error_name,
        negligible=task.negligible,
    )
