"""Which shapes run as a stream: a step computes one new token, and old ones lie in rings.

A ring holds the last W tokens, those of a ``window``. A token attends to itself and to the W - 1
before it, so that with L layers it depends on L * (W - 1) + 1 patches, and a head that reads a ring
on W - 1 more. A window of all of them, and of one patch more where the step before each patch is
subtracted, gives the forecast of a stream of any length, bit for bit.
"""

from typing import Any

from bitformer.model.errors import UserError

__all__ = ["check_stream", "tokens_seen"]

#: What a stream must have, by the field, and why in a few words.
_NEEDS: dict[str, tuple[object, str]] = {
    "causal": (True, "as no token comes back for what follows it"),
    "block": ("attention", "whose keys and values lie in rings"),
    "position": ("relative", "as a token has another place in each step"),
    "decoder_layers": (0, "as an encoder's tokens alone stay as they are"),
    "task": ("forecast", "as steps give forecasts alone"),
    "calendar": ((), "as the time is that of a window's last step"),
    "patch_stride": (0, "as a step is a patch"),
    "window_scaling": (0, "as a step has no window of its own"),
}
#: Tokens of a window, as those of any other.
_MOST = 256


def tokens_seen(shape: Any) -> int:
    """Return how many patches a stream's forecast depends on, with what is subtracted of them.

    ``shape`` : a :class:`bitformer.model.shape.Shape`.
    """
    rings = shape.layers + (shape.pooling != "last")
    seen = max(rings * (shape.tokens - 1) + 1, shape.tokens if shape.linear_path else 1)
    return seen + shape.subtract_last


def check_stream(shape: Any) -> None:
    """Raise :class:`UserError`, naming the field, for a stream that there is not.

    Also for a causal encoder without attention, and relative positions without a stream.
    """
    if shape.causal and shape.block != "attention":
        raise UserError(
            f"causal must be false with block {shape.block}, not true: a mask is one of attention"
        )
    if shape.causal and shape.decoder_layers:
        raise UserError(
            "causal must be false with a decoder, which reads the whole encoder, not true"
        )
    if not shape.stream:
        if shape.position == "relative":
            raise UserError(
                "position must be sinusoidal or learned without stream, not relative: give"
                ' "stream": true with it'
            )
        return
    for name, (must, reason) in _NEEDS.items():
        if (value := getattr(shape, name)) != must:
            said, was = (
                "empty" if one == () else str(one).lower() if isinstance(one, bool) else one
                for one in (must, value)
            )
            raise UserError(f"{name} must be {said} with stream, {reason}, not {was}")
    if (seen := tokens_seen(shape)) > _MOST:
        raise UserError(
            f"window / patch must be fewer than {shape.tokens} tokens with stream and"
            f" {shape.layers} layer(s): a forecast depends on {seen} patches, of at most {_MOST}"
        )
