"""Whether rounding left of a model what it was: a check that a training passes or fails."""

from collections.abc import Sequence

__all__ = ["MOST", "NEGLIGIBLE", "rounding_failure"]

#: A quantized model's validation error, as a multiple of the float one's, that still passes.
MOST = 1.25
#: An MSE that passes whatever the float one is: a thousandth of a deviation, of a noiseless series.
NEGLIGIBLE = 1e-6


def rounding_failure(
    float_error: float,
    quantized_error: float,
    step: float,
    *,
    wider: Sequence[str] = (),
    name: str = "MSE",
    negligible: float = NEGLIGIBLE,
) -> str | None:
    """Return what is wrong, in a sentence that says what to try; None where rounding costs little.

    Parameters
    ----------
    float_error, quantized_error
        Validation MSE of standardised forecasts, or a classifier's cross entropy.
    step
        Distance of two numbers of the output, standardised: no output can do without its rounding
        error, ``step**2 / 12``.
    wider
        Options with which nothing would be clipped that was.
    name, negligible
        What the error is called, and what passes whatever the float model's is.
    """
    if quantized_error <= max(MOST * float_error + step**2 / 12, negligible):
        return None
    remedies = [f"a wider range ({' '.join(wider)})"] if wider else []
    remedies += ["more bits (--activations, --weights)", "more epochs (--qat-epochs)"]
    return (
        f"Rounding costs too much: the quantized model's validation {name} is"
        f" {quantized_error:.4g}, over {MOST} times the float model's {float_error:.4g}: try"
        f" {', or '.join(remedies)}"
    )
