"""Other models made from a model: what the integer model allows and ``initialize`` never makes."""

from dataclasses import replace

from bitformer.model import ir

__all__ = ["with_operations", "with_tensor", "with_zero"]


def with_tensor(model, name, **changes):
    """The model with fields of a tensor changed."""
    return replace(model, tensors={**model.tensors, name: replace(model.tensors[name], **changes)})


def with_operations(model, change):
    """The model with ``change(op)`` in the place of every operation."""
    return replace(model, operations=tuple(change(op) for op in model.operations))


def with_zero(model, name, zero):
    """The model with another zero point of a tensor, which biases take back."""
    moved = zero - model.tensors[name].zero

    def absorbed(op):
        if not (isinstance(op, ir.Linear) and op.x == name):
            return op
        return replace(op, bias=op.bias - moved * op.weight.sum(axis=1))

    return with_operations(with_tensor(model, name, zero=zero), absorbed)
