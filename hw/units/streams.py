"""What a component must have to stand behind another one's streams."""

from amaranth.hdl import Shape, ShapeCastable
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["stream_shape"]


def stream_shape(component: wiring.Component, name: str, flow: type[In] | type[Out]) -> Shape:
    """Return the payload's shape of the stream ``name``, whose direction is ``flow``.

    Raises
    ------
    TypeError
        If ``component`` is no component, or has no such stream of plain integers.
    """
    if not isinstance(component, wiring.Component):
        raise TypeError(f"Accelerator must be a component, not {component!r}")
    member = dict(component.signature.members).get(name)
    if (
        member is None
        or not member.is_signature
        or member.flow != flow
        or not isinstance(member.signature, stream.Signature)
        or member.signature.always_valid
        or member.signature.always_ready
    ):
        raise TypeError(f"Accelerator must have a stream {name!r} with valid and ready")
    shape = member.signature.members["payload"].shape
    if isinstance(shape, ShapeCastable):
        raise TypeError(f"Accelerator must have plain integers in {name!r}, not {shape!r}")
    return Shape.cast(shape)
