"""What a step of a stream sums ahead for the next one: products of all of a ring but its newest.

A head that reads a ring of W tokens has W - 1 of the next step's when a step ends. So a step's last
work is to sum their products, and the next one's forecast waits for those of one token alone. A sum
takes integers in any order: nothing is rounded in between, and results are the same to the bit.
The sums that are kept lie in a memory of their own, as wide as accumulators, where a result's
parameters lie in theirs, as far as its lowest address bits say.
"""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from bitformer.hw.lowering.images import part_words
from bitformer.hw.lowering.plan import Plan
from bitformer.hw.program import Addend, Destination
from bitformer.hw.timetable import Read, RowTask
from bitformer.model.ir import IntegerModel
from bitformer.model.operations.operation import StepForm
from bitformer.model.stream import StepModel

__all__ = [
    "goes_on",
    "part_sizes",
    "parts_ahead",
    "summed_ahead",
    "sums_ahead",
    "sums_depth",
    "sums_of",
]

#: Parts that old tokens are summed in, at most.
_MOST_PARTS = 3


def sums_ahead(form: StepForm, model: StepModel) -> bool:
    """Return whether old tokens' products can be summed: it reads a ring in order, all of it."""
    rows = [*form.rings.values()]
    return form.ordered and rows == [model.config.tokens] and rows[0] > 1


def summed_ahead(model: IntegerModel) -> list[str]:
    """Return the tensors of a stream's step whose products may be summed ahead."""
    if not isinstance(model, StepModel):
        return []
    return [name for name, form in model.forms.items() if sums_ahead(form, model)]


def part_sizes(plan: Plan) -> list[int]:
    """Return the sizes of parts to try, in tokens, the largest first; none if nothing is summed.

    What runs beside the main path fills gaps of the engine, part by part. With phases all steps
    have as many instructions, those in which rings fill, too: one part. Memories for sums are made
    of LUTs: families that have none wait for the whole products.
    """
    if not plan.part.family.luts.rams or not summed_ahead(plan.model):
        return []
    old = plan.model.config.tokens - 1
    if plan.model.phases > 1:
        return [old]
    rounded = itertools.product(range(1, _MOST_PARTS + 1), (0, 1))
    return sorted({max(1, (old + up * (parts - 1)) // parts) for parts, up in rounded})[::-1]


def parts_ahead(tokens: int, size: int) -> Iterator[tuple[int, int]]:
    """Yield the parts of so many newest tokens, the oldest first: each one's oldest, and how many.

    Tokens are counted by age: the newest of all has age 0.
    """
    while tokens:
        count = min(size, tokens)
        yield tokens - 1, count
        tokens -= count


def goes_on(task: RowTask, summed: bool) -> RowTask:
    """Return a row that adds its products to those that were ``summed`` before, if any were."""
    return replace(task, operation=replace(task.operation, bias=not summed, resumes=summed))


def sums_of(task: RowTask, summed: bool) -> RowTask:
    """Return a row of which the sums are kept: no results, and nothing that is added to those."""
    operation = replace(
        goes_on(task, summed).operation,
        destination=Destination.SUMS,
        wait_output=False,
        addend=Addend.NONE,
        addend_shift=0,
        statistics=False,
        gelu=0,
    )
    reads = tuple(Read(tensor=one.tensor) for one in task.reads if not one.post)
    return replace(task, operation=operation, reads=reads)


def sums_depth(
    tasks: Mapping[str, Sequence[RowTask]], plan: Plan, parameters: Mapping[str, int]
) -> int:
    """Return the words of a memory of sums; 0 where none are kept.

    ``parameters`` : the word at which each tensor's begin. No two sums have the same lowest bits of
    these addresses.
    """
    places: set[int] = set()
    for row in itertools.chain(*tasks.values()):
        if row.operation.destination is Destination.SUMS:
            first = parameters[row.tensor] + row.operation.parameters
            places.update(range(first, first + part_words(row.tensor, row.features, plan.geometry)))
    depth = 1 if places else 0
    while len({place % depth for place in places} if depth else ()) < len(places):
        depth *= 2
    return depth
