"""The script that routes: its rows, what it says of them, and that it goes on where it was."""

import json
from pathlib import Path

import pytest

from bitformer.model.config import named_config
from bitformer.model.errors import UserError

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture
def script(monkeypatch):
    """The script's folder is where it runs."""
    monkeypatch.syspath_prepend(str(FOLDER))
    import routing

    return routing


def record(row, *, cycles, mhz):
    path = {"start": "engine.a[1]", "end": "engine.m", "levels": 3}
    path |= {"delay_ns": 8.25, "logic_ns": 3.0, "routing_ns": 5.25}
    seeds = [
        {"seed": number, "mhz": one, "seconds": 30.0, "path": path}
        for number, one in enumerate(mhz, 1)
    ]
    small = row.part == "ice40up5k"
    names = ("logic cell",) if small else ("LUT", "FF")
    routing = {
        "part": row.part,
        "best_mhz": max(mhz),
        "median_mhz": sorted(mhz)[len(mhz) // 2],
        "worst_mhz": min(mhz),
        "best_seed": mhz.index(max(mhz)) + 1,
        "asked_hz": 48e6 if small else 150e6,
        "speed": "" if small else "6",
        "tool": f"nextpnr-{'ice40' if small else 'ecp5'} 0.99",
        "seeds": seeds,
        "resources": [
            {"resource": name, "used": 5_000, "available": 24_288}
            for name in (*names, "block RAM", "multiplier")
        ],
    }
    return {
        "design": row.name,
        "part": row.part,
        "products": 32,
        "cycles": cycles,
        "routing": routing,
    }


def test_every_row_has_the_cycles_that_were_set(script):
    for row in script.ROWS:
        assert row.design().latency <= row.cycles


def test_a_page_and_what_is_not_reached(script):
    good, slow = script.ROWS[:2]
    records = [
        record(good, cycles=3_184, mhz=[118.0, 124.0, 121.0]),
        record(slow, cycles=9_800, mhz=[130.0, 119.9, 100.0]),
    ]
    lacking = [one for row, found in zip(script.ROWS, records, strict=False) for one in
               script.shortfalls(row, found)]  # fmt: skip
    assert lacking == [
        "grid-12-32-4 on lfe5u-25f: 9800 cycles, at most 9700",
        "grid-12-32-4 on lfe5u-25f: 119.9 MHz in the median, at least 120",
    ]
    page = script.page(records, lacking, ["grid-24-64-4 on lfe5u-45f"], "yosys 9")
    row = "| etth1-96-24 | lfe5u-25f | 32 | 3 184 | 124.0 | 121.0 | 118.0 | 26.3 | 5 000 |"
    assert row in page
    ends = "| etth1-96-24 on lfe5u-25f | `engine.a[1]` | `engine.m` | 8.25 | 3.00 | 5.25 | 3 |"
    assert ends in page
    assert "* grid-12-32-4 on lfe5u-25f: 119.9 MHz" in page
    assert "Not measured yet, of this hardware: grid-24-64-4 on lfe5u-45f." in page
    assert "synthesized by yosys 9. 3 seeds each." in page
    said = "* lfe5u-25f: nextpnr-ecp5 0.99, 150 MHz asked, the slowest speed grade (6), ports anywh"
    assert said in page


def test_a_part_without_pins_for_every_port(script):
    row = script.Row(name="tiny", part="ice40up5k", cycles=5_500, mhz=36)
    assert (row.asked_hz(None), row.asked_hz(30)) == (48e6, 30e6)
    page = script.page([record(row, cycles=4_000, mhz=[38.0, 40.0, 39.0])], [], [], "yosys 9")
    assert "* ice40up5k: nextpnr-ice40 0.99, 48 MHz asked, no ports but clk and rst." in page
    # its cells are of a LUT and a flip-flop
    assert "| 4 000 | 40.0 | 39.0 | 38.0 | 102.6 | 5 000 |  | 5 000 | 5 000 | 30 |" in page


def test_what_was_routed_is_not_routed_again(script, tmp_path, monkeypatch):
    from click.testing import CliRunner

    monkeypatch.setattr(script, "RESULTS", tmp_path / "results.jsonl")
    calls = []

    def measured(row, seeds, asked_hz):
        calls.append((row.name, seeds, asked_hz))
        return record(row, cycles=3_184, mhz=[118.0, 124.0, 121.0])

    monkeypatch.setattr(script, "measured", measured)
    for _ in range(2):
        said = CliRunner(catch_exceptions=False).invoke(script.main, ["--design", "etth1-96-24"])
        assert said.exit_code == 0
        assert "121.0" in said.output
    assert calls == [("etth1-96-24", 3, 150e6)]
    words = ["--design", "etth1-96-24", "--part", "lfe5u-45f"]
    said = CliRunner(catch_exceptions=False).invoke(script.main, words)
    assert (said.exit_code, "no row is of that design" in said.output) == (2, True)
    monkeypatch.setattr(script, "REPORT", tmp_path / "page.md")
    said = CliRunner().invoke(script.main, ["--design", "etth1-96-24", "--seeds", "5", "--write"])
    assert said.exit_code == 0
    assert "hardware: grid-12-32-4 on lfe5u-25f, grid" in (tmp_path / "page.md").read_text()
    assert calls[1:] == [("etth1-96-24", 5, 150e6)]
    said = CliRunner().invoke(script.main, ["--show", "--design", "grid-24-64-4"])
    assert (said.exit_code, len(calls)) == (0, 2)
    assert "etth1-96-24" in said.output
    said = CliRunner().invoke(script.main, ["--show", "--seeds", "7"])
    assert (said.exit_code, len(calls)) == (2, 2)
    assert "no row is measured" in said.output


def test_a_row_that_cannot_be_routed_keeps_no_other_from_it(script, tmp_path, monkeypatch):
    from click.testing import CliRunner

    monkeypatch.setattr(script, "RESULTS", tmp_path / "results.jsonl")
    monkeypatch.setattr(script, "REPORT", tmp_path / "page.md")

    def measured(row, seeds, asked_hz):
        if row.name == "etth1-96-24-w2a8":
            raise UserError("no BELs remaining")
        return record(row, cycles=10_381, mhz=[47.0, 45.0, 46.0])

    monkeypatch.setattr(script, "measured", measured)
    said = CliRunner().invoke(script.main, ["--part", "ice40up5k", "--write"])
    assert said.exit_code == 0
    assert "Not reached: etth1-96-24-w2a8 on ice40up5k: no BELs remaining" in said.output
    page = script.REPORT.read_text()
    assert "* etth1-96-24-w2a8 on ice40up5k: no BELs remaining" in page
    assert "| grid-12-32-4 | ice40up5k |" in page
    said = CliRunner().invoke(script.main, ["--design", "etth1-96-24-w2a8"])
    assert (said.exit_code, "no BELs remaining" in said.output) == (2, True)


def test_rows_of_the_hardware_of_a_commit(script, tmp_path, monkeypatch):
    from click.testing import CliRunner

    monkeypatch.setattr(script, "RESULTS", tmp_path / "results.jsonl")
    monkeypatch.setattr(script, "REPORT", tmp_path / "page.md")
    row = script.ROWS[1]
    monkeypatch.setattr(script, "key_of", lambda config, part, commit: f"{commit}")
    found = record(row, cycles=9_689, mhz=[118.0, 124.0, 121.0])
    key = row.key(3, 150e6, "abc")
    (tmp_path / "results.jsonl").write_text(json.dumps({"key": key, **found}) + "\n")
    words = ["--show", "--write", "--hardware", "abc"]
    said = CliRunner(catch_exceptions=False).invoke(script.main, words)
    assert (said.exit_code, "121.0" in said.output) == (0, True)
    assert "ports anywhere, hardware as of commit abc." in script.REPORT.read_text()
    said = CliRunner().invoke(script.main, ["--show", "--hardware", "other"])
    assert (said.exit_code, "no row is measured" in said.output) == (2, True)
    # what is measured of today's hardware comes first
    key = row.key(3, 150e6)
    with (tmp_path / "results.jsonl").open("a") as file:
        file.write(json.dumps({"key": key, **record(row, cycles=9_689, mhz=[99.0])}) + "\n")
    said = CliRunner(catch_exceptions=False).invoke(script.main, words)
    assert (said.exit_code, "99.0" in said.output, "121.0" in said.output) == (0, True, False)
    assert "as of commit" not in script.REPORT.read_text()


def test_sources_as_they_were_at_a_commit(script, tmp_path, monkeypatch):
    import measure

    config = named_config("tiny")
    texts = {f"{name}/one.py": f"# {name} \u00e9\n" for name in ("model", "hw")}
    for name, text in texts.items():
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text(text, encoding="utf-8")

    def git(*words):
        if words[0] == "ls-tree":
            assert words[-3:] == ("C", "model", "hw")
            return "\n".join([*texts, "hw/notes.md"])
        return texts[words[1].removeprefix("C:")]

    monkeypatch.setattr(measure, "ROOT", tmp_path)
    monkeypatch.setattr(measure, "_git", git)

    def keys():
        measure._sources.cache_clear()
        return measure.key_of(config, "lfe5u-25f"), measure.key_of(config, "lfe5u-25f", "C")

    try:
        now, then = keys()
        assert now == then
        (tmp_path / "hw" / "one.py").write_text("# another\n")
        changed, same = keys()
        assert (changed != now, same) == (True, then)
    finally:
        measure._sources.cache_clear()


def test_rows_of_bits_differ_in_bits_alone(script):
    for (shape, bits), row in script.BIT_ROWS.items():
        config = row.config()
        used = {str(config.bits(name)) for name in config.components}
        assert used == set(bits.split(", ")), (shape, bits)
        geometry = row.design().geometry
        assert (geometry.columns, geometry.ways, row.design().part) == (24, 1, "lfe5u-25f")
    # the published one is not routed twice
    assert script.BIT_ROWS["grid-12-32", "4"].key(3, 1.5e8) == script.ROWS[1].key(3, 1.5e8)
    names = {row.design_title for row in script.BIT_ROWS.values()}
    assert {"grid-12-32-6, 4 and 6 bits", "etth1-96-24, 8 bits", "grid-12-32-8"} <= names


def test_the_section_of_bits_takes_the_place_of_the_one_before(script, tmp_path, monkeypatch):
    from click.testing import CliRunner

    page = tmp_path / "search.md"
    page.write_text("# What a search finds\n\nText.\n\n## Another\n\nMore.\n")
    monkeypatch.setattr(script, "SEARCH", page)
    monkeypatch.setattr(script, "RESULTS", tmp_path / "results.jsonl")
    mhz = {"4": [100.0, 101.0, 102.0], "6": [95.0, 104.0, 98.0], "8": [90.0, 99.0, 97.0]}

    def measured(row, seeds, asked_hz):
        return record(row, cycles=9_690, mhz=mhz.get(row.name[-1], mhz["6"]))

    monkeypatch.setattr(script, "measured", measured)

    def write(*names):
        options = [part for name in names for part in ("--design", name)]
        said = CliRunner(catch_exceptions=False).invoke(
            script.main, ["--bits", "--write", *options]
        )
        assert said.exit_code == 0
        return page.read_text()

    first = write("grid-12-32-4")
    assert first.startswith("# What a search finds\n\nText.\n\n## Another\n\nMore.\n\n## Do comp")
    assert "| grid-12-32 | 4 | 9 690 | 102.0 | 101.0 | 100.0 | 95.9 | 5 000 |" in first
    assert "uniform 8 bits reach" not in first
    assert "Not measured yet, of this hardware: grid-12-32-6 on lfe5u-25f," in first
    page.write_text(first + "\n## Last\n\nEnd.\n")
    second = write("grid-12-32-8", "grid-12-32-6")
    assert second.count(script.BITS_TITLE) == 1
    assert second.endswith("\n\n## Last\n\nEnd.\n")
    assert (
        "- grid-12-32: uniform 8 bits reach -4.0% against 4 bits (no seed of one within the"
        " other's), -1.0% against 6 bits (their seeds overlap), -1.0% against 4, 6 bits (their"
        " seeds overlap)."
    ) in second
    assert write("grid-12-32-8") == second
    # all are there: 8 bits are among the others' seeds, or not
    for own, verdict in ((mhz["8"], False), ([90.0, 101.5, 97.0], True)):
        mhz["8"] = own
        (tmp_path / "results.jsonl").unlink()
        text = write()
        assert "Not measured yet" not in text
        assert ("They do not, in these designs" in text) == verdict
    (tmp_path / "results.jsonl").unlink()
    assert "They do not" not in write("grid-12-32-4", "grid-12-32-8")
