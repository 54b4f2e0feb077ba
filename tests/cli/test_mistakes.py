"""Every mistake of a user's is one sentence and exit code 2; nothing half done is left."""

import re
import zipfile
from pathlib import Path

import numpy as np
import pytest
from model_damage import assembled, taken_apart
from safetensors.numpy import save_file

ROWS = 300


def csv_file(*, rows=ROWS, header="when,power,wind", cell=lambda row: f"{row % 24}.5", when=None):
    """A CSV file's text: hours from 2024-01-01 on."""
    when = when or (lambda row: f"2024-01-{row // 24 + 1:02d} {row % 24:02d}:00")
    return (
        "\n".join([header, *(f"{when(row)},{cell(row)},{row % 7}" for row in range(rows))]) + "\n"
    )


FILES = {
    "empty.csv": "",
    "header.csv": "when,power,wind\n",
    "numbers.csv": "1,2,3\n4,5,6\n",
    "twice.csv": csv_file(header="when,power,power"),
    "words.csv": csv_file(cell=lambda row: "off" if row == 40 else row % 24),
    "infinite.csv": csv_file(cell=lambda row: "inf" if row == 40 else row % 24),
    "nan.csv": csv_file(cell=lambda row: "NaN"),
    "constant.csv": csv_file(cell=lambda row: "7"),
    "short.csv": csv_file(rows=40),
    "gaps.csv": csv_file(cell=lambda row: "" if row % 20 < 5 else row % 24),
    "repeated.csv": csv_file(when=lambda row: f"2024-01-0{1 + (row >= 50)}"),
    "backwards.csv": csv_file(when=lambda row: f"{row or 5}"),
    "months.csv": csv_file(when=lambda row: f"{row % 12 + 1:02d}/01/2024"),
    "ragged.csv": csv_file() + "2024-02-01 00:00,3\n",
    "good.csv": csv_file(),
    "not.safetensors": "this is no model, whatever its name says",
    "config.json": '{"name": "mine", "window": 24, "d_model": 8}',
    "typo.json": '{"name": "mine", "window": 24, "d_model": 8, "ffn": 16, "haeds": 2}',
    "broken.json": '{"name": ',
    "list.json": "[1]",
    "layers.json": '{"name": "m", "window": 24, "d_model": 8, "ffn": 16, "layers": 100000}',
    "wide.json": '{"name": "m", "window": 24, "d_model": 8, "ffn": 100000000}',
    "float.json": '{"name": "m", "window": 8, "d_model": 8, "ffn": 8, "tensors": {"input": 4.0}}',
    "nested.json": '{"a":' * 100_000,
    "twice.json": '{"name": "m", "window": 24, "window": 48, "d_model": 8, "ffn": 16}',
    "bits.json": '{"name": "m", "window": 8, "d_model": 8, "ffn": 8, "default": {"weights": 4}}',
    "escape.json": '{"name": "../../../escaped/x", "window": 24, "d_model": 8, "ffn": 16}',
    "bom.json": '\ufeff{"name": "m", "window": 24, "d_model": 8, "ffn": 16, "horizon": 0}',
    "occupied/thesis.txt": "do not delete",
    "plain": "a file",
    "run/notes.txt": "no run",
    "damaged/run.json": "{",
}


def rewritten(tiny, path, change):
    """The tiny model with its header and arrays changed."""
    header, arrays = taken_apart(tiny.read_bytes())
    change(header, arrays)
    path.write_bytes(assembled(header, arrays))


def _set(*keys, value):
    def change(header, _):
        for key in keys[:-1]:
            header = header[key]
        header[keys[-1]] = value

    return change


def _shape(_, arrays):
    arrays["1.weight"] = np.ascontiguousarray(arrays["1.weight"][:, :-1])


def _range(_, arrays):
    arrays["1.weight"] = np.full_like(arrays["1.weight"], 99)


CHANGES = {
    "version": _set("version", value=99),
    "format": _set("format", value="onnx"),
    "field": _set("tensors", 0, "colour", value="red"),
    "config_name": _set("config", "name", value="../x"),
    "config_field": _set("config", "depth", value=3),
    "operation": _set("operations", 1, "op", value="Convolution"),
    "source": _set("operations", 1, "x", value="nowhere"),
    "shape": _shape,
    "range": _range,
    "shift": _set("operations", 1, "shift", value=-3),
    "bits": _set("tensors", 0, "bits", value=99),
    "meta": _set("meta", value=[]),
    "meta_name": _set("meta", value={"dataset": {"name": 7}}),
    "meta_inputs": _set("meta", value={"dataset": {"name": "etth1", "inputs": [1]}}),
    "meta_gone": _set("meta", value={"dataset": {"name": "gone.csv"}}),
}


@pytest.fixture(scope="module")
def place(tiny, tmp_path_factory):
    """A folder with all that can be wrong."""
    root = tmp_path_factory.mktemp("mistakes")
    for name, text in FILES.items():
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text(text)
    (root / "latin.csv").write_bytes(csv_file(header="when,power,höhe").encode("latin-1"))
    whole = tiny.read_bytes()
    (root / "good.safetensors").write_bytes(whole)
    (root / "truncated.safetensors").write_bytes(whole[: len(whole) // 2])
    (root / "empty.safetensors").write_bytes(b"")
    save_file({"x": np.zeros(3)}, root / "other.safetensors")
    with zipfile.ZipFile(root / "bundle.zip", "w") as archive:
        archive.writestr("model.safetensors", whole)
    for name, change in CHANGES.items():
        rewritten(tiny, root / f"{name}.safetensors", change)
    return root


M = "{d}/good.safetensors"
TRAIN = "train --config tiny --epochs 1 --qat-epochs 1 -o {d}/new --target power"
TIMED = TRAIN + " --time when"
SEARCH = "search --config tiny --data synthetic --workers 1 -o {d}/new"

#: Command line -> what the sentence must say. ``{d}`` is the folder of the files above.
MISTAKES = {
    # the command line itself
    "fly": r"No such command 'fly' \(see",
    "estmate m": r"No such command 'estmate': did you mean 'estimate'\? \(see",
    "info": "Missing argument 'MODEL'",
    "info {d}/bundle.zip": "bundle.zip must be .* it is a zip; of a bundle, which 'verify' checks",
    f"info {M} --colour": "No such option.*--colour",
    f"simulate {M} --samples none": "'none' is not a valid integer",
    f"simulate {M} --samples 0": "0 is not in the range x>=1",
    f"simulate {M} --samples 1000000001": "1000000001 is more than 1000000000",
    f"simulate {M} --backpressure 1": "--backpressure must be a number from 0 to below 1, not '1'",
    f"simulate {M} --seed -1": "-1 is not in the range",
    f"evaluate {M} --engine vhdl": "'vhdl' is not one of",
    # model files
    "info {d}/missing.safetensors": "model file must exist, which .*missing.* does not",
    "info {d}": "model file must exist",
    "info {d}/truncated.safetensors": "must be a safetensors file",
    "info {d}/empty.safetensors": "must be a safetensors file",
    "info {d}/not.safetensors": "must be a safetensors file",
    "info {d}/other.safetensors": "must be a bitformer model",
    "info {d}/version.safetensors": "version must be 2, not 99",
    "info {d}/format.safetensors": "format must be 'bitformer-integer-model'",
    "info {d}/field.safetensors": "tensor 0 has an unknown field 'colour'",
    "info {d}/config_field.safetensors": "config has an unknown field 'depth'",
    "info {d}/operation.safetensors": "op must be one of .* not 'Convolution'",
    "info {d}/source.safetensors": "nowhere",
    "simulate {d}/shape.safetensors": r"weight must be of shape|must read|shape",
    "estimate {d}/range.safetensors": "weight must be within .* not 99..99",
    "elaborate {d}/shift.safetensors -o {d}/new": "shift must be .* not -3",
    "build {d}/bits.safetensors --board sea -o {d}/new": "bits must be .* not 99",
    "evaluate {d}/meta.safetensors": "meta must be an object, not \\[\\]",
    "evaluate {d}/meta_name.safetensors": "meta: dataset: name must be text, not 7",
    "simulate {d}/meta_inputs.safetensors": "meta: dataset: inputs .* must be text, not 1",
    "evaluate {d}/meta_gone.safetensors": "gone.csv, which the model was trained on, is not here",
    # configurations
    "init huge -o {d}/new/m": "config must be one of .* not 'huge'",
    "init grid-12-32-5 -o {d}/new/m": "weights must be one of .* not 5",
    "init grid-0-32-4 -o {d}/new/m": "window must be a positive integer, not 0",
    "init {d}/missing.json -o {d}/new/m": "Config file .* cannot be read: No such file",
    "init {d}/broken.json -o {d}/new/m": "Config file .* must be JSON",
    "init {d}/config.json -o {d}/new/m": "config must have a field 'ffn', which is missing",
    "init {d}/layers.json -o {d}/new/m": "config: layers must be at most 64, not 100000",
    "train --data synthetic --config {d}/wide.json -o {d}/new": "ffn must be at most 65535, not 1",
    "init {d}/float.json -o {d}/new/m": "config: tensors: input must be an integer, not 4.0",
    "init {d}/nested.json -o {d}/new/m": "Config file .* must be JSON, which it is not: nested",
    "init {d}/twice.json -o {d}/new/m": "Config file .* must be JSON.* 'window' twice",
    "init {d}/typo.json -o {d}/new/m": "config has an unknown field 'haeds'",
    "init {d}/bits.json -o {d}/new/m": "config: default must have a field 'activations'",
    "init {d}/escape.json -o {d}/new/m": "escape.json: config: name must be up to 128 lett",
    "init {d}/bom.json -o {d}/new/m": "bom.json: config: horizon must be a positive integer, not 0",
    "compare --data synthetic --config {d}/escape.json -o {d}/new": "name must be up to 128",
    "sensitivity --data synthetic --config {d}/escape.json -o {d}/new": "name must be up to 128",
    # data
    "train --config tiny -o {d}/new": "--data must name a data set or a CSV file",
    TRAIN + " --data etth9": "Data must be nyc-taxi, etth1, .* not 'etth9'",
    TRAIN + " --data {d}/missing.csv": "missing.csv does not exist",
    "train --data {d}/good.csv -o {d}/new": "Target must name the column .* power, wind",
    TRAIN + " --data {d}/good.csv --inputs solar": "Column 'solar' is not in .* power, wind",
    TRAIN + " --data {d}/good.csv --inputs power,power": "one or more different columns",
    TRAIN + " --data {d}/good.csv --inputs ,": "one or more different columns",
    TRAIN + " --data {d}/good.csv --time date": "Column 'date' is not in",
    TRAIN + " --data {d}/empty.csv": "it is empty",
    TRAIN + " --data {d}/header.csv": "must have at least .* rows",
    TRAIN + " --data {d}/numbers.csv": "must name the columns, but it holds only numbers",
    TRAIN + " --data {d}/twice.csv": "a name of its own, but 'power' is there twice",
    TRAIN + " --data {d}/words.csv": "finite numbers, but line 42 has 'off'",
    TRAIN + " --data {d}/infinite.csv": "finite numbers, but line 42 has 'inf'",
    TRAIN + " --data {d}/nan.csv": "must have at least .* rows without a gap",
    TRAIN + " --data {d}/constant.csv": "Target 'power' .* must change",
    TRAIN + " --data {d}/short.csv": "must have at least .* rows",
    TRAIN + " --data {d}/gaps.csv": "the longest stretch",
    TRAIN + " --data {d}/ragged.csv": "must have 3 cells like the header, not 2",
    TRAIN + " --data {d}/latin.csv": "must be text in UTF-8",
    TRAIN + " --data {d}": "must be a CSV file, not a directory",
    TIMED + " --data {d}/repeated.csv": "the time of line 3 repeats that of line 2",
    TIMED + " --data {d}/backwards.csv": "the time of line 3 goes back behind",
    TIMED + " --data {d}/months.csv": "01/01/2024.*say --time-format '%d/%m/%Y' or '%m/%d/%Y'",
    f"evaluate {M}": "Data must be given with --data",
    f"evaluate {M} --data {{d}}/good.csv": "Target must name the column",
    f"evaluate {M} --data synthetic --inputs synthetic,synthetic_1": "1 input column.* not 2",
    f"simulate {M} --data {{d}}/missing.csv --target x": "missing.csv does not exist",
    # training
    TRAIN + " --data {d}/good.csv --window 25": r"patch must divide window \(25\)",
    TRAIN + " --data {d}/good.csv --weights 5": "weights must be one of .* not 5",
    TRAIN + " --data {d}/good.csv --activations 9": "activations must be one of .* not 9",
    TRAIN + " --data {d}/good.csv --epochs 0": "epochs must be a positive integer, not 0",
    TRAIN + " --data {d}/good.csv --lr nan": "lr must be a positive number, not nan",
    TRAIN + " --data {d}/good.csv --precise 7": "weights must be one of .* not 7",
    TRAIN + " --data {d}/good.csv --method magic": "'magic' is not one of",
    TRAIN + " --data {d}/good.csv --lowering wide": "--lowering must be widths such as 8,4",
    TRAIN + " --data {d}/good.csv --lowering 4,8": "lowering must be falling widths",
    TRAIN + " --data {d}/good.csv --from {d}/missing": "no run.json",
    TRAIN + " --data {d}/good.csv --device toaster": "device must be",
    "train --data {d}/good.csv --target power --config tiny -o {d}/plain": "cannot be made",
    "train --data {d}/good.csv --target power --config tiny -o {d}/damaged": "must be JSON",
    "export {d}/run -o {d}/new/m": "no run.json",
    "export {d}/missing -o {d}/new/m": "no run.json",
    "export {d}/damaged -o {d}/new/m": "must be JSON",
    # hardware
    f"estimate {M} --part xc7z020": "part must be one of xc7s6, .* not 'xc7z020'$",
    f"estimate {M} --part XC7S-15": "part must be one of xc7s6, .*: did you mean 'xc7s15'",
    "estimate nyc-taxi": "did you mean 'nyc-taxi-anomaly-w4a8' or 'nyc-taxi-w4a8'",
    "init tinny -o {d}/new": "config must be one of .*: did you mean 'tiny'",
    f"estimate {M} --lanes 0": "0 is not in the range",
    f"estimate {M} --lanes 100000": "100000 is not in the range",
    f"estimate {M} --place weights": "--place must be NAME=PLACEMENT, .* not 'weights'",
    f"estimate {M} --place cache=block": "placement must name a store of .* not 'cache'",
    f"estimate {M} --place layers.0.hid=block": "not '.*hid': did you mean 'layers.0.hidden'",
    f"estimate {M} --place delta=block": "placement of delta must be left out, since it is the",
    f"estimate {M} --place weights=ddr": "placement of weights must be one of .* not 'ddr'",
    f"estimate {M} --place scores=block --place scores=registers": "one placement",
    f"estimate {M} --clock -5": "--clock must be a number of megahertz from .*, not '-5'",
    f"estimate {M} --clock nan": "--clock must be a number of megahertz from .*, not 'nan'",
    f"estimate {M} --plot {{d}}/new.docx": "new.docx cannot be written",
    f"build {M} --board nexys -o {{d}}/new": "Board 'nexys' is unknown; known boards are",
    f"build {M} --board ulx3s -o {{d}}/new": "did you mean 'ulx3s-25f', 'ulx3s-45f' or 'ulx3s-85f'",
    f"build {M} --board sea --name 1x -o {{d}}/new": "Design name must be a letter",
    f"build {M} --board sea --name module -o {{d}}/new": "must be no reserved word .* module is",
    f"build {M} --board sea --name Signal -o {{d}}/new": "must be no reserved word .* Signal is",
    f"build {M} --board sea --name nul -o {{d}}/new": "must be no device of Windows, as nul is",
    "info {d}/config_name.safetensors": "name must be up to 128 letters, .* not '../x'",
    # search
    SEARCH.replace(
        "tiny", "{d}/escape.json"
    ): "escape.json: config: name must be up to 128 letters",
    SEARCH.replace(" --data synthetic", ""): "--data must name a data set or a CSV file",
    SEARCH + " --max-latency 50": "--max-latency must be a positive number with its unit.*'50'",
    SEARCH + " --max-energy 5us": "--max-energy must be a positive number .* such as 5uJ",
    SEARCH + " --max-luts -1": "-1 is not in the range",
    SEARCH + " --clock 0": "--clock must be a number of megahertz from .*, not '0'",
    SEARCH + " --part xc7z020": "part must be one of xc7s6, .* not 'xc7z020'",
    SEARCH + " --bits wide": "bits must be numbers such as 4 or 2/8, or 4p/8 .*, not 'wide'",
    SEARCH + " --bits 4,5": "bits must be widths that a model can have, .* not 5",
    SEARCH + " --bits 4,4": "bits of a search must name each choice once, not '4, 4'",
    SEARCH + " --lanes auto,0": "--lanes must be numbers from 1 to .* or auto, .* not 'auto,0'",
    SEARCH + " --lanes 8,8": "engines of a search must name each choice once, not '8lanes,",
    SEARCH
    + " --bits 16": "bits of components must be 2 to 8 to be searched, .* not 16; with --per",
    SEARCH + " --score luck": "'luck' is not one of",
    SEARCH + " --top 0": "0 is not in the range",
    SEARCH + " --sensitivity {d}/missing": "Sensitivity file .* cannot be read",
    SEARCH + " --sensitivity {d}/broken.json": "Sensitivity file .* must be JSON, which it is not",
    SEARCH
    + " --sensitivity {d}/list.json": "Sensitivity file .* must be an object, not .1.: such as",
    SEARCH.replace("/new", "/plain"): "Folder .*plain cannot be made",
    # places to write to
    "init tiny -o {d}/occupied": "must be a file, not a directory",
    "init tiny -o {d}/plain/m.safetensors": "Folder .*plain cannot be made",
    f"simulate {M} --samples 1 --vcd {{d}}/plain/x.vcd": "Folder .*plain cannot be made",
    f"elaborate {M} -o {{d}}/occupied": "has files in it and is no bitformer build",
    "demo -o {d}/plain": "cannot be made",
    f"elaborate {M} -o {{d}}/plain": "is a file; name another one",
    f"build {M} --board sea -o {{d}}/occupied": "has files in it and is no bitformer build",
    f"build {M} --board sea -o {{d}}/plain/x": "cannot be written",
}


def files_of(folder):
    """When each file was written last; the lock stays in a folder that a command has held."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {p: p.stat().st_mtime_ns for p in files if p.name != ".bitformer-lock"}


@pytest.mark.parametrize("line", MISTAKES)
def test_one_sentence_and_exit_code_two(line, place, bitformer):
    before = files_of(place)
    said = bitformer(*(word.format(d=place) for word in line.split()))
    assert said.code == 2, said
    assert said.out == ""
    error = said.err.splitlines()[-1]
    assert error.startswith("Error: ")
    assert said.err.count("Error: ") == 1
    assert "Traceback" not in said.err
    assert re.search(MISTAKES[line], error), error
    assert not error.rstrip().endswith(":")
    assert files_of(place) == before


def test_there_are_more_than_twenty_kinds():
    assert len(MISTAKES) > 20


@pytest.mark.parametrize("as_json", [[], ["--json"]])
def test_with_json_too(as_json, place, bitformer):
    said = bitformer("info", place / "truncated.safetensors", *as_json)
    assert (said.code, said.out) == (2, "")
    assert len(said.err.splitlines()) == 1


def test_another_run_in_the_folder(bitformer, tmp_path):
    options = ["--data", "synthetic", "--config", "tiny", "--epochs", "1", "--qat-epochs", "1"]
    assert bitformer("train", *options, "-o", tmp_path).code == 0
    said = bitformer("train", *options, "--seed", "1", "-o", tmp_path)
    assert said.code == 2
    assert "seed: 0 there, 1 here" in said.err
    assert bitformer("train", *options, "--seed", "1", "--restart", "-o", tmp_path).code == 0


NEED_TORCH = {
    "train": "--data synthetic -o {d}/apart",
    "demo": "-o {d}/apart",
    "search": "--data synthetic --config tiny -o {d}/apart",
    "compare": "--data synthetic --config tiny -o {d}/apart",
    "sensitivity": "--data synthetic --config tiny -o {d}/apart",
    "import": "{d}/run --data synthetic -o {d}/apart",
    "export": "{d}/run -o {d}/apart",
    "noise": f"{M} --data synthetic --plot {{d}}/apart/noise.png",
}


@pytest.mark.parametrize("command", NEED_TORCH)
def test_training_without_torch(command, bitformer, place, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    said = bitformer(command, *NEED_TORCH[command].format(d=place).split())
    assert said.code == 2
    subjects = {"export": "Exporting a run", "import": "An import", "noise": "Noise"}
    what = subjects.get(command, "Training")
    assert f"Error: {what} needs torch, which is not installed" in said.err
    assert not (place / "apart").exists()


def test_the_reference_names_what_needs_torch():
    page = (Path(__file__).resolve().parents[2] / "docs" / "reference.md").read_text()
    (sentence,) = re.findall(r"Only ([^.]*) need torch", page)
    assert set(re.findall(r"`(\w+)`", sentence)) == set(NEED_TORCH)
