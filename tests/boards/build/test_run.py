import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from manifest_harness import write_manifest

from bitformer.boards.build.directory import PLAN_FILE
from bitformer.boards.build.run import missing_tools, run_plan
from bitformer.model.errors import UserError

SCRIPT = """#!/bin/sh
set -e
: ${VIVADO:=vivado}
"$VIVADO" -mode batch -log top.log -source top.tcl
"""


@pytest.fixture
def plan(tmp_path):
    """A plan with a space in its path."""
    plan = tmp_path / "a plan"
    plan.mkdir()
    write_manifest(plan, name="top", bitstream="top.bit")
    (plan / "build_top.sh").write_text(SCRIPT)
    return plan


@pytest.fixture
def no_vivado(tmp_path, monkeypatch):
    """A PATH with what a script needs, and no Vivado."""
    tools = tmp_path / "tools"
    tools.mkdir()
    for tool in ("sh", "sleep", "touch"):
        (tools / tool).symlink_to(shutil.which(tool))
    monkeypatch.setenv("PATH", str(tools))
    monkeypatch.delenv("VIVADO", raising=False)
    monkeypatch.delenv("AMARANTH_ENV_VIVADO", raising=False)
    return tools


@pytest.fixture
def fake(no_vivado):
    """Make a stand-in for Vivado out of the lines of a shell script."""

    def fake(*lines):
        tool = no_vivado / "vivado"
        tool.write_text("\n".join(["#!/bin/sh", *lines, ""]))
        tool.chmod(0o755)

    return fake


def test_builds(plan, fake):
    fake('echo "$@" > arguments', "echo running", "touch top.bit")
    assert missing_tools("vivado") == ()
    assert run_plan(plan) == plan / "top.bit"
    assert (plan / "arguments").read_text() == "-mode batch -log top.log -source top.tcl\n"
    assert (plan / "build.log").read_text() == "running\n"


@pytest.mark.usefixtures("no_vivado")
def test_without_vivado(plan):
    assert missing_tools("vivado") == ("vivado is not on the PATH",)
    with pytest.raises(
        UserError,
        match=r"^vivado is not on the PATH; the plan in .*a plan builds elsewhere with "
        r"'sh build_top\.sh'$",
    ):
        run_plan(plan)
    assert not (plan / "build.log").exists()


@pytest.mark.parametrize(
    ("variable", "file"), [("VIVADO", "tools/other"), ("AMARANTH_ENV_VIVADO", "settings64.sh")]
)
@pytest.mark.usefixtures("no_vivado")
def test_found_by_its_variables(tmp_path, monkeypatch, variable, file):
    path = tmp_path / file
    path.write_text("")
    path.chmod(0o755)
    monkeypatch.setenv(variable, str(path))
    assert missing_tools("vivado") == ()


@pytest.mark.parametrize(
    ("variable", "what"), [("VIVADO", "program"), ("AMARANTH_ENV_VIVADO", "script")]
)
@pytest.mark.parametrize("value", ["/missing/bin/vivado", "vivado-2018", ""])
@pytest.mark.usefixtures("no_vivado")
def test_a_variable_that_names_nothing_is_what_is_wrong(plan, monkeypatch, variable, what, value):
    monkeypatch.setenv(variable, value)
    wrong = f"{variable} must name a {what}, and {value!r} was not found"
    sentence = wrong if value else "vivado is not on the PATH"
    with pytest.raises(UserError, match=rf"^{sentence}; the plan in .* builds elsewhere with "):
        run_plan(plan)


def test_failure_names_the_error_and_the_log(plan, fake):
    fake("echo INFO: fine", "echo 'ERROR: [Place 30-640] too many LUTs' >&2", "exit 3")
    with pytest.raises(
        UserError,
        match=r"^Vivado failed with exit status 3 \(ERROR: \[Place 30-640\] too many LUTs\); "
        r"see .*a plan/build\.log$",
    ):
        run_plan(plan)
    assert "INFO: fine" in (plan / "build.log").read_text()


def test_silent_failure(plan, fake):
    fake("exit 1")
    with pytest.raises(UserError, match=r"^Vivado failed with exit status 1; see .*build\.log$"):
        run_plan(plan)


def test_missing_bitstream(plan, fake):
    fake("exit 0")
    (plan / "top.bit").write_text("of an earlier run")
    with pytest.raises(
        UserError, match=r"^Vivado ended without an error but wrote no top\.bit; see .*build\.log$"
    ):
        run_plan(plan)
    assert not (plan / "top.bit").exists()


NO_PLAN = r"^Directory .* holds no bitformer build$"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (None, NO_PLAN),
        ("{}", NO_PLAN),
        ('{"name": "top"}', NO_PLAN),
        ("", "must be JSON, which it is not"),
        ("[]", r"must be an object, not \[\]$"),
        ('{"board": "sea"}', r"bitformer\.json must have a field 'name', which is missing$"),
    ],
)
def test_no_plan(tmp_path, text, sentence):
    if text is not None:
        (tmp_path / PLAN_FILE).write_text(text)
    with pytest.raises(UserError, match=sentence):
        run_plan(tmp_path)


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("bitstream", 3, "bitstream must be text, not 3"),
        ("toolchain", "x", "toolchain must be one of"),
        ("clock_hz", 0, "clock_hz must be a positive"),
        ("latency_cycles", 2**53, "latency_cycles must be a positive"),
        ("model", "0123", "model must be 16 hexadecimal digits, not '0123'"),
        ("link", None, "must have a field 'link', which is missing"),
    ],
)
def test_a_plan_with_a_field_that_cannot_be(tmp_path, field, value, sentence):
    write_manifest(tmp_path, **{field: value})
    with pytest.raises(UserError, match=rf"^{tmp_path}/bitformer\.json:? {sentence}"):
        run_plan(tmp_path)


@pytest.mark.parametrize("name", ["../kept", "/tmp/kept.bit", "../kept.bit", "build_top.sh", ""])
def test_a_plan_names_nothing_outside_its_folder(tmp_path, plan, fake, name):
    fake("touch top.bit")
    (tmp_path / "kept.bit").write_text("another's")
    write_manifest(plan, name="top", bitstream=name)
    with pytest.raises(UserError, match=r"bitstream must be the name of a \.bit file"):
        run_plan(plan)
    write_manifest(plan, name="../top", bitstream="top.bit")
    with pytest.raises(UserError, match="name must be a letter, then letters, digits"):
        run_plan(plan)
    assert (tmp_path / "kept.bit").read_text() == "another's"
    assert (plan / "build_top.sh").exists()


def test_interrupt_ends_vivado_and_its_children(plan, fake):
    fake("sleep 100 & echo $! > pid.new", "touch pid", "wait", "touch top.bit")
    code = "import sys; from bitformer.boards.build.run import run_plan; run_plan(sys.argv[1])"
    process = subprocess.Popen([sys.executable, "-c", code, plan], stderr=subprocess.PIPE)
    deadline = time.monotonic() + 30
    while not (plan / "pid").exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    child = int((plan / "pid.new").read_text())
    os.kill(child, 0)  # it lives
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=30)
    assert b"KeyboardInterrupt" in stderr
    while _lives(child):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert not (plan / "top.bit").exists()


def _lives(pid):
    """Whether a process runs; one that has ended may still wait for its parent to notice."""
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False
