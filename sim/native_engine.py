"""The compiled design as an engine: the same cycles, hundreds of times as fast."""

import ctypes
import os
import random
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import numpy as np

from bitformer.hw.units.accelerator import Accelerator
from bitformer.model.errors import UserError
from bitformer.model.files import whole_file
from bitformer.sim.compare import CHUNK, Comparison, Observed, cycle_limit
from bitformer.sim.native_build import NativeError, build

__all__ = ["run_native"]

#: Cycles until Python has its turn, for Ctrl-C and progress: a tenth of a second or so.
_WINDOW = 1 << 16
_ARRAYS = {
    "accept_cycle": np.int64,
    "operand_cycle": np.int64,
    "operand": np.int64,
    "slot_cycle": np.int64,
    "slot_word": np.uint64,
    "slot_valid": np.uint8,
    "slot_vector": np.uint8,
    "take_cycle": np.int64,
    "take": np.int64,
}
_COUNTS = ("accepts", "operands", "slots", "takes")


class _Window(ctypes.Structure):
    """``Window`` of native_driver.cpp."""

    _fields_ = [
        *((name, ctypes.c_int64) for name in ("cycles", "rows", "posts", *_COUNTS)),
        *((name, ctypes.c_void_p) for name in _ARRAYS),
    ]


def _load(path: Path) -> ctypes.CDLL:
    try:
        library = ctypes.CDLL(str(path))
    except OSError as error:
        raise NativeError(f"compiled design must be loadable, and gave: {error}") from error
    pointer, integer = ctypes.c_void_p, ctypes.c_int64
    library.bitformer_new.restype = pointer
    library.bitformer_new.argtypes = [
        *(pointer, ctypes.c_double, pointer, integer, integer, ctypes.c_char_p)
    ]
    library.bitformer_run.restype = library.bitformer_delete.restype = ctypes.c_int
    library.bitformer_run.argtypes = [pointer, pointer]
    library.bitformer_delete.argtypes = [pointer]
    return library


def run_native(
    accelerator: Accelerator,
    samples: np.ndarray,
    comparison: Comparison,
    *,
    vcd: str | Path | None = None,
    back_pressure: float = 0.0,
    seed: int = 0,
    note: Callable[[str], None] | None = None,
    cache: Path | None = None,
) -> None:
    """Drive ``samples`` [N, values] through both streams and report each cycle to ``comparison``.

    Cycles are those of the Python engine, with the same random numbers for the same ``seed``.
    Memory does not grow with N.

    Raises
    ------
    NativeError
        If the design cannot be compiled.
    UserError
        If waves cannot be written.
    RuntimeError
        When the design stops answering; waves are kept.
    """
    design = accelerator.design
    library = _load(build(accelerator, waves=vcd is not None, cache=cache, note=note))
    values = np.ascontiguousarray(samples.reshape(-1), dtype=np.int32)
    state = np.array(random.Random(seed).getstate()[1], dtype=np.uint32)
    wanted = len(samples) * comparison.horizon
    limit = cycle_limit(design, len(samples), back_pressure)

    rows, posts = design.geometry.rows, design.geometry.posts
    several = {"operand": (rows,), "slot_word": (posts,)}
    arrays = {
        name: np.empty((_WINDOW, *several.get(name, ())), dtype=kind)
        for name, kind in _ARRAYS.items()
    }
    window = _Window(rows=rows, posts=posts, **{n: a.ctypes.data for n, a in arrays.items()})
    # so few that the comparison keeps what it expects of all samples that are under way
    most = min(_WINDOW, CHUNK // 2 * design.interval)
    with nullcontext() if vcd is None else whole_file(vcd) as part:
        simulation = library.bitformer_new(
            state.ctypes.data,
            back_pressure,
            values.ctypes.data,
            len(values),
            wanted,
            None if part is None else os.fsencode(part),
        )
        if not simulation:
            raise UserError(f"vcd must be a file that can be written, not {vcd}")
        cycles = lost = 0
        try:
            while not comparison.done and cycles <= limit and not lost:
                window.cycles = min(most, limit + 1 - cycles)
                lost = library.bitformer_run(simulation, ctypes.addressof(window))
                cycles += window.cycles
                comparison.observe(_observed(window, arrays))
        finally:
            lost = library.bitformer_delete(simulation)
        if lost:
            raise OSError(lost, os.strerror(lost), str(part))
    if not comparison.done:
        raise RuntimeError(f"design must answer within {limit} cycles")


def _observed(window: _Window, arrays: dict[str, np.ndarray]) -> Observed:
    """Return the part of the arrays that the window filled."""
    counts = {name: getattr(window, f"{name.split('_')[0]}s") for name in arrays}
    return Observed(**{name: array[: counts[name]] for name, array in arrays.items()})
