"""The native engine: the Python engine's cycles, elements and differences, compiled."""

import os
import re
import shlex
import stat
import tempfile
from dataclasses import replace

import pytest

from bitformer.hw.lowering.lower import lower
from bitformer.hw.units.accelerator import Accelerator
from bitformer.model import cache as cache_module
from bitformer.model import reference
from bitformer.model.errors import UserError
from bitformer.sim import native_build, native_engine
from bitformer.sim.compare import Comparison
from bitformer.sim.run import simulate

pytestmark = pytest.mark.needs("compiler")


@pytest.fixture(scope="module")
def tiny(small_model):
    return lower(small_model("tiny"))


@pytest.fixture(scope="module")
def design(small_model):
    """One that compiles in a few seconds."""
    return lower(small_model(window=3, horizon=3, subtract_last=True), lanes=2)


@pytest.fixture(scope="module")
def x(design, inputs_of):
    return inputs_of(design.model, samples=3, seed=5)


@pytest.fixture(autouse=True, scope="module")
def cache(tmp_path_factory, request):
    """A cache of all workers' for these tests; what is compiled need not be fast."""
    root = tmp_path_factory.getbasetemp()
    folder = (root.parent if hasattr(request.config, "workerinput") else root) / "native"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(native_build, "default_cache", lambda: folder)
        patch.setattr(native_build, "_FLAGS", (*native_build._FLAGS, "-O0"))
        yield


@pytest.fixture
def compiled(monkeypatch):
    """A list that grows with each compilation."""
    original, calls = native_build.compile_library, []

    def counting(command, source, folder):
        calls.append(command)
        return original(command, source, folder)

    monkeypatch.setattr(native_build, "compile_library", counting)
    return calls


@pytest.fixture
def no_compiler(monkeypatch):
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setattr(native_build.shutil, "which", lambda name: None)


def both(design, x, **options):
    """What the two engines find; everything but the engine's name must be the same."""
    python, native = (simulate(design, x, engine=e, **options) for e in ("python", "native"))
    assert (python.engine, native.engine) == ("python", "native")
    assert (python.outputs == native.outputs).all()
    for name in ("difference", "latency", "interval", "cycles", "tensors"):
        assert getattr(native, name) == getattr(python, name), name
    return native


@pytest.mark.parametrize(("back_pressure", "seed"), [(0.0, 0), (0.4, 0), (0.4, 1), (0.8, 2)])
def test_equal_to_the_python_engine_in_every_cycle(tiny, inputs_of, back_pressure, seed):
    x = inputs_of(tiny.model, samples=3, seed=5)
    result = both(tiny, x, back_pressure=back_pressure, seed=seed)
    assert result.bit_exact
    if not back_pressure:
        assert result.latency[0] == tiny.latency
        assert result.interval == [tiny.interval] * (len(x) - 1)


@pytest.mark.slow
@pytest.mark.parametrize(("norm", "heads", "inputs"), [("layer", 2, 1), ("batch", 1, 3)])
def test_decoders_are_exact_for_many_windows(small_model, inputs_of, norm, heads, inputs):
    model = small_model(
        window=8,
        patch=2,
        horizon=6,
        layers=2,
        decoder_layers=2,
        norm=norm,
        heads=heads,
        inputs=inputs,
        subtract_last=norm == "layer",
    )
    design = lower(model)
    x = inputs_of(model, samples=70)
    result = simulate(design, x, engine="native")
    assert result.bit_exact, str(result.difference)
    assert result.latency[0] == design.latency
    assert result.interval == [design.interval] * (len(x) - 1)
    hindered = simulate(design, x, engine="native", back_pressure=0.6)
    assert hindered.bit_exact, str(hindered.difference)
    assert (hindered.outputs == result.outputs).all()


def test_windows_and_chunks_are_seamless(design, inputs_of, monkeypatch):
    x = inputs_of(design.model, samples=70, seed=6)  # more than a chunk of the reference
    monkeypatch.setattr(native_engine, "_WINDOW", 97)
    told = []
    result = simulate(design, x, engine="native", progress=lambda *said: told.append(said))
    assert result.bit_exact
    assert result.outputs.shape[0] == len(x)
    assert result.interval == [design.interval] * (len(x) - 1)
    assert told == [(done, len(x), "simulating") for done in range(1, len(x) + 1)]


def test_many_samples_ask_the_reference_for_a_few_at_a_time(design, inputs_of):
    x = inputs_of(design.model, samples=200, seed=7)
    asked = []

    def run(part):
        asked.append(len(part))
        return reference.run(design.model, part)

    comparison = Comparison(design, x, run)
    native_engine.run_native(Accelerator(design=design), x.reshape(len(x), -1), comparison)
    assert comparison.difference is None
    assert asked == [64, 64, 64, 8]


def test_a_second_run_compiles_nothing(design, x, compiled):
    notes = []
    first = simulate(design, x, engine="native", note=notes.append)
    before = len(compiled)
    assert before <= 1
    again = simulate(design, x, engine="native", note=notes.append)
    assert first == replace(again, outputs=first.outputs)
    assert len(compiled) == before
    assert len(notes) == before


def test_a_faulty_image_is_found_as_by_the_python_engine(design, x):
    words = list(design.images["weights"])
    words[len(words) // 2] ^= 1 << (design.geometry.weights.bits - 1)
    mutant = replace(design, images={**design.images, "weights": words})
    result = both(design, x, accelerator=Accelerator(design=mutant), back_pressure=0.2)
    assert result.difference is not None


@pytest.mark.parametrize("tensor", ["delta", "embedding", "layers.0.norm2", "output"])
def test_differences_are_told_as_by_the_python_engine(design, x, monkeypatch, tensor):
    """Of every observed sequence: here it is the reference that is wrong, from some element on."""
    right = reference.run

    def wrong(model, x):
        values = dict(right(model, x))
        values[tensor] = values[tensor].copy()
        first = min(1, model.tensors[tensor].features - 1)
        values[tensor][:, -1, first:] ^= 1
        return values

    monkeypatch.setattr(reference, "run", wrong)
    difference = both(design, x, back_pressure=0.3, seed=4).difference
    spec = design.model.tensors[tensor]
    assert (difference.tensor, difference.sample) == (tensor, 0)
    assert (difference.row, difference.feature) == (spec.rows - 1, min(1, spec.features - 1))
    assert difference.expected == difference.got ^ 1


def test_only_waves_compile_what_shows_them(design):
    """If Yosys wrote these otherwise, everything would still work, only slower."""
    plain, waves = (
        native_build._source(Accelerator(design=design), waves=waves) for waves in (False, True)
    )
    assert "items->add" in waves
    assert "items->add" not in plain
    assert len(plain) < 0.7 * len(waves)
    assert ".curr = p_" in plain
    commits = re.findall(r"(\w+)\.commit\(observer\)", plain)
    assert commits
    assert all(name.startswith("memory_p_") for name in commits)


def test_waves_have_names_and_the_results_stay(design, x, tmp_path, compiled):
    waves = tmp_path / "waves.vcd"
    result = both(design, x[:1], vcd=waves)
    assert result.bit_exact
    assert len(compiled) == 1
    text = waves.read_text()
    header, changes = text.split("$enddefinitions $end")
    scopes = set(re.findall(r"\$scope module (\S+) \$end", header))
    assert {"top", "sequencer", "word_addresses", "engine", "post", "store_weights"} <= scopes
    assert re.search(r"\$var (?:wire|reg) \d+ \S+ o__valid", header)
    last = int(re.findall(r"^#(\d+)$", changes, re.MULTILINE)[-1])
    assert last == (result.cycles - 1) * 10 + 5


def test_waves_go_where_a_file_can_be(design, x, tmp_path):
    (tmp_path / "plain").touch()
    with pytest.raises(UserError, match=r"w\.vcd cannot be written: Not a directory$"):
        simulate(design, x, engine="native", vcd=tmp_path / "plain" / "w.vcd")
    assert [path.name for path in tmp_path.iterdir()] == ["plain"]


def test_a_design_that_takes_too_long_is_given_up(design, x):
    hasty = replace(design, latency=1, interval=1)
    with pytest.raises(RuntimeError, match=r"^design must answer within 307 cycles$"):
        simulate(hasty, x, engine="native")


def test_without_a_compiler(design, x, no_compiler):
    with pytest.raises(UserError, match=r"^a C\+\+ compiler must be installed \(g\+\+, clang"):
        simulate(design, x, engine="native")
    notes = []
    result = simulate(design, x[:1], engine="auto", note=notes.append)
    assert (result.engine, result.bit_exact) == ("python", True)
    (note,) = notes
    assert note.startswith("The Python simulator runs instead of the native one: a C++ compiler")


def test_auto_is_native_where_it_can_be(design, x):
    assert simulate(design, x, engine="auto").engine == "native"


def test_cxx_names_the_compiler(design, x, monkeypatch):
    monkeypatch.setenv("CXX", "no-such-compiler -O9")
    with pytest.raises(UserError, match=r"^CXX must name a C\+\+ compiler, and 'no-such-compiler'"):
        simulate(design, x, engine="native")


def test_a_compiler_that_refuses_is_quoted_and_leaves_nothing(design, x, monkeypatch, tmp_path):
    monkeypatch.setattr(native_build, "default_cache", lambda: tmp_path / "cache")
    script = tmp_path / "c compiler"
    script.write_text(
        "#!/bin/sh\n[ $1 = --version ] && exit 0\necho 'error: no C++14' >&2\nexit 1\n"
    )
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("CXX", shlex.quote(str(script)))
    with pytest.raises(UserError, match=r"it gave: error: no C\+\+14$"):
        simulate(design, x, engine="native")
    assert list((tmp_path / "cache").iterdir()) == []


def test_an_interrupted_compilation_leaves_nothing(design, x, monkeypatch, tmp_path):
    def interrupted(command, source, folder):
        (folder / "design.so").write_bytes(b"half of it")
        raise KeyboardInterrupt

    monkeypatch.setattr(native_build, "compile_library", interrupted)
    monkeypatch.setattr(native_build, "default_cache", lambda: tmp_path / "cache")
    with pytest.raises(KeyboardInterrupt):
        simulate(design, x, engine="native")
    assert list((tmp_path / "cache").iterdir()) == []


@pytest.fixture
def copied(monkeypatch, tmp_path):
    """A compiler that takes no time and counts, and a cache of its own."""
    made = []

    def compile_library(command, source, folder):
        made.append(source)
        (folder / "design.so").write_bytes(b"machine code")
        return folder / "design.so"

    monkeypatch.setattr(native_build, "_source", lambda *_, **__: "source")
    monkeypatch.setattr(native_build, "compile_library", compile_library)
    monkeypatch.setattr(native_build, "default_cache", lambda: tmp_path / "cache")
    return made


def test_a_cache_that_cannot_be_written_is_done_without(design, copied, tmp_path):
    (tmp_path / "cache").write_text("")
    first, again = (native_build.build(Accelerator(design=design)) for _ in range(2))
    assert first == again
    assert again.read_bytes() == b"machine code"
    assert len(copied) == 1  # kept as long as this process


@pytest.mark.needs("posix")
@pytest.mark.parametrize("damage", ["cut", "another's", "writable"])
def test_a_library_that_is_not_as_it_was_made_is_never_loaded(design, copied, damage):
    library = native_build.build(Accelerator(design=design))
    if damage == "writable":
        library.chmod(0o666)
    else:
        library.write_bytes(b"machine" if damage == "cut" else b"hostile code")
    again = native_build.build(Accelerator(design=design))
    assert (again.read_bytes(), again.stat().st_mode & 0o777) == (b"machine code", 0o600)
    assert len(copied) == 2
    assert list(again.parent.iterdir()) == [again]


def test_auto_goes_on_where_nothing_can_be_kept_or_made(design, x, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(native_build, "default_cache", lambda: tmp_path / "file")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "file"))
    cache_module._temporary.cache_clear()
    notes = []
    result = simulate(design, x[:1], engine="auto", note=notes.append)
    assert (result.engine, result.bit_exact) == ("python", True)
    assert re.match("The Python simulator runs instead of the native one: ", notes[-1])
    with pytest.raises(UserError, match=r"^a design must have room to be compiled, and got: "):
        simulate(design, x[:1], engine="native")


@pytest.mark.parametrize("command", ["g++ 'O2", 'g++ "'])
def test_cxx_that_no_shell_could_read(design, x, monkeypatch, command):
    monkeypatch.setenv("CXX", command)
    with pytest.raises(
        UserError, match=r"^CXX must be a C\+\+ compiler's command.*: No closing quot"
    ):
        simulate(design, x, engine="native")
    assert simulate(design, x[:1], engine="auto").engine == "python"


def test_the_environment_stays_as_it_was(design, monkeypatch):
    monkeypatch.setenv("AMARANTH_USE_YOSYS", "system")
    native_build.build(Accelerator(design=design))
    assert os.environ["AMARANTH_USE_YOSYS"] == "system"


def test_engine_is_one_of_four(design, x):
    message = r"^engine must be one of python, native, auto, netlist, not 'fast'"
    with pytest.raises(UserError, match=message):
        simulate(design, x, engine="fast")


@pytest.mark.parametrize("options", [{"engine": "netlist"}, {"engine": "native", "netlist": {}}])
def test_a_netlist_is_for_its_engine_alone(design, x, options):
    with pytest.raises(UserError, match=r"^netlist must be given to the engine netlist, and to no"):
        simulate(design, x, **options)


def test_a_netlist_writes_no_waves(design, x, tmp_path):
    with pytest.raises(UserError, match=r"^waves .vcd, saif. must not be asked"):
        simulate(design, x, engine="netlist", netlist={}, vcd=tmp_path / "waves.vcd")
