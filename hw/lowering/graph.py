"""Which models the units can run: where each tensor goes, and what may read it there."""

from collections.abc import Iterator, Mapping

from bitformer.hw.program import Destination
from bitformer.model import ir
from bitformer.model.errors import UserError

__all__ = ["check_graph", "destinations"]

_WINDOW, _INPUT, _TABLE = "the window", "the raw input", "a table"
_PLACES = {
    Destination.ACTIVATION: "an activation",
    Destination.SCORE: "logits",
    Destination.KEY: "keys",
    Destination.VALUE: "values",
    Destination.OUTPUT: "the output",
}
_ACTIVATION = _PLACES[Destination.ACTIVATION]


def destinations(model: ir.IntegerModel) -> dict[str, Destination]:
    """Where each tensor is written; one that is a weight of another operation goes with those."""
    found = dict.fromkeys(model.tensors, Destination.ACTIVATION)
    found[model.output.name] = Destination.OUTPUT
    for op in model.operations:
        if isinstance(op, ir.Scores):
            found[op.y], found[op.k] = Destination.SCORE, Destination.KEY
        elif isinstance(op, ir.Attend):
            found[op.v] = Destination.VALUE
        elif isinstance(op, ir.Pool):
            found[op.x] = Destination.VALUE
    return found


def _places(model: ir.IntegerModel, destination: Mapping[str, Destination]) -> dict[str, str]:
    """What each tensor is to the units."""
    places = {name: _PLACES[where] for name, where in destination.items()}
    return (
        places
        | dict.fromkeys(model.constants, _TABLE)
        | {"input": _INPUT, model.steps.name: _WINDOW}
    )


def _reads(op: ir.Operation) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """What an operation reads: its field, the tensor, and what that must be."""
    if isinstance(op, ir.Linear):
        yield "x", op.x, (_WINDOW, _ACTIVATION)
        if op.residual is not None and op.residual.channel is None:
            yield "residual", op.residual.source, (_TABLE, _ACTIVATION)
    elif isinstance(op, ir.Scores):
        yield "q", op.q, (_ACTIVATION,)
        yield "k", op.k, (_PLACES[Destination.KEY],)
    elif isinstance(op, ir.Attend):
        yield "scores", op.scores, (_PLACES[Destination.SCORE],)
        yield "v", op.v, (_PLACES[Destination.VALUE],)
    elif isinstance(op, ir.Pool):
        yield "x", op.x, (_PLACES[Destination.VALUE],)
    elif isinstance(op, (ir.Affine, ir.LayerNorm)):
        yield "x", op.x, (_ACTIVATION,)


def _check_window(model: ir.IntegerModel) -> None:
    """One port reads the window, as it is or less its last step, and keeps one last value."""
    subtractions = [op for op in model.operations if isinstance(op, ir.SubtractLast)]
    if len(subtractions) > 1:
        raise UserError(
            f"operations must subtract the last step once at most, not in {len(subtractions)} ways"
        )
    for subtraction in subtractions:
        if subtraction.x != "input":
            raise UserError(f"x of {subtraction.y} must be the input, not {subtraction.x}")
    linears = [op for op in model.operations if isinstance(op, ir.Linear)]
    if not any(op.x == model.steps.name for op in linears):
        raise UserError(f"operations must have a linear layer that reads {model.steps.name}")
    channels: set[int] = set()
    for op in linears:
        if op.residual is not None and op.residual.channel is not None:
            channels.add(op.residual.channel)
            if op.residual.source != "input":
                raise UserError(
                    f"residual of {op.y} with a channel must be the input, not {op.residual.source}"
                )
    if len(channels) > 1:
        raise UserError(f"residual channel must be the same everywhere, not {sorted(channels)}")


def _check_attention(model: ir.IntegerModel, writers: Mapping[str, ir.Operation]) -> None:
    """A row of logits is kept with its maximum, of all that its one reader sees."""
    read: set[str] = set()
    for op in model.operations:
        if not isinstance(op, ir.Attend):
            continue
        scores = writers[op.scores]
        if op.scores in read:
            raise UserError(f"scores of {op.y} must not be read twice, which {op.scores} are")
        read.add(op.scores)
        for field in ("heads", "causal"):
            own, wanted = getattr(op, field), getattr(scores, field)
            if own != wanted:
                raise UserError(f"{field} of {op.y} must be as in {op.scores}, {wanted}, not {own}")


def _check_writers(model: ir.IntegerModel, writers: Mapping[str, ir.Operation]) -> None:
    """Whose results the units take in an order of their own: keys, values, normalised rows."""
    normalized: set[str] = set()
    for op in model.operations:
        for field, name, places in _reads(op):
            rows = isinstance(writers.get(name), (ir.Linear, ir.Affine, ir.LayerNorm))
            if places[0] in (_PLACES[Destination.KEY], _PLACES[Destination.VALUE]) and not rows:
                raise UserError(
                    f"{field} of {op.y} must be written by a linear layer or a norm, not {name}"
                )
        if isinstance(op, ir.LayerNorm):
            if not isinstance(writers.get(op.x), ir.Linear) or op.x in normalized:
                raise UserError(f"x of {op.y} must be a linear layer's own result, not {op.x}")
            normalized.add(op.x)


def check_graph(model: ir.IntegerModel, destination: Mapping[str, Destination]) -> None:
    """Raise :class:`UserError`, naming the field, unless the units can run the operations.

    The integer model says more than they do: any tensor may be read by any operation there.
    """
    _check_window(model)
    places = _places(model, destination)
    for op in model.operations:
        for field, name, wanted in _reads(op):
            if places[name] not in wanted:
                raise UserError(
                    f"{field} of {op.y} must be {' or '.join(wanted)}, not {name}, which is"
                    f" {places[name]}"
                )
    writers = {op.y: op for op in model.operations}
    _check_attention(model, writers)
    _check_writers(model, writers)
    last = model.operations[-1]
    if not isinstance(last, ir.Linear):
        raise UserError(f"the last operation must be a linear layer, not {type(last).__name__}")
