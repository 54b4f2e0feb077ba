"""What stands in a build's folder, and what a board says."""

import json
import random
import shutil
from pathlib import Path
from unittest.mock import patch

import numpy as np
from fuzz.case import Case, Kind
from fuzz.damage import damaged_bytes, damaged_json, damaged_text
from fuzz.data_kinds import small_model
from fuzz.judge import Verdict
from manifest_harness import write_manifest

from bitformer.boards.build.directory import PLAN_FILE
from bitformer.boards.build.project import _activity
from bitformer.boards.build.run import run_plan
from bitformer.boards.build.saif import write_saif
from bitformer.boards.host.client import Client
from bitformer.boards.host.transport import UartTransport
from bitformer.boards.protocol import ANSWER, REGISTER_BYTES, Frame, encode, find_frame
from bitformer.boards.reports.report import read_build
from bitformer.hw.lowering.lower import lower
from bitformer.model.checkpoint import load_model
from bitformer.sim.run import simulate

__all__ = ["BOARD_KINDS"]

_REPORTS = Path(__file__).parents[1] / "boards" / "reports"
_MODEL = "0123456789abcdef"
_STAT = {"creator": "Yosys 0.60", "design": {"num_cells": 7, "num_cells_by_type": {"LUT4": 5}}}
_NEXTPNR = """\
Info: Max frequency for clock 'clk': 123.45 MHz (PASS at 100.00 MHz)
Info: Max frequency for clock 'clk': 101.20 MHz (PASS at 100.00 MHz)
Info: Max delay posedge clk -> <async>: 3.10 ns
"""
_CELLS = """\
=== net ===

   Number of cells:                120
     LUT4                           60
     FDRE                           40
     RAMB18E1                        1
"""
#: A tool that does what it is asked at once, in place of Vivado and of openFPGALoader.
_TOOL = "#!/bin/sh\nexit 0\n"


def _make_plans(folder: Path) -> None:
    for path in sorted(_REPORTS.glob("v*")):
        shutil.copytree(path, folder / path.name)
    opened = folder / "open"
    opened.mkdir()
    (opened / "net_stat.json").write_text(json.dumps(_STAT))
    (opened / "net_nextpnr.log").write_text(_NEXTPNR)
    (opened / "cells.txt").write_text(_CELLS)
    for path in folder.iterdir():
        write_manifest(path, model=_MODEL)
        (path / "net.bit").write_bytes(bytes(range(256)))
        (path / "build_net.sh").write_text("touch net.bit\n")
    tool = folder / "tool"
    tool.write_text(_TOOL)
    tool.chmod(0o755)


def _plan(case: Case) -> tuple[str, Path]:
    names = sorted(path.name for path in case.originals.iterdir() if path.is_dir())
    name = case.rng.choice(names)
    return name, case.copy(name)


def _manifest(case: Case) -> Verdict:
    name, plan = _plan(case)
    case.damage(plan / PLAN_FILE, damaged_json)
    tool = str(case.originals / "tool")
    with patch.dict("os.environ", {"OPENFPGALOADER": tool, "VIVADO": tool}):
        match case.rng.randrange(3):
            case 0:
                return case.run("program", name, *case.rng.choice(((), ("--board", "sea"))))
            case 1:
                # an earlier bitstream must not pass for that of a run that fails
                log, old = (f"{name}/build.log",), (f"{name}/*.bit",)
                return case.call("run_plan", lambda: run_plan(plan), changes=log, gone=old)
            case _:
                return case.run("report", name, "--json")


def _reports(case: Case) -> Verdict:
    name, plan = _plan(case)
    files = sorted(path for path in plan.iterdir() if path.suffix in (".rpt", ".log", ".txt"))
    if name == "open" and case.rng.randrange(3) == 0:
        case.damage(plan / "net_stat.json", damaged_json)
    else:
        case.damage(case.rng.choice(files), damaged_text)
    if case.rng.randrange(2):
        return case.run("report", name, *case.rng.choice(((), ("--json",))))
    return case.call("read_build", lambda: read_build(plan))


def _make_waves(folder: Path) -> None:
    small_model(folder / "m.safetensors")
    model = load_model(folder / "m.safetensors")
    windows = np.zeros((1, *model.input.shape), dtype=np.int64)
    simulate(lower(model), windows, vcd=folder / "all.vcd")
    # the beginning is enough, and quick
    lines = (folder / "all.vcd").read_text().splitlines()
    start = lines.index("$enddefinitions $end")
    (folder / "w.vcd").write_text("\n".join(lines[: start + 2_000]) + "\n")
    (folder / "all.vcd").unlink()
    write_saif(folder / "w.vcd", folder / "w.saif", model=_MODEL)


def _waves(case: Case) -> Verdict:
    if case.rng.randrange(8):
        path = case.damage(case.copy("w.vcd"), damaged_text)
        out = case.folder / "out.saif"
        return case.call("write_saif", lambda: write_saif(path, out, model=_MODEL))
    path = case.damage(case.copy("w.saif"), damaged_text)
    return case.call("_activity", lambda: _activity(path, 12_000_000, _MODEL))


class _Port:
    """A serial port of a shell whose answers are damaged on the way."""

    def __init__(self, rng: random.Random, payload: bytes):
        self.rng, self.payload, self.waiting = rng, payload, b""

    def write(self, data: bytes) -> int:
        found = find_frame(bytes(data))
        if found is not None:
            asked = found[0]
            answer = Frame(
                sequence=asked.sequence, command=asked.command | ANSWER, payload=self.payload
            )
            self.waiting += damaged_bytes(self.rng, encode(answer))
        return len(data)

    def read(self, size: int = 1) -> bytes:
        data, self.waiting = self.waiting[:size], self.waiting[size:]
        return data

    def flush(self) -> None: ...

    def close(self) -> None: ...


def _frames(case: Case) -> Verdict:
    payload = case.rng.randbytes(case.rng.choice((1, 4, REGISTER_BYTES)))
    port = _Port(case.rng, payload)
    heard: list[bytes] = []

    def ask() -> None:
        client = Client(UartTransport(port), retries=1)
        if len(payload) == REGISTER_BYTES and case.rng.randrange(2):
            client.read()
        else:
            heard.append(client.ask(0x02, expected=len(payload)))

    verdict = case.call("Client.ask", ask)
    if heard and heard[0] != payload:
        return Verdict("silent", f"{heard[0].hex()} was heard of {payload.hex()}")
    return verdict


BOARD_KINDS = {
    "manifest": Kind(share=700, make=_make_plans, case=_manifest),
    "report": Kind(share=900, make=_make_plans, case=_reports),
    "waves": Kind(share=300, make=_make_waves, case=_waves),
    "frame": Kind(share=500, make=lambda _folder: None, case=_frames, digest=True),
}
