"""Fills a knowledge base: which designs to measure, and the measuring of one, here or elsewhere."""

import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from bitformer.estimate.jobs import Job
from bitformer.estimate.knowledge import Entry, KnowledgeBase
from bitformer.estimate.measure import entries_of, routed_entry, routed_key_of, unit_key
from bitformer.model.config import TransformerConfig, grid_config
from bitformer.model.precision import Precision
from bitformer.model.progress import Progress, silent
from bitformer.study.workers import WorkerPool
from bitformer.synth.router import target_of

__all__ = [
    "family",
    "measure",
    "measure_routed",
    "mixed",
    "profile",
    "profile_components",
]

#: Components that are synthesized in one run: to start takes as long as a dozen of them.
_TOGETHER = 64
#: Narrowest samples and results that a design's streams have.
_STREAM_BITS = 4


def _streams(bits: Precision) -> int:
    return max(_STREAM_BITS, bits.activations)


def _shape(window: int, d_model: int, layers: int) -> TransformerConfig:
    """Return a shape of the published family, which has one layer, or of its deeper relatives."""
    config = grid_config(window, d_model, 8)
    name = f"grid-{window}-{d_model}" + (f"-{layers}l" if layers > 1 else "")
    return config.replace(name=name, layers=layers)


def family(
    windows: Sequence[int],
    widths: Sequence[int],
    bits: Sequence[Precision],
    layers: Sequence[int] = (1,),
) -> list[TransformerConfig]:
    """Return the published family with the same bits everywhere; small designs come first."""
    configs = []
    for d, count, window in itertools.product(sorted(widths), sorted(layers), sorted(windows)):
        shape = _shape(window, d, count)
        for one in bits:
            name = f"{shape.name}-{one.both.replace('/', 'a')}"
            config = shape.replace(
                name=name, default=one, input_bits=_streams(one), output_bits=_streams(one)
            )
            configs.append(config)
    return configs


def mixed(
    count: int,
    *,
    seed: int,
    windows: Sequence[int],
    widths: Sequence[int],
    bits: Sequence[Precision],
    layers: Sequence[int] = (1,),
    base: TransformerConfig | None = None,
) -> list[TransformerConfig]:
    """Draw designs of the family, or of the shape of ``base``, with bits by component.

    The n-th of a seed is the same for every ``count``.
    """
    configs = []
    for number in range(count):
        rng = np.random.default_rng([seed, number])
        if base is None:
            window, width = int(rng.choice(windows)), int(rng.choice(widths))
            shape = _shape(window, width, int(rng.choice(layers)) if len(layers) > 1 else layers[0])
        else:
            shape = base
        drawn = {name: bits[int(rng.integers(len(bits)))] for name in shape.components}
        config = shape.replace(name=f"{shape.name}-mixed-{seed}-{number}", precision=drawn)
        if base is None:
            first, last = drawn["Linput"], drawn["Loutput"]
            config = config.replace(input_bits=_streams(first), output_bits=_streams(last))
        configs.append(config)
    return configs


def measure(described: Mapping[str, Any], units: bool, known: Sequence[str]) -> list[dict]:
    """Synthesize a design unless the digest of its hardware is ``known``; entries as plain data.

    ``described`` : of a :class:`Job`. With ``units``, those of its units must be known too. A
    worker's task: arguments and result can be sent.
    """
    from bitformer.synth.resources import OWN
    from bitformer.synth.synthesize import digest, synthesize

    job = Job.of(described)
    design = job.lowered()
    key = digest(design)
    if (unit_key(key, OWN) if units else key) in known:
        return []
    found = entries_of(design, synthesize(design, units=units), family=job.family)
    return [entry.to_dict() for entry in found]


def measure_routed(
    described: Mapping[str, Any],
    seeds: int,
    clock_hz: float | None,
    known: Sequence[str],
) -> list[dict]:
    """Place and route a design unless it is ``known`` by its key; entries as plain data.

    A worker's task, as :func:`measure`. Its synthesis is an entry, too.
    """
    from bitformer.synth.place_design import route_design
    from bitformer.synth.synthesize import digest, synthesize
    from bitformer.synth.tools import find_program

    design = Job.of(described).lowered()
    router = target_of(design.part).router
    asked, tool = clock_hz or router.asked_hz, find_program(router.program).version
    if routed_key_of(digest(design), tool, asked, range(1, seeds + 1)) in known:
        return []
    result = synthesize(design)
    routing = route_design(design, clock_hz=asked, seeds=seeds)
    entries = [*entries_of(design, result), routed_entry(design, result, routing)]
    return [entry.to_dict() for entry in entries]


def profile(
    jobs: Iterable[Job],
    base: KnowledgeBase,
    pool: WorkerPool,
    progress: Progress = silent,
) -> int:
    """Measure what is not in the base yet; each design is kept as soon as it is measured.

    A run that was killed takes up where it was, and the base's content is the same in the end.
    Returns how many entries are new. ``progress`` counts designs and names the last one.
    """
    known, wanted = sorted(base.keys()), list(jobs)
    plain = {job.name: (job.described, job.units, known) for job in wanted if not job.seeds}
    routed = {
        job.name: (job.described, job.seeds, job.clock_hz, known) for job in wanted if job.seeds
    }
    total, new, done = len(plain) + len(routed), 0, 0
    for measurer, tasks in ((measure, plain), (measure_routed, routed)):
        for name, found in pool.run(measurer, tasks) if tasks else ():
            done += 1
            new += base.add(Entry.from_dict(one) for one in found)
            progress(done, total, name)
    return new


def keys_of_components(described: Mapping[str, Any]) -> dict[str, str]:
    """Return the keys of a design's components: a worker's task."""
    from bitformer.estimate.component_stores import component_keys
    from bitformer.estimate.components import components_of

    return component_keys(components_of(Job.of(described).lowered()))


def measure_together(wanted: Sequence[tuple[Mapping[str, Any], Sequence[str]]]) -> list[dict]:
    """Synthesize those components of designs; entries as plain data; a worker's task."""
    from bitformer.estimate.component_stores import measure_components
    from bitformer.estimate.components import components_of

    found = []
    for described, names in wanted:
        design = Job.of(described).lowered()
        shares = {share.name: share for share in components_of(design)}
        found += [(design, shares[name]) for name in names]
    return [entry.to_dict() for entry in measure_components(found)]


def profile_components(
    jobs: Sequence[Job],
    base: KnowledgeBase,
    pool: WorkerPool,
    progress: Progress = silent,
) -> int:
    """Measure what each component of each design adds, unless the base knows; how many are new.

    Components that take the same are measured once, as that of the first design that has it.
    ``progress`` is told twice of each job: when its components are known by their keys, and when
    they are measured.
    """
    asked = {job.name: (job.described,) for job in jobs}
    keys: dict[str, dict[str, str]] = {}
    for done, (name, found) in enumerate(pool.run(keys_of_components, asked), start=1):
        keys[name] = found
        progress(done, 2 * len(asked), name)
    known = base.keys()
    wanted: dict[str, list[str]] = {}
    for name in asked:
        for component, key in keys[name].items():
            if key not in known:
                known.add(key)
                wanted.setdefault(name, []).append(component)
    batches: list[list[tuple]] = []
    size = _TOGETHER
    for name, components in wanted.items():
        if size + len(components) > _TOGETHER:
            batches.append([])
            size = 0
        batches[-1].append((*asked[name], components))
        size += len(components)
    new, done = 0, 2 * len(asked) - len(wanted)
    tasks = {f"components-{number}": (batch,) for number, batch in enumerate(batches)}
    for number, entries in pool.run(measure_together, tasks):
        new += base.add(Entry.from_dict(one) for one in entries)
        done += len(tasks[number][0])
        progress(done, 2 * len(asked), tasks[number][0][-1][0]["config"]["name"])
    return new
