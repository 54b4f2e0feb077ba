"""``bitformer host``: the drivers for firmware, as they stand in the package."""

import json
import subprocess

import pytest

from bitformer.boards.host import drivers
from bitformer.model.errors import UserError

OWN = drivers.resources.files("bitformer.boards.host")


def test_drivers_are_written_as_they_are(bitformer, tmp_path):
    said = bitformer("host", "--c", "--micropython", "-o", tmp_path / "new", "--json")
    assert said.data["languages"] == ["micropython", "c"]
    names = {"bitformer_micro.py", "bitformer.h", "bitformer_scale.h"}
    assert {path.name for path in (tmp_path / "new").iterdir()} == names
    for name in names:
        assert (tmp_path / "new" / name).read_bytes() == (OWN / name).read_bytes()
    # another release's driver is replaced
    (tmp_path / "new" / "bitformer.h").write_bytes((OWN / "bitformer.h").read_bytes() + b"//\n")
    assert bitformer("host", "--c", "-o", tmp_path / "new").code == 0
    assert (tmp_path / "new" / "bitformer.h").read_bytes() == (OWN / "bitformer.h").read_bytes()


def test_numbers_of_a_model(bitformer, tmp_path):
    said = bitformer("host", "beijing-ozone-w4a8", "--micropython", "-o", tmp_path)
    assert said.code == 0
    assert {path.name for path in tmp_path.iterdir()} == {"bitformer_micro.py", "scaling.json"}
    assert json.loads((tmp_path / "scaling.json").read_text())["target"]["name"] == "O3"


@pytest.mark.needs("c-compiler")
def test_headers_of_a_model_compile(bitformer, tmp_path):
    assert bitformer("host", "beijing-ozone-w4a8", "--c", "-o", tmp_path).code == 0
    (tmp_path / "main.c").write_text(
        '#include "bitformer.h"\n#include "bitformer_model.h"\n'
        "int main(void) { return bitformer_model.window - BITFORMER_MODEL_WINDOW; }\n"
    )
    command = ["cc", "-std=c99", "-Wall", "-Werror", "-Wno-unused-function", "main.c", "-o", "main"]
    subprocess.run(command, cwd=tmp_path, check=True)
    assert subprocess.run([tmp_path / "main"]).returncode == 0


def test_what_is_wrong(bitformer, tmp_path):
    said = bitformer("host", "-o", tmp_path / "none")
    assert (said.code, said.out) == (2, "")
    assert "--micropython or --c must be given" in said.err
    (tmp_path / "bitformer.h").write_text("/* mine */")
    said = bitformer("host", "--c", "-o", tmp_path)
    assert said.code == 2
    assert "bitformer.h must be a driver of bitformer's, or not be there" in said.err
    assert {path.name for path in tmp_path.iterdir()} == {"bitformer.h"}
    with pytest.raises(UserError, match="Language must be one of micropython, c, not 'rust'"):
        drivers.write_drivers("rust", tmp_path)
