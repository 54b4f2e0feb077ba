"""Which models the units can run: where each tensor goes, and what may read it there."""

from collections.abc import Mapping

from bitformer.hw.lowering.operations import Role, lowering_of
from bitformer.hw.program import Destination
from bitformer.model.errors import UserError
from bitformer.model.ir import IntegerModel

__all__ = ["check_graph", "destinations"]


def destinations(model: IntegerModel) -> dict[str, Destination]:
    """Return the store that each tensor is written to.

    Keys, values and pooled rows are multiplied in the weights' place, so they go to the key/value
    store.
    """
    found = dict.fromkeys(model.tensors, Destination.ACTIVATION)
    for op in model.operations:
        lowering = lowering_of(op)
        found[op.y] = lowering.writes
        if lowering.keeps is not None and op.weights_from is not None:
            found[op.weights_from] = lowering.keeps
    return found | dict.fromkeys((model.results.name, model.output.name), Destination.OUTPUT)


def _check_window(model: IntegerModel) -> None:
    """Check what the one port does that reads the window: one subtraction, and last values."""
    subtractions = sum(op.at_input for op in model.operations)
    if subtractions > 1:
        raise UserError(
            f"operations must subtract the last step once at most, not in {subtractions} ways"
        )
    if model.subtraction and model.subtraction.x != "input":
        subtraction = model.subtraction
        raise UserError(f"x of {subtraction.y} must be the input, not {subtraction.x}")
    if not any(op.x == model.steps.name for op in model.linears):
        raise UserError(f"operations must have a linear layer that reads {model.steps.name}")
    for op in model.linears:
        if op.residual is not None and op.adds_channels and op.residual.source != "input":
            raise UserError(
                f"residual of {op.y} with a channel must be the input, not {op.residual.source}"
            )


def _check_places(model: IntegerModel, destination: Mapping[str, Destination]) -> None:
    """Check that each operation reads its tensors where the units have them."""
    places = {name: Role[where.name] for name, where in destination.items()}
    places |= dict.fromkeys(model.constants, Role.TABLE)
    places |= {"input": Role.INPUT, model.steps.name: Role.WINDOW}
    for op in model.operations:
        for field, name, wanted in lowering_of(op).needs():
            if places[name] not in wanted:
                raise UserError(
                    f"{field} of {op.y} must be {' or '.join(wanted)}, not {name}, which is"
                    f" {places[name]}"
                )
            if name == op.weights_from and not lowering_of(model.writers[name]).whole_rows:
                raise UserError(
                    f"{field} of {op.y} must be written by a linear layer or a norm, not {name}"
                )


def check_graph(model: IntegerModel, destination: Mapping[str, Destination]) -> None:
    """Raise :class:`UserError`, naming the field, unless the units can run the operations.

    The integer model says more than they do: any tensor may be read by any operation there.
    """
    _check_window(model)
    _check_places(model, destination)
    for op in model.operations:
        lowering_of(op).check(model)
    last = model.writers[model.results.name]
    if last not in model.linears:
        before = " before the decision" if model.operations[-1].at_output else ""
        raise UserError(
            f"the last operation{before} must be a linear layer, not {type(last).__name__}"
        )
