# amaranth: UnusedElaboratable=no
import re

import numpy as np
import pytest

from bitformer.boards.build.project import build_plan
from bitformer.boards.build.saif import rescaled, write_saif
from bitformer.boards.catalog import BOARDS
from bitformer.hw.lowering.lower import lower
from bitformer.hw.units.accelerator import Accelerator
from bitformer.model.config import named_config
from bitformer.model.errors import UserError
from bitformer.model.identity import model_hash
from bitformer.model.initialize import initialize
from bitformer.sim.run import simulate

VCD = """\
$timescale 1 ns $end
$scope module bench $end
$scope module dut $end
$var wire 1 ! clk $end
$var wire 3 " sum $end
$var wire 3 # \\sum.field $end
$var wire 1 $ again$7 $end
$scope module part $end
$var wire 1 ! also_clk $end
$upscope $end
$upscope $end
$upscope $end
$enddefinitions $end
#0
$dumpvars
0!
b101 "
b1 #
1$
$end
#5
1!
b110 "
#10
0!
#20
"""


MODEL = "0123456789abcdef"


def test_times_and_changes(tmp_path):
    (tmp_path / "a.vcd").write_text(VCD)
    assert write_saif(tmp_path / "a.vcd", tmp_path / "a.saif", model=MODEL) == 5
    lines = (tmp_path / "a.saif").read_text().splitlines()
    assert lines[:8] == [
        "(SAIFILE",
        '(SAIFVERSION "2.0")',
        '(DIRECTION "backward")',
        f'(DESIGN "{MODEL}")',
        '(PROGRAM_NAME "bitformer")',
        "(DIVIDER / )",
        "(TIMESCALE 1 ps)",
        "(DURATION 20000)",
    ]
    assert " ".join(lines[8:]) == (
        "(INSTANCE bitformer (INSTANCE top (INSTANCE shell (INSTANCE accelerator (NET"
        " (clk (T0 15000) (T1 5000) (TX 0) (TC 2) (IG 0))"
        r" (sum\[0\] (T0 15000) (T1 5000) (TX 0) (TC 1) (IG 0))"
        r" (sum\[1\] (T0 5000) (T1 15000) (TX 0) (TC 1) (IG 0))"
        r" (sum\[2\] (T0 0) (T1 20000) (TX 0) (TC 0) (IG 0))"
        " ) (INSTANCE part (NET (also_clk (T0 15000) (T1 5000) (TX 0) (TC 2) (IG 0)) ) )"
        " ) ) ) ) )"
    )


def test_another_clock():
    text = "(DURATION 20000) (a (T0 15000) (T1 5000) (TX 0) (TC 2) (IG 0))"
    slow = "(DURATION 40000) (a (T0 30000) (T1 10000) (TX 0) (TC 2) (IG 0))"
    assert rescaled(text, from_hz=100, to_hz=50) == slow
    assert rescaled(text, from_hz=100, to_hz=100) == text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "cannot be read: No such file or directory$"),
        ("", "holds no waves$"),
        ("#0\n", "holds no waves$"),
        ("bxx !\n", "holds no waves$"),
        (VCD + "bxx !\n", "line 27 is 'bxx !'$"),
        (VCD + "b11 !\n", "line 27 is 'b11 !'$"),
        (VCD + "b1\n", "line 27 is 'b1'$"),
        (VCD + "#19\n", "line 27 is '#19'$"),
        (VCD + "#1e9\n", "line 27 is '#1e9'$"),
        (VCD + f"#{2**63}\n", "line 27 is '#9223372036854775808'$"),
        ("$timescale 2 ns $end\n", r"line 1 is '\$timescale 2 ns \$end'$"),
        ("$timescale 10 s $end\n", r"line 1 is '\$timescale 10 s \$end'$"),
        ("$timescale 1 as $end\n", r"line 1 is '\$timescale 1 as \$end'$"),
        ("$upscope $end\n$upscope $end\n$upscope $end\n", "line 2 is "),
        ("$scope module a $end\n" * 2000, "line 100 is "),
        ("$var wire -1 ! a $end\n", "line 1 is "),
        ("$var wire many ! a $end\n", "line 1 is "),
        ("$var wire 99999999999 ! a $end\n", "line 1 is "),
        ("$var wire 1000000 ! a $end\n" * 9, "line 5 is "),
    ],
)
def test_no_waves(tmp_path, text, message):
    if text is not None:
        (tmp_path / "a.vcd").write_text(text)
    with pytest.raises(UserError, match=rf"^VCD file .*a\.vcd .*{message}"):
        write_saif(tmp_path / "a.vcd", tmp_path / "a.saif", model=MODEL)


def test_no_saif(serial, tmp_path):
    (tmp_path / "a.saif").write_text("(VCD)")
    for saif, message in (("a.saif", "must begin with SAIFILE"), ("b.saif", "cannot be read")):
        with pytest.raises(UserError, match=rf"^SAIF file .*{message}"):
            build_plan(
                BOARDS["sea"],
                lambda: serial.AddTwo(bits=4),
                name="a",
                directory=tmp_path / "p",
                saif=tmp_path / saif,
            )
    assert not (tmp_path / "p").exists()


@pytest.mark.parametrize(
    ("text", "of"),
    [
        ('(SAIFILE\n(DESIGN "fedcba9876543210")\n)', "fedcba9876543210"),
        ("(SAIFILE\n(DESIGN )\n)", "one that it does not name"),
        (f'(SAIFILE\n{"(NOTE )" * 200}\n(DESIGN "{MODEL}")\n)', "one that it does not name"),
    ],
)
def test_activity_of_another_model(tmp_path, text, of):
    """Power of one model by another's activity would look like any other figure."""
    (tmp_path / "a.saif").write_text(text)
    options = {"name": "a", "directory": tmp_path / "p", "saif": tmp_path / "a.saif"}
    design = lower(initialize(named_config("tiny")))
    model = model_hash(design.model).hex()
    with pytest.raises(UserError, match=rf"whose hash is {model}, and it is of {of}$"):
        build_plan(BOARDS["sea"], lambda: Accelerator(design=design), **options)
    assert not (tmp_path / "p").exists()
    (tmp_path / "a.saif").write_text(f'(SAIFILE\n(DESIGN "{model}")\n(T0 5)\n)')
    plan = build_plan(BOARDS["sea"], lambda: Accelerator(design=design), **options)
    assert f'(DESIGN "{model}")' in (plan / "a.saif").read_text()


def test_names_are_those_of_the_verilog(tmp_path):
    """Instances are where the plan has them, and most signals are nets there."""
    design = lower(initialize(named_config("tiny")))
    features = design.model.input
    x = np.zeros((1, features.rows, features.features), dtype=np.int64)
    simulate(design, x, vcd=tmp_path / "a.vcd")
    write_saif(tmp_path / "a.vcd", tmp_path / "a.saif", model=model_hash(design.model).hex())
    plan = build_plan(
        BOARDS["sea"],
        lambda: Accelerator(design=design),
        name="tiny",
        directory=tmp_path / "p",
        saif=tmp_path / "a.saif",
    )
    modules = {
        path: set(
            re.findall(r"^\s*(?:input|output|wire|reg)\b.*?\b(\w+)(?: = [^;]+)?;", body, re.M)
        )
        for path, body in re.findall(
            r"^module \\?(\S+) ?\((.*?)^endmodule", (plan / "tiny.v").read_text(), re.M | re.S
        )
    }
    path, known, unknown = [], 0, 0
    for line in (plan / "tiny.saif").read_text().splitlines():
        if line.startswith("(INSTANCE"):
            path.append(line.split()[1])
        elif line == "(NET":
            path.append(line)
        elif line == ")":
            path = path[:-1]
        elif path:
            module = ".".join(["tiny", *path[2:-1]])
            found = re.match(r"\((\w+)", line)[1] in modules.get(module, ())
            known, unknown = known + found, unknown + (not found)
    assert known > 5 * unknown
