"""Simulations of a design, and the windows that it is simulated on."""

import dataclasses
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bitformer._models import Note
from bitformer.model.errors import UserError
from bitformer.model.files import ready_file, temporary_folder
from bitformer.model.progress import Progress

if TYPE_CHECKING:
    import numpy as np

    from bitformer.hw.design import Design
    from bitformer.model.clipping import Clipped
    from bitformer.model.ir import IntegerModel
    from bitformer.sim.run import Simulation

__all__ = ["Samples", "samples_of", "simulated"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Samples:
    """Windows for the hardware: integers [N, steps, inputs], and where they come from.

    Those of a model with a calendar have their time behind.

    ``clipped`` : numbers of theirs that were beyond the words of the input, or of the difference.
    """

    values: "np.ndarray"
    source: str
    clipped: "tuple[Clipped, ...]" = ()


def samples_of(
    model: "IntegerModel", count: int, seed: int, note: Note, *, data: str | None, **columns: Any
) -> Samples:
    """Return windows to simulate; see :meth:`bitformer.AcceleratorDesign.samples`."""
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
    values = integer_windows(model, dataset, count, seed)
    if dataset is None:
        return Samples(values=values, source=RANDOM)
    from bitformer.model.clipping import clipped, clipped_sentences

    some = dataset.test.take(some_of(model, count, len(dataset.test)))
    beyond = clipped(model, some.x, dataset, part="test")
    for sentence in clipped_sentences(beyond, dataset):
        note(sentence)
    return Samples(values=values, source=f"{dataset.name}, test windows", clipped=beyond)


def simulated(
    design: "Design",
    windows: Any,
    clock: Any,
    *,
    engine: str,
    vcd: Path | None,
    saif: Path | None,
    progress: Progress,
    **options: Any,
) -> "Simulation":
    """Simulate windows; see :meth:`bitformer.AcceleratorDesign.simulate`."""
    from bitformer.sim.run import simulate

    model, netlist = design.model, None
    x = windows.values if isinstance(windows, Samples) else model.quantize_input(windows, clock)
    if engine == "netlist":
        from bitformer.synth.synthesize import synthesized_netlist

        netlist = synthesized_netlist(design, progress=progress)
    with ExitStack() as stack:
        waves = None if vcd is None else ready_file(vcd)
        if saif is not None:
            ready_file(saif)
            if waves is None:
                waves = stack.enter_context(temporary_folder()) / "waves.vcd"
        options |= {"engine": engine, "netlist": netlist, "vcd": waves, "progress": progress}
        result = simulate(design, x, **options)
        if saif is not None and waves is not None:
            from bitformer.boards.build.saif import write_saif
            from bitformer.model.identity import model_hash

            write_saif(waves, saif, model=model_hash(model).hex())
    return result
