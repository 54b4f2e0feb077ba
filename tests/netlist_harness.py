"""A synthesized netlist run beside the integer reference, and whether a fault in it shows."""

from bitformer.model import reference
from bitformer.sim.compare import Comparison
from bitformer.sim.netlist.engine import run_netlist


def compared(design, netlist, x, **options):
    """A run's comparison with the reference, of results and cycles."""
    comparison = Comparison(design, x, lambda part: reference.run(design.model, part))
    run_netlist(design, netlist, x.reshape(len(x), -1), comparison, **options)
    return comparison


def exact(design, netlist, x, **options):
    comparison = compared(design, netlist, x, **options)
    assert comparison.difference is None, str(comparison.difference)
    assert comparison.outputs.shape == (len(x), design.model.output.size)
    assert comparison.latency[0] == design.latency
    assert comparison.interval == [design.interval] * (len(x) - 1)


def is_caught(design, netlist, x, **options):
    """Whether a fault shows in a result, or as no result at all."""
    try:
        return compared(design, netlist, x, **options).difference is not None
    except RuntimeError:
        return True
