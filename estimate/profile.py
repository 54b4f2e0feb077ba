"""Fills a knowledge base: which designs to measure, and the measuring of one, here or elsewhere."""

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from bitformer.estimate.knowledge import Entry, KnowledgeBase
from bitformer.estimate.measure import entries_of, unit_key
from bitformer.hw.lowering.lower import lower
from bitformer.hw.parts import DEFAULT_PART, PARTS
from bitformer.model.config import TransformerConfig, grid_config
from bitformer.model.errors import UserError
from bitformer.model.initialize import initialize
from bitformer.model.precision import Precision
from bitformer.model.progress import Progress, silent
from bitformer.study.workers import WorkerPool

__all__ = ["Job", "family", "measure", "mixed", "profile", "profile_components"]

#: Components that are synthesized in one run: to start takes as long as a dozen of them.
_TOGETHER = 64
#: Narrowest samples and results that a design's streams have.
_STREAM_BITS = 4


@dataclass(frozen=True, kw_only=True)
class Job:
    """A design to measure: an untrained model of ``config``, lowered for ``part``."""

    config: TransformerConfig
    part: str = DEFAULT_PART
    lanes: int | None = None
    units: bool = False

    def __post_init__(self):
        if self.part not in PARTS:
            raise UserError(f"part must be one of {', '.join(PARTS)}, not {self.part!r}")

    @property
    def name(self) -> str:
        """What it is called in messages, and by a pool."""
        lanes = "" if self.lanes is None else f"-{self.lanes}"
        return f"{self.config.name}-{self.part}{lanes}"


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


def measure(
    config: dict, part: str, lanes: int | None, units: bool, known: Sequence[str]
) -> list[dict]:
    """Synthesize a design unless the digest of its hardware is ``known``; entries as plain data.

    With ``units``, those of its units must be known too. A worker's task: arguments and result can
    be sent.
    """
    from bitformer.synth.resources import OWN
    from bitformer.synth.synthesize import digest, synthesize

    design = lower(initialize(TransformerConfig.from_dict(config)), part=part, lanes=lanes)
    key = digest(design)
    if (unit_key(key, OWN) if units else key) in known:
        return []
    return [entry.to_dict() for entry in entries_of(design, synthesize(design, units=units))]


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
    known = sorted(base.keys())
    tasks = {
        job.name: (job.config.to_dict(), job.part, job.lanes, job.units, known) for job in jobs
    }
    new = 0
    for done, (name, found) in enumerate(pool.run(measure, tasks), start=1):
        new += base.add(Entry.from_dict(one) for one in found)
        progress(done, len(tasks), name)
    return new


def keys_of_components(config: dict, part: str, lanes: int | None) -> dict[str, str]:
    """Return the keys of a design's components: a worker's task."""
    from bitformer.estimate.component_stores import component_keys
    from bitformer.estimate.components import components_of

    design = lower(initialize(TransformerConfig.from_dict(config)), part=part, lanes=lanes)
    return component_keys(components_of(design))


def measure_together(wanted: Sequence[tuple[dict, str, int | None, Sequence[str]]]) -> list[dict]:
    """Synthesize those components of designs; entries as plain data; a worker's task."""
    from bitformer.estimate.component_stores import measure_components
    from bitformer.estimate.components import components_of

    found = []
    for config, part, lanes, names in wanted:
        design = lower(initialize(TransformerConfig.from_dict(config)), part=part, lanes=lanes)
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
    asked = {job.name: (job.config.to_dict(), job.part, job.lanes) for job in jobs}
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
        progress(done, 2 * len(asked), tasks[number][0][-1][0]["name"])
    return new
