"""Names: one rule for those that become files, a stricter one for those in Verilog too."""

import re

from bitformer.model.errors import UserError
from bitformer.model.plain import shown

__all__ = ["as_design_name", "check_design_name", "check_name"]

#: Most characters; with suffixes, names stay below a file system's 255.
MOST, MOST_OF_DESIGN = 128, 64
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")
_DESIGN = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
#: Names that no file on Windows may have, whatever its suffix.
_DEVICES = frozenset(
    ["aux", "con", "nul", "prn", *(f"{kind}{n}" for kind in ("com", "lpt") for n in range(10))]
)
#: Reserved words of SystemVerilog (IEEE 1800-2017, annex B), with Verilog's among them, and VHDL's
#: (IEEE 1076-2008, 15.10), which knows no capitals.
_LANGUAGES = """
accept_on alias always always_comb always_ff always_latch and assert assign assume automatic
before begin bind bins binsof bit break buf bufif0 bufif1 byte case casex casez cell chandle
checker class clocking cmos config const constraint context continue cover covergroup
coverpoint cross deassign default defparam design disable dist do edge else end endcase
endchecker endclass endclocking endconfig endfunction endgenerate endgroup endinterface
endmodule endpackage endprimitive endprogram endproperty endsequence endspecify endtable
endtask enum event eventually expect export extends extern final first_match for force foreach
forever fork forkjoin function generate genvar global highz0 highz1 if iff ifnone ignore_bins
illegal_bins implements implies import incdir include initial inout input inside instance int
integer interconnect interface intersect join join_any join_none large let liblist library
local localparam logic longint macromodule matches medium modport module nand negedge nettype
new nexttime nmos nor noshowcancelled not notif0 notif1 null or output package packed parameter
pmos posedge primitive priority program property protected pull0 pull1 pulldown pullup
pulsestyle_ondetect pulsestyle_onevent pure rand randc randcase randsequence rcmos real
realtime ref reg reject_on release repeat restrict return rnmos rpmos rtran rtranif0 rtranif1
s_always s_eventually s_nexttime s_until s_until_with scalared sequence shortint shortreal
showcancelled signed small soft solve specify specparam static string strong strong0 strong1
struct super supply0 supply1 sync_accept_on sync_reject_on table tagged task this throughout
time timeprecision timeunit tran tranif0 tranif1 tri tri0 tri1 triand trior trireg type typedef
union unique unique0 unsigned until until_with untyped use uwire var vectored virtual void wait
wait_order wand weak weak0 weak1 while wildcard wire with within wor xnor xor

abs access after all architecture array attribute block body buffer bus component
configuration constant disconnect downto elsif entity exit fairness file generic group guarded
impure in inertial is label linkage literal loop map mod next of on open others out parameter
port postponed procedure process protected range record register reject rem report rol ror
select severity shared signal sla sll sra srl strong subtype then to transport units until
variable vmode vprop vunit when
"""
_WORDS = frozenset(_LANGUAGES.split())


def check_name(name: object, what: str) -> str:
    """Return ``name``, after which files are called; ``what`` begins the sentence about it.

    Raises
    ------
    UserError
        Unless it is 1 to 128 letters, digits and ``. _ -`` with a letter or digit at both ends; for
        the name of a device of Windows.
    """
    if not isinstance(name, str):
        raise UserError(f"{what} must be a string, not {shown(name)}")
    if len(name) > MOST or not _NAME.fullmatch(name):
        raise UserError(
            f"{what} must be up to {MOST} letters, digits, '.', '_' and '-', the first and last a"
            f" letter or digit, not {shown(name)}"
        )
    _check_device(name, what)
    return name


def check_design_name(name: object, what: str) -> str:
    """Return ``name`` of a Verilog module and its files; ``what`` begins the sentence about it.

    Raises
    ------
    UserError
        Unless it is 1 to 64 letters, digits and underscores, with a letter first; for a reserved
        word of SystemVerilog or VHDL, or the name of a device of Windows.
    """
    if not isinstance(name, str) or len(name) > MOST_OF_DESIGN or not _DESIGN.fullmatch(name):
        raise UserError(
            f"{what} must be a letter, then letters, digits and underscores, {MOST_OF_DESIGN} at"
            f" most, not {shown(name)}"
        )
    if name.lower() in _WORDS:
        raise UserError(f"{what} must be no reserved word of Verilog or VHDL, as {name} is")
    _check_device(name, what)
    return name


def as_design_name(name: str) -> str:
    """Return the name of a module for something called ``name``."""
    plain = re.sub(r"[^A-Za-z0-9_]", "_", name)
    free = _DESIGN.match(plain) and plain.lower() not in _WORDS | _DEVICES
    return (plain if free else f"m_{plain}")[:MOST_OF_DESIGN]


def _check_device(name: str, what: str) -> None:
    if name.partition(".")[0].lower() in _DEVICES:
        raise UserError(f"{what} must be no device of Windows, as {name} is")
