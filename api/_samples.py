"""Windows of integers that a model's hardware, or another form of the model, is run on."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bitformer.model.errors import UserError

if TYPE_CHECKING:
    import numpy as np

    from bitformer.model.clipping import Clipped
    from bitformer.model.ir import IntegerModel

__all__ = ["Samples", "samples_of"]


@dataclass(frozen=True, kw_only=True)
class Samples:
    """Windows as the hardware takes them: integers [N, steps, inputs], and where they come from.

    Those of a model with a calendar have their time behind.

    ``clipped`` : numbers of theirs that were beyond the words of the input, or of the difference.
    """

    values: "np.ndarray"
    source: str
    clipped: "tuple[Clipped, ...]" = ()


def samples_of(
    model: "IntegerModel",
    count: int,
    seed: int,
    note: Callable[[str], None],
    *,
    data: str | None,
    phases: int = 1,
    **columns: Any,
) -> Samples:
    """Return windows to run; see :meth:`bitformer.AcceleratorDesign.samples`."""
    from bitformer.model.own_data import RANDOM, integer_windows, some_of, trained_on
    from bitformer.model.scored_data import scored_data

    dataset = None
    if data != RANDOM and (data is not None or trained_on(model)):
        try:
            dataset = scored_data(model, data=data, **columns)
        except UserError as error:
            if data is not None:
                raise
            note(f"Random samples, as the data the model was trained on cannot be had: {error}")
    values = integer_windows(model, dataset, count, seed, phases=phases)
    if dataset is None:
        return Samples(values=values, source=RANDOM)
    from bitformer.model.clipping import clipped, clipped_sentences

    some = dataset.test.take(some_of(model, count, len(dataset.test)))
    beyond = clipped(model, some.x, dataset, part="test")
    for sentence in clipped_sentences(beyond, dataset):
        note(sentence)
    return Samples(values=values, source=f"{dataset.name}, test windows", clipped=beyond)
