"""What a model says of windows, by the reference or by hardware that is simulated."""

from typing import TYPE_CHECKING, Any

from bitformer.model.errors import NotBitExactError
from bitformer.model.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np

    from bitformer.model.ir import IntegerModel

__all__ = ["computed"]


def computed(
    model: "IntegerModel",
    windows: "tuple[Any, ...]",
    *,
    engine: str,
    note: "Callable[[str], None]",
    progress: Progress,
) -> "np.ndarray":
    """Return standardised forecasts, or answers, of windows, by an engine.

    Parameters
    ----------
    model
        Whose they are.
    windows
        Standardised windows [N, window, inputs], their time, what a detector judges: as of
        :meth:`bitformer.model.ir.IntegerModel.quantize_input`.
    engine
        ``"integer"`` for the reference, ``"steps"`` for the same step by step, of a stream;
        ``"python"`` or ``"native"`` for the hardware.
    note, progress
        As of :meth:`bitformer.Model.evaluate`.

    Raises
    ------
    NotBitExactError
        If the hardware differs from the reference.
    """
    if engine == "integer":
        from bitformer.model.reference import predict

        return predict(model, *windows)
    if engine == "steps":
        from bitformer.model import stream

        return stream.predict(model, windows[0], progress=progress)
    from bitformer.hw.lowering.lower import lower
    from bitformer.sim.run import simulate

    x = model.quantize_input(*windows)
    places: Any = slice(None)
    if model.config.stream:
        from bitformer.model.stream import as_steps

        x, places = as_steps(model, x)
    result = simulate(lower(model), x, engine=engine, progress=progress, note=note)
    if not result.bit_exact:
        raise NotBitExactError(f"Not bit exact: {result.difference}")
    return model.dequantize_output(result.outputs[places], windows[0])
