"""Where stores and results are asked to lie: names that there are, and places for them."""

from collections.abc import Mapping, Sequence

from bitformer.hw.lowering.graph import destinations
from bitformer.hw.memory import PLACEMENTS
from bitformer.hw.program import Destination
from bitformer.model.alike import meant
from bitformer.model.errors import UserError
from bitformer.model.ir import IntegerModel
from bitformer.model.stream import StepModel

__all__ = ["RESULTS", "asked_places", "of_results", "results_of"]

#: The name that stands for every intermediate result that is not named.
RESULTS = "results"


def results_of(model: IntegerModel) -> list[str]:
    """Return the intermediate results, which are written to a store and read there, in order.

    Of a stream, those of a step.
    """
    if model.config.stream and not isinstance(model, StepModel):
        model = StepModel.of(model.identified)
    kept = destinations(model)
    return [
        op.y for op in model.operations if kept[op.y] is not Destination.OUTPUT and not op.at_port
    ]


def of_results(placement: Mapping[str, str], model: IntegerModel) -> dict[str, str]:
    """Return what is asked of results, of one or of all."""
    names = {RESULTS, *results_of(model)}
    return {name: place for name, place in placement.items() if name in names}


def asked_places(
    placement: Mapping[str, str], stores: Sequence[str], model: IntegerModel
) -> tuple[dict[str, str], dict[str, str]]:
    """Return what is asked of stores, and of each intermediate result.

    Parameters
    ----------
    placement
        Where what has this name is to lie; ``RESULTS`` are all that it does not name.
    stores
        The design's memories by name.
    model
        The model, whose tensors the others are.

    Raises
    ------
    UserError
        For a name that is no store and no result, and for what is no placement.
    """
    results = results_of(model)
    known = [*stores, RESULTS, *results]
    for name, place in placement.items():
        if name not in known:
            raise UserError(_unknown(name, stores, results, model))
        if place not in PLACEMENTS:
            raise UserError(f"placement of {name} must be one of {PLACEMENTS}, not {place!r}")
    asked = dict.fromkeys(results, placement[RESULTS]) if RESULTS in placement else {}
    asked |= {name: place for name, place in placement.items() if name in results}
    return {name: place for name, place in placement.items() if name in stores}, asked


def _unknown(name: str, stores: Sequence[str], results: Sequence[str], model: IntegerModel) -> str:
    """Return why nothing of this name has a place, and what was perhaps meant."""
    why = _elsewhere(name, model)
    if why:
        return f"placement of {name} must be left out, since {why}"
    known = [*stores, RESULTS, *results]
    return (
        f"placement must name a store of {[*stores]}, an intermediate result, such as {results[0]},"
        f" or {RESULTS}, not {name!r}{meant(name, known)}"
    )


def _elsewhere(name: str, model: IntegerModel) -> str:
    """Return where a tensor lies that is no intermediate result; empty if there is none."""
    if name in model.constants:
        return "it is a table: place the store 'position'"
    if name in (model.results.name, model.output.name):
        return "results of the model wait for the output: place the store 'output'"
    if name in (model.input.name, model.steps.name):
        return "it is the window: place the store 'input'"
    if name in model.tensors:
        return "it is a view of another tensor, and has no memory of its own"
    return ""
