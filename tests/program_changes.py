"""Faults in the program of a design."""

from dataclasses import replace

from bitformer.hw.units.accelerator import Accelerator
from bitformer.sim.run import simulate


def place_of(design, tensor, row=0):
    """The instruction that computes a row."""
    return next(
        place
        for place, event in enumerate(design.schedule.events)
        if (event.row.tensor, event.row.row) == (tensor, row)
    )


def found(design, x, *, operations=None, instructions=None):
    """The first difference when another program runs in the place of the design's."""
    program = replace(
        design.program,
        operations=tuple(operations or design.program.operations),
        instructions=tuple(instructions or design.program.instructions),
    )
    mutant = replace(design, program=program, images={**design.images, "program": program.words()})
    result = simulate(design, x, accelerator=Accelerator(design=mutant))
    assert not result.bit_exact
    return result.difference
