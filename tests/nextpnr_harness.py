"""Stand-ins for nextpnr and what packs its results, which do what a file says of each seed."""

import json
import sys

__all__ = ["stand_ins"]

_NEXTPNR = """\
#!{python}
import json, os, pathlib, sys, time
here, words = pathlib.Path({folder!r}), sys.argv[1:]
if "--version" in words:
    print('"{name}" -- Next Generation Place and Route (Version nextpnr-0.99)')
    sys.exit(0)
option = lambda name: words[words.index(name) + 1]
seed = option("--seed")
does = json.loads((here / "does.json").read_text())
with open(here / "runs.txt", "a") as runs:
    print(seed, *words, file=runs)
netlist = json.loads(pathlib.Path(option("--json")).read_text())
log = pathlib.Path(option("--log"))
log.write_text("Info: Packing constants\\nInfo: Routing..\\n")
act = does[seed]
if isinstance(act, list):
    act = act.pop(0)
    (here / "next.json").write_text(json.dumps(does))
    os.replace(here / "next.json", here / "does.json")
if act == "die":
    sys.exit(1)
if act == "error":
    log.write_text("Info: x\\nERROR: no Bels remaining of type MULT18X18D\\n")
    sys.exit(1)
if act == "hang":
    (here / f"new.{{seed}}").write_text(str(os.getpid()))
    os.replace(here / f"new.{{seed}}", here / f"pid.{{seed}}")
    time.sleep(100)
asked = float(option("--freq"))
clock = "$glbnet$clk"
step = lambda kind, delay, a, b, **net: dict(
    type=kind, delay=delay,
    **{{"from": dict(cell=a[0], port=a[1]), "to": dict(cell=b[0], port=b[1])}}, **net)
total = 1000 / act
path = [
    step("clk-to-q", 0.5, ("a_TRELLIS_FF_Q", "Q"), ("a_TRELLIS_FF_Q", "Q")),
    step("routing", total - 1, ("a_TRELLIS_FF_Q", "Q"), ("y_TRELLIS_FF_Q", "M"), net="unit.a[0]"),
    step("setup", 0.5, ("y_TRELLIS_FF_Q", "M"), ("y_TRELLIS_FF_Q", "M")),
]
report = dict(
    fmax={{clock: dict(achieved=act, constraint=asked)}},
    critical_paths=[{{"from": f"posedge {{clock}}", "to": f"posedge {{clock}}", "path": path}}],
    utilization=dict(
        TRELLIS_COMB=dict(used=7, available=24288), TRELLIS_FF=dict(used=2, available=24288)
    ),
)
pathlib.Path(option("--report")).write_text(json.dumps(report))
result = option("--textcfg" if "--textcfg" in words else "--asc")
ports = [port for module in netlist["modules"].values() for port in module.get("ports", ())]
pathlib.Path(result).write_text(" ".join([f"config of seed {{seed}}", *ports]))
"""

_ECPPACK = """\
#!{python}
import pathlib, sys
words = sys.argv[1:]
if "--version" in words:
    print("Project Trellis ecppack Version 0.99")
    sys.exit(0)
text = pathlib.Path(words[words.index("--input") + 1]).read_text()
pathlib.Path(words[words.index("--bit") + 1]).write_text(f"bits of {{text}}: {{' '.join(words)}}")
"""

_ICEPACK = """\
#!{python}
import pathlib, sys
words = sys.argv[1:]
if "-h" in words:
    print("\\nUsage: /usr/bin/{name} [options] [input-file [output-file]]", file=sys.stderr)
    sys.exit(1)
*options, result, bits = words
text = pathlib.Path(result).read_text()
pathlib.Path(bits).write_text(f"bits of {{text}}: {{' '.join(words)}}")
"""

_TOOLS = {
    "nextpnr-ecp5": _NEXTPNR,
    "ecppack": _ECPPACK,
    "nextpnr-ice40": _NEXTPNR,
    "icepack": _ICEPACK,
}


class _StandIns:
    """The tools: what they are to do, by seed, and what they were asked for."""

    def __init__(self, folder):
        self._folder = folder

    def does(self, **by_seed):
        """Say of ``s1`` and so on the megahertz that it reaches, or what it does instead.

        ``"die"`` without a word, ``"error"``, ``"hang"``; or a list, for one run after another.
        """
        does = {name.removeprefix("s"): what for name, what in by_seed.items()}
        (self._folder / "does.json").write_text(json.dumps(does))

    @property
    def runs(self):
        """The seeds that were run, and the arguments, in the order of the seeds."""
        path = self._folder / "runs.txt"
        return sorted(path.read_text().splitlines()) if path.exists() else []

    @property
    def seeds(self):
        """The seeds that were run."""
        return [int(run.split()[0]) for run in self.runs]

    def pids(self):
        """Processes that hang, by their seeds."""
        return {path.name: int(path.read_text()) for path in self._folder.glob("pid.*")}


def stand_ins(folder, monkeypatch):
    """Put stand-ins into a folder, and name them in the variables that are looked at."""
    folder.mkdir()
    for name, text in _TOOLS.items():
        tool = folder / name
        tool.write_text(text.format(python=sys.executable, folder=str(folder), name=name))
        tool.chmod(0o755)
        monkeypatch.setenv(name.upper().replace("-", "_"), str(tool))
    return _StandIns(folder)
