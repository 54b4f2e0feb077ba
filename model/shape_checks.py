"""Checks of a shape's tokens, of its norms, and of windows that are scaled one by one.

Each takes a :class:`bitformer.model.shape.Shape` and raises :class:`UserError`, naming the field.
"""

from typing import Any

from bitformer.model.errors import UserError
from bitformer.model.plain import shown

__all__ = ["check_norms", "check_scaling", "check_tokens"]

_MOST_TOKENS = 256


def check_tokens(shape: Any) -> None:
    """Check patches, how far they are apart, and how many they are."""
    window, patch, stride = shape.window, shape.patch, shape.patch_stride
    if not isinstance(stride, int) or isinstance(stride, bool) or stride < 0:
        raise UserError(f"patch_stride must be 0 or a positive integer, not {shown(stride)}")
    if stride and patch > window:
        raise UserError(f"patch must be at most window ({window}), not {patch}")
    if stride and shape.decoder_layers:
        raise UserError(f"patch_stride must be 0 with a decoder, not {stride}")
    if window % patch and not stride:
        near = min(
            (steps for steps in range(1, window + 1) if not window % steps),
            key=lambda steps: abs(steps - patch),
        )
        raise UserError(f"patch must divide window ({window}), not be {patch}: try --patch {near}")
    if shape.tokens > _MOST_TOKENS:
        raise UserError(f"window / patch must be at most {_MOST_TOKENS} tokens, not {shape.tokens}")


def check_norms(shape: Any) -> None:
    """Check the norm behind the last layer, and what is added to a variance."""
    if shape.final_norm and (not shape.pre_norm or shape.decoder_layers):
        raise UserError(
            "final_norm must be false without pre_norm, and with a decoder, not true: what would be"
            " normalised is already"
        )
    eps = shape.norm_eps
    if not isinstance(eps, float) or not 0 < eps < 1:
        raise UserError(f"norm_eps must be a number above 0 and below 1, not {shown(eps)}")


def check_scaling(shape: Any) -> None:
    """Check that windows that are scaled one by one have one column, and no other scaling."""
    floor = shape.window_scaling
    if not isinstance(floor, float) or not 0 <= floor < float("inf"):
        raise UserError(f"window_scaling must be a number from 0 on, not {shown(floor)}")
    if not floor:
        return
    for name, only in (("inputs", 1), ("targets", 1), ("subtract_last", False)):
        if getattr(shape, name) != only:
            raise UserError(
                f"{name} must be {only} with window_scaling, not {getattr(shape, name)}"
            )
    if shape.task == "detect":
        raise UserError("task must be forecast or classify with window_scaling, not detect")
