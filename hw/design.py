"""A lowered model: everything the accelerator is elaborated from, as plain data."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from bitformer.hw.families.family import Family, Multiplier
from bitformer.hw.memory import StoreSpec
from bitformer.hw.parts import PARTS
from bitformer.hw.program import Program
from bitformer.hw.timetable import Schedule
from bitformer.hw.timing import (
    GELU_DELAY,
    LONG_STATISTICS,
    NORM_DELAY,
    POST,
    SOFT_STATISTICS,
    STATISTICS,
    WIDE_DELAY,
)
from bitformer.hw.weight_layout import WeightFormat, WeightLayout
from bitformer.hw.widths import is_long, squared_in_dsp, sum_bits
from bitformer.model.ir import IntegerModel
from bitformer.model.later import later, shown
from bitformer.model.tensor import Tensor

__all__ = ["RELOADED", "RINGS", "Design", "Geometry", "phase_bits"]


@dataclass(frozen=True, kw_only=True)
class Geometry:
    """Widths and counts of the units, whose products a ``multiplier`` of the part makes.

    ``columns`` multipliers (a DSP block each) make ``columns`` products a cycle, or twice as many
    in a packed operation, whose two weights of ``half_bits`` lie ``pack_shift`` bits apart.
    ``ways`` results a cycle leave the engine. A weight word, cut as ``weights`` says, gives each
    column ``column_bits``.

    ``wide`` are the tensors of wide operations, ``wide_rows`` those with an element a word, of
    ``ways`` times ``element_bits``. ``accumulator_bits`` holds every accumulator, ``narrow_bits``
    those of operations that are not wide. In the post-processor ``value_bits`` are those of a sum,
    ``low_bits`` and ``high_bits`` of the two parts of a wide one, ``sum_bits`` of their sum. With
    ``gelu`` it has a stage that computes that. Without ``factor_signed`` no multiplier of it is
    negative. ``upper_bits`` are those of a wide multiplicand's upper part that take several
    multipliers. The sums of packed products are kept ``apart`` where they are not in one number,
    the low one with ``extension`` bits above those of ``pack_shift``. Columns of LUTs multiply
    activations of ``soft_bits`` to sums of ``soft_sum_bits``, or as long as their fields with 0,
    and broad ones single weights of ``broad_bits``, too, to sums of ``broad_sum_bits``.
    With ``halves`` each product has half a multiplier, and the low
    sum is that of operations that are not packed, too. With ``gamma_block`` a multiplier makes
    those of a LayerNorm, its scales times a row's factor.

    ``rows`` token rows stand side by side, ``columns`` columns each, and share what is read for a
    column; ``posts`` post-processors take their results, those of so many rows at a time. The
    stores of activations and of scores, and that of the input, have a lane for each token row:
    row n of a tensor lies in lane ``n % rows``, and of the window, of ``patch`` numbers each, patch
    n. An instruction that writes keys or values counts words of results in ``pair_bits`` bits. The
    values of the next features are ``value_pitch`` words away. With ``soft_squares``, a LayerNorm's
    statistics take no multiplier.
    """

    columns: int
    ways: int
    weights: WeightLayout
    pack_shift: int
    half_bits: int
    column_bits: int
    dynamic_bits: int
    dynamic_packed: bool
    wide: frozenset[str]
    wide_rows: frozenset[str]
    activation_bits: int
    element_bits: int
    operand_bits: int
    accumulator_bits: int
    narrow_bits: int
    product_bits: int
    result_bits: int
    value_bits: int
    low_bits: int
    high_bits: int
    sum_bits: int
    factor_bits: int
    keys: int
    norm_features: int
    norm_bits: int
    score_pitch: int
    multiplier: Multiplier = field(repr=False)
    gelu: bool = later(False)
    factor_signed: bool = later(True)
    upper_bits: int = later(0)
    apart: bool = later(False)
    extension: int = later(0)
    soft_bits: int = later(0)
    soft_sum_bits: int = later(0)
    broad_bits: int = later(0)
    broad_sum_bits: int = later(0)
    halves: bool = later(False)
    gamma_block: bool = later(False)
    rows: int = later(1)
    posts: int = later(1)
    patch: int = later(0)
    pair_bits: int = later(0)
    value_pitch: int = later(0)
    soft_squares: bool = later(False)

    def __repr__(self) -> str:
        return shown(self)

    @property
    def hard(self) -> int:
        """Columns that are multipliers of the part; those behind them are of LUTs."""
        return self.columns - self.weights.soft

    @property
    def dynamic_slots(self) -> int:
        """Values in a word of the key and value store."""
        return self.hard * (2 if self.dynamic_packed else 1)

    def words(self, spec: Tensor) -> int:
        """Return the words of a tensor's row in the activation store."""
        return spec.features if spec.name in self.wide_rows else -(-spec.features // self.ways)

    @property
    def dynamic_parts(self) -> int:
        """Parts of a word of keys or values, which are written at once: one for a single row.

        Of keys, a part has one feature of several keys; of values, features of one token.
        """
        return max(self.ways, self.posts) if self.rows > 1 else 1

    def lane_words(self, samples: int) -> int:
        """Return the numbers of a window of ``samples`` that a token row's lane holds at most."""
        if self.rows == 1:
            return samples
        return -(-samples // (self.patch * self.rows)) * self.patch

    def rounds(self, rows: int) -> int:
        """Return how often the post-processors take results of a block of ``rows`` rows."""
        return -(-rows // self.posts)

    @property
    def split_delay(self) -> int:
        """Cycles until the sums of all token rows are added up."""
        return 1 + (self.rows - 1).bit_length()

    @property
    def dynamic_format(self) -> WeightFormat:
        """The part of a word of keys or values that one column multiplies."""
        return WeightFormat.of(self.dynamic_bits, pair=self.dynamic_packed)

    @property
    def vector_delay(self) -> int:
        """Extra stages of a vector operation."""
        return NORM_DELAY if self.norm_features else 0

    @property
    def post(self) -> int:
        """From a slot's accumulator to the result on a store's write port."""
        return POST + (WIDE_DELAY if self.wide else 0) + (GELU_DELAY if self.gelu else 0)

    @property
    def statistics(self) -> int:
        """From the last result of a row to its statistics."""
        long = self.norm_features and is_long(self.norm_features, self.norm_bits, self.multiplier)
        soft = SOFT_STATISTICS if self.soft_squares else 0
        return STATISTICS + (LONG_STATISTICS if long else 0) + soft

    @property
    def square_bits(self) -> tuple[int, ...]:
        """Bits that the statistics' units square, by way: wide rows have their elements in one."""
        if not self.norm_features:
            return ()
        upper = min(self.norm_bits, self.element_bits) if self.wide_rows else self.norm_bits
        return (self.norm_bits, upper)[: self.ways]

    @property
    def dsps(self) -> int:
        """DSP blocks: the engine's, a multiplier for each result a cycle, the statistics'."""
        post = 2 if self.wide else self.ways
        if self.upper_bits:
            post += self.multiplier.blocks(self.upper_bits) - 1
        squares = sum(squared_in_dsp(bits) for bits in self.square_bits)
        sums = self.norm_features and not self.soft_squares
        total = sum_bits(self.norm_features, self.norm_bits) if sums else 0
        return self.rows * self.hard + self.posts * (
            post + self.gamma_block + (self.multiplier.blocks(total) if total else 0) + squares
        )


#: The stores whose contents differ between two trained models of one structure.
RELOADED = ("weights", "parameters", "position", "margin", "judge_weights", "judge_limits")
#: The stores of what lasts from step to step: of several phases, each has words of its own in turn.
RINGS = ("activations", "dynamic", "sums")


def phase_bits(model: IntegerModel) -> int:
    """Return the lowest bits of an address in a store of rings, which say whose they are."""
    return (model.phases - 1).bit_length()


@dataclass(frozen=True, kw_only=True)
class Design:
    """A program, its memory images and where each store lives.

    ``stores`` has a spec for each of: ``program``, ``weights``, ``parameters``, ``position``,
    ``activations``, ``dynamic`` (keys and values), ``scores``, ``sums`` (those that the next step
    of a stream goes on with), ``input``, ``output``; one that a model does not use is absent. A
    detector has ``judge_weights``, ``levels`` and ``judged``. A reloadable classifier has
    ``margin``, a word, a reloadable detector ``judge_limits``. ``images`` holds the words of the
    ROMs. ``bounds`` is the largest magnitude of each accumulator, by tensor.
    ``strides`` are the parameter words from one row of a table to the next, for each number of the
    time. ``last_channel`` is the channel of the input whose last value is added; 0 where there are
    several, which operations name. ``latency`` counts cycles from the first input accepted to the
    last output taken, ``interval`` between inferences back to back. With two ``banks`` the stores
    of ``RELOADED`` hold two images, of which one is live. Of a stream, ``schedule`` is that of a
    step whose rings are full, and ``first_lap`` has those of the steps before, of which the first
    one has the ``first_latency``; 0 where there is none.
    """

    model: IntegerModel
    geometry: Geometry
    program: Program
    schedule: Schedule
    stores: Mapping[str, StoreSpec]
    images: Mapping[str, list[int]]
    bounds: Mapping[str, int]
    packed: Mapping[str, bool]
    parameter_bits: tuple[int, int]
    last_channel: int
    latency: int
    interval: int
    part: str
    banks: int = 1
    strides: tuple[int, ...] = ()
    first_lap: tuple[Schedule, ...] = ()
    first_latency: int = 0

    @property
    def phases(self) -> int:
        """Streams that take steps in turn; 1 of windows."""
        return self.model.phases

    def words(self, name: str) -> int:
        """Return the words of a store that one phase has, if it is one of rings; else all."""
        depth = self.stores[name].depth
        return depth >> phase_bits(self.model) if name in RINGS else depth

    @property
    def timelines(self) -> tuple[Schedule, ...]:
        """The timetables of the program's inferences, in its order: of windows one."""
        if self.program.steps == 1 and not self.program.loop:
            return (self.schedule,)
        return (*self.first_lap, *[self.schedule] * (1 + self.program.steps))

    @property
    def memories(self) -> dict[str, StoreSpec]:
        """The stores, of one that is split each part: ``activations_1`` is the second of those."""
        found: dict[str, StoreSpec] = {}
        for name, spec in self.stores.items():
            parts = {f"{name}_{n}": part.spec for n, part in enumerate(spec.parts)}
            found |= parts or {name: spec}
        return found

    @property
    def family(self) -> Family:
        """The family of the part."""
        return PARTS[self.part].family
