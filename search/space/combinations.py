"""Models at every combination of bits, of which each operation is made once at each choice.

An operation depends on the bits of few components: its weights', and those of what it reads and
writes. Components that meet in no operation share a colour and are varied together, so a handful of
untrained models holds every operation at every choice.
"""

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from bitformer.hw.lowering.batch import Batch
from bitformer.model.config import TransformerConfig
from bitformer.model.errors import UserError
from bitformer.model.initialize import initialize
from bitformer.model.ir import IntegerModel
from bitformer.model.precision import Precision
from bitformer.model.stream import StepModel
from bitformer.model.structure import graph, tensor_components

__all__ = ["combinations", "in_phases"]


def combinations(
    config: TransformerConfig,
    components: Sequence[str],
    bits: Sequence[Precision],
    codes: np.ndarray,
    seed: int = 0,
) -> Batch:
    """Return untrained models of ``config`` at all combinations, as a batch.

    ``codes`` [combinations, components] says which of ``bits`` each of ``components`` has.
    """
    of_tensor = tensor_components(config)
    needs = [
        {layer.component, layer.owner or layer.component}
        | {of_tensor[name] for name in (*layer.x, layer.residual) if name not in (None, "input")}
        for layer in graph(config)
        if layer.kind != "position"
    ]
    colours = _coloured(components, needs)
    count = 1 + max(colours.values())

    def made(chosen: Sequence[int]) -> IntegerModel:
        precision = {name: bits[chosen[colour]] for name, colour in colours.items()}
        return initialize(config.replace(precision=precision), seed)

    def sources(names: Iterable[str]) -> np.ndarray:
        """Return, for each combination, a source in which components have their bits."""
        found = np.zeros(len(codes), dtype=np.int64)
        for name in names:
            weight = len(bits) ** (count - 1 - colours[name])
            found += codes[:, components.index(name)] * weight
        return found

    models = [made(c) for c in itertools.product(range(len(bits)), repeat=count)]
    # what a task ends a model with is no layer: it has the bits of the results that it reads
    for ending in models[0].operations[len(needs) :]:
        owner = of_tensor[ending.reads[0]]
        needs.append({owner})
        of_tensor = {**of_tensor, ending.y: owner}
    found = Batch(
        sources=models,
        operation_sources=[sources(need) for need in needs],
        tensor_sources={name: sources([owner]) for name, owner in of_tensor.items()},
    )
    return _StepBatch.of_streams(found) if config.stream else found


@dataclass(frozen=True, kw_only=True, eq=False)
class _StepBatch(Batch):
    """Steps of streams: what hardware computes of the ``streams`` of another batch."""

    streams: Batch

    @classmethod
    def of_streams(cls, streams: Batch) -> "_StepBatch":
        """Return the batch of their steps. What a step has beside its stream's is of all alike."""
        steps = [StepModel.of(source) for source in streams.sources]
        first, alike = steps[0], np.zeros(len(streams), dtype=np.int64)
        own = dict(
            zip((op.y for op in streams.first.operations), streams.operation_sources, strict=True)
        )
        return cls(
            sources=steps,
            operation_sources=[own.get(op.y, alike) for op in first.operations],
            tensor_sources={
                name: streams.tensor_sources.get(name, alike) for name in first.tensors
            },
            streams=streams,
        )

    def model(self, number: int) -> StepModel:
        return StepModel.of(self.streams.model(number), phases=self.first.phases)


def in_phases(batch: Batch, phases: int) -> Batch:
    """Return a batch of streams' steps with so many phases; raise :class:`UserError` for others."""
    if batch.first.phases == phases:
        return batch
    if not isinstance(batch, _StepBatch):
        raise UserError(f"phases must be 1 for a model of windows, not {phases}")
    steps = [StepModel.of(source, phases=phases) for source in batch.streams.sources]
    return replace(batch, sources=steps)


def _coloured(components: Sequence[str], needs: Iterable[set[str]]) -> dict[str, int]:
    """Return a colour for each component; those that meet in an operation have different ones."""
    colours: dict[str, int] = {}
    for name in components:
        near = {other for need in needs if name in need for other in need}
        taken = {colours[other] for other in near if other in colours}
        colours[name] = min(set(range(len(taken) + 1)) - taken)
    return colours
