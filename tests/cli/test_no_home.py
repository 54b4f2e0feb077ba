"""Commands in a container: a home that is no folder, or a user whom the system does not know."""

import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.needs("posix")


def run(*args, **variables):
    """A command without the user's folders."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("XDG_")} | variables
    command = [sys.executable, "-m", "bitformer.cli.main", *map(str, args)]
    return subprocess.run(command, capture_output=True, text=True, env=environment)


def test_elaborate_goes_on_and_says_it_once(tiny, tmp_path):
    home = tmp_path / "home"
    home.write_text("")
    done = run("elaborate", tiny, "-o", tmp_path / "made", HOME=str(home))
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("The cache ") == 1, done.stderr
    assert "Traceback" not in done.stderr
    assert home.read_text() == ""
    verilog = tmp_path / "made" / "bitformer_accelerator.v"
    assert verilog.read_text().rstrip().endswith("endmodule")


@pytest.mark.slow
@pytest.mark.needs("compiler")
def test_the_native_simulator_runs(tiny, tmp_path):
    (tmp_path / "home").write_text("")
    done = run(
        *("simulate", tiny, "--engine", "native", "--data", "random", "--json"),
        HOME=str(tmp_path / "home"),
    )
    assert done.returncode == 0, done.stderr
    assert '"engine": "native"' in done.stdout
    assert done.stderr.count("The cache ") == 1  # of its own, and that of Yosys
