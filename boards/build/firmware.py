"""What firmware needs of a model to scale by itself: as JSON, and as a header in C.

Samples become input words, and result words the target's units, without Python:
``bitformer_scale.h`` and ``bitformer_micro.py`` of :mod:`bitformer.boards.host` do it with these
numbers, and stand beside them in a build.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from bitformer.boards.build.c_source import array_of_bytes, real, string
from bitformer.hw.design import Design
from bitformer.hw.scaling import scaling_data
from bitformer.model.files import write_whole

__all__ = ["HEADER_FILE", "SCALING_FILE", "header", "write_firmware", "write_numbers"]

#: The numbers for programs in any language, and for those in C.
SCALING_FILE, HEADER_FILE = "scaling.json", "bitformer_model.h"
#: Drivers that use them; they stand beside.
_DRIVERS = ("bitformer_scale.h", "bitformer_micro.py")
_FRAMED_DRIVERS = ("bitformer.h",)


def write_firmware(design: Design, directory: Path, *, framed: bool = True) -> None:
    """Write the scaling data of a design's model, as JSON and as a header, and what uses them.

    ``framed`` : whether the driver of the framed protocol in C belongs to them.
    """
    write_numbers(scaling_data(design.model), directory, ("micropython", "c"))
    drivers = resources.files("bitformer.boards.host")
    for name in (*_DRIVERS, *(_FRAMED_DRIVERS if framed else ())):
        (directory / name).write_bytes((drivers / name).read_bytes())


def write_numbers(data: Mapping[str, Any], directory: Path, languages: Iterable[str]) -> list[Path]:
    """Write a model's :func:`~bitformer.hw.scaling.scaling_data`, and return the files.

    ``languages`` : ``"micropython"`` for JSON, ``"c"`` for a header; any but C can read JSON.
    """
    written = []
    for language in languages:
        in_c = language == "c"
        path = directory / (HEADER_FILE if in_c else SCALING_FILE)
        write_whole(path, header(data) if in_c else json.dumps(data, indent=1) + "\n")
        written.append(path)
    return written


_HEADER = """\
/* Model {name}, written by bitformer: what firmware must know of it. docs/firmware.md of bitformer
 * is a guide. */
#ifndef BITFORMER_MODEL_H
#define BITFORMER_MODEL_H

/* The shell's registers have the same 8 bytes if they are of this very model. */
#define BITFORMER_MODEL_HASH {hash}
/* A window has BITFORMER_MODEL_WINDOW steps, the oldest first, each of BITFORMER_MODEL_CHANNELS
 * words; {answer}
#define BITFORMER_MODEL_WINDOW {window}
#define BITFORMER_MODEL_CHANNELS {channels}
#define BITFORMER_MODEL_HORIZON {horizon}
#define BITFORMER_MODEL_TARGETS {targets}
#define BITFORMER_MODEL_RESULTS {results}
#define BITFORMER_MODEL_AHEAD {ahead}
/* Classes that the one result of a classifier is a number of, from 0 on; the number of classes
 * itself says that a window is rejected. 0 of a forecast. */
#define BITFORMER_MODEL_CLASSES {classes}
/* Numbers that a detector judges, which stand behind a window and its time, where bitformer_judge
 * puts them; its one result is 1 where the flag is up. 0 of other models. */
#define BITFORMER_MODEL_JUDGED {judged}
/* Words of a window in all, and whether the hour and the weekday stand behind its steps, where
 * bitformer_time puts them. */
#define BITFORMER_MODEL_WORDS {all_words}
#define BITFORMER_MODEL_HOUR {hour}
#define BITFORMER_MODEL_WEEKDAY {weekday}
#define BITFORMER_MODEL_INPUT_BITS {input_bits}
#define BITFORMER_MODEL_RESULT_BITS {result_bits}
{words}
#define BITFORMER_MODEL_UNSIGNED {unsigned}
/* Seconds from a step to the next; 0 where they are not known. */
#define BITFORMER_MODEL_STEP_SECONDS {step}
{by_window}{of_stream}{scales}
#endif
"""

_BY_WINDOW = """\
/* Windows are scaled one by one: a sample of bitformer_words is (x - m) / sqrt(v + this number), by
 * the mean m and the variance v of its window's values x, and a forecast is turned back by the same
 * two. bitformer_push is of no use: with a step, all words of a window change. */
#define BITFORMER_MODEL_WINDOW_SCALING {floor}
"""

_OF_STREAM = """\
/* A stream: a window is the patch that is new, patches go in the order of time, each with a
 * sequence number of its own, and what came before them counts. After so many from a reset or a
 * self-test on, a forecast depends on nothing that never was. */
#define BITFORMER_MODEL_WARM_UP {steps}
/* So many streams take patches in turn: with as many as a patch has steps, the newest patch goes at
 * each step of the series. */
#define BITFORMER_MODEL_PHASES {phases}
"""

#: What the results of a window are, by whether they are a class, a flag or neither.
_ANSWERS = {
    "classes": """\
a window has one result, the number of its class, of which bitformer_class and
 * bitformer_class_name of bitformer_scale.h make more. BITFORMER_MODEL_HORIZON is 1. */""",
    "judged": """\
a window has one result, 1 while the flag is up and 0 else: what is judged are the
 * steps from BITFORMER_MODEL_AHEAD steps after the window's last on, and windows are judged in the
 * order in which they come. BITFORMER_MODEL_HORIZON is 1. */""",
    "": """\
a forecast has BITFORMER_MODEL_HORIZON words, of the steps from BITFORMER_MODEL_AHEAD
 * steps after the window's last on: 1 is the next, and 0 that last step itself, of a quantity
 * that is sensed. There is one for each of BITFORMER_MODEL_TARGETS, one after the other, which are
 * BITFORMER_MODEL_RESULTS words in all. */""",
}
_USES = {
    "classes": "bitformer_class(&bitformer_model, results)",
    "judged": "bitformer_judge(&bitformer_model, judged, words)",
    "": "bitformer_forecast(&bitformer_model, results, units)",
}

_SIGNED = "/* Words are signed. */"
_UNSIGNED = """\
/* Words are an ADC's, from 0 on: its words go in as they are, and results are such words. In an
 * int16_t they are uint16_t by their bits. */"""

_UNTRAINED = """
/* This model is untrained: there are no data whose scales it could have. */
#define BITFORMER_MODEL_SCALED 0
"""

_SCALED = """
/* Scales are known: bitformer_words(&bitformer_model, samples, words) and
 * {used}. */
#define BITFORMER_MODEL_SCALED 1

#include "bitformer_scale.h"

/* Name, mean and standard deviation of each channel, in the order of a step. */
static const bitformer_column bitformer_model_columns[BITFORMER_MODEL_CHANNELS] = {{
{columns}
}};

{names}static const bitformer_scaling bitformer_model = {{
    {window}, {channels}, {horizon},
    {low}, {high}, {zero}, {result_zero}, /* lowest and highest word, zero points */
    {input_scale}, /* words in a deviation, 2^{input_power} */
    {result_scale}, /* deviations in a word, 2^{result_power} */
    {unsigned}, /* whether words are unsigned */
    bitformer_model_columns,
    {target},
    {hour}, {weekday}, /* whether the hour and the weekday stand behind a window */
    {classes}, {class_names},
    {judged}, /* numbers that are judged */
    {several}, {target_columns}}}; /* several targets */
"""

_TARGETS = """\
/* Name, mean and standard deviation of each target, in the order of a result. */
static const bitformer_column bitformer_model_targets[BITFORMER_MODEL_TARGETS] = {{
{targets}
}};

"""

_NAMES = """\
/* Names of the classes, in the order of their numbers. */
static const char *const bitformer_model_classes[BITFORMER_MODEL_CLASSES] = {{
{names}
}};

"""


def header(data: Mapping[str, Any]) -> str:
    """Return scaling data of :mod:`bitformer.hw.scaling` as a header in C."""
    x, y = data["input"], data["output"]
    timed = {name: int(name in data["calendar"]) for name in ("hour", "weekday")}
    labels = data.get("classes", ())
    names = ",\n".join(f"    {string(label)}" for label in labels)
    kind = next((name for name in ("classes", "judged") if data.get(name)), "")
    targets = data.get("targets") or [data["target"]] if "columns" in data else ()
    several = len(targets) if len(targets) > 1 else 0
    scales, floor = _UNTRAINED, data.get("window_scaling", 0.0)
    if targets:
        scales = _SCALED.format(
            **{name: data[name] for name in ("window", "channels", "horizon")},
            **{name: x[name] for name in ("low", "high", "zero")},
            result_zero=y["zero"],
            input_scale=real(2.0 ** -x["exponent"]),
            result_scale=real(2.0 ** y["exponent"]),
            input_power=-x["exponent"],
            result_power=y["exponent"],
            unsigned=int(x["unsigned"]),
            columns=_columns_in_c(data["columns"]),
            target=_in_c(targets[0]),
            several=several,
            target_columns="bitformer_model_targets" if several else "0",
            classes=len(labels),
            judged=data.get("judged", 0),
            used=_USES[kind],
            names=(_NAMES.format(names=names) if labels else "")
            + (_TARGETS.format(targets=_columns_in_c(targets)) if several else ""),
            class_names="bitformer_model_classes" if labels else "0",
            **timed,
        )
    return _HEADER.format(
        answer=_ANSWERS[kind],
        **{name: data[name] for name in ("name", "window", "channels", "horizon", "ahead")},
        **timed,
        classes=len(labels),
        judged=data.get("judged", 0),
        targets=data["results"] // data["horizon"],
        results=data["results"],
        all_words=data["words"],
        hash=array_of_bytes(bytes.fromhex(data["model"])),
        input_bits=x["bits"],
        result_bits=y["bits"],
        words=_UNSIGNED if x["unsigned"] else _SIGNED,
        unsigned=int(x["unsigned"]),
        step=f"{data['step_seconds'] or 0:.17g}",
        by_window=_BY_WINDOW.format(floor=f"{floor:.17g}") if floor else "",
        of_stream=_OF_STREAM.format(steps=data["warm_up"], phases=data["phases"])
        if "warm_up" in data
        else "",
        scales=scales,
    )


def _columns_in_c(columns: Sequence[dict[str, Any]]) -> str:
    return ",\n".join(f"    {_in_c(column)}" for column in columns)


def _in_c(column: dict[str, Any]) -> str:
    return f"{{{string(column['name'])}, {real(column['mean'])}, {real(column['std'])}}}"
