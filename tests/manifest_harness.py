"""A build's ``bitformer.json``, for tests that need no other file of it, or a damaged one."""

import json

MANIFEST = {
    "format": 1,
    "name": "net",
    "board": "elastic-node-v5",
    "part": "xc7s15ftgb196-1",
    "clock_hz": 100_000_000,
    "mmcm": False,
    "link": "spi",
    "input_bits": 8,
    "result_bits": 8,
    "bitstream": "net.bit",
    "toolchain": "vivado",
    "latency_cycles": 5_529,
    "interval_cycles": 5_400,
}


def write_manifest(folder, **changes):
    """Write the manifest with other values in some fields; None leaves a field out."""
    data = {name: value for name, value in (MANIFEST | changes).items() if value is not None}
    (folder / "bitformer.json").write_text(json.dumps(data))
