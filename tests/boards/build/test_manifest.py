"""What a build says of itself, written and read."""

import json

import pytest
from manifest_harness import MANIFEST, write_manifest

from bitformer.boards.build.manifest import Manifest
from bitformer.model.errors import UserError
from bitformer.model.forecasts.answer import Answer

FULL = Manifest(
    **MANIFEST | {"link": "elastic"},
    baud=115_200,
    addresses={"model_id": 0, "start": 16, "data": 18, "base": 256, "phase": 1},
    model_id="0123456789abcdef" + 8 * "00",
    highest_sck_hz=12_500_000,
    model="0123456789abcdef",
    unsigned=True,
    answer=Answer(task="classify", numbers=2, classes=("a", "b"), margin=3),
)


def test_what_is_written_is_read(tmp_path):
    assert None not in vars(FULL).values()
    for manifest in (FULL, Manifest(**MANIFEST)):
        manifest.write(tmp_path)
        assert Manifest.read(tmp_path) == manifest
    # What is not known is left out.
    assert json.loads((tmp_path / "bitformer.json").read_text()) == MANIFEST == manifest.to_dict()


def test_fields_of_a_later_version_are_ignored(tmp_path):
    write_manifest(tmp_path, later=[1])
    assert Manifest.read(tmp_path) == Manifest(**MANIFEST)
    write_manifest(tmp_path, format=2)
    with pytest.raises(UserError, match=r"bitformer\.json: format must be one of \(1,\), not 2$"):
        Manifest.read(tmp_path)


def test_an_answer_is_checked(tmp_path):
    write_manifest(tmp_path, answer={"task": "guess", "numbers": 1})
    with pytest.raises(UserError, match=r"bitformer\.json: answer: task must be one of \('foreca"):
        Manifest.read(tmp_path)
    write_manifest(tmp_path, answer={"task": "detect", "numbers": "1"})
    with pytest.raises(UserError, match=r"answer: numbers must be an integer, not '1'"):
        Manifest.read(tmp_path)


@pytest.mark.parametrize("name", [n for n in MANIFEST if n not in ("format", "toolchain")])
def test_a_field_that_is_missing(tmp_path, name):
    write_manifest(tmp_path, **{name: None})
    if name == "board":  # as `elaborate` writes it
        assert Manifest.find(tmp_path) is None
        with pytest.raises(UserError, match=r"^Directory .* holds no bitformer build$"):
            Manifest.read(tmp_path)
    elif name.endswith("_cycles"):  # of an accelerator that was not lowered from a model
        assert getattr(Manifest.read(tmp_path), name) is None
    else:
        with pytest.raises(UserError, match=rf"must have a field '{name}', which is missing$"):
            Manifest.find(tmp_path)


def test_no_folder_and_no_file(tmp_path):
    assert Manifest.find(tmp_path / "none") is Manifest.find(tmp_path) is None
    (tmp_path / "bitformer.json").symlink_to("nowhere")
    with pytest.raises(UserError, match=r"bitformer\.json cannot be read: "):
        Manifest.find(tmp_path)
