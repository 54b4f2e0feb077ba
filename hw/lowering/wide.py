"""What is too wide for one multiplier of the post-processor, or for one element of a word.

A design may have a few layers of 16 bits beside many of 8. A *wide* operation has its results one
a cycle, and the two ways of the post-processor, which make two results of other operations, share
the one: the first multiplies its lower bits, the second its upper bits. A *wide row* lies in the
activation store an element a word, where other rows have two.
"""

from collections.abc import Mapping

from bitformer.hw.dsp48 import PORT_BITS
from bitformer.hw.program import Destination
from bitformer.model import ir

__all__ = ["element_bits", "one_by_one", "wide_operations", "wide_rows"]


def _stored(model: ir.IntegerModel, destination: Mapping[str, Destination]) -> list[ir.Tensor]:
    """Tensors in the activation store."""
    written = [op.y for op in model.operations if not isinstance(op, ir.SubtractLast)]
    return [model.tensors[n] for n in written if destination[n] is Destination.ACTIVATION]


def wide_rows(
    model: ir.IntegerModel, destination: Mapping[str, Destination], limit: int = 8
) -> frozenset[str]:
    """Tensors whose elements take a word each: those above ``limit`` bits, if they are the fewer.

    Only where a word has two elements: that is, in a design with packed operations.
    """
    stored = _stored(model, destination)
    wide = [spec for spec in stored if spec.bits > limit]
    if 2 * sum(t.size for t in wide) > sum(t.size for t in stored):
        return frozenset()
    return frozenset(spec.name for spec in wide)


def element_bits(
    model: ir.IntegerModel, destination: Mapping[str, Destination], rows: frozenset[str]
) -> int:
    """Bits of an element of the activation store, two of which hold one of a wide row."""
    return max(
        (
            -(-spec.bits // 2) if spec.name in rows else spec.bits
            for spec in _stored(model, destination)
        ),
        default=1,
    )


def _post_reads(op: ir.Operation) -> tuple[str, ...]:
    """Tensors that the post-processor reads for the operation."""
    if isinstance(op, (ir.Affine, ir.LayerNorm)):
        return (op.x,)
    if isinstance(op, ir.Linear) and op.residual is not None and op.residual.channel is None:
        return (op.residual.source,)
    return ()


def one_by_one(model: ir.IntegerModel, rows: frozenset[str]) -> frozenset[str]:
    """Results of operations that write wide rows, or add to them: they cannot come in pairs."""
    return frozenset(op.y for op in model.operations if rows.intersection((op.y, *_post_reads(op))))


def wide_operations(model: ir.IntegerModel, rows: frozenset[str]) -> frozenset[str]:
    """Results of wide operations: of :func:`one_by_one`, and of too long a multiplicand."""
    long = (
        op.y
        for op in model.operations
        if not isinstance(op, ir.SubtractLast)
        and op.multiplicand_bound(model.tensors, model.norm_bits).bit_length() >= PORT_BITS
    )
    return one_by_one(model, rows) | frozenset(long)
