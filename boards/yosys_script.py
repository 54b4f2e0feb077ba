"""How Yosys maps a design to cells of the 7 series: alike for what is counted and what is built."""

__all__ = ["ROM_IN_LUTS", "mapping"]

#: Yosys' word for a ROM in LUTs is ``logic``, Vivado's ``distributed``.
ROM_IN_LUTS = 'setattr -set rom_style "logic" a:rom_style=distributed'

#: Nets are split before LUTs are mapped, without which ABC9 can give two nets one name
#: (YosysHQ/yosys, issue 4349). To ABC9 a wire takes 700 ps: what 150 MHz leaves for each of those
#: around six LUTs. With 300 ps, its default, a block RAM's slow output is as long as many LUTs, and
#: any path may have as many.
_MAPPING = """\
scratchpad -set synth_xilinx.abc9.W 700
synth_xilinx -family xc7 -top {top} {options}-run begin:map_luts
splitnets
synth_xilinx -family xc7 -top {top} {options}-run map_luts:check
"""


def mapping(*, top: str, options: str) -> str:
    """The commands that map the module ``top`` of a design that has been read.

    ``options`` are those of ``synth_xilinx``, each with a space behind it.
    """
    return _MAPPING.format(top=top, options=options)
