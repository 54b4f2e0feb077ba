"""Command lines: options with values that they are not meant for."""

import json
import shutil
from pathlib import Path

from fuzz.case import Case, Kind
from fuzz.data_kinds import SMALL, series, small_model
from fuzz.judge import Verdict

__all__ = ["LINE_KINDS"]

_VALUES = (
    *("", "0", "-1", "1", "2", "3.5", "nan", "inf", "-inf", "1e400", "1e-400", "9" * 30, "0x10"),
    *("1_0", "٣", "x", "a,b", ",", "4,", "4/", "8/", "4/8/2", "1us", "1e308s", "-5uJ", "=", "a=b"),
    *("auto", "none", "é", "\u2028", "a b", "'", '"', "/", ".", "..", "weights=block", "weights="),
    *("x" * 3000, "{0}", "%s", "--", "\x1b[31m", "1e3", "+5", " 7 ", "\udcff"),
)
_TRAIN = "train --config small.json --data s.csv --target power --epochs 1 --qat-epochs 1 -o new"
_SEARCH = "search --config small.json --data s.csv --target power --workers 1 --max-luts 1 -o new"
_SEARCH += " --bits 4,8"
#: It reads its options, and then has no base to write to.
_PROFILE = "profile small.json --workers 1 --kb s.csv/kb"
#: Command lines, and their options of which more is not simply more work.
_LINES = {
    "init tiny -o new/m": "-o",
    "estimate m.safetensors": "--part --clock --lanes --place --kb --plot",
    "simulate m.safetensors --samples 1": (
        "--seed --part --lanes --place --data --backpressure --target --time --vcd --saif"
    ),
    "evaluate m.safetensors --data s.csv --target power": (
        "--target --inputs --time --data --samples"
    ),
    "elaborate m.safetensors -o new": "--part --lanes --place --wrapper -o",
    "build m.safetensors --board sea --plan-only -o new": (
        "--board --lanes --place --name --link --baud --addresses --clock --saif --toolchain -o"
    ),
    "report reports": "--per-day --config-power --cycles --clock --kb",
    "program reports": "--board --cable",
    "predict m.safetensors --port spi:0.0 --data s.csv": (
        "--port --baud --sck --data --windows --time"
    ),
    _TRAIN: (
        "--config --window --horizon --patch --weights --activations --precise --method --ranges"
        " --lowering --from --lr --qat-lr --batch --dropout --patience --seed --device --data"
        " --target --inputs --time"
    ),
    _SEARCH: (
        "--max-latency --max-energy --clock --part --bits --baselines --lanes --sensitivity"
        " --max-lutram --top --config"
    ),
    _PROFILE: "--windows --widths --layers --bits --lanes --parts --seed",
    "kb show": "--kind --kb",
    "kb export new/x.json": "--kind --kb",
    "doctor m.safetensors": "--part --lanes --place --kb --sensitivity",
}
_REPORTS = Path(__file__).parents[1] / "boards" / "reports" / "v2018_2"


def _make(folder: Path) -> None:
    (folder / "s.csv").write_text(series())
    (folder / "small.json").write_text(json.dumps(SMALL.to_dict()))
    small_model(folder / "m.safetensors")
    shutil.copytree(_REPORTS, folder / "reports")


def _line(case: Case) -> Verdict:
    line, options = case.rng.choice(list(_LINES.items()))
    case.copy(*sorted(path.name for path in case.originals.iterdir()))
    more: list[str] = []
    known = options.split()
    for option in case.rng.sample(known, min(len(known), case.rng.choice((1, 1, 2)))):
        more += [option, case.rng.choice(_VALUES)]
    if case.rng.randrange(4) == 0:
        more.append("--json")
    # what was trained before it was refused is kept
    return case.run(*line.split(), *more, changes=("new/*", "new/*/*", "new/*/*/*"))


LINE_KINDS = {"line": Kind(share=1000, make=_make, case=_line)}
