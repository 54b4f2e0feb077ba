"""A stand-in for Vivado: runs a build's Tcl in a real Tcl interpreter and believes nothing.

Started as Vivado is, ``stand_in_vivado.py -mode batch -log FILE -source SCRIPT``. Every command of
Vivado's that is known here checks its options, its objects and its files; any other is an error, as
is a control structure in an XDC file. Ports are the Verilog's, balls the package's. At the
bitstream every port needs a ball, a standard, and a clock or an exception. What the real program
makes of the design is not known here: reports come from the folder STAND_IN_REPORTS, if it is set.
"""

import os
import re
import shutil
import sys
import tkinter
from pathlib import Path

from bitformer.boards.pinouts import PACKAGES

#: Options without and with a value, and how many other arguments, of each command.
COMMANDS = {
    "create_project": ("force", "name part", (0, 2)),
    "add_files": ("", "fileset", (1, 99)),
    "read_xdc": ("", "ref", (1, 1)),
    "synth_design": ("", "top part flatten_hierarchy directive", (0, 0)),
    "opt_design": ("", "directive", (0, 0)),
    "place_design": ("", "directive", (0, 0)),
    "route_design": ("", "directive", (0, 0)),
    "phys_opt_design": ("", "directive", (0, 0)),
    "report_timing_summary": ("no_header no_detailed_paths datasheet", "file max_paths", (0, 0)),
    "report_utilization": ("hierarchical", "file", (0, 0)),
    "report_io": ("", "file", (0, 0)),
    "report_control_sets": ("verbose", "file", (0, 0)),
    "report_clock_utilization": ("", "file", (0, 0)),
    "report_route_status": ("", "file", (0, 0)),
    "report_drc": ("", "file", (0, 0)),
    "report_methodology": ("", "file", (0, 0)),
    "report_power": ("", "file", (0, 0)),
    "write_checkpoint": ("force", "", (1, 1)),
    "write_bitstream": ("force bin_file", "", (1, 1)),
    "read_saif": ("no_strip", "strip_path out_file", (1, 1)),
    "get_cells": ("quiet hier", "filter", (0, 1)),
    "get_pins": ("quiet hier", "of filter", (0, 1)),
    "get_ports": ("quiet", "", (1, 1)),
    "get_nets": ("quiet", "", (1, 1)),
    "get_iobanks": ("", "", (1, 1)),
    "current_design": ("", "", (0, 0)),
    "set_property": ("", "", (3, 3)),
    "set_false_path": ("", "from to", (0, 0)),
    "create_clock": ("", "name period", (1, 1)),
    "quit": ("", "", (0, 0)),
}
IN_XDC = "current_design get_ports get_nets get_iobanks set_property set_false_path create_clock"
#: The command that a stage has to come after.
AFTER = {
    "read_xdc": "create_project",
    "synth_design": "read_xdc",
    "opt_design": "synth_design",
    "place_design": "opt_design",
    "route_design": "place_design",
    "phys_opt_design": "route_design",
    "read_saif": "route_design",
    "report_power": "route_design",
    "write_bitstream": "route_design",
}
PROPERTIES = {
    "port": {
        "LOC": None,
        "IOSTANDARD": r"LVCMOS(33|25|18)|SSTL135",
    },
    "design": {
        "CFGBVS": "VCCO|GND",
        "CONFIG_VOLTAGE": r"3\.3|2\.5|1\.8|1\.5",
        "CONFIG_MODE": "SPIx[124]|S_SERIAL|B_SCAN",
        "BITSTREAM.GENERAL.COMPRESS": "TRUE|FALSE",
        "BITSTREAM.CONFIG.SPI_BUSWIDTH": "[124]",
        "BITSTREAM.CONFIG.CONFIGRATE": "3|6|9|12|16|22|26|33|40|50|66",
    },
    "bank": {"INTERNAL_VREF": r"0\.(6|675|75|9)"},
}


class RefusedError(Exception):
    """What Vivado would not do."""


class Vivado:
    """The state of a project, and a method for each command that does more than write a file."""

    def __init__(self):
        self.done = []
        self.package = None
        self.ports, self.nets, self.verilog = set(), set(), ""
        self.properties = {}
        self.timed = {}
        self.refused = None
        self.tcl = tkinter.Tcl()
        # Tcl's own handler would look for a program of that name.
        self.tcl.eval("rename unknown {}; interp create xdc; xdc eval {rename unknown {}}")
        for name in ("foreach", "if", "for", "while", "proc", "source", "exec", "open"):
            self.tcl.eval(f"xdc hide {name}")
        for name in COMMANDS:
            self.tcl.createcommand(name, lambda *words, name=name: self.run(name, words))
            if name in IN_XDC.split():
                self.tcl.eval(f"interp alias xdc {name} {{}} {name}")

    def run(self, name, words):
        try:
            options, rest = parse(name, words)
            if name in AFTER and AFTER[name] not in self.done:
                raise RefusedError(f"{name} before {AFTER[name]}")
            self.done.append(name)
            if "file" in options:
                self.write(options["file"])
            method = getattr(self, name, None)
            return method(*rest, **options) if method else ""
        except Exception as error:  # of which Tcl would only say that there was one
            self.refused = self.refused or str(error)
            raise

    def write(self, file):
        source = Path(os.environ.get("STAND_IN_REPORTS", os.devnull)) / file
        if source.is_file():
            shutil.copyfile(source, file)
        else:
            Path(file).write_text("no report: this was a stand-in\n")

    def create_project(self, *_, part, **__):
        match = re.fullmatch(r"(xc7s\d+)([a-z]+\d+)-(1|1IL|2)", part)
        if not match or match.groups()[:2] not in PACKAGES:
            raise RefusedError(f"[Coretcl 2-106] Specified part could not be found: {part}")
        self.package = PACKAGES[match[1], match[2]]

    def add_files(self, *files, **_):
        for file in files:
            if not Path(file).is_file():
                raise RefusedError(f"[Vivado 12-172] File or Directory '{file}' does not exist")
            self.verilog += Path(file).read_text()

    def read_xdc(self, file, **_):
        if not Path(file).is_file():
            raise RefusedError(f"[Common 17-55] '{file}' does not exist")
        top = re.search(
            rf"^module {Path(file).stem}\((.*?)\);(.*?)^endmodule", self.verilog, re.M | re.S
        )
        if not top:
            raise RefusedError(f"module {Path(file).stem} is not in the Verilog")
        declared = re.findall(r"^\s*(input|output|inout) (\w+);", top[2], re.M)
        self.ports = {port: direction for direction, port in declared}
        self.nets = {*re.findall(r"^\s*(?:wire|reg)\s+(?:\[.*?\] )?(\w+)", top[2], re.M)}
        self.tcl.eval(f"xdc eval {{ {Path(file).read_text()} }}")

    def synth_design(self, *, top, **_):
        if not re.search(rf"^module {top}\(", self.verilog, re.M):
            raise RefusedError(f"[Synth 8-439] module '{top}' not found")

    def get_ports(self, name, **_):
        if name not in self.ports:
            raise RefusedError(f"[Vivado 12-584] No ports matched '{name}'")
        return f"port:{name}"

    def get_nets(self, name, **_):
        if name not in self.nets:
            raise RefusedError(f"[Vivado 12-507] No nets matched '{name}'")
        return f"net:{name}"

    def get_iobanks(self, number, **_):
        if int(number) not in self.package.banks:
            raise RefusedError(f"no I/O bank {number}")
        return f"bank:{number}"

    def current_design(self, **_):
        return "design:"

    def get_cells(self, *_, **options):
        match = re.fullmatch(r'([\w.]+) (==|!=) "(\w*)"', options["filter"])
        if not match:
            raise RefusedError(f"filter {options['filter']}")
        if match[2] == "==":
            attribute = rf'\\?{re.escape(match[1])}\s+= "{match[3]}"'
        else:
            attribute = rf'\\?{re.escape(match[1])}\s+= "[^"]'
        found = re.findall(attribute, self.verilog)
        return " ".join(f"cell:{match[1]}{k}" for k in range(len(found)))

    def get_pins(self, *_, **__):
        return ""

    def set_property(self, key, value, where):
        kind, _, name = where.partition(":")
        known = PROPERTIES.get(kind, {})
        if key not in known:
            raise RefusedError(f"[Common 17-54] no property '{key}' of a {kind}")
        if key == "LOC":
            if value not in self.package.balls:
                raise RefusedError(
                    f"[Vivado 12-1411] {value} is no user I/O of {self.package.name}"
                )
            users = [port for port, had in self.properties.items() if had.get("LOC") == value]
            if users:
                raise RefusedError(f"[Vivado 12-1411] {value} is taken by {users[0]}")
        elif not re.fullmatch(known[key], value):
            raise RefusedError(f"[Netlist 29-69] '{value}' is no {key}")
        self.properties.setdefault(name, {})[key] = value

    def create_clock(self, where, *, period, **_):
        kind, _, name = where.partition(":")
        if kind not in ("net", "port") or not 1 < float(period) < 1000:
            raise RefusedError(f"create_clock of {period} ns on {where}")
        if self.properties.get(name, {}).get("LOC") not in self.package.clock_balls:
            raise RefusedError(f"[Place 30-574] {name} is on no clock-capable ball")
        self.timed[name] = "clock"

    def set_false_path(self, **options):
        for side, where in options.items():
            kind, _, name = where.partition(":")
            if kind == "port":
                if (side == "from") != (self.ports[name] == "input"):
                    raise RefusedError(f"set_false_path -{side} {name}, an {self.ports[name]}")
                self.timed[name] = "false"
            elif kind != "cell":
                raise RefusedError(f"set_false_path on {where}")

    def read_saif(self, file, *, strip_path="", out_file=None, **_):
        if not Path(file).is_file():
            raise RefusedError(f"[Power 33-1] SAIF file {file} does not exist")
        text = Path(file).read_text()
        for name in strip_path.split("/"):
            if not re.search(rf"\(INSTANCE {name}\s", text):
                raise RefusedError(f"[Power 33-2] no instance {name} in {file}")
        if out_file:
            Path(out_file).write_text("")

    def write_checkpoint(self, file, **_):
        Path(file).write_bytes(b"")

    def write_bitstream(self, file, **options):
        for port in self.ports:
            had = self.properties.get(port, {})
            if "LOC" not in had:
                raise RefusedError(f"[DRC UCIO-1] Unconstrained Logical Port: {port}")
            if "IOSTANDARD" not in had:
                raise RefusedError(f"[DRC NSTD-1] Unspecified I/O Standard: {port}")
            if port not in self.timed:
                raise RefusedError(f"port {port} is neither timed nor excepted")
        if not {"CFGBVS", "CONFIG_VOLTAGE"} <= set(self.properties.get("", {})):
            raise RefusedError("[DRC CFGBVS-1] Missing CFGBVS and CONFIG_VOLTAGE Design Properties")
        Path(file).write_bytes(b"\xff" * 64)
        if options.get("bin_file"):
            Path(file).with_suffix(".bin").write_bytes(b"\xff" * 32)


def parse(name, words):
    """Options as a dict and the other arguments; a word that is neither is refused."""
    flags, valued, (least, most) = COMMANDS[name]
    options, rest, words = {}, [], list(words)
    while words:
        word = words.pop(0)
        option = word.removeprefix("-")
        if not word.startswith("-"):
            rest.append(word)
        elif option in flags.split():
            options[option] = True
        elif option in valued.split() and words:
            options[option] = words.pop(0)
        else:
            raise RefusedError(f"[Common 17-170] Unknown option '{word}' of {name}")
    if not least <= len(rest) <= most:
        raise RefusedError(f"[Common 17-163] {name} with {len(rest)} arguments")
    return options, rest


def main(words):
    options = dict(zip(words[::2], words[1::2], strict=True))
    if options.keys() != {"-mode", "-log", "-source"} or options["-mode"] != "batch":
        print(f"ERROR: unknown arguments {words}")
        return 1
    vivado = Vivado()
    try:
        vivado.tcl.eval(Path(options["-source"]).read_text())
    except (tkinter.TclError, RefusedError) as error:
        print(f"ERROR: {vivado.refused or error}")
        return 1
    if vivado.done[-1:] != ["quit"]:
        print("ERROR: the script does not end with quit")
        return 1
    Path(options["-log"]).write_text("\n".join(vivado.done))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
