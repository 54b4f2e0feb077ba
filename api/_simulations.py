"""Simulations of a design."""

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bitformer._samples import Samples
from bitformer.model.files import ready_file, temporary_folder
from bitformer.model.progress import Progress

if TYPE_CHECKING:
    from bitformer.hw.design import Design
    from bitformer.sim.run import Simulation

__all__ = ["simulated"]


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
